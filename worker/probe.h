/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks an engine's API for a status, without waiting: any number of questions at once on the loop's
 * thread, so that an engine that hangs delays nobody's but its own answer.
 *
 *     slot->probe = probe_get(loop, slot->api_socket, "/v3/paths/list", 1500, on_looked, slot);
 *
 * Only the status line is read. For sockets of engines that this worker started, not for the world.
 */
#ifndef WEIR_WORKER_PROBE_H
#define WEIR_WORKER_PROBE_H

#include "lib/service/loop.h"

#define PROBE_TARGET_MAX 256

struct probe;

/*
 * The end of a question, on the loop and never from inside probe_get; the probe is gone already.
 * `status` as in HTTP, 0 when there was no answer in time.
 */
typedef void probe_done_fn(void *ctx, int status);

/* `socket_path` of a unix socket, `target` printable ASCII without spaces; both copied. */
struct probe *probe_get(struct weir_loop *loop, const char *socket_path, const char *target,
                        int64_t timeout_ms, probe_done_fn *fn, void *ctx);

/* Ends it without a call. Sets NULL; NULL is fine. */
void probe_cancel(struct probe **probe);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits until the engine has an HLS muxer for a path: packets sent earlier would be lost to HLS
 * (the first group of pictures, mostly). Asks GET /v3/hls/muxers/get/<path> on the engine's API
 * socket every 2 ms or so; it is there 1-2 ms after RECORD.
 */
#ifndef WEIR_WORKER_TAP_MUXER_H
#define WEIR_WORKER_TAP_MUXER_H

#include "lib/service/loop.h"

#define TAP_MUXER_WAIT_MS 5000

struct tap_muxer;

/* `done` is called once, not from inside this call: true when the muxer is there, false after
 * TAP_MUXER_WAIT_MS. */
struct tap_muxer *tap_muxer_await(struct weir_loop *loop, const char *socket_path, const char *path,
                                  void (*done)(void *ctx, bool is_there), void *ctx);

/* Before or after `done`. Sets NULL; NULL is fine. */
void tap_muxer_free(struct tap_muxer **muxer);

#endif

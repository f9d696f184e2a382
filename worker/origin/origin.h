/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin: the table of routed generations between the control channel (what weir-worker says)
 * and the door (what gateways ask).
 *
 *     weir-worker --origin.route, origin.unroute, origin.ask--> control --> table
 *     gateway --HTTP--> door --ask--> table --> stream --> engine
 *     table --origin.activity, origin.answer, origin.listening--> weir-worker
 */
#ifndef WEIR_WORKER_ORIGIN_ORIGIN_H
#define WEIR_WORKER_ORIGIN_ORIGIN_H

#include "lib/domain/events.h"
#include "lib/service/loop.h"
#include "worker/origin/ask.h"
#include "worker/origin/stream.h"

#define ORIGIN_STREAMS_MAX 4096

struct origin;

/* Says a line to weir-worker. */
typedef void origin_say_fn(void *ctx, const struct weir_ctl *ctl);

struct origin *origin_new(struct weir_loop *loop, const struct stream_limits *limits,
                          origin_say_fn *say, void *ctx);
/* NULL is fine. */
void origin_free(struct origin *origin);

/* A line from weir-worker. */
void origin_control(struct origin *origin, const struct weir_ctl *ctl);

/* From the door, on the loop: takes the loop's reference. */
void origin_ask(struct origin *origin, struct ask *ask);

#endif

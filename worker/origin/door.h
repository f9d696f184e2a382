/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP side: `GET|HEAD /<stream_id>/<generation>/<file>` for gateways that show the secret, and
 * `GET /still/v1/<tenant_id>/<camera_id>?..` for apis that do (worker/still/door.h).
 *
 * Judges and answers in the HTTP server's threads; what is asked travels to the loop as a
 * `struct ask`. Answers are made here from nothing of the engine's but bytes: types, cache rules
 * and error texts are constants (docs/adr/). A gateway may send its own clock's second in
 * X-Weir-Second; a playlist then carries `X-Accel-Expires: @<second>`, fresh until that second is
 * over.
 */
#ifndef WEIR_WORKER_ORIGIN_DOOR_H
#define WEIR_WORKER_ORIGIN_DOOR_H

#include "lib/service/loop.h"
#include "worker/origin/ask.h"
#include "worker/origin/secrets.h"

/* A viewer's request is never held longer. */
#define DOOR_WAIT_MS 25000

struct door;

struct door_config {
    const char *listen; /* host:port */
    unsigned connections_max;
    struct secrets *secrets;
    struct weir_loop *loop;
    void (*on_ask)(void *ctx, struct ask *ask); /* on the loop; takes a reference */
    void *ctx;
};

WEIR_MUST_USE enum weir_code door_open(const struct door_config *config, struct door **ret,
                                       struct weir_err *err);
/* Nothing may be left on its way to the loop. Sets NULL. */
void door_close(struct door **door);

int door_port(const struct door *door);

#endif

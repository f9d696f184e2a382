/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/stills.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/domain/fair.h"
#include "lib/domain/still.h"
#include "worker/origin/upstream.h"

#define LINE_BYTES 4096 /* what comes before the image */

struct asked {
    struct weir_list node;
    struct stills *stills;
    struct ask *ask;
    struct fetch *fetch;
    struct weir_fair_place place;
};

struct stills {
    const char *socket;
    struct upstream *upstream;
    struct weir_list asked;
    struct weir_fair *fair;
};

/* Who waits does so in weir-still. */
static const struct weir_fair_limits limits = {.all = {STILLS_MAX, STILLS_MAX},
                                               .tenant = {STILLS_TENANT_MAX, STILLS_TENANT_MAX},
                                               .camera = {STILLS_CAMERA_MAX, STILLS_CAMERA_MAX}};

struct stills *stills_new(struct weir_loop *loop, const char *socket)
{
    struct stills *stills = weir_xalloc(sizeof(*stills));
    stills->socket = socket;
    stills->upstream = upstream_new(loop);
    stills->fair = weir_fair_new(&limits);
    weir_list_init(&stills->asked);
    return stills;
}

static void end(struct asked *asked, int status, struct blob *body)
{
    weir_list_remove(&asked->node);
    weir_fair_end(asked->stills->fair, &asked->place);
    ask_answer(asked->ask, status, body);
    free(asked);
}

void stills_free(struct stills *stills)
{
    if (stills == NULL) {
        return;
    }
    WEIR_LIST_FOR(pos, &stills->asked)
    {
        struct asked *asked = WEIR_CONTAINER(pos, struct asked, node);
        upstream_cancel(&asked->fetch);
        end(asked, 503, NULL);
    }
    upstream_free(stills->upstream);
    weir_fair_free(stills->fair);
    free(stills);
}

static void on_done(void *ctx, int status, struct weir_buf *body, const struct weir_err *err)
{
    struct asked *asked = ctx;
    (void)err;
    struct blob *blob = status > 0 ? blob_new(body) : NULL;
    end(asked, status > 0 ? status : 503, blob);
    blob_unref(&blob);
}

void stills_ask(struct stills *stills, struct ask *ask)
{
    struct asked *asked = weir_xalloc(sizeof(*asked));
    if (stills->socket[0] == '\0' || weir_fair_ask(stills->fair, &asked->place, &ask->tenant_id,
                                                   &ask->camera_id) != WEIR_FAIR_OK) {
        ask_answer(ask, 503, NULL);
        free(asked);
        return;
    }
    weir_fair_next(stills->fair); /* nobody waits, so that it is this one */
    asked->stills = stills;
    asked->ask = ask;
    weir_list_push_back(&stills->asked, &asked->node);
    struct upstream_get get = {.socket = stills->socket,
                               .target = ask->still,
                               .secret = "none",
                               .max_bytes = WEIR_STILL_IMAGE_MAX + LINE_BYTES,
                               .timeout_ms = STILLS_TIMEOUT_MS,
                               .fn = on_done,
                               .ctx = asked};
    asked->fetch = upstream_get(stills->upstream, &get);
}

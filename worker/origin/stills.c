/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/stills.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/domain/still.h"
#include "worker/origin/upstream.h"

#define LINE_BYTES 4096 /* what comes before the image */

struct asked {
    struct weir_list node;
    struct stills *stills;
    struct ask *ask;
    struct fetch *fetch;
};

struct stills {
    const char *socket;
    struct upstream *upstream;
    struct weir_list asked;
    size_t n_asked;
};

struct stills *stills_new(struct weir_loop *loop, const char *socket)
{
    struct stills *stills = weir_xalloc(sizeof(*stills));
    stills->socket = socket;
    stills->upstream = upstream_new(loop);
    weir_list_init(&stills->asked);
    return stills;
}

static void end(struct asked *asked, int status, struct blob *body)
{
    weir_list_remove(&asked->node);
    asked->stills->n_asked--;
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
    if (stills->socket[0] == '\0' || stills->n_asked >= STILLS_MAX) {
        ask_answer(ask, 503, NULL);
        return;
    }
    struct asked *asked = weir_xalloc(sizeof(*asked));
    asked->stills = stills;
    asked->ask = ask;
    weir_list_push_back(&stills->asked, &asked->node);
    stills->n_asked++;
    struct upstream_get get = {.socket = stills->socket,
                               .target = ask->still,
                               .secret = "none",
                               .max_bytes = WEIR_STILL_IMAGE_MAX + LINE_BYTES,
                               .timeout_ms = STILLS_TIMEOUT_MS,
                               .fn = on_done,
                               .ctx = asked};
    asked->fetch = upstream_get(stills->upstream, &get);
}

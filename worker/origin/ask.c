/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/ask.h"

#include <stdlib.h>

#include "lib/base/arena.h"

struct blob *blob_new(struct weir_buf *bytes)
{
    struct blob *blob = weir_xalloc(sizeof(*blob));
    atomic_init(&blob->refs, 1);
    blob->bytes = *bytes;
    *bytes = (struct weir_buf){.max = bytes->max};
    return blob;
}

struct blob *blob_ref(struct blob *blob)
{
    atomic_fetch_add(&blob->refs, 1);
    return blob;
}

void blob_unref(struct blob **blob)
{
    struct blob *gone = WEIR_TAKE(*blob);
    if (gone != NULL && atomic_fetch_sub(&gone->refs, 1) == 1) {
        weir_buf_done(&gone->bytes);
        free(gone);
    }
}

struct ask *ask_new(void)
{
    struct ask *ask = weir_xalloc(sizeof(*ask));
    atomic_init(&ask->refs, 1);
    atomic_init(&ask->is_answered, false);
    weir_list_init(&ask->node);
    ask->msn = -1;
    ask->part = -1;
    return ask;
}

void ask_unref(struct ask **ask)
{
    struct ask *gone = WEIR_TAKE(*ask);
    if (gone != NULL && atomic_fetch_sub(&gone->refs, 1) == 1) {
        blob_unref(&gone->body);
        free(gone);
    }
}

void ask_answer(struct ask *ask, int status, struct blob *body)
{
    weir_list_remove(&ask->node);
    ask->status = status;
    ask->body = body != NULL ? blob_ref(body) : NULL;
    atomic_store(&ask->is_answered, true);
    weir_http_wake(ask->server, ask->token);
    ask_unref(&ask);
}

bool ask_is_answered(const struct ask *ask)
{
    return atomic_load(&ask->is_answered);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pending.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"

struct api_pending {
    pthread_mutex_t mutex;
    unsigned refs;
    bool is_known;
    enum weir_code outcome;
    int64_t offset;
    struct weir_http_server *server;
    uint64_t token;
};

struct api_pending *api_pending_new(struct weir_http_server *server, uint64_t token)
{
    struct api_pending *pending = weir_xalloc(sizeof(*pending));
    pthread_mutex_init(&pending->mutex, NULL);
    pending->refs = 1;
    pending->server = server;
    pending->token = token;
    return pending;
}

void api_pending_ref(struct api_pending *pending)
{
    pthread_mutex_lock(&pending->mutex);
    pending->refs++;
    pthread_mutex_unlock(&pending->mutex);
}

void api_pending_unref(struct api_pending *pending)
{
    pthread_mutex_lock(&pending->mutex);
    bool is_last = --pending->refs == 0;
    pthread_mutex_unlock(&pending->mutex);
    if (is_last) {
        pthread_mutex_destroy(&pending->mutex);
        free(pending);
    }
}

void api_pending_delivered(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct api_pending *pending = ctx;
    pthread_mutex_lock(&pending->mutex);
    pending->is_known = true;
    pending->outcome = delivery->code;
    pending->offset = delivery->offset;
    /* The request's share is gone when it has given up; then its server may be closing. */
    bool has_waiter = pending->refs > 1;
    if (has_waiter) {
        weir_http_wake(pending->server, pending->token);
    }
    pthread_mutex_unlock(&pending->mutex);
    api_pending_unref(pending);
}

bool api_pending_outcome(struct api_pending *pending, enum weir_code *ret, int64_t *ret_offset)
{
    pthread_mutex_lock(&pending->mutex);
    bool is_known = pending->is_known;
    *ret = pending->outcome;
    *ret_offset = pending->offset;
    pthread_mutex_unlock(&pending->mutex);
    return is_known;
}

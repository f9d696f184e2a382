/* SPDX-License-Identifier: Apache-2.0 */
#include "api/viewings.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

/* Of two tenants even the same part's id is two parts. */
struct key {
    struct weir_id tenant_id;
    struct weir_id part_id;
};

struct part {
    struct weir_ev_audit_viewing record;
    int64_t heard_mono_ms;
    int64_t sent_mono_ms;
    bool is_due;
};

struct viewings {
    size_t max;
    viewings_send_fn *send;
    void *ctx;
    pthread_mutex_t mutex;
    struct weir_map *parts; /* key -> struct part */
};

struct viewings *viewings_new(size_t max, viewings_send_fn *send, void *ctx)
{
    struct viewings *viewings = weir_xalloc(sizeof(*viewings));
    viewings->max = max;
    viewings->send = send;
    viewings->ctx = ctx;
    viewings->parts = weir_map_new(sizeof(struct key));
    pthread_mutex_init(&viewings->mutex, NULL);
    return viewings;
}

static struct key key_of(const struct weir_ev_audit_viewing *record)
{
    return (struct key){record->tenant_id, record->part_id};
}

static void send(struct viewings *viewings, struct part *part, int64_t mono_ms)
{
    viewings->send(viewings->ctx, &part->record);
    part->sent_mono_ms = mono_ms;
    part->is_due = false;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Reports may overtake each other on their way. */
static void merge(struct weir_ev_audit_viewing *known, const struct weir_ev_audit_viewing *fresh)
{
    if (fresh->seen_ms >= known->seen_ms) {
        known->seen_ms = fresh->seen_ms;
        known->ticket_id = fresh->ticket_id;
    }
    known->segments = greater(known->segments, fresh->segments);
    known->bytes = greater(known->bytes, fresh->bytes);
}

void viewings_note(struct viewings *viewings, const struct weir_ev_audit_viewing *record,
                   int64_t mono_ms)
{
    struct key key = key_of(record);
    pthread_mutex_lock(&viewings->mutex);
    struct part *part = weir_map_find(viewings->parts, &key);
    if (part) {
        merge(&part->record, record);
        part->heard_mono_ms = mono_ms;
        part->is_due = true;
    } else if (weir_map_count(viewings->parts) < viewings->max) {
        part = weir_xalloc(sizeof(*part));
        *part = (struct part){.record = *record, .heard_mono_ms = mono_ms};
        weir_map_put(viewings->parts, &key, part);
        send(viewings, part, mono_ms);
    } else {
        viewings->send(viewings->ctx, record);
    }
    pthread_mutex_unlock(&viewings->mutex);
}

void viewings_tick(struct viewings *viewings, int64_t mono_ms)
{
    void *value;
    pthread_mutex_lock(&viewings->mutex);
    for (size_t at = 0; weir_map_next(viewings->parts, &at, NULL, &value);) {
        struct part *part = value;
        bool is_over = mono_ms - part->heard_mono_ms >= VIEWINGS_END_MS;
        if (part->is_due && (is_over || mono_ms - part->sent_mono_ms >= VIEWINGS_PERIOD_MS)) {
            send(viewings, part, mono_ms);
        }
        if (is_over) {
            struct key key = key_of(&part->record);
            weir_map_remove(viewings->parts, &key);
            free(part);
        }
    }
    pthread_mutex_unlock(&viewings->mutex);
}

size_t viewings_count(struct viewings *viewings)
{
    pthread_mutex_lock(&viewings->mutex);
    size_t n = weir_map_count(viewings->parts);
    pthread_mutex_unlock(&viewings->mutex);
    return n;
}

void viewings_free(struct viewings *viewings)
{
    if (!viewings) {
        return;
    }
    void *value;
    for (size_t at = 0; weir_map_next(viewings->parts, &at, NULL, &value);) {
        struct part *part = value;
        if (part->is_due) {
            viewings->send(viewings->ctx, &part->record);
        }
        free(part);
    }
    weir_map_free(viewings->parts);
    pthread_mutex_destroy(&viewings->mutex);
    free(viewings);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/play_past.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

struct place {
    struct play_route now;
    struct play_route before; /* generation 0: none */
    int64_t moved_mono_ms;
};

struct play_past {
    pthread_mutex_t mutex;
    struct weir_map *places; /* stream id -> struct place */
};

struct play_past *play_past_new(void)
{
    struct play_past *past = weir_xalloc(sizeof(*past));
    pthread_mutex_init(&past->mutex, NULL);
    past->places = weir_map_new(sizeof(struct weir_id));
    return past;
}

static void forget_all(struct play_past *past)
{
    void *place;
    for (size_t at = 0; weir_map_next(past->places, &at, NULL, &place);) {
        free(place);
    }
    weir_map_free(past->places);
    past->places = NULL;
}

void play_past_free(struct play_past *past)
{
    if (past == NULL) {
        return;
    }
    forget_all(past);
    pthread_mutex_destroy(&past->mutex);
    free(past);
}

/* With the mutex held. */
static struct place *place_of(struct play_past *past, const struct weir_id *stream_id)
{
    struct place *place = weir_map_find(past->places, stream_id->b);
    if (place != NULL) {
        return place;
    }
    if (weir_map_count(past->places) >= PLAY_PAST_MAX) {
        forget_all(past);
        past->places = weir_map_new(sizeof(struct weir_id));
    }
    place = weir_xalloc(sizeof(*place));
    weir_map_put(past->places, stream_id->b, place);
    return place;
}

bool play_past_note(struct play_past *past, const struct weir_id *stream_id,
                    const struct play_route *now, int64_t mono_ms, struct play_route *ret)
{
    pthread_mutex_lock(&past->mutex);
    struct place *place = place_of(past, stream_id);
    if (now->generation > place->now.generation) {
        place->before = place->now;
        place->moved_mono_ms = mono_ms;
    }
    place->now = *now;
    bool is_recent = place->before.generation > 0 && mono_ms - place->moved_mono_ms < PLAY_PAST_MS;
    if (is_recent) {
        *ret = place->before;
    }
    pthread_mutex_unlock(&past->mutex);
    return is_recent;
}

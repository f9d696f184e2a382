/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/service/follower_fetch.h"

#define KEY_MAX    96
#define PREFIX_LEN 20
#define BOUNDS_MS  2000
#define SILENCE_MS                                                                                 \
    1000 /* the last records of a compacted topic may be gone: then nothing comes                  \
          */
#define CLOSING_KEY "/checkpoint/"

struct value {
    size_t len;
    char bytes[];
};

/* All records of the partition, the newest of each key; keys are padded with zeros. */
static struct weir_map *values_new(void)
{
    return weir_map_new(KEY_MAX);
}

static void values_free(struct weir_map **values)
{
    void *value;
    for (size_t at = 0; weir_map_next(*values, &at, NULL, &value);) {
        free(value);
    }
    weir_map_free(*values);
}

static void keep(struct weir_map *values, const struct weir_bus_message *message)
{
    char key[KEY_MAX] = {0};
    if (message->key_len <= PREFIX_LEN || message->key_len >= KEY_MAX) {
        return; /* no key of ours */
    }
    memcpy(key, message->key, message->key_len);
    if (message->value == NULL) {
        free(weir_map_remove(values, key));
        return;
    }
    struct value *value = weir_xalloc(sizeof(*value) + message->value_len);
    value->len = message->value_len;
    memcpy(value->bytes, message->value, message->value_len);
    free(weir_map_put(values, key, value));
}

static enum weir_code read_all(struct weir_bus_reader *reader, const struct follower_fetch *fetch,
                               struct weir_map *values, struct weir_err *err)
{
    int64_t first;
    int64_t next;
    enum weir_code code = weir_bus_reader_bounds(reader, WEIR_TOPIC_STATE, fetch->cell, BOUNDS_MS,
                                                 &first, &next, err);
    if (code != WEIR_OK || first >= next) {
        return code;
    }
    code = weir_bus_reader_assign(reader, WEIR_TOPIC_STATE, fetch->cell, first, err);
    int64_t last_mono_ms = weir_clock_mono_ms();
    bool is_done = false;
    while (code == WEIR_OK && !is_done && !follower_pipe_is_stopped(fetch->pipe)) {
        struct weir_bus_message message;
        bool got;
        code = weir_bus_reader_poll(reader, 100, &message, &got, err);
        if (code != WEIR_OK) {
            break;
        }
        if (got) {
            keep(values, &message);
            last_mono_ms = weir_clock_mono_ms();
            is_done = message.offset >= next - 1;
        } else {
            is_done = weir_clock_mono_ms() - last_mono_ms > SILENCE_MS;
        }
    }
    return code;
}

static bool is_closing(const char *key)
{
    return strncmp(key + PREFIX_LEN, CLOSING_KEY, strlen(CLOSING_KEY)) == 0;
}

/* The highest closing key under `below` (empty: any); NULL for none. Points into the map. */
static const char *highest_checkpoint(const struct weir_map *values, const char *below)
{
    const char *best = NULL;
    const void *key;
    void *value;
    for (size_t at = 0; weir_map_next(values, &at, &key, &value);) {
        const char *text = key;
        if (is_closing(text) && (below[0] == '\0' || strcmp(text, below) < 0) &&
            (best == NULL || strcmp(text, best) > 0)) {
            best = text;
        }
    }
    return best;
}

static enum weir_code restore_value(struct weir_ledger *ledger, const struct value *value,
                                    struct weir_arena *arena, struct weir_event *ret,
                                    struct weir_err *err)
{
    enum weir_code code = weir_ev_parse(value->bytes, value->len, arena, ret, err);
    return code != WEIR_OK ? code : weir_ledger_restore(ledger, ret, err);
}

/* Takes the checkpoint that `closing` closes; WEIR_ECORRUPT or a parse error when it is not whole.
 */
static enum weir_code restore(const struct weir_map *values, const char *closing,
                              struct follower_snapshot *ret, struct weir_id *ret_instance,
                              struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    struct weir_ledger *ledger = weir_ledger_new();
    enum weir_code code = WEIR_OK;
    const void *key;
    void *value;
    for (size_t at = 0; code == WEIR_OK && weir_map_next(values, &at, &key, &value);) {
        if (memcmp(key, closing, PREFIX_LEN) == 0 && !is_closing(key)) {
            code = restore_value(ledger, value, arena, event, err);
        }
    }
    if (code == WEIR_OK) {
        code = restore_value(ledger, weir_map_find(values, closing), arena, event, err);
    }
    if (code != WEIR_OK) {
        weir_ledger_free(ledger);
        return code;
    }
    *ret_instance = event->u.state_checkpoint.instance;
    *ret = (struct follower_snapshot){
        .ledger = ledger, .epoch = event->u.state_checkpoint.epoch, .has_checkpoint = true};
    return WEIR_OK;
}

enum weir_code follower_snapshot_read(struct weir_bus_reader *reader,
                                      const struct follower_fetch *fetch,
                                      const struct weir_id *instance, int64_t first_kept,
                                      int64_t next, struct follower_snapshot *ret,
                                      struct weir_err *err)
{
    struct weir_map *values WEIR_CLEANUP(values_free) = values_new();
    enum weir_code code = read_all(reader, fetch, values, err);
    if (code != WEIR_OK) {
        return code;
    }
    const char *closing = "";
    while ((closing = highest_checkpoint(values, closing)) != NULL) {
        struct follower_snapshot snapshot;
        struct weir_id of;
        if (restore(values, closing, &snapshot, &of, NULL) != WEIR_OK) {
            continue;
        }
        int64_t offset = weir_ledger_offset(snapshot.ledger);
        if (weir_id_equal(&of, instance) && offset >= first_kept - 1 && offset < next) {
            *ret = snapshot;
            return WEIR_OK;
        }
        weir_ledger_free(snapshot.ledger);
    }
    *ret = (struct follower_snapshot){.ledger = weir_ledger_new(), .epoch = -1};
    return WEIR_OK;
}

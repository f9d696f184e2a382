/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/table.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

struct key {
    struct weir_id viewer_id;
    struct weir_id stream_id;
};

enum told { NOT_TOLD, ON_ITS_WAY, TOLD };

struct part {
    struct key key;
    struct weir_id tenant_id;
    struct weir_id ticket_id;
    struct weir_id id;
    int64_t begun_mono_ms;
    int64_t seen_mono_ms;
    int64_t segments;
    int64_t bytes;
    enum told told;
};

struct tally_table {
    size_t max;
    struct weir_map *parts; /* key -> struct part */
};

struct tally_table *tally_table_new(size_t max)
{
    struct tally_table *table = weir_xalloc(sizeof(*table));
    table->max = max;
    table->parts = weir_map_new(sizeof(struct key));
    return table;
}

void tally_table_free(struct tally_table *table)
{
    if (!table) {
        return;
    }
    void *part;
    for (size_t at = 0; weir_map_next(table->parts, &at, NULL, &part);) {
        free(part);
    }
    weir_map_free(table->parts);
    free(table);
}

static struct part *begin(struct tally_table *table, const struct key *key,
                          const struct tally_line *line, int64_t mono_ms, int64_t wall_ms)
{
    struct part *part = weir_xalloc(sizeof(*part));
    *part = (struct part){.key = *key,
                          .tenant_id = line->tenant_id,
                          .id = weir_id_new(wall_ms),
                          .begun_mono_ms = mono_ms};
    weir_map_put(table->parts, key, part);
    return part;
}

bool tally_table_note(struct tally_table *table, const struct tally_line *line, int64_t mono_ms,
                      int64_t wall_ms)
{
    struct key key = {line->viewer_id, line->stream_id};
    struct part *part = weir_map_find(table->parts, &key);
    if (!part && weir_map_count(table->parts) >= table->max) {
        return false;
    }
    if (!part) {
        part = begin(table, &key, line, mono_ms, wall_ms);
    }
    part->ticket_id = line->ticket_id;
    part->seen_mono_ms = mono_ms;
    part->segments += line->is_segment ? 1 : 0;
    part->bytes += line->bytes;
    part->told = NOT_TOLD;
    return true;
}

static void write_part(struct weir_json_out *out, const struct part *part, int64_t mono_ms)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "tenant", WEIR_ID_TEXT(&part->tenant_id));
    weir_json_str(out, "stream", WEIR_ID_TEXT(&part->key.stream_id));
    weir_json_str(out, "ticket_id", WEIR_ID_TEXT(&part->ticket_id));
    weir_json_int(out, "age_ms", mono_ms - part->seen_mono_ms);
    weir_json_open(out, "who", '{');
    weir_json_str(out, "viewer", WEIR_ID_TEXT(&part->key.viewer_id));
    weir_json_close(out, '}');
    weir_json_open(out, "counted", '{');
    weir_json_str(out, "part", WEIR_ID_TEXT(&part->id));
    weir_json_int(out, "since_ms", mono_ms - part->begun_mono_ms);
    weir_json_int(out, "segments", part->segments);
    weir_json_int(out, "bytes", part->bytes);
    weir_json_close(out, '}');
    weir_json_close(out, '}');
}

size_t tally_table_report(struct tally_table *table, int64_t mono_ms, struct weir_json_out *out)
{
    size_t n = 0;
    void *value;
    for (size_t at = 0; n < TALLY_REPORT_MAX && weir_map_next(table->parts, &at, NULL, &value);) {
        struct part *part = value;
        if (part->told != NOT_TOLD) {
            continue;
        }
        if (n++ == 0) {
            weir_json_open(out, NULL, '{');
            weir_json_open(out, "views", '[');
        }
        write_part(out, part, mono_ms);
        part->told = ON_ITS_WAY;
    }
    if (n > 0) {
        weir_json_close(out, ']');
        weir_json_close(out, '}');
    }
    return n;
}

/* What was counted meanwhile is not told either way. */
static void settle(struct tally_table *table, enum told told)
{
    void *value;
    for (size_t at = 0; weir_map_next(table->parts, &at, NULL, &value);) {
        struct part *part = value;
        part->told = part->told == ON_ITS_WAY ? told : part->told;
    }
}

void tally_table_take_back(struct tally_table *table)
{
    settle(table, NOT_TOLD);
}

void tally_table_confirm(struct tally_table *table)
{
    settle(table, TOLD);
}

size_t tally_table_sweep(struct tally_table *table, int64_t mono_ms)
{
    size_t n_lost = 0;
    void *value;
    for (size_t at = 0; weir_map_next(table->parts, &at, NULL, &value);) {
        struct part *part = value;
        int64_t idle_ms = mono_ms - part->seen_mono_ms;
        if (idle_ms >= (part->told == TOLD ? TALLY_IDLE_MS : TALLY_KEEP_MS)) {
            n_lost += part->told == TOLD ? 0 : 1;
            weir_map_remove(table->parts, &part->key);
            free(part);
        }
    }
    return n_lost;
}

size_t tally_table_count(const struct tally_table *table)
{
    return weir_map_count(table->parts);
}

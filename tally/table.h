/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who watches what at this gateway, and what he was sent since he began: a part for each (viewer,
 * stream). Counts only rise while a part lives, so a report may be said again. Not thread-safe; no
 * clock of its own.
 */
#ifndef TALLY_TABLE_H
#define TALLY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/json.h"
#include "tally/line.h"

#define TALLY_REPORT_MAX 128    /* parts of one report: 45 kB at most */
#define TALLY_IDLE_MS    15000  /* a part that nobody was sent anything of ends */
#define TALLY_KEEP_MS    600000 /* what could not be told for so long is given up */

struct tally_table;

/* At most `max` parts at once. */
struct tally_table *tally_table_new(size_t max);
void tally_table_free(struct tally_table *table); /* NULL is fine */

/* `wall_ms` goes into a new part's id, nothing else. False when there is no room for a new part. */
bool tally_table_note(struct tally_table *table, const struct tally_line *line, int64_t mono_ms,
                      int64_t wall_ms);

/* Writes a report (api/views.h) of what was counted since it was written last, up to
 * TALLY_REPORT_MAX parts, and holds these as told. Returns how many; 0: `out` is untouched. */
size_t tally_table_report(struct tally_table *table, int64_t mono_ms, struct weir_json_out *out);

/* What was told since the last call of this or tally_table_confirm did not arrive. */
void tally_table_take_back(struct tally_table *table);
void tally_table_confirm(struct tally_table *table);

/* Forgets parts that ended. Returns how many of them were never told to the end. */
size_t tally_table_sweep(struct tally_table *table, int64_t mono_ms);

size_t tally_table_count(const struct tally_table *table);

#endif

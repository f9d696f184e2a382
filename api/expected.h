/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts that Kafka holds and no decision has spoken of yet: rows that readers see as queued until
 * the log says more. Every command gets exactly one decision, in the order of their offsets
 * (DESIGN section 2), so a start is open exactly as long as the next command to be decided is not
 * after it. Nothing is remembered of commands that were decided: an expired one that is sent again
 * is open again. Pure: time is a parameter, one thread at a time.
 *
 *     api_expected_put(expected, &row, 17, until_ms);
 *     api_expected_decided(expected, 18, on_dropped, ctx);    17 was decided: its row is dropped
 *     api_expected_put(expected, &row, 17, until_ms);         too late: ignored
 */
#ifndef WEIR_API_EXPECTED_H
#define WEIR_API_EXPECTED_H

#include "lib/domain/ledger.h"

struct api_expected;

struct api_expected *api_expected_new(void);
void api_expected_free(struct api_expected *expected);

/*
 * `offset` of the command; one that was decided already changes nothing. A second start of a stream
 * takes the place of the first when its offset is higher. After `until_mono_ms` the row is gone:
 * the scheduler refuses a command that old, if it ever reads it. True when the row is shown from
 * now on.
 */
bool api_expected_put(struct api_expected *expected, const struct weir_stream_row *row,
                      int64_t offset, int64_t until_mono_ms);

typedef void api_expected_dropped_fn(void *ctx, const struct weir_id *stream_id);

/* All commands below `next_offset` are decided now. Lower than before after the log began anew. */
void api_expected_decided(struct api_expected *expected, int64_t next_offset,
                          api_expected_dropped_fn *fn, void *ctx);

/* NULL when nothing is expected of that stream; lives until the next call that changes anything. */
const struct weir_stream_row *api_expected_find(const struct api_expected *expected,
                                                const struct weir_id *stream_id,
                                                int64_t now_mono_ms);

size_t api_expected_count(const struct api_expected *expected);
/* Walks all rows, also those whose time is over; *at starts at 0. */
bool api_expected_next(const struct api_expected *expected, size_t *at,
                       const struct weir_stream_row **ret);

void api_expected_drop_late(struct api_expected *expected, int64_t now_mono_ms);

#endif

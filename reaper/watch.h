/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams that run, and what is known of their viewers. Fed with the changes of the ledger,
 * heartbeats and viewers records; asked from time to time which streams to propose. No I/O; time is
 * an argument (monotonic ms).
 */
#ifndef REAPER_WATCH_H
#define REAPER_WATCH_H

#include "lib/domain/ledger.h"
#include "reaper/timeouts.h"

struct reaper_watch;

struct reaper_watch *reaper_watch_new(void);
void reaper_watch_free(struct reaper_watch *watch); /* NULL is fine */

/* Forgets everything: the log is read again. */
void reaper_watch_reset(struct reaper_watch *watch);

/* After a gap in what was read: idle time of all streams starts anew. */
void reaper_watch_begin_all(struct reaper_watch *watch, int64_t now_ms);

/* A stream's row after a change; its state before as in weir_ledger_change. */
void reaper_watch_changed(struct reaper_watch *watch, const struct weir_stream_row *row,
                          bool is_new, enum weir_stream_state from, int64_t now_ms);

/* Takes a heartbeat or a viewers record that Kafka had at `written_ms` (its clock); others are
 * ignored. */
void reaper_watch_take(struct reaper_watch *watch, const struct weir_event *event,
                       int64_t written_ms, int64_t now_ms);

size_t reaper_watch_count(const struct reaper_watch *watch);

struct reaper_proposal {
    struct weir_id tenant_id;
    struct weir_id stream_id;
    int64_t generation;
    int64_t idle_ms;
    int64_t timeout_ms;
    unsigned attempt; /* 0 for the first since the stream was last active */
};

/* Gives the next stream that is due and notes the proposal; *at starts at 0. */
bool reaper_watch_next_due(struct reaper_watch *watch, const struct reaper_timeouts *timeouts,
                           int64_t now_ms, size_t *at, struct reaper_proposal *ret);

#endif

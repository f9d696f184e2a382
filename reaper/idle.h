/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a stream counts as idle. Pure: time is an argument, on the monotonic clock of this process.
 *
 * A stream is idle by the newest of: a viewer's activity, the last playlist request that its
 * worker's origin tells of, and the moment it began to run. While nothing is heard of the stream
 * there is no opinion, and once it is heard of again, idle time starts anew: a viewer may have come
 * and gone meanwhile (DESIGN section 3).
 *
 *     struct reaper_idle idle;
 *     reaper_idle_begin(&idle, now);                      it runs, or we have just come
 *     reaper_idle_heard(&idle, age_ms, written_ms, now);  each heartbeat
 *     reaper_idle_watched(&idle, now);                    each sign of a viewer
 *     if (reaper_idle_is_due(&idle, timeout_ms, now)) {
 *         ... propose ...
 *         reaper_idle_proposed(&idle, now);
 *     }
 */
#ifndef REAPER_IDLE_H
#define REAPER_IDLE_H

#include <stdbool.h>
#include <stdint.h>

/* A worker sends a heartbeat each second; later than this is a gap. Less than the silence that
 * makes a worker suspect (WEIR_SUSPECT_MS): after that, viewers may have been where nobody told of
 * them. */
#define REAPER_GAP_MS 2500

/* A proposal that changed nothing is made again after this, doubled each time up to the limit. */
#define REAPER_AGAIN_MS     3000
#define REAPER_AGAIN_MAX_MS 60000

struct reaper_idle {
    int64_t active_ms;   /* newest sign of a viewer, or where idle time starts anew */
    int64_t heard_ms;    /* last heartbeat that listed it */
    int64_t written_ms;  /* the same, when Kafka had it */
    int64_t proposed_ms; /* last proposal */
    unsigned proposals;  /* since active_ms */
    bool is_heard;       /* heard_ms is of this run */
};

/* Idle time starts now. */
void reaper_idle_begin(struct reaper_idle *idle, int64_t now_ms);

/* Its worker lists it. `age_ms`: since its last playlist request; -1 for never. `written_ms`: when
 * Kafka had it, by Kafka's clock: heartbeats are read in handfuls, which can hide most of a gap.
 * Where none was heard yet, silence counts from the begin, or from the newest sign of a viewer. */
void reaper_idle_heard(struct reaper_idle *idle, int64_t age_ms, int64_t written_ms,
                       int64_t now_ms);

/* Somebody watches, or asks to. */
void reaper_idle_watched(struct reaper_idle *idle, int64_t now_ms);

/* Whether to propose now. */
bool reaper_idle_is_due(const struct reaper_idle *idle, int64_t timeout_ms, int64_t now_ms);

void reaper_idle_proposed(struct reaper_idle *idle, int64_t now_ms);

#endif

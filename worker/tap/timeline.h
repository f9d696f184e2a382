/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gapless presentation time over everything that happens to a camera.
 *
 * A source's times start anew when it reconnects and jump when its clock is set. The engine and
 * the players behind it want one line without holes: a hole becomes one very long segment. So
 * each jump is taken out here, by one frame interval in its place; the true time of a frame
 * travels apart from it (clock.h), and the sender reports that tie the two are moved instead.
 *
 * Video leads; audio keeps its distance to video, and audio that would go back in time is left out.
 * Pure: no clock is read.
 */
#ifndef WEIR_WORKER_TAP_TIMELINE_H
#define WEIR_WORKER_TAP_TIMELINE_H

#include "worker/tap/media.h"

/* A step forward that is longer (or longer than 5 frames) is a jump, in ms; back more than 1 s too.
 */
#define TAP_TIMELINE_JUMP_MS 3000

struct tap_timeline {
    bool has_video;    /* a video unit was mapped since the last restart */
    bool has_any;      /* ... or ever */
    int64_t shift_us;  /* audio: line = source + shift */
    int64_t shift;     /* video: the same in ticks, exact */
    int64_t max_ts;    /* highest of video */
    int64_t max_pts;   /* the source's time of the same unit */
    int64_t step;      /* frame interval, ticks: what two in a row agree on */
    int64_t candidate; /* the last one measured */
    bool has_step;     /* since the last restart */
    int64_t since_max; /* units since the one that holds max_ts */
    bool has_reorder;  /* B-frames were seen */
    bool skips_to_key; /* video is left out until the next key unit */
    bool has_audio;
    int64_t audio_ts;  /* newest */
    int64_t audio_fix; /* added to audio only: its source clock is unrelated to video's, us */
    uint64_t jumps;    /* taken out since the start */
};

void tap_timeline_init(struct tap_timeline *line);

/* Another process drew the line up to here: `video_ts` its newest video, `audio_ts` its newest
 * audio (TAP_NO_TIME: none). */
void tap_timeline_resume(struct tap_timeline *line, int64_t video_ts, int64_t audio_ts);

/* The source begins anew: what comes next continues where the line ended. */
void tap_timeline_restart(struct tap_timeline *line);

/*
 * Sets unit->ts from unit->pts. `rate` are the ticks per second of its track. False when the unit
 * must be left out: audio before the first video, audio of a time that has passed, and video behind
 * a jump that cannot be told from the reordering of B-frames, until the next key unit.
 *
 * Where times follow sender reports (unit->is_tied), each report may move them a little. Frames
 * that come in order only must not go back; with B-frames, which have a fixed rate, they are put
 * back on the grid of frames.
 */
bool tap_timeline_map(struct tap_timeline *line, struct tap_unit *unit, int64_t rate);

#endif

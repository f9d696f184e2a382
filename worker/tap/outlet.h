/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns units into the bytes of a publishing session: packets and the sender reports between them,
 * and a pace for the burst (the engine's queue holds 8192 packets). Pure: time is an argument.
 *
 * Players that were told of sound wait for it. So where none comes, because what makes it is gone,
 * the camera sends none or it was switched off, silence takes its place.
 */
#ifndef WEIR_WORKER_TAP_OUTLET_H
#define WEIR_WORKER_TAP_OUTLET_H

#include "worker/tap/rtp.h"
#include "worker/tap/silence.h"

#define TAP_OUTLET_REPORT_MS 2000
#define TAP_OUTLET_IDLE_MS   1000 /* reports while no unit comes */
#define TAP_OUTLET_MOVED_US  2000 /* the tie of times moved: report at once */
#define TAP_OUTLET_BURST     4096 /* packets at once */
#define TAP_OUTLET_PER_MS    40   /* packets a ms after that */
#define TAP_OUTLET_QUIET_MS  600  /* sound is so far behind pictures at most; then it is silence */

struct tap_outlet_track {
    struct tap_rtp rtp;
    bool has_sent;
    int64_t tie_ts; /* as last reported */
    int64_t tie_us;
    int64_t ts; /* of the newest unit */
    int64_t us;
    int64_t reported_mono_ms;
    int64_t sent_mono_ms;
};

struct tap_outlet {
    struct tap_format format; /* as announced */
    struct tap_outlet_track tracks[TAP_TRACKS];
    bool has_silence;           /* a session that was told of sound gets some as long as it lasts */
    struct tap_silence silence; /* where it is known what that is in its kind */
    int64_t heard_ts;           /* sound, or silence, reaches up to here */
    int64_t budget;             /* packets that may be sent now */
    int64_t budget_mono_ms;
};

/* `random` gives sequence numbers, timestamps and SSRCs their start (RFC 3550 section 5.1). */
void tap_outlet_init(struct tap_outlet *outlet, const struct tap_format *format,
                     const uint32_t random[static 6], int64_t now_mono_ms);

/* True when the pace allows another unit. */
bool tap_outlet_may_send(struct tap_outlet *outlet, int64_t now_mono_ms);

/* Adds a unit, the silence that is due ahead of it, and the report. None of a track that was not
 * announced, nor sound ahead of the first frame or of a time that is over, nor an empty unit. */
void tap_outlet_unit(struct tap_outlet *outlet, const struct tap_unit *unit, int64_t now_mono_ms,
                     struct weir_buf *out);

/* Adds the reports that are due by time alone. */
void tap_outlet_tick(struct tap_outlet *outlet, int64_t now_mono_ms, struct weir_buf *out);

#endif

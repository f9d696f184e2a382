/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where sound that was made (sound.h) lies on the camera's line of time: each unit behind the one
 * before, with the times of the frames that are shown then.
 *
 *     for each frame that is kept:    tap_sound_line_frame(&line, unit);
 *     for each access unit made:      if ((u = tap_sound_line_unit(&line, ts, bytes, len)))
 * push(u);
 *
 * Times of units are ticks of the made sound, a sample each. Pure.
 */
#ifndef WEIR_WORKER_TAP_SOUND_LINE_H
#define WEIR_WORKER_TAP_SOUND_LINE_H

#include "worker/tap/media.h"

#define TAP_SOUND_AHEAD_S  2
#define TAP_SOUND_BEHIND_S 10

/* Zeroed storage is ready. */
struct tap_sound_line {
    bool has_end;
    int64_t end_ts; /* of the newest unit */
    bool has_frame;
    /* The newest frame, in video's ticks: what is made of the same moment has its times. */
    int64_t frame_ts;
    int64_t capture_us;
    int64_t arrival_us;
    bool is_cameras;
};

/* Sound is what the format of a camera says that its `raw` kind becomes: AAC-LC, one channel. */
void tap_sound_line_format(struct tap_format *format);

/* Another process kept the sound up to here. */
void tap_sound_line_resume(struct tap_sound_line *line, int64_t end_ts);

/* A frame of video. */
void tap_sound_line_frame(struct tap_sound_line *line, const struct tap_unit *unit);

/*
 * What was made, by a process that may say anything: `ts` in 1/90000 s. NULL where its time has
 * passed, or is further from the newest frame than TAP_SOUND_AHEAD_S or TAP_SOUND_BEHIND_S, or
 * before the first one. The caller's.
 */
struct tap_unit *tap_sound_line_unit(struct tap_sound_line *line, int64_t ts, const uint8_t *bytes,
                                     size_t len);

/* Between the 1/90000 s of lib/domain/xcode.h and ticks of sound at `rate`, to the nearest. */
int64_t tap_sound_ticks(int64_t ts, int64_t from_rate, int64_t to_rate);

#endif

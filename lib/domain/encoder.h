/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What engines that encode in hardware are reckoned with: thousands of pixels a second (kpx/s), so
 * that pictures of all sizes share one budget. The worker, its tap and the scheduler keep to it.
 * Pure. Source: docs/adr/0045-encoders-in-hardware.md.
 *
 *     budget = weir_encoder_budget_kpx(300, 140);      of what was measured
 *     need = weir_encoder_need_kpx(1280, 720, 15000);  of a rendition of 15 frames a second
 */
#ifndef WEIR_DOMAIN_ENCODER_H
#define WEIR_DOMAIN_ENCODER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/domain/events.h"

/* An engine that failed gets nothing for so long. */
#define WEIR_ENCODER_SUSPECT_MS (10 * 60 * 1000)

/* Of what was measured with nothing else to do, as a part of a hundred, that is given away. */
#define WEIR_ENCODER_USABLE_PCT 80

/* Frames a second of 1280x720 and of 1920x1080 that were measured; the lower rate of pixels counts.
 * 0 of both: no budget. */
int64_t weir_encoder_budget_kpx(int64_t fps_720p, int64_t fps_1080p);

/* `fps_milli` frames in 1000 s. A frame smaller than 640x360 costs as much as that. At least 1. */
int64_t weir_encoder_need_kpx(int64_t width, int64_t height, int64_t fps_milli);

/* ---- as text, for the view in Redis ---- */

#define WEIR_ENCODERS_TEXT_MAX 512

/* "nvenc:ready:300:140:112000:8:13824:1 vaapi:suspect:...": the name, the state, frames a second of
 * both sizes, thousands of pixels a second, sessions, and of both what is used. `n` at most
 * WEIR_ENCODER_N. Returns `text`. */
const char *weir_encoders_format(const struct weir_ev_heartbeat_encoding_encoders *rows, size_t n,
                                 char text[static WEIR_ENCODERS_TEXT_MAX]);

/* How many there are; what comes behind something else than such an entry is left out. */
size_t weir_encoders_parse(const char *text,
                           struct weir_ev_heartbeat_encoding_encoders ret[static WEIR_ENCODER_N]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts video access units together again from the fragments that a depacketizer gives: bytes with
 * start codes, cut anywhere, each with the presentation time of its unit. A unit is complete when
 * a fragment with another time arrives.
 *
 * The parameter sets of the session description are given at the start; newer ones are taken from
 * the stream. Each key unit is given its parameter sets if it came without. Until the first key
 * unit with complete sets, everything is left out. What comes behind a unit that was thrown away,
 * too long or broken as a whole, has a gap.
 */
#ifndef WEIR_WORKER_TAP_ASSEMBLER_H
#define WEIR_WORKER_TAP_ASSEMBLER_H

#include "lib/base/buf.h"
#include "worker/tap/media.h"

struct tap_assembler {
    enum tap_codec codec;
    struct tap_params params;
    bool is_started; /* a key unit was given out */
    uint64_t nals;
    uint64_t broken;     /* of these; and units thrown away because they passed TAP_UNIT_MAX */
    struct weir_buf buf; /* the unit in progress */
    bool is_skipping;    /* the unit in progress is too long */
    bool has_hole;       /* a unit was thrown away since the last one that was given out */
    int64_t pts;
    int64_t camera_us;
    int64_t arrival_mono_us;
};

/* `extradata` (parameter sets with start codes) may be empty; not kept. */
void tap_assembler_init(struct tap_assembler *as, enum tap_codec codec, const uint8_t *extradata,
                        size_t len);
void tap_assembler_done(struct tap_assembler *as);

/*
 * Adds a fragment; `pts` TAP_NO_TIME means "as before". Returns the unit that this one ended, for
 * the caller to free, or NULL.
 */
struct tap_unit *tap_assembler_add(struct tap_assembler *as, int64_t pts, int64_t camera_us,
                                   int64_t arrival_mono_us, const uint8_t *bytes, size_t len);

/* Ends the unit in progress. */
struct tap_unit *tap_assembler_flush(struct tap_assembler *as);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAL units of H.264 (ITU-T H.264 section 7.3) and H.265 (ITU-T H.265 section 7.3): walking over
 * them, telling them apart, and the picture size in a sequence parameter set. All of these bytes
 * come from a camera and may be anything.
 */
#ifndef WEIR_WORKER_TAP_NAL_H
#define WEIR_WORKER_TAP_NAL_H

#include "worker/tap/media.h"

enum tap_nal_kind {
    TAP_NAL_OTHER, /* slices, SEI: passed on */
    TAP_NAL_KEY,   /* a slice of a picture that a decoder can start at (IDR; IRAP of H.265) */
    TAP_NAL_VPS,
    TAP_NAL_SPS,
    TAP_NAL_PPS,
    TAP_NAL_USELESS, /* delimiters, filler, end of stream: left out */
    TAP_NAL_BROKEN,  /* no encoder writes this: left out */
};

/* `nal` without start code, `len` may be 0 (broken). */
enum tap_nal_kind tap_nal_kind(enum tap_codec codec, const uint8_t *nal, size_t len);

/*
 * The next NAL unit of a byte stream with start codes (Annex B). `*at` starts at 0 and is moved.
 * Zero bytes before a start code belong to no NAL unit; bytes before the first start code are
 * skipped. False at the end. Empty units are never given.
 */
bool tap_nal_next(const uint8_t *stream, size_t len, size_t *at, const uint8_t **ret_nal,
                  size_t *ret_len);

/* The next NAL unit of a unit in the form of media.h. False at the end. */
bool tap_nal_next_in_unit(const uint8_t *unit, size_t len, size_t *at, const uint8_t **ret_nal,
                          size_t *ret_len);

/* Keeps `nal` when it is a parameter set that fits; true when that changed `params`. */
bool tap_params_take(struct tap_params *params, enum tap_codec codec, const uint8_t *nal,
                     size_t len);

/* All that a decoder needs is there. */
bool tap_params_are_complete(const struct tap_params *params, enum tap_codec codec);

/*
 * The size of the picture after cropping; of Motion JPEG too. False when the set is damaged or no
 * size of 1 to 65535.
 */
bool tap_nal_picture_size(enum tap_codec codec, const struct tap_param *sps, int *ret_width,
                          int *ret_height);

/* Whether the decoders of browsers show it. */
enum tap_picture {
    TAP_PICTURE_UNKNOWN,    /* the set is damaged */
    TAP_PICTURE_PLAIN,      /* whole frames of 4:2:0 with 8 bit; H.265 up to 10 bit (Main 10) */
    TAP_PICTURE_DEEP,       /* other chroma, or more bits */
    TAP_PICTURE_INTERLACED, /* H.264 that may be of fields */
};

enum tap_picture tap_nal_picture(enum tap_codec codec, const struct tap_param *sps);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access units of H.264 and H.265 between their two forms: NAL units behind their lengths (4 bytes,
 * big endian; lib/domain/xcode.h) and behind start codes (Annex B of both standards). Pure.
 */
#ifndef WEIR_WORKER_XCODE_UNITS_H
#define WEIR_WORKER_XCODE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer that is used again; {0} at first. */
struct units {
    uint8_t *bytes;
    size_t len;
    size_t cap;
};

void units_done(struct units *units);

/* Lengths become start codes, in place. False when they do not add up. */
bool units_to_stream(uint8_t *unit, size_t len);

/*
 * From an H.264 encoder's output; messages of the encoder about itself (SEI) and delimiters are
 * left out. False when nothing is left, or more than WEIR_XCODE_UNIT_MAX.
 */
bool units_from_stream(struct units *ret, const uint8_t *stream, size_t len);

/* Whether a picture that a decoder can begin at is in it: H.264, as units_from_stream makes it. */
bool units_have_key(const uint8_t *unit, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weir-tap, weir-still and its decoders (weir-decode) hand each other besides lines: bytes in
 * the machine's own order, for they are one build on one machine.
 *
 * A clip is a run of records: access units of one camera, from a keyframe on, in decoding order.
 * Each is a weir_clip_unit and then `len` bytes: NAL units, each behind its length (4 bytes, big
 * endian); the first one opens with its parameter sets. Of Motion JPEG a unit is one image.
 */
#ifndef WEIR_DOMAIN_STILL_H
#define WEIR_DOMAIN_STILL_H

#include <stdint.h>

#define WEIR_CLIP_BYTES_MAX (32U << 20) /* a clip, with its records' heads */

struct weir_clip_unit {
    uint32_t len;
    uint32_t reserved; /* 0 */
    int64_t ts;        /* presentation time, 1/90000 s */
};

enum weir_still_codec { WEIR_STILL_H264, WEIR_STILL_H265, WEIR_STILL_MJPEG };
enum weir_still_format {
    WEIR_STILL_JPEG,
    WEIR_STILL_PNG,
    WEIR_STILL_WEBP,
    WEIR_STILL_AVIF,
    WEIR_STILL_LUMA, /* for weir-still alone: WEIR_LUMA_BYTES, see there */
};
#define WEIR_STILL_FORMATS 4 /* that may be asked for */

/* Brightness alone, 0 (black) to 255 a byte, in rows; one pixel out of each part of the picture,
 * so that its noise is kept. Always of this size, whatever the picture's shape. */
#define WEIR_LUMA_WIDTH  320
#define WEIR_LUMA_HEIGHT 180
#define WEIR_LUMA_BYTES  (WEIR_LUMA_WIDTH * WEIR_LUMA_HEIGHT)

#define WEIR_STILL_SIDE_MAX   8192 /* of a picture that is decoded or made */
#define WEIR_STILL_PIXELS_MAX (36U << 20)
#define WEIR_STILL_IMAGE_MAX  (64U << 20) /* bytes of a finished image */

#define WEIR_DECODE_MAGIC 0x77636c32U
#define WEIR_PARK_MS_MAX  60000

/* To a decoder; `bytes` of a clip follow. */
struct weir_decode_ask {
    uint32_t magic;
    uint32_t codec;   /* enum weir_still_codec */
    uint32_t format;  /* enum weir_still_format */
    uint32_t width;   /* at most so wide, pixels; 0: as it is. Never enlarged. */
    uint32_t quality; /* 1..100; PNG has none */
    uint32_t bytes;
    uint32_t long_side; /* of the box that it is to fit into however it is turned; 0: any */
    uint32_t short_side;
    int64_t ts; /* of the frame that is wanted */
    uint32_t
        park_ms; /* the decoder may be gone on with, and kept so long where it came to; 0: no */
    uint32_t n_units; /* of the clip: how long it may take */
};

enum weir_decode_status {
    WEIR_DECODE_OK,
    WEIR_DECODE_UNDECODABLE, /* the frame did not come out, or broken */
    WEIR_DECODE_TOO_LARGE,   /* a side or the area, or the finished image */
    WEIR_DECODE_FAILED,      /* the image could not be made */
};

/* Back; `bytes` of the image follow. */
struct weir_decode_answer {
    uint32_t magic;
    uint32_t status; /* enum weir_decode_status */
    uint32_t width;
    uint32_t height;
    uint32_t bytes;
    uint32_t is_damaged;  /* 0 or 1: a part of it, or of what it is made from, was missing */
    uint32_t is_parked;   /* 0 or 1: it is kept where it came to */
    uint32_t has_gone_on; /* 0 or 1: it was made from where another one had ended */
};

#endif

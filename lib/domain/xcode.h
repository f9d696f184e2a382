/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What weir-tap and weir-xcode hand each other over one socket: bytes in the machine's own order,
 * for they are one build on one machine.
 *
 * Each message is a weir_xcode_head and then `len` bytes. To weir-xcode:
 *
 *     RENDITION   a weir_xcode_rendition: begin that rendition, or change an open one. Bit rate and
 *                 frame rate change without a gap; another size opens the encoder anew.
 *     DROP        end it
 *     FLUSH       what follows does not continue what came before
 *     UNIT        an access unit of the camera in decoding order; the first one, and the first one
 *                 after a FLUSH, is a keyframe
 *
 * Back:
 *
 *     UNIT        an access unit of a rendition, always with a rising `ts`
 *     DONE        one UNIT was worked off; all that came of it was sent before. Who does not say
 *                 this for seconds while units wait hangs.
 *
 * Units are NAL units, each behind its length (4 bytes, big endian); a key unit opens with its
 * parameter sets. Of Motion JPEG a unit is one image, and each is a keyframe. `ts` is presentation
 * time, 1/90000 s.
 */
#ifndef WEIR_DOMAIN_XCODE_H
#define WEIR_DOMAIN_XCODE_H

#include <stdint.h>

#define WEIR_XCODE_MAGIC          0x77787231U
#define WEIR_XCODE_RENDITIONS_MAX 16 /* of one camera */
#define WEIR_XCODE_UNIT_MAX       (8U << 20)
#define WEIR_XCODE_SIDE_MAX       8192 /* of a picture that is decoded */

enum weir_xcode_kind {
    WEIR_XCODE_RENDITION,
    WEIR_XCODE_DROP,
    WEIR_XCODE_FLUSH,
    WEIR_XCODE_UNIT,
    WEIR_XCODE_DONE,
};

enum weir_xcode_codec { WEIR_XCODE_H264, WEIR_XCODE_H265, WEIR_XCODE_MJPEG };

struct weir_xcode_head {
    uint32_t magic;
    uint32_t kind;      /* enum weir_xcode_kind */
    uint32_t rendition; /* RENDITION, DROP, UNIT back: number given by the tap, below the most */
    uint32_t codec;     /* UNIT of the camera: enum weir_xcode_codec */
    uint32_t is_key;    /* UNIT: 0 or 1 */
    uint32_t len;       /* bytes that follow */
    int64_t ts;         /* UNIT */
};

struct weir_xcode_rendition {
    uint32_t long_side;   /* the picture fits into this box, upright or lying; never enlarged */
    uint32_t short_side;  /* pixels, 16..8192 */
    uint32_t bitrate_bps; /* 1000.. */
    uint32_t fps_milli;   /* at most so many frames in 1000 s; also what the encoder reckons with */
    uint32_t segment_ms;  /* a keyframe as soon as so much passed since the last */
    uint32_t is_main;     /* 1: main profile, 0: high */
    int64_t after_ts;     /* frames up to this one are left out */
};

#endif

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
 *     SOUND       a weir_xcode_sound: sound of that kind comes from now on, and is to be made;
 *                 what came before is forgotten
 *     SOUND_UNIT  one packet of it, as the camera sent it; `ts` is that of its first sample
 *
 * Back:
 *
 *     UNIT        an access unit of a rendition, always with a rising `ts`
 *     SOUND_UNIT  an AAC-LC access unit (no ADTS): WEIR_XCODE_SOUND_SAMPLES samples of one channel
 *                 at WEIR_XCODE_SOUND_HZ, 1..WEIR_XCODE_SOUND_MADE_MAX bytes, with a rising `ts`
 *     SOUND_NONE  that sound is not made here, and trying again does not help. Who makes no sound
 *                 at all answers each SOUND with it; what comes as SOUND_UNIT is read and DONE.
 *     DONE        one UNIT or SOUND_UNIT was worked off; all that came of it was sent before. Who
 *                 does not say this for seconds while units wait hangs.
 *     ENTER       what comes next is done by the engine that encodes a rendition in hardware: who
 *                 ends or hangs now, before another message, did so there. A process that was
 *                 started with an engine begins so
 *     LEAVE       it has that behind it
 *     FELL_BACK   that engine failed the rendition, which goes on in software; `codec` says how
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
#define WEIR_XCODE_PIXELS_MAX     (36 << 20)

#define WEIR_XCODE_SOUND_HZ       16000
#define WEIR_XCODE_SOUND_SAMPLES  1024
#define WEIR_XCODE_SOUND_MAX      8192 /* bytes of one SOUND_UNIT to weir-xcode */
#define WEIR_XCODE_SOUND_MADE_MAX 4096 /* ... and back */

enum weir_xcode_kind {
    WEIR_XCODE_RENDITION,
    WEIR_XCODE_DROP,
    WEIR_XCODE_FLUSH,
    WEIR_XCODE_UNIT,
    WEIR_XCODE_DONE,
    WEIR_XCODE_SOUND,
    WEIR_XCODE_SOUND_UNIT,
    WEIR_XCODE_SOUND_NONE,
    WEIR_XCODE_ENTER,
    WEIR_XCODE_LEAVE,
    WEIR_XCODE_FELL_BACK,
};

enum weir_xcode_codec { WEIR_XCODE_H264, WEIR_XCODE_H265, WEIR_XCODE_MJPEG };

/* G.726 has its samples packed from the highest bit on (as AAL2 has it) or from the lowest. */
enum weir_xcode_sound_codec {
    WEIR_XCODE_PCMA,
    WEIR_XCODE_PCMU,
    WEIR_XCODE_G726,
    WEIR_XCODE_G726_LOW_FIRST,
};

/* How an engine failed. */
enum weir_xcode_fault {
    WEIR_XCODE_FAULT_OPEN,    /* its device or an encoder could not be opened */
    WEIR_XCODE_FAULT_ENCODE,  /* it said that it failed */
    WEIR_XCODE_FAULT_SILENT,  /* it took frames and made nothing of them */
    WEIR_XCODE_FAULT_KEY,     /* no keyframe where one was asked for */
    WEIR_XCODE_FAULT_PICTURE, /* decoded, it was not the picture that went in */
    /* Not said, but seen from outside: */
    WEIR_XCODE_FAULT_HUNG,
    WEIR_XCODE_FAULT_ENDED,
};
#define WEIR_XCODE_FAULT_N 7

#define WEIR_XCODE_SOFTWARE 0

struct weir_xcode_head {
    uint32_t magic;
    uint32_t kind;      /* enum weir_xcode_kind */
    uint32_t rendition; /* RENDITION, DROP, UNIT back: number given by the tap, below the most */
    uint32_t codec;     /* UNIT of the camera: enum weir_xcode_codec; FELL_BACK: the fault */
    uint32_t is_key;    /* UNIT: 0 or 1 */
    uint32_t len;       /* bytes that follow */
    int64_t ts;         /* UNIT */
};

struct weir_xcode_rendition {
    uint32_t long_side;   /* the picture fits into this box, upright or lying; never enlarged */
    uint32_t short_side;  /* pixels, 16..8192 */
    uint32_t bitrate_bps; /* 1000.. */
    uint32_t fps_milli;   /* frames in 1000 s that the encoder reckons with */
    uint32_t segment_ms;  /* a keyframe as soon as so much passed since the last */
    uint32_t is_main;     /* 1: main profile, 0: high */
    uint32_t
        encoder; /* WEIR_XCODE_SOFTWARE, or 1 + enum weir_encoder: the one it was started with */
    uint32_t pace_milli; /* at most so many frames in 1000 s are kept; 0: fps_milli */
    int64_t after_ts;    /* frames up to this one are left out */
};

struct weir_xcode_sound {
    uint32_t codec;    /* enum weir_xcode_sound_codec */
    uint32_t rate_hz;  /* 8000..48000 */
    uint32_t channels; /* 1 or 2 */
    uint32_t bits;     /* a sample of G.726: 2..5; else 0 */
};

#endif

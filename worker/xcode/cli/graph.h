/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of one ffmpeg that makes all renditions of a camera from one decoding, by the
 * same rules as weir-xcode itself (rendition.h, fit.h). Pure.
 *
 *     0            the camera's units, as IVF (graph_ivf_head), which carries any time
 *     GRAPH_METER  a line (lines.h) for each picture that is decoded
 *     then two for each rendition: its byte stream (Annex B), and a line for each unit of it
 *
 * Times are 1/90000 s and not changed on the way. Needs FFmpeg 5.1 or later with libx264.
 */
#ifndef WEIR_WORKER_XCODE_CLI_GRAPH_H
#define WEIR_WORKER_XCODE_CLI_GRAPH_H

#include "lib/base/arena.h"
#include "lib/domain/xcode.h"

enum { GRAPH_METER = 3, GRAPH_FIRST = 4 /* of the renditions' */ };

#define GRAPH_TS_MIN    (10 * 90000) /* of the first unit, so that none before it is negative */
#define GRAPH_IVF_HEAD  32           /* bytes */
#define GRAPH_IVF_FRAME 12

struct graph_rendition {
    struct weir_xcode_rendition spec; /* `after_ts` as the times that ffmpeg is given, or less */
};

/* `renditions`: 1..WEIR_XCODE_RENDITIONS_MAX of them. `is_fields`: whole pictures are made of
 * pictures in fields. NULL-terminated, argv[0] is `program`; all in `arena`. */
const char *const *graph_arguments(struct weir_arena *arena, const char *program,
                                   enum weir_xcode_codec codec, bool is_fields,
                                   const struct graph_rendition *renditions, size_t n);

/* What stands before the units, and before each. `bytes` as large as said above. */
void graph_ivf_head(enum weir_xcode_codec codec, uint8_t *bytes);
void graph_ivf_frame(size_t len, int64_t ts, uint8_t *bytes);

#endif

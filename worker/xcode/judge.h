/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what an engine made is what it was given: decoded in software, sample by sample. An
 * engine that says that all is well and makes another picture, or none, is found out.
 */
#ifndef WEIR_WORKER_XCODE_JUDGE_H
#define WEIR_WORKER_XCODE_JUDGE_H

#include <stdbool.h>

struct AVFrame;
struct AVPacket;
struct judge;

struct judge *judge_new(void);         /* NULL: there is no decoder */
void judge_free(struct judge **judge); /* sets NULL; NULL is fine */

/* A decoded picture, its `pts` that of its packet; valid during the call. */
typedef void judge_frame_fn(void *ctx, const struct AVFrame *decoded);

/* Decodes a packet of H.264 with start codes; NULL: what is still on its way comes out, and another
 * stream may follow. False: it is damaged. */
bool judge_take(struct judge *judge, const struct AVPacket *packet, judge_frame_fn *fn, void *ctx);

#define JUDGE_OTHER_SIZE (-1)

/* How far samples of brightness are from each other, in tenths, on the average: 0..2550. */
long judge_apart(const struct AVFrame *a, const struct AVFrame *b);

/* Whether a keyframe by itself shows that picture, be it coarsely. */
bool judge_is_picture(struct judge *judge, const struct AVPacket *key,
                      const struct AVFrame *picture);

#endif

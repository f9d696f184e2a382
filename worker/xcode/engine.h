/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One engine that encodes H.264 in hardware, as libavcodec has it. Its driver is opened before the
 * process is shut in (lib/io/sandbox.h), encoders of it at any time.
 *
 *     struct engine *engine = engine_open(WEIR_ENCODER_VAAPI, &why);
 *     weir_sandbox_enter_device(...);
 *     AVCodecContext *encoder = avcodec_alloc_context3(engine_codec(engine));
 *     ... sizes, rates ...
 *     engine_prepare(engine, encoder, true) && avcodec_open2(encoder, engine_codec(engine), NULL)
 *     engine_send(engine, encoder, picture)            picture: 4:2:0, 8 bit, in memory
 *
 * What is asked for is asked as wishes: options that a driver does not have are left out, and what
 * comes out is looked at (judge.h).
 */
#ifndef WEIR_WORKER_XCODE_ENGINE_H
#define WEIR_WORKER_XCODE_ENGINE_H

#include <stdbool.h>

#include "lib/domain/events.h"

struct AVCodec;
struct AVCodecContext;
struct AVFrame;
struct engine;

/* NULL and why, static, for people. One small picture is encoded, so that all that the driver loads
 * is loaded. */
struct engine *engine_open(enum weir_encoder id, const char **ret_why);
void engine_free(struct engine **engine); /* sets NULL; NULL is fine */

enum weir_encoder engine_id(const struct engine *engine);
const struct AVCodec *engine_codec(const struct engine *engine);

/* Whether the bit rate of an open encoder can be changed. */
bool engine_can_change(const struct engine *engine);

/* `encoder` has its size and rates, and is not open yet. False: the device refuses the size. */
bool engine_prepare(struct engine *engine, struct AVCodecContext *encoder, bool is_main);

/* As avcodec_send_frame; `picture` stays the caller's. */
int engine_send(struct engine *engine, struct AVCodecContext *encoder,
                const struct AVFrame *picture);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/decoder.h"

#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
#include <stdlib.h>
#include <string.h>

#include "worker/xcode/units.h"

_Static_assert(DECODER_PADDING >= AV_INPUT_BUFFER_PADDING_SIZE, "as libavcodec wants it");

struct decoder {
    AVCodecContext *ctx;
    AVPacket *packet;
    AVFrame *frame;
    const struct decoder_calls *calls;
    void *calls_ctx;
};

static AVCodecContext *open_context(enum weir_xcode_codec id)
{
    static const enum AVCodecID ids[] = {[WEIR_XCODE_H264] = AV_CODEC_ID_H264,
                                         [WEIR_XCODE_H265] = AV_CODEC_ID_HEVC,
                                         [WEIR_XCODE_MJPEG] = AV_CODEC_ID_MJPEG};
    const AVCodec *codec = avcodec_find_decoder(ids[id]);
    AVCodecContext *ctx = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!ctx) {
        return NULL;
    }
    ctx->thread_count = 1;
    ctx->max_pixels = WEIR_XCODE_PIXELS_MAX;
    ctx->pkt_timebase = (AVRational){1, 90000};
    if (avcodec_open2(ctx, codec, NULL) < 0) {
        avcodec_free_context(&ctx);
    }
    return ctx;
}

struct decoder *decoder_new(enum weir_xcode_codec codec, const struct decoder_calls *calls,
                            void *ctx)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    if (!decoder) {
        return NULL;
    }
    av_log_set_level(AV_LOG_QUIET);
    decoder->calls = calls;
    decoder->calls_ctx = ctx;
    decoder->ctx = open_context(codec);
    decoder->packet = av_packet_alloc();
    decoder->frame = av_frame_alloc();
    if (!decoder->ctx || !decoder->packet || !decoder->frame) {
        decoder_free(&decoder);
    }
    return decoder;
}

void decoder_free(struct decoder **ptr)
{
    struct decoder *decoder = *ptr;
    if (!decoder) {
        return;
    }
    *ptr = NULL;
    avcodec_free_context(&decoder->ctx);
    av_packet_free(&decoder->packet);
    av_frame_free(&decoder->frame);
    free(decoder);
}

static bool hand_on(struct decoder *decoder)
{
    bool is_good = true;
    while (is_good && avcodec_receive_frame(decoder->ctx, decoder->frame) == 0) {
        const AVFrame *frame = decoder->frame;
        bool is_usable = frame->pts != AV_NOPTS_VALUE && frame->width <= (int)WEIR_XCODE_SIDE_MAX &&
                         frame->height <= (int)WEIR_XCODE_SIDE_MAX;
        is_good = !is_usable || decoder->calls->frame(decoder->calls_ctx, frame);
        av_frame_unref(decoder->frame);
    }
    return is_good;
}

bool decoder_take(struct decoder *decoder, uint8_t *unit, size_t len, int64_t ts)
{
    bool is_wanted = decoder->calls->wants(decoder->calls_ctx, ts);
    bool is_image = decoder->ctx->codec_id == AV_CODEC_ID_MJPEG;
    /* No image is made from another. */
    if (is_image ? !is_wanted : !units_to_stream(unit, len)) {
        return true;
    }
    memset(unit + len, 0, DECODER_PADDING);
    decoder->ctx->skip_frame = is_wanted ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
    decoder->packet->data = unit;
    decoder->packet->size = (int)len;
    decoder->packet->pts = ts;
    int code = avcodec_send_packet(decoder->ctx, decoder->packet);
    return code != AVERROR(ENOMEM) && hand_on(decoder);
}

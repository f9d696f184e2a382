/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/decode/course.h"

#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
#include <stdlib.h>
#include <string.h>

#include "lib/io/progressive.h"

#define LENGTH_BYTES 4 /* before each NAL unit */

struct course {
    AVCodecContext *ctx;
    enum weir_still_codec codec;
    struct weir_progressive fields;
    bool is_damaged;
    bool is_out_of_room;
    uint8_t *fed; /* the records that went in, `len` bytes; only while parked */
    size_t len;
};

/* ---- the decoder ---- */

static AVCodecContext *open_decoder(enum weir_still_codec codec)
{
    static const enum AVCodecID ids[] = {[WEIR_STILL_H264] = AV_CODEC_ID_H264,
                                         [WEIR_STILL_H265] = AV_CODEC_ID_HEVC,
                                         [WEIR_STILL_MJPEG] = AV_CODEC_ID_MJPEG};
    const AVCodec *decoder = codec <= WEIR_STILL_MJPEG ? avcodec_find_decoder(ids[codec]) : NULL;
    AVCodecContext *ctx = decoder ? avcodec_alloc_context3(decoder) : NULL;
    if (!ctx) {
        return NULL;
    }
    ctx->thread_count = 1;
    ctx->max_pixels = WEIR_STILL_PIXELS_MAX;
    ctx->pkt_timebase = (AVRational){1, 90000};
    if (avcodec_open2(ctx, decoder, NULL) < 0) {
        avcodec_free_context(&ctx);
    }
    return ctx;
}

void course_free(struct course **parked)
{
    struct course *course = *parked;
    *parked = NULL;
    if (course) {
        avcodec_free_context(&course->ctx);
        weir_progressive_done(&course->fields);
        free(course->fed);
        free(course);
    }
}

static struct course *course_new(enum weir_still_codec codec)
{
    struct course *course = calloc(1, sizeof(*course));
    if (course) {
        av_log_set_level(AV_LOG_QUIET);
        course->codec = codec;
        course->ctx = open_decoder(codec);
    }
    if (course && !course->ctx) {
        course_free(&course);
    }
    return course;
}

/* ---- records and NAL units ---- */

struct record {
    const uint8_t *unit;
    size_t len;
    int64_t ts;
};

/* The record at `*at`, which goes behind it. False: there is no whole one. */
static bool next_record(const uint8_t *clip, size_t len, size_t *at, struct record *ret)
{
    struct weir_clip_unit head;
    if (len - *at < sizeof(head)) {
        return false;
    }
    memcpy(&head, clip + *at, sizeof(head));
    if (head.len > len - *at - sizeof(head)) {
        return false;
    }
    *ret = (struct record){clip + *at + sizeof(head), head.len, head.ts};
    *at += sizeof(head) + head.len;
    return true;
}

/* The length of the NAL unit behind `at`; SIZE_MAX when it is longer than what is there. */
static size_t nal_len(const uint8_t *unit, size_t len, size_t at)
{
    size_t nal = (size_t)unit[at] << 24 | (size_t)unit[at + 1] << 16 | (size_t)unit[at + 2] << 8 |
                 (size_t)unit[at + 3];
    return nal > len - at - LENGTH_BYTES ? SIZE_MAX : nal;
}

/* Lengths become start codes (ISO/IEC 14496-10 annex B). False when they do not add up. */
static bool to_annex_b(uint8_t *unit, size_t len)
{
    static const uint8_t start_code[LENGTH_BYTES] = {0, 0, 0, 1};
    size_t at = 0;
    while (at + LENGTH_BYTES <= len) {
        size_t nal = nal_len(unit, len, at);
        if (nal == SIZE_MAX) {
            return false;
        }
        memcpy(unit + at, start_code, sizeof(start_code));
        at += LENGTH_BYTES + nal;
    }
    return at == len;
}

/*
 * Whether a NAL unit, by its first byte, is left out with AVDISCARD_NONREF: of H.264 all that says
 * that nothing refers to it, parameter sets too, but for messages (SEI; ITU-T H.264 7.4.1); of
 * H.265 pictures of the even types below 16 (table 7-1).
 */
static bool is_left_out(enum weir_still_codec codec, uint8_t first)
{
    if (codec == WEIR_STILL_H264) {
        return (first & 31U) != 6 && (first >> 5 & 3U) == 0;
    }
    unsigned type = first >> 1 & 63U;
    return type < 16 && type % 2 == 0;
}

/* Whether libavcodec, which goes by start codes, sees another NAL unit inside of this one. */
static bool has_start_code(const uint8_t *nal, size_t len)
{
    static const uint8_t start_code[] = {0, 0, 1};
    return memmem(nal, len, start_code, sizeof(start_code)) != NULL;
}

/* Whether the frame is decoded on the way to a later one, too, and nothing of it left out. */
static bool is_on_the_way(enum weir_still_codec codec, const uint8_t *unit, size_t len)
{
    if (codec == WEIR_STILL_MJPEG) {
        return false;
    }
    for (size_t at = 0; at + LENGTH_BYTES < len;) {
        size_t nal = nal_len(unit, len, at);
        if (nal == SIZE_MAX || (nal > 0 && is_left_out(codec, unit[at + LENGTH_BYTES])) ||
            has_start_code(unit + at + LENGTH_BYTES, nal)) {
            return false;
        }
        at += LENGTH_BYTES + nal;
    }
    return true;
}

/* ---- the way ---- */

static bool send_unit(AVCodecContext *ctx, const struct record *record, bool *is_out_of_room)
{
    AVPacket *packet = av_packet_alloc();
    bool has_room = packet && av_new_packet(packet, (int)record->len) == 0;
    bool is_good = has_room;
    *is_out_of_room = !has_room;
    if (has_room) {
        memcpy(packet->data, record->unit, record->len);
        packet->pts = record->ts;
        is_good =
            ctx->codec_id == AV_CODEC_ID_MJPEG || to_annex_b(packet->data, (size_t)packet->size);
    }
    if (is_good) {
        /* A unit that the decoder does not understand is a hole, not the end. */
        int code = avcodec_send_packet(ctx, packet);
        is_good = code != AVERROR(EAGAIN) && code != AVERROR(ENOMEM);
    }
    av_packet_free(&packet);
    return is_good;
}

/* Instead of a frame that was taken in two fields, the whole one that was made of it. */
static bool replace(AVFrame *frame, const AVFrame *whole)
{
    if (whole != frame) {
        av_frame_unref(frame);
    }
    return whole == frame || (whole && av_frame_ref(frame, whole) == 0);
}

/* Takes what is ready; true once the wanted frame is in `frame`. */
static bool receive(struct course *course, int64_t ts, AVFrame *frame)
{
    while (avcodec_receive_frame(course->ctx, frame) == 0) {
        course->is_damaged = course->is_damaged || frame->decode_error_flags != 0 ||
                             (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0;
        bool is_wanted = frame->pts == ts;
        const AVFrame *whole = weir_progressive_take(&course->fields, frame, is_wanted);
        if (is_wanted) {
            course->is_out_of_room = !replace(frame, whole);
            return !course->is_out_of_room;
        }
        av_frame_unref(frame);
    }
    return false;
}

/* Goes on from `at` in the clip. `ret_at` is where it ended, or 0 when the decoder was emptied or
 * stands where it would not on its way to a later frame. */
static bool run(struct course *course, const uint8_t *clip, size_t len, size_t at, int64_t ts,
                struct course_end *ret, size_t *ret_at)
{
    struct record record;
    *ret_at = 0;
    /* Where it begins anew, what came with the frame before is taken before the next unit, too. */
    if (at > 0 && receive(course, ts, ret->frame)) {
        return true;
    }
    size_t n_wanted = 0;
    while (next_record(clip, len, &at, &record)) {
        n_wanted += record.ts == ts;
        course->ctx->skip_frame = record.ts == ts ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
        if (!send_unit(course->ctx, &record, &ret->is_out_of_room)) {
            return false;
        }
        if (receive(course, ts, ret->frame)) {
            bool is_whole = record.ts == ts && n_wanted == 1 &&
                            is_on_the_way(course->codec, record.unit, record.len);
            *ret_at = is_whole ? at : 0;
            return true;
        }
    }
    return at == len && avcodec_send_packet(course->ctx, NULL) == 0 &&
           receive(course, ts, ret->frame);
}

/* ---- parking ---- */

static bool has_time(const uint8_t *clip, size_t len, int64_t ts)
{
    struct record record;
    for (size_t at = 0; next_record(clip, len, &at, &record);) {
        if (record.ts == ts) {
            return true;
        }
    }
    return false;
}

/* Whether beginning anew would come by where this one stands. */
static bool leads_to(const struct course *course, enum weir_still_codec codec, const uint8_t *clip,
                     size_t len, int64_t ts)
{
    return course && course->codec == codec && len > course->len &&
           memcmp(clip, course->fed, course->len) == 0 && !has_time(clip, course->len, ts);
}

/* Keeps what went in, the first `at` bytes of the clip. */
static bool park(struct course *course, const uint8_t *clip, size_t at)
{
    int64_t pixels = (int64_t)course->ctx->width * course->ctx->height;
    uint8_t *fed = at > 0 && at <= COURSE_CLIP_MAX && pixels <= COURSE_PIXELS_MAX
                       ? realloc(course->fed, at)
                       : NULL;
    if (!fed) {
        return false;
    }
    memcpy(fed + course->len, clip + course->len, at - course->len);
    course->fed = fed;
    course->len = at;
    return true;
}

bool course_run(struct course **parked, enum weir_still_codec codec, const uint8_t *clip,
                size_t len, int64_t ts, struct course_end *ret)
{
    size_t at;
    struct course *course = NULL;
    ret->is_damaged = ret->is_parked = ret->is_out_of_room = false;
    ret->has_gone_on = parked && leads_to(*parked, codec, clip, len, ts);
    if (ret->has_gone_on) {
        course = *parked;
        *parked = NULL;
    } else {
        if (parked) {
            course_free(parked);
        }
        course = course_new(codec);
    }
    ret->is_out_of_room = !course;
    if (!course) {
        return false;
    }
    bool is_there = run(course, clip, len, course->len, ts, ret, &at);
    ret->is_damaged = course->is_damaged;
    ret->is_out_of_room = ret->is_out_of_room || course->is_out_of_room;
    if (is_there && parked && park(course, clip, at)) {
        *parked = course;
        ret->is_parked = true;
    } else {
        course_free(&course);
    }
    return is_there;
}

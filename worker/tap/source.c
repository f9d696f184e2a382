/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/source.h"

#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "worker/tap/address.h"
#include "worker/tap/assembler.h"
#include "worker/tap/guard.h"
#include "worker/tap/jpeg.h"
#include "worker/tap/nal.h"

#define ALLOCATION_MAX     (64U << 20) /* one allocation inside libavformat */
#define AAC_SAMPLES        1024
#define TEARDOWN_MS        300
#define JUDGE_MS           3000
#define TURN_POLL_US       20000
#define TURN_RETRY_MS      1000
#define TURN_RETRY_MOST_MS 60000

struct source {
    struct tap_reader *reader;
    int64_t keyframe_ms; /* as in tap_reader_spec */
    int64_t not_before_ms;
    AVFormatContext *av;
    struct tap_guard guard;
    bool is_known;            /* RTSP came from that address to this tenant before */
    bool has_spoken;          /* and now */
    int64_t deadline_mono_ms; /* of what is going on now */
    bool is_closing;
    bool has_timed_out;
    int video; /* stream index */
    int audio; /* or -1 */
    struct tap_format format;
    struct tap_assembler assembler;
    bool has_gap;      /* packets were lost before the one that is read now */
    bool unit_has_gap; /* ... or of the unit that is being put together */
    int64_t audio_pts; /* of the next unit, where the packet does not say */
    int64_t last_key_ms;
    int64_t key_interval_ms;
    int64_t last_video_ms;
    int64_t judged_ms; /* when the counts below were taken */
    uint64_t judged_nals;
    uint64_t judged_broken;
};

static _Thread_local struct source *running;

/* libavformat tells lost RTP packets only to its log. Nothing else of it is looked at or kept. */
static void on_av_log(void *av, int level, const char *format, va_list args)
{
    (void)av;
    (void)level;
    if (running == NULL || !weir_str_starts_with(format, "RTP: missed %d packets"))
        return;
    running->has_gap = true;
    va_list copy;
    va_copy(copy, args);
    int lost = va_arg(copy, int);
    va_end(copy);
    tap_reader_add_gap(running->reader, lost > 0 ? (unsigned)lost : 0);
}

void tap_source_init(void)
{
    av_log_set_callback(on_av_log);
    av_max_alloc(ALLOCATION_MAX);
}

static void fail(struct tap_failure *failure, enum weir_reason reason, bool is_permanent,
                 const char *detail)
{
    failure->reason = reason;
    failure->is_permanent = is_permanent;
    WEIR_STR_SET(failure->detail, detail);
}

static int on_interrupt(void *ctx)
{
    struct source *source = ctx;
    if (!source->is_closing && tap_reader_is_cancelled(source->reader))
        return 1;
    if (weir_clock_mono_ms() < source->deadline_mono_ms)
        return 0;
    source->has_timed_out = true;
    return 1;
}

static void explain_connect(const struct tap_guard *guard, struct tap_failure *failure)
{
    switch (guard->connect_errno) {
    case ECONNREFUSED:
        fail(failure, WEIR_REASON_source_refused, false, "nothing listens on that port");
        return;
    case ETIMEDOUT:
        fail(failure, WEIR_REASON_source_unreachable, false, "the connection was not answered");
        return;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
        fail(failure, WEIR_REASON_source_unreachable, false, "there is no route to the address");
        return;
    default:
        fail(failure, WEIR_REASON_source_unreachable, false, "no connection could be made");
    }
}

/* What the camera answered, by libavformat's code. False when it was no answer. */
static bool explain_answer(int code, struct tap_failure *failure)
{
    switch (code) {
    case AVERROR_HTTP_UNAUTHORIZED:
        fail(failure, WEIR_REASON_source_auth_failed, true, "401: wrong username or password");
        return true;
    case AVERROR_HTTP_FORBIDDEN:
        fail(failure, WEIR_REASON_source_auth_failed, true, "403: the user may not do this");
        return true;
    case AVERROR_HTTP_NOT_FOUND:
        fail(failure, WEIR_REASON_source_not_found, false, "404: no such path");
        return true;
    case AVERROR_HTTP_BAD_REQUEST:
    case AVERROR_HTTP_OTHER_4XX:
        fail(failure, WEIR_REASON_source_refused, false, "the request was refused (4xx)");
        return true;
    case AVERROR_HTTP_SERVER_ERROR:
        fail(failure, WEIR_REASON_source_busy, false, "the camera cannot serve now (5xx)");
        return true;
    default:
        return false;
    }
}

/* A first answer that is no RTSP ended the connection; of TLS only the outcome is seen. */
static void explain_open(struct source *source, int code, struct tap_failure *failure)
{
    const struct tap_guard *guard = &source->guard;
    bool is_answer = explain_answer(code, failure);
    source->has_spoken = source->has_spoken || is_answer || (!guard->is_tls && guard->received > 0);
    if (guard->was_led_away)
        fail(failure, WEIR_REASON_source_redirected, false, "redirects are not followed");
    else if (!guard->is_connected)
        explain_connect(guard, failure);
    else if (guard->is_other_pin)
        fail(failure, WEIR_REASON_source_pin_mismatch, true,
             "its certificate is not the one that is pinned");
    else if (guard->is_not_rtsp)
        fail(failure, WEIR_REASON_source_protocol_error, false, "what answers is not RTSP");
    else if (is_answer)
        return;
    else if (source->has_timed_out && guard->received == 0)
        fail(failure, WEIR_REASON_source_timeout, false, "connected, but nothing was answered");
    else if (source->has_timed_out)
        fail(failure, WEIR_REASON_source_timeout, false, "the answers did not come to an end");
    else if (guard->is_tls)
        fail(failure, WEIR_REASON_source_tls_failed, false, "no TLS connection could be made");
    else if (guard->received == 0)
        fail(failure, WEIR_REASON_source_closed, false, "closed without an answer");
    else
        fail(failure, WEIR_REASON_source_protocol_error, false, "the answers make no sense");
}

/* The same words for everything, so that nobody learns more than whether a camera is there. */
static void hush(struct tap_failure *failure, enum weir_reason reason, const char *detail)
{
    snprintf(failure->why, sizeof(failure->why), "%s: %s", weir_reason_name(failure->reason),
             failure->detail);
    fail(failure, reason, false, detail);
    failure->is_hushed = true;
}

/* What a name resolves to is nobody's business: nothing, or nothing that is allowed. */
static void explain_address(const struct tap_url *url, const struct weir_err *err,
                            struct tap_failure *failure)
{
    if (err->code == WEIR_EFORBIDDEN)
        fail(failure, WEIR_REASON_source_denied, true,
             "the address is not in a network where this tenant's cameras may be");
    else
        fail(failure, WEIR_REASON_source_name_unknown, false, err->msg);
    if (!url->is_literal)
        hush(failure, WEIR_REASON_source_name_unknown,
             "the name has no address where this tenant's cameras may be");
}

/* False when too many addresses of the tenant did not speak RTSP lately. */
static bool take_turn(struct source *source, const struct tap_reader_spec *spec,
                      struct tap_failure *failure)
{
    const struct sockaddr *addr = (const struct sockaddr *)(const void *)&source->guard.addr;
    int64_t give_up_mono_ms = weir_clock_mono_ms() + spec->open_ms;
    int64_t wait_ms = TURN_RETRY_MS;
    for (;;) {
        int64_t now = weir_clock_mono_ms();
        enum tap_trials_verdict verdict = tap_trials_enter(spec->trials, &spec->tenant_id, addr,
                                                           now, &source->is_known, &wait_ms);
        if (verdict == TAP_TRIALS_GO)
            return true;
        if (verdict == TAP_TRIALS_FULL || now >= give_up_mono_ms ||
            tap_reader_is_cancelled(source->reader))
            break;
        usleep(TURN_POLL_US);
    }
    fail(failure, WEIR_REASON_source_rate_limited, false,
         "too many other addresses of this tenant did not answer lately");
    failure->retry_ms = wait_ms < TURN_RETRY_MS        ? TURN_RETRY_MS
                        : wait_ms > TURN_RETRY_MOST_MS ? TURN_RETRY_MOST_MS
                                                       : wait_ms;
    return false;
}

/* Nobody is sent a password who may be anybody. */
static bool can_pin(const struct tap_reader_spec *spec, struct tap_failure *failure)
{
    bool is_seen =
        tap_guard_sees_tls() && strstr(avformat_configuration(), "--enable-gnutls") != NULL;
    if (!spec->has_tls_pin)
        fail(failure, WEIR_REASON_source_pin_missing, true,
             "rtsps needs the SHA-256 of the camera's certificate");
    else if (!is_seen)
        fail(failure, WEIR_REASON_source_tls_failed, true,
             "this FFmpeg speaks TLS by another library than GnuTLS, so pins cannot be compared");
    return spec->has_tls_pin && is_seen;
}

/* Checks the address and writes the URL that libavformat gets, with credentials. False: `failure`
 * says why not; else a turn was taken. */
static bool prepare(struct source *source, const struct tap_reader_spec *spec, struct weir_buf *out,
                    struct tap_failure *failure)
{
    struct tap_url url;
    struct weir_err err = {0};
    if (tap_url_parse(spec->url, &url, &err) != WEIR_OK) {
        fail(failure, WEIR_REASON_source_invalid, true, err.msg);
        return false;
    }
    if (url.is_tls && !can_pin(spec, failure))
        return false;
    if (tap_address_resolve(&url, &spec->reach, spec->turn, &source->guard.addr, &err) != WEIR_OK) {
        explain_address(&url, &err, failure);
        return false;
    }
    if (tap_url_write(&url, &source->guard.addr, spec->has_credentials ? spec->username : NULL,
                      spec->password, out, &err) != WEIR_OK) {
        fail(failure, WEIR_REASON_source_invalid, true, err.msg);
        return false;
    }
    source->guard.is_tls = url.is_tls;
    source->guard.pin = spec->has_tls_pin ? &spec->tls_pin : NULL;
    return take_turn(source, spec, failure);
}

/* Ends before PLAY. */
static int open_av(struct source *source, const struct tap_reader_spec *spec, const char *url,
                   bool is_video_only)
{
    source->av = avformat_alloc_context();
    if (source->av == NULL)
        return AVERROR(ENOMEM);
    source->av->interrupt_callback = (AVIOInterruptCB){on_interrupt, source};
    source->av->flags |= AVFMT_FLAG_NOPARSE | AVFMT_FLAG_NOFILLIN;
    AVDictionary *options = NULL;
    av_dict_set(&options, "protocol_whitelist", "rtsp,rtp,udp,tcp,tls", 0);
    av_dict_set(&options, "format_whitelist", "rtsp", 0);
    av_dict_set(&options, "rtsp_transport", spec->is_udp ? "udp" : "tcp", 0);
    av_dict_set(&options, "rtsp_flags", spec->is_udp ? "filter_src" : "0", 0);
    av_dict_set(&options, "allowed_media_types", is_video_only ? "video" : "video+audio", 0);
    av_dict_set(&options, "initial_pause", "1", 0);
    av_dict_set(&options, "correct_ts_overflow", "0", 0);
    av_dict_set(&options, "user_agent", "Weir", 0);
    /* Frees source->av when it fails. */
    int code = avformat_open_input(&source->av, url, av_find_input_format("rtsp"), &options);
    av_dict_free(&options);
    return code;
}

static void take_audio(struct source *source, const AVStream *stream)
{
    const AVCodecParameters *par = stream->codecpar;
    struct tap_format *format = &source->format;
    bool is_aac = par->codec_id == AV_CODEC_ID_AAC && par->extradata_size >= 2 &&
                  par->extradata_size <= TAP_AUDIO_CONFIG_MAX && par->sample_rate > 0;
    if (!is_aac && par->codec_id != AV_CODEC_ID_OPUS) {
        WEIR_STR_SET(format->audio_dropped, avcodec_get_name(par->codec_id));
        return;
    }
    source->audio = stream->index;
    format->audio = is_aac ? TAP_CODEC_AAC : TAP_CODEC_OPUS;
    format->audio_rate = is_aac ? par->sample_rate : 48000;
    format->audio_channels = par->ch_layout.nb_channels > 0 ? par->ch_layout.nb_channels : 1;
    format->audio_dropped[0] = '\0';
    if (is_aac) {
        format->audio_config_len = (size_t)par->extradata_size;
        memcpy(format->audio_config, par->extradata, format->audio_config_len);
    }
}

static enum tap_codec video_codec(const AVCodecParameters *par)
{
    return par->codec_id == AV_CODEC_ID_H264    ? TAP_CODEC_H264
           : par->codec_id == AV_CODEC_ID_HEVC  ? TAP_CODEC_H265
           : par->codec_id == AV_CODEC_ID_MJPEG ? TAP_CODEC_MJPEG
                                                : TAP_CODEC_NONE;
}

/* The first one, but Motion JPEG only where there is no other. False: it is of no use. */
static bool take_video(struct source *source, const AVStream *stream)
{
    enum tap_codec codec = video_codec(stream->codecpar);
    bool is_better =
        source->video < 0 || (source->format.video == TAP_CODEC_MJPEG && codec != TAP_CODEC_MJPEG);
    if (codec != TAP_CODEC_NONE && is_better) {
        source->video = stream->index;
        source->format.video = codec;
    }
    return codec != TAP_CODEC_NONE;
}

/* Picks one video and one audio track. */
static bool choose_streams(struct source *source, struct tap_failure *failure)
{
    bool has_other_video = false;
    for (unsigned i = 0; i < source->av->nb_streams; i++) {
        const AVStream *stream = source->av->streams[i];
        const AVCodecParameters *par = stream->codecpar;
        if (par->codec_type == AVMEDIA_TYPE_VIDEO) {
            has_other_video |= !take_video(source, stream);
        } else if (par->codec_type == AVMEDIA_TYPE_AUDIO && source->audio < 0) {
            take_audio(source, stream);
        }
    }
    if (source->video >= 0) {
        const AVCodecParameters *par = source->av->streams[source->video]->codecpar;
        tap_assembler_init(&source->assembler, source->format.video, par->extradata,
                           par->extradata_size > 0 ? (size_t)par->extradata_size : 0);
        return true;
    }
    if (has_other_video)
        fail(failure, WEIR_REASON_unsupported_codec, true,
             "the video is neither H.264, H.265 nor MJPEG");
    else
        fail(failure, WEIR_REASON_no_video, true, "the camera offers no video");
    return false;
}

/* The camera's wall clock at this packet, from its last sender report. */
static int64_t camera_time(const AVPacket *packet)
{
    size_t size = 0;
    const uint8_t *side = av_packet_get_side_data(packet, AV_PKT_DATA_PRFT, &size);
    if (side == NULL || size < sizeof(AVProducerReferenceTime))
        return TAP_NO_TIME;
    AVProducerReferenceTime time;
    memcpy(&time, side, sizeof(time));
    return time.wallclock;
}

static int64_t to_ticks(const struct source *source, const AVPacket *packet, int64_t rate)
{
    if (packet->pts == AV_NOPTS_VALUE)
        return TAP_NO_TIME;
    AVRational base = source->av->streams[packet->stream_index]->time_base;
    return av_rescale_q(packet->pts, base, (AVRational){1, (int)rate});
}

static void hand_video(struct source *source, struct tap_unit *unit)
{
    int64_t now = weir_clock_mono_ms();
    if (unit->is_key) {
        source->key_interval_ms = now - source->last_key_ms;
        source->last_key_ms = now;
    }
    /* Of several tracks, libavformat puts each where its last sender report says. */
    unit->is_tied = source->av->nb_streams > 1;
    tap_reader_hand_unit(source->reader, unit);
}

static void read_video(struct source *source, const AVPacket *packet)
{
    source->last_video_ms = weir_clock_mono_ms();
    bool was_started = source->assembler.is_started;
    /* Images come whole, all others in fragments. */
    bool is_image = source->format.video == TAP_CODEC_MJPEG;
    struct tap_unit *unit = (is_image ? tap_jpeg_unit : tap_assembler_add)(
        &source->assembler, to_ticks(source, packet, TAP_VIDEO_RATE), camera_time(packet),
        weir_clock_wall_us(), packet->data, (size_t)packet->size);
    /* What is missing may have been the end of the unit before. */
    bool has_gap = source->has_gap;
    source->has_gap = false;
    if (unit == NULL) {
        source->unit_has_gap = source->unit_has_gap || has_gap;
        return;
    }
    unit->has_gap = source->unit_has_gap || has_gap;
    source->unit_has_gap = has_gap;
    if (!was_started) {
        source->format.params = source->assembler.params;
        tap_reader_hand_format(source->reader, &source->format);
    }
    hand_video(source, unit);
}

static void read_audio(struct source *source, const AVPacket *packet)
{
    int64_t rate = source->format.audio_rate;
    int64_t pts = to_ticks(source, packet, rate);
    source->has_gap = false; /* it was one of sound */
    if (pts == TAP_NO_TIME)
        pts = source->audio_pts;
    if (pts == TAP_NO_TIME || !source->assembler.is_started)
        return;
    source->audio_pts = source->format.audio == TAP_CODEC_AAC ? pts + AAC_SAMPLES : TAP_NO_TIME;
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + (size_t)packet->size);
    unit->track = TAP_AUDIO;
    unit->pts = pts;
    unit->camera_us = camera_time(packet);
    unit->arrival_us = weir_clock_wall_us();
    unit->len = (size_t)packet->size;
    memcpy(unit->bytes, packet->data, unit->len);
    tap_reader_hand_unit(source->reader, unit);
}

/* Every few seconds: is what comes video at all? One NAL unit in five may be damaged. */
static bool makes_sense(struct source *source, int64_t now)
{
    const struct tap_assembler *as = &source->assembler;
    if (now - source->judged_ms < JUDGE_MS)
        return true;
    uint64_t nals = as->nals - source->judged_nals;
    uint64_t broken = as->broken - source->judged_broken;
    source->judged_ms = now;
    source->judged_nals = as->nals;
    source->judged_broken = as->broken;
    return nals < 10 || broken * 5 < nals;
}

/* Another connection was tried too often; see remedy.h. */
static bool is_let_alone(const struct source *source, int64_t now)
{
    return source->assembler.is_started && now < source->not_before_ms;
}

/* False when the camera sends, but not what is needed. */
static bool check_health(struct source *source, struct tap_failure *failure)
{
    int64_t now = weir_clock_mono_ms();
    int64_t most = 3 * source->key_interval_ms;
    most = most > source->keyframe_ms ? most : source->keyframe_ms;
    if (!makes_sense(source, now)) {
        fail(failure, WEIR_REASON_source_protocol_error, false, "what it sends is no video");
        return false;
    }
    if (is_let_alone(source, now))
        return true;
    if (now - source->last_video_ms > TAP_SOURCE_STALL_MS) {
        fail(failure, WEIR_REASON_source_silent, false, "audio comes, video does not");
        return false;
    }
    if (now - source->last_key_ms <= most)
        return true;
    if (source->assembler.is_started ||
        tap_params_are_complete(&source->assembler.params, source->format.video))
        fail(failure, WEIR_REASON_no_keyframe, false, "no keyframe for too long");
    else
        fail(failure, WEIR_REASON_no_parameter_sets, false, "no parameter sets came");
    return false;
}

static void explain_read(const struct source *source, bool has_read, struct tap_failure *failure)
{
    if (source->guard.was_led_away)
        fail(failure, WEIR_REASON_source_redirected, false, "redirects are not followed");
    else if (source->has_timed_out && has_read)
        fail(failure, WEIR_REASON_source_silent, false, "no packet for 5 s");
    else if (source->has_timed_out)
        fail(failure, WEIR_REASON_source_silent, false, "it plays, but sends no packets");
    else
        fail(failure, WEIR_REASON_source_closed, false, "the camera ended the session");
}

static void read_packets(struct source *source, struct tap_failure *failure)
{
    AVPacket *packet = av_packet_alloc();
    bool has_read = false;
    source->last_key_ms = weir_clock_mono_ms();
    source->last_video_ms = source->last_key_ms;
    source->judged_ms = source->last_key_ms;
    source->audio_pts = TAP_NO_TIME;
    for (;;) {
        source->deadline_mono_ms = weir_clock_mono_ms() + TAP_SOURCE_STALL_MS;
        if (is_let_alone(source, source->deadline_mono_ms))
            source->deadline_mono_ms = source->not_before_ms;
        int code = av_read_frame(source->av, packet);
        if (code == AVERROR(EAGAIN) && !source->has_timed_out)
            continue;
        if (code < 0) {
            explain_read(source, has_read, failure);
            break;
        }
        has_read = true;
        tap_reader_add_packet(source->reader);
        if (packet->size > 0 && packet->stream_index == source->video)
            read_video(source, packet);
        else if (packet->size > 0 && packet->stream_index == source->audio)
            read_audio(source, packet);
        av_packet_unref(packet);
        if (tap_reader_is_cancelled(source->reader) || !check_health(source, failure))
            break;
    }
    av_packet_free(&packet);
}

static void close_av(struct source *source)
{
    /* TEARDOWN is worth a moment even when cancelled: cameras count their sessions. */
    source->is_closing = true;
    source->deadline_mono_ms = weir_clock_mono_ms() + TEARDOWN_MS;
    avformat_close_input(&source->av);
    tap_assembler_done(&source->assembler);
}

static void note_spoken(struct source *source, const struct tap_reader_spec *spec)
{
    source->has_spoken = true;
    tap_trials_confirm(spec->trials, &spec->tenant_id,
                       (const struct sockaddr *)(const void *)&source->guard.addr,
                       weir_clock_mono_ms());
}

/* Opens, chooses, and plays; `ret` says why not. */
static bool play(struct source *source, const struct tap_reader_spec *spec, const char *url,
                 struct tap_failure *ret)
{
    int code = open_av(source, spec, url, false);
    if (code >= 0)
        note_spoken(source, spec);
    bool is_chosen = code >= 0 && choose_streams(source, ret);
    if (is_chosen && source->format.audio_dropped[0] != '\0') {
        /* Without the useless track, libavformat gives the camera's times as they are. */
        avformat_close_input(&source->av);
        tap_assembler_done(&source->assembler);
        source->video = -1;
        source->guard.is_connected = false;
        source->guard.received = 0;
        code = open_av(source, spec, url, true);
        is_chosen = code >= 0 && choose_streams(source, ret);
    }
    if (is_chosen)
        code = av_read_play(source->av);
    if (code < 0)
        explain_open(source, code, ret);
    return is_chosen && code >= 0;
}

static void connect_and_read(struct source *source, const struct tap_reader_spec *spec,
                             const char *url, struct tap_failure *ret)
{
    if (tap_reader_is_cancelled(source->reader))
        return;
    running = source;
    tap_guard_enter(&source->guard);
    source->deadline_mono_ms = weir_clock_mono_ms() + spec->open_ms;
    if (play(source, spec, url, ret))
        read_packets(source, ret);
    close_av(source);
    tap_guard_leave();
    running = NULL;
}

void tap_source_run(struct tap_reader *reader, const struct tap_reader_spec *spec,
                    struct tap_failure *ret)
{
    struct source source = {.reader = reader,
                            .keyframe_ms = spec->keyframe_ms,
                            .not_before_ms = spec->not_before_ms,
                            .video = -1,
                            .audio = -1};
    source.guard.connect_ms =
        spec->open_ms < TAP_SOURCE_CONNECT_MS ? spec->open_ms : TAP_SOURCE_CONNECT_MS;
    source.guard.is_cancelled = tap_reader_cancel_flag(reader);
    struct weir_buf url = {.max = 4096};
    fail(ret, WEIR_REASON_stopped, false, "");
    if (prepare(&source, spec, &url, ret)) {
        connect_and_read(&source, spec, url.bytes, ret);
        tap_trials_leave(spec->trials, &spec->tenant_id,
                         (const struct sockaddr *)(const void *)&source.guard.addr,
                         source.has_spoken, weir_clock_mono_ms());
        /* One that is not who it should be is told, or a wrong pin could not be put right. */
        if (!source.has_spoken && !source.is_known && !source.guard.is_other_pin)
            hush(ret, WEIR_REASON_source_unreachable, "no camera answers there by RTSP");
    }
    if (url.bytes != NULL)
        explicit_bzero(url.bytes, url.cap);
    weir_buf_done(&url);
}

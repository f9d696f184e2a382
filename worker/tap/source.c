/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/source.h"

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
#include "worker/tap/explain.h"
#include "worker/tap/guard.h"
#include "worker/tap/jpeg.h"
#include "worker/tap/nal.h"
#include "worker/tap/sound_line.h"

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
    int64_t now_ms;           /* when the newest packet was read, monotonic */
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
    bool is_senseless; /* what came last is no video */
    bool is_cut;       /* units were left out because of that; it goes on with a keyframe */
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
    unsetenv("http_proxy"); /* a camera is asked itself, also over HTTP */
}

static int on_interrupt(void *ctx)
{
    struct source *source = ctx;
    if (!source->is_closing && tap_reader_is_cancelled(source->reader))
        return 1;
    const struct tap_guard *guard = &source->guard;
    bool reads_on = !guard->waits && guard->ahead_at < guard->ahead_end;
    if (reads_on || weir_clock_mono_ms() < source->deadline_mono_ms)
        return 0; /* it is asked three times a packet, and the time is looked at once a handful */
    source->has_timed_out = true;
    return 1;
}

/* A first answer that is no RTSP ended the connection; of TLS only the outcome is seen. Over HTTP
 * only RTSP inside leads on once both connections are there. */
static void explain_open(struct source *source, int code, struct tap_failure *failure)
{
    const struct tap_guard *guard = &source->guard;
    bool is_answer = tap_explain_answer(code, failure);
    bool is_rtsp = guard->is_http ? guard->has_out && guard->was_led_away
                                  : !guard->is_tls && guard->received > 0;
    source->has_spoken = source->has_spoken || is_answer || is_rtsp;
    is_answer = is_answer || tap_explain_http(guard->http_status, failure);
    tap_explain_open(guard, is_answer, source->has_timed_out, failure);
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
    tap_explain(failure, WEIR_REASON_source_rate_limited, false,
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
        tap_explain(failure, WEIR_REASON_source_pin_missing, true,
                    "rtsps needs the SHA-256 of the camera's certificate");
    else if (!is_seen)
        tap_explain(
            failure, WEIR_REASON_source_tls_failed, true,
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
        tap_explain(failure, WEIR_REASON_source_invalid, true, err.msg);
        return false;
    }
    source->guard.is_http = spec->transport == WEIR_TRANSPORT_HTTP;
    source->guard.is_multicast = spec->transport == WEIR_TRANSPORT_MULTICAST;
    if (source->guard.is_http)
        tap_url_use_http(&url);
    if (url.is_tls && !can_pin(spec, failure))
        return false;
    if (tap_address_resolve(&url, &spec->reach, spec->turn, &source->guard.addr, &err) != WEIR_OK) {
        tap_explain_address(&url, &err, failure);
        return false;
    }
    if (tap_url_write(&url, &source->guard.addr, spec->has_credentials ? spec->username : NULL,
                      spec->password, out, &err) != WEIR_OK) {
        tap_explain(failure, WEIR_REASON_source_invalid, true, err.msg);
        return false;
    }
    source->guard.is_tls = url.is_tls;
    source->guard.pin = spec->has_tls_pin ? &spec->tls_pin : NULL;
    return take_turn(source, spec, failure);
}

/* By the names of libavformat; through TLS it is given nothing that speaks HTTP in the clear. */
static void set_transport(const struct tap_guard *guard, enum weir_transport transport,
                          AVDictionary **options)
{
    const char *http = guard->is_tls ? "https" : "http";
    av_dict_set(options, "protocol_whitelist",
                !guard->is_http ? "rtsp,rtp,udp,tcp,tls"
                : guard->is_tls ? "rtsp,rtp,tcp,tls,https"
                                : "rtsp,rtp,tcp,http",
                0);
    av_dict_set(options, "rtsp_transport",
                guard->is_http        ? http
                : guard->is_multicast ? "udp_multicast"
                                      : weir_transport_name(transport),
                0);
    /* Nothing is lost in a connection, but cameras leave packets out that they cannot send in time.
     * libavformat only sees that where it could put them in order. */
    bool is_in_connection = transport == WEIR_TRANSPORT_TCP || guard->is_http;
    if (is_in_connection)
        av_dict_set(options, "reorder_queue_size", "2", 0);
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
    av_dict_set(&options, "format_whitelist", "rtsp", 0);
    set_transport(&source->guard, spec->transport, &options);
    av_dict_set(&options, "rtsp_flags", spec->transport == WEIR_TRANSPORT_UDP ? "filter_src" : "0",
                0);
    av_dict_set(&options, "allowed_media_types", is_video_only ? "video" : "video+audio", 0);
    av_dict_set(&options, "initial_pause", "1", 0);
    av_dict_set(&options, "correct_ts_overflow", "0", 0);
    av_dict_set(&options, "user_agent", "Weir", 0);
    /* Frees source->av when it fails. */
    int code = avformat_open_input(&source->av, url, av_find_input_format("rtsp"), &options);
    av_dict_free(&options);
    return code;
}

static void take_passed(struct tap_format *format, const AVCodecParameters *par)
{
    bool is_aac = par->codec_id == AV_CODEC_ID_AAC;
    format->audio = is_aac ? TAP_CODEC_AAC : TAP_CODEC_OPUS;
    format->audio_rate = is_aac ? par->sample_rate : 48000;
    format->audio_channels = par->ch_layout.nb_channels > 0 ? par->ch_layout.nb_channels : 1;
    if (is_aac) {
        format->audio_config_len = (size_t)par->extradata_size;
        memcpy(format->audio_config, par->extradata, format->audio_config_len);
    }
}

/* False: it is nothing that is made into AAC. */
static bool take_raw(struct tap_format *format, const AVCodecParameters *par)
{
    struct tap_raw raw = {
        .codec = par->codec_id == AV_CODEC_ID_PCM_ALAW       ? TAP_CODEC_PCMA
                 : par->codec_id == AV_CODEC_ID_PCM_MULAW    ? TAP_CODEC_PCMU
                 : par->codec_id == AV_CODEC_ID_ADPCM_G726   ? TAP_CODEC_G726
                 : par->codec_id == AV_CODEC_ID_ADPCM_G726LE ? TAP_CODEC_G726_LOW_FIRST
                                                             : TAP_CODEC_NONE,
        .rate = par->sample_rate > 0 ? par->sample_rate : 8000,
        .channels = par->ch_layout.nb_channels > 0 ? par->ch_layout.nb_channels : 1};
    bool is_g726 = raw.codec == TAP_CODEC_G726 || raw.codec == TAP_CODEC_G726_LOW_FIRST;
    raw.bits = is_g726 ? par->bits_per_coded_sample : 0;
    if (raw.codec == TAP_CODEC_NONE || raw.rate < 8000 || raw.rate > 48000 || raw.channels > 2 ||
        (is_g726 && (raw.bits < 2 || raw.bits > 5 || raw.channels > 1)))
        return false;
    tap_sound_line_format(format);
    format->raw = raw;
    return true;
}

static void take_audio(struct source *source, const AVStream *stream)
{
    const AVCodecParameters *par = stream->codecpar;
    struct tap_format *format = &source->format;
    bool is_aac = par->codec_id == AV_CODEC_ID_AAC && par->extradata_size >= 2 &&
                  par->extradata_size <= TAP_AUDIO_CONFIG_MAX && par->sample_rate > 0;
    if (is_aac || par->codec_id == AV_CODEC_ID_OPUS) {
        take_passed(format, par);
    } else if (!take_raw(format, par)) {
        WEIR_STR_SET(format->audio_dropped, avcodec_get_name(par->codec_id));
        return;
    }
    source->audio = stream->index;
    format->audio_dropped[0] = '\0';
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
        tap_explain(failure, WEIR_REASON_unsupported_codec, true,
                    "the video is neither H.264, H.265 nor MJPEG");
    else
        tap_explain(failure, WEIR_REASON_no_video, true, "the camera offers no video");
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

/* Of a connection that is kept although what comes is no video. It goes on with a keyframe. */
static bool is_left_out(struct source *source, const struct tap_unit *unit)
{
    source->is_cut = source->is_senseless || (source->is_cut && !unit->is_key);
    return source->is_cut;
}

static void hand(struct source *source, struct tap_unit *unit)
{
    tap_reader_hand_unit(source->reader, unit);
    source->now_ms = weir_clock_mono_ms(); /* it may have waited */
}

static void hand_video(struct source *source, struct tap_unit *unit)
{
    int64_t now = source->now_ms;
    if (is_left_out(source, unit)) {
        free(unit);
        return;
    }
    if (unit->is_key) {
        source->key_interval_ms = now - source->last_key_ms;
        source->last_key_ms = now;
    }
    /* Of several tracks, libavformat puts each where its last sender report says. */
    unit->is_tied = source->av->nb_streams > 1;
    hand(source, unit);
}

static void read_video(struct source *source, const AVPacket *packet)
{
    source->last_video_ms = source->now_ms;
    int64_t pts = to_ticks(source, packet, TAP_VIDEO_RATE);
    bool begins = pts != source->assembler.pts;
    bool was_started = source->assembler.is_started;
    /* Images come whole, all others in fragments. */
    bool is_image = source->format.video == TAP_CODEC_MJPEG;
    struct tap_unit *unit = (is_image ? tap_jpeg_unit : tap_assembler_add)(
        &source->assembler, pts, camera_time(packet), is_image || begins ? weir_clock_mono_us() : 0,
        packet->data, (size_t)packet->size);
    /* What is missing may have been the end of the unit before. */
    bool has_gap = source->has_gap;
    source->has_gap = false;
    if (unit == NULL) {
        source->unit_has_gap = source->unit_has_gap || has_gap;
        return;
    }
    unit->has_gap = unit->has_gap || source->unit_has_gap || has_gap;
    source->unit_has_gap = has_gap;
    if (!was_started) {
        source->format.params = source->assembler.params;
        tap_reader_hand_format(source->reader, &source->format);
    }
    hand_video(source, unit);
}

static void read_audio(struct source *source, const AVPacket *packet)
{
    bool is_raw = source->format.raw.codec != TAP_CODEC_NONE;
    int64_t rate = is_raw ? source->format.raw.rate : source->format.audio_rate;
    int64_t pts = to_ticks(source, packet, rate);
    source->has_gap = false; /* it was one of sound */
    if (pts == TAP_NO_TIME)
        pts = source->audio_pts;
    if (pts == TAP_NO_TIME || !source->assembler.is_started)
        return;
    source->audio_pts =
        source->format.audio == TAP_CODEC_AAC && !is_raw ? pts + AAC_SAMPLES : TAP_NO_TIME;
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + (size_t)packet->size);
    unit->track = TAP_AUDIO;
    unit->pts = pts;
    unit->camera_us = camera_time(packet);
    unit->arrival_mono_us = weir_clock_mono_us();
    unit->len = (size_t)packet->size;
    memcpy(unit->bytes, packet->data, unit->len);
    hand(source, unit);
}

/*
 * Every few seconds: is what comes video at all? One NAL unit in five may be damaged. A few are no
 * proof that it is none, but enough for it to stay so. Parameter sets that came with it may be
 * anything.
 */
static void judge_sense(struct source *source, int64_t now)
{
    struct tap_assembler *as = &source->assembler;
    if (now - source->judged_ms < JUDGE_MS)
        return;
    uint64_t nals = as->nals - source->judged_nals;
    uint64_t broken = as->broken - source->judged_broken;
    source->judged_ms = now;
    source->judged_nals = as->nals;
    source->judged_broken = as->broken;
    if (nals >= 10 || source->is_senseless)
        source->is_senseless = broken > 0 && broken * 5 >= nals;
    if (source->is_senseless && as->is_started) {
        as->params = source->format.params;
        source->last_key_ms = now;
    }
    tap_reader_tell_sense(source->reader, !source->is_senseless);
}

/* Another connection was tried too often; see remedy.h. */
static bool is_let_alone(const struct source *source, int64_t now)
{
    return source->assembler.is_started && now < source->not_before_ms;
}

/* False when the camera sends, but not what is needed. */
static bool check_health(struct source *source, struct tap_failure *failure)
{
    int64_t now = source->now_ms;
    int64_t group = tap_reader_group_ms(source->reader);
    int64_t most = 3 * (group > source->key_interval_ms ? group : source->key_interval_ms);
    most = most > source->keyframe_ms ? most : source->keyframe_ms;
    judge_sense(source, now);
    if (is_let_alone(source, now))
        return true;
    if (source->is_senseless) {
        tap_explain(failure, WEIR_REASON_source_protocol_error, false, "what it sends is no video");
        return false;
    }
    if (now - source->last_video_ms > TAP_SOURCE_STALL_MS) {
        tap_explain(failure, WEIR_REASON_source_silent, false, "audio comes, video does not");
        return false;
    }
    if (now - source->last_key_ms <= most)
        return true;
    if (source->assembler.is_started ||
        tap_params_are_complete(&source->assembler.params, source->format.video))
        tap_explain(failure, WEIR_REASON_no_keyframe, false, "no keyframe for too long");
    else
        tap_explain(failure, WEIR_REASON_no_parameter_sets, false, "no parameter sets came");
    return false;
}

static void explain_read(const struct source *source, bool has_read, struct tap_failure *failure)
{
    if (source->guard.was_led_away)
        tap_explain(failure, WEIR_REASON_source_redirected, false, "redirects are not followed");
    else if (source->has_timed_out && has_read)
        tap_explain(failure, WEIR_REASON_source_silent, false, "no packet for 5 s");
    else if (source->has_timed_out)
        tap_explain(failure, WEIR_REASON_source_silent, false, "it plays, but sends no packets");
    else
        tap_explain(failure, WEIR_REASON_source_closed, false, "the camera ended the session");
}

static void read_packets(struct source *source, struct tap_failure *failure)
{
    AVPacket *packet = av_packet_alloc();
    bool has_read = false;
    source->now_ms = weir_clock_mono_ms();
    source->last_key_ms = source->now_ms;
    source->last_video_ms = source->last_key_ms;
    source->judged_ms = source->last_key_ms;
    source->audio_pts = TAP_NO_TIME;
    source->guard.nap_ms = tap_reader_nap_ms(source->reader);
    tap_reader_give_back_stack();
    for (;;) {
        source->deadline_mono_ms = source->now_ms + TAP_SOURCE_STALL_MS;
        if (is_let_alone(source, source->deadline_mono_ms))
            source->deadline_mono_ms = source->not_before_ms;
        int code = av_read_frame(source->av, packet);
        source->now_ms = weir_clock_mono_ms();
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
    source->guard.nap_ms = NULL;
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
    source->format.is_muted = !spec->has_audio;
    int code = open_av(source, spec, url, !spec->has_audio);
    if (code >= 0)
        note_spoken(source, spec);
    bool is_chosen = code >= 0 && choose_streams(source, ret);
    if (is_chosen && source->format.audio_dropped[0] != '\0') {
        /* Without the useless track, libavformat gives the camera's times as they are. */
        avformat_close_input(&source->av);
        tap_assembler_done(&source->assembler);
        source->video = -1;
        tap_guard_begin_anew(&source->guard);
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
    if (play(source, spec, url, ret)) {
        source->format.params = source->assembler.params;
        tap_reader_hand_description(source->reader, &source->format);
        read_packets(source, ret);
    }
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
    tap_explain(ret, WEIR_REASON_stopped, false, "");
    if (prepare(&source, spec, &url, ret)) {
        connect_and_read(&source, spec, url.bytes, ret);
        tap_trials_leave(spec->trials, &spec->tenant_id,
                         (const struct sockaddr *)(const void *)&source.guard.addr,
                         source.has_spoken, weir_clock_mono_ms());
        /* A wrong pin or password is told, or it could not be put right. */
        bool is_told = source.guard.is_other_pin ||
                       (source.guard.asked > 1 && ret->reason == WEIR_REASON_source_auth_failed);
        if (!source.has_spoken && !source.is_known && !is_told)
            tap_explain_hushed(ret, WEIR_REASON_source_unreachable,
                               "no camera answers there by RTSP");
    }
    ret->has_answered = source.has_spoken;
    if (url.bytes != NULL)
        explicit_bzero(url.bytes, url.cap);
    weir_buf_done(&url);
}

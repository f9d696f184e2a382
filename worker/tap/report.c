/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/report.h"

#include "lib/base/log.h"
#include "lib/base/str.h"

const char *tap_report_codec(enum tap_codec codec)
{
    switch (codec) {
    case TAP_CODEC_H264:
        return "avc1";
    case TAP_CODEC_H265:
        return "hvc1";
    case TAP_CODEC_MJPEG: /* not in RFC 6381, and no player gets it */
        return "mjpg";
    case TAP_CODEC_AAC:
        return "mp4a";
    case TAP_CODEC_OPUS:
        return "opus";
    case TAP_CODEC_PCMA: /* as libavcodec names them; what is published is made of them */
        return "pcm_alaw";
    case TAP_CODEC_PCMU:
        return "pcm_mulaw";
    case TAP_CODEC_G726:
        return "adpcm_g726";
    case TAP_CODEC_G726_LOW_FIRST:
        return "adpcm_g726le";
    case TAP_CODEC_NONE:
        break;
    }
    return "";
}

void tap_report_connecting(struct tap_control *control, const struct weir_id *camera_id)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_SOURCE};
    ctl.u.tap_source.camera_id = *camera_id;
    ctl.u.tap_source.state = WEIR_CTL_TAP_SOURCE_STATE_CONNECTING;
    tap_control_send(control, &ctl);
}

static void report_format(struct tap_control *control, const struct weir_id *camera_id,
                          enum weir_ctl_tap_source_state state, const struct tap_format *format,
                          int width, int height)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_SOURCE};
    struct weir_ctl_tap_source *source = &ctl.u.tap_source;
    source->camera_id = *camera_id;
    source->state = state;
    source->has_video_codec = true;
    WEIR_STR_SET(source->video_codec, tap_report_codec(format->video));
    source->has_audio_codec = format->audio != TAP_CODEC_NONE;
    WEIR_STR_SET(source->audio_codec, tap_report_codec(format->audio));
    source->has_audio_dropped = format->audio_dropped[0] != '\0';
    WEIR_STR_SET(source->audio_dropped, format->audio_dropped);
    source->has_width = width > 0;
    source->width = width;
    source->has_height = height > 0;
    source->height = height;
    tap_control_send(control, &ctl);
}

void tap_report_described(struct tap_control *control, const struct weir_id *camera_id,
                          const struct tap_format *format, int width, int height)
{
    report_format(control, camera_id, WEIR_CTL_TAP_SOURCE_STATE_CONNECTING, format, width, height);
}

void tap_report_up(struct tap_control *control, const struct weir_id *camera_id,
                   const struct tap_format *format, int width, int height)
{
    report_format(control, camera_id, WEIR_CTL_TAP_SOURCE_STATE_UP, format, width, height);
}

void tap_report_failing(struct tap_control *control, const struct weir_id *camera_id,
                        const struct tap_failure *failure, int64_t retry_in_ms)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_SOURCE};
    struct weir_ctl_tap_source *source = &ctl.u.tap_source;
    source->camera_id = *camera_id;
    source->state = WEIR_CTL_TAP_SOURCE_STATE_FAILING;
    source->has_reason = true;
    WEIR_STR_SET(source->reason, weir_reason_name(failure->reason));
    source->has_permanent = true;
    source->permanent = failure->is_permanent;
    source->has_detail = true;
    WEIR_STR_SET(source->detail, failure->detail);
    source->has_retry_in_ms = true;
    source->retry_in_ms = retry_in_ms;
    tap_control_send(control, &ctl);
}

void tap_report_stream(struct tap_control *control, const struct weir_ctl_tap_publish *spec,
                       enum tap_publisher_state state, enum weir_reason reason, const char *detail,
                       const struct weir_effective *effective)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_STREAM};
    struct weir_ctl_tap_stream *stream = &ctl.u.tap_stream;
    stream->stream_id = spec->stream_id;
    stream->generation = spec->generation;
    stream->state = state == TAP_PUBLISHER_LIVE     ? WEIR_CTL_TAP_STREAM_STATE_PUBLISHING
                    : state == TAP_PUBLISHER_FAILED ? WEIR_CTL_TAP_STREAM_STATE_FAILING
                                                    : WEIR_CTL_TAP_STREAM_STATE_CONNECTING;
    stream->has_reason = state == TAP_PUBLISHER_FAILED;
    WEIR_STR_SET(stream->reason, weir_reason_name(reason));
    stream->has_detail = stream->has_reason;
    WEIR_STR_SET(stream->detail, detail);
    stream->has_effective = effective != NULL;
    if (effective != NULL)
        stream->effective = *effective;
    tap_control_send(control, &ctl);
}

void tap_report_encoder_failed(struct tap_control *control, const struct weir_id *camera_id,
                               enum weir_encoder encoder, const char *why)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_ENCODER_FAILED};
    ctl.u.tap_encoder_failed.camera_id = *camera_id;
    ctl.u.tap_encoder_failed.encoder = encoder;
    WEIR_STR_SET(ctl.u.tap_encoder_failed.why, why);
    tap_control_send(control, &ctl);
    weir_log(WEIR_LOG_WARN, "an encoder failed, software goes on", "encoder",
             weir_encoder_name(encoder), "camera_id", WEIR_ID_TEXT(camera_id), "why", why, NULL);
}

void tap_report_remedy(struct tap_control *control, const struct weir_id *camera_id,
                       enum weir_remedy remedy, const char *reason, int64_t next_in_ms)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_REMEDY};
    ctl.u.tap_remedy.camera_id = *camera_id;
    ctl.u.tap_remedy.remedy = remedy;
    WEIR_STR_SET(ctl.u.tap_remedy.reason, reason);
    ctl.u.tap_remedy.next_in_ms = next_in_ms;
    tap_control_send(control, &ctl);
}

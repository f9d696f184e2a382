/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/sdp.h"

#include "lib/base/str.h"

void tap_base64_write(const void *bytes, size_t len, struct weir_buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;
        v |= i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0;
        v |= i + 2 < len ? (uint32_t)p[i + 2] : 0;
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
                        i + 1 < len ? digits[v >> 6 & 63] : '=',
                        i + 2 < len ? digits[v & 63] : '='};
        weir_buf_add(out, four, sizeof(four));
    }
}

static void write_param(const char *name, const struct tap_param *param, struct weir_buf *out)
{
    weir_buf_printf(out, "%s", name);
    tap_base64_write(param->bytes, param->len, out);
}

/* RFC 6184 section 8.1. */
static void write_h264(const struct tap_params *params, struct weir_buf *out)
{
    const uint8_t *sps = params->sps.bytes;
    weir_buf_printf(out, "a=rtpmap:%d H264/90000\r\na=fmtp:%d packetization-mode=1",
                    TAP_SDP_VIDEO_TYPE, TAP_SDP_VIDEO_TYPE);
    if (params->sps.len >= 4)
        weir_buf_printf(out, ";profile-level-id=%02X%02X%02X", sps[1], sps[2], sps[3]);
    write_param(";sprop-parameter-sets=", &params->sps, out);
    write_param(",", &params->pps, out);
    weir_buf_printf(out, "\r\n");
}

/* RFC 7798 section 7.1. */
static void write_h265(const struct tap_params *params, struct weir_buf *out)
{
    weir_buf_printf(out, "a=rtpmap:%d H265/90000\r\na=fmtp:%d ", TAP_SDP_VIDEO_TYPE,
                    TAP_SDP_VIDEO_TYPE);
    write_param("sprop-vps=", &params->vps, out);
    write_param(";sprop-sps=", &params->sps, out);
    write_param(";sprop-pps=", &params->pps, out);
    weir_buf_printf(out, "\r\n");
}

/* RFC 3640 section 4.1 and RFC 7587 section 7. */
static void write_audio(const struct tap_format *format, struct weir_buf *out)
{
    weir_buf_printf(out, "m=audio 0 RTP/AVP %d\r\n", TAP_SDP_AUDIO_TYPE);
    if (format->audio == TAP_CODEC_AAC) {
        char config[2 * TAP_AUDIO_CONFIG_MAX + 1];
        weir_hex_encode(format->audio_config, format->audio_config_len, config);
        weir_buf_printf(out,
                        "a=rtpmap:%d mpeg4-generic/%d/%d\r\n"
                        "a=fmtp:%d streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;"
                        "indexlength=3;indexdeltalength=3;config=%s\r\n",
                        TAP_SDP_AUDIO_TYPE, format->audio_rate, format->audio_channels,
                        TAP_SDP_AUDIO_TYPE, config);
    } else {
        weir_buf_printf(out, "a=rtpmap:%d opus/48000/2\r\na=fmtp:%d sprop-stereo=%d\r\n",
                        TAP_SDP_AUDIO_TYPE, TAP_SDP_AUDIO_TYPE, format->audio_channels == 2);
    }
    weir_buf_printf(out, "a=control:trackID=1\r\n");
}

void tap_sdp_write(const struct tap_format *format, struct weir_buf *out)
{
    weir_buf_printf(out,
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                    "m=video 0 RTP/AVP %d\r\n",
                    TAP_SDP_VIDEO_TYPE);
    if (format->video == TAP_CODEC_H265)
        write_h265(&format->params, out);
    else
        write_h264(&format->params, out);
    weir_buf_printf(out, "a=control:trackID=0\r\n");
    if (format->audio != TAP_CODEC_NONE)
        write_audio(format, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/sdp.h"

#include <string.h>

#include "tests/unit/check.h"

static struct tap_format h264(void)
{
    return (struct tap_format){
        .video = TAP_CODEC_H264,
        .params = {.sps = {4, {0x67, 0x64, 0x00, 0x28}}, .pps = {2, {0x68, 0xee}}}};
}

static void base64_is_padded(void **state)
{
    (void)state;
    struct weir_buf out = {0};
    tap_base64_write("user:p", 6, &out);
    tap_base64_write("a", 1, &out);
    tap_base64_write("ab", 2, &out);
    tap_base64_write("", 0, &out);
    assert_string_equal(out.bytes, "dXNlcjpwYQ==YWI=");
    weir_buf_done(&out);
}

static void h264_alone_is_one_track(void **state)
{
    (void)state;
    struct weir_buf out = {0};
    struct tap_format format = h264();
    tap_sdp_write(&format, &out);
    assert_string_equal(out.bytes,
                        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                        "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                        "a=fmtp:96 packetization-mode=1;profile-level-id=640028;"
                        "sprop-parameter-sets=Z2QAKA==,aO4=\r\na=control:trackID=0\r\n");
    weir_buf_done(&out);
}

static void h265_names_all_three_sets(void **state)
{
    (void)state;
    struct weir_buf out = {0};
    struct tap_format format = {.video = TAP_CODEC_H265,
                                .params = {.vps = {1, {1}}, .sps = {1, {2}}, .pps = {1, {3}}}};
    tap_sdp_write(&format, &out);
    assert_non_null(strstr(out.bytes, "a=rtpmap:96 H265/90000\r\n"));
    assert_non_null(
        strstr(out.bytes, "a=fmtp:96 sprop-vps=AQ==;sprop-sps=Ag==;sprop-pps=Aw==\r\n"));
    weir_buf_done(&out);
}

static void audio_is_the_second_track(void **state)
{
    (void)state;
    struct weir_buf out = {0};
    struct tap_format format = h264();
    format.audio = TAP_CODEC_AAC;
    format.audio_rate = 44100;
    format.audio_channels = 2;
    format.audio_config_len = 2;
    memcpy(format.audio_config, "\x12\x10", 2);
    tap_sdp_write(&format, &out);
    assert_non_null(strstr(out.bytes, "m=audio 0 RTP/AVP 97\r\n"
                                      "a=rtpmap:97 mpeg4-generic/44100/2\r\n"
                                      "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;"
                                      "sizelength=13;indexlength=3;indexdeltalength=3;config=1210"
                                      "\r\na=control:trackID=1\r\n"));
    weir_buf_clear(&out);
    format.audio = TAP_CODEC_OPUS;
    tap_sdp_write(&format, &out);
    assert_non_null(strstr(out.bytes, "a=rtpmap:97 opus/48000/2\r\na=fmtp:97 sprop-stereo=1\r\n"));
    weir_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_padded),
        cmocka_unit_test(h264_alone_is_one_track),
        cmocka_unit_test(h265_names_all_three_sets),
        cmocka_unit_test(audio_is_the_second_track),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

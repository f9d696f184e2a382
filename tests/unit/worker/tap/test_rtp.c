/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/rtp.h"

#include <stdlib.h>

#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"

static struct tap_rtp track(void)
{
    return (struct tap_rtp){
        .channel = 2, .payload_type = 96, .seq = 0xffff, .ssrc = 0x01020304, .offset = 0x10};
}

static struct tap_unit *nal_unit(uint8_t first, uint8_t second, size_t len)
{
    struct tap_unit *unit = unit_of_size(TAP_VIDEO, true, 0x100, len + 4);
    unit->bytes[0] = (uint8_t)(len >> 24);
    unit->bytes[1] = (uint8_t)(len >> 16);
    unit->bytes[2] = (uint8_t)(len >> 8);
    unit->bytes[3] = (uint8_t)len;
    memset(unit->bytes + 4, 0xab, len);
    unit->bytes[4] = first;
    unit->bytes[5] = second;
    return unit;
}

static void a_small_unit_is_one_packet_to_the_byte(void **state)
{
    (void)state;
    static const uint8_t golden[] = {'$', 2,    0, 15, 0x80, 0xe0, 0xff, 0xff, 0,   0,
                                     1,   0x10, 1, 2,  3,    4,    0x65, 0xab, 0xab};
    struct tap_rtp rtp = track();
    struct weir_buf out = {0};
    struct tap_unit *unit = nal_unit(0x65, 0xab, 3);
    tap_rtp_unit(&rtp, TAP_CODEC_H264, unit, &out);
    assert_int_equal(out.len, sizeof(golden));
    assert_memory_equal(out.bytes, golden, sizeof(golden));
    assert_int_equal(rtp.seq, 0);
    assert_int_equal(rtp.packets, 1);
    assert_int_equal(rtp.octets, 3);
    free(unit);
    weir_buf_done(&out);
}

/* Walks over the frames; returns how many, checks lengths, sequence numbers and the marker. */
static size_t check_frames(const struct weir_buf *out, uint16_t first_seq, bool has_marker)
{
    const uint8_t *p = (const uint8_t *)out->bytes;
    size_t n = 0;
    for (size_t at = 0; at < out->len; n++) {
        size_t len = (size_t)p[at + 2] << 8 | p[at + 3];
        assert_int_equal(p[at], '$');
        assert_true(at + 4 + len <= out->len && len <= 12 + TAP_RTP_PAYLOAD_MAX);
        assert_int_equal(p[at + 6] << 8 | p[at + 7], (uint16_t)(first_seq + n));
        bool is_last = at + 4 + len == out->len;
        assert_int_equal(p[at + 5] >> 7, has_marker && is_last);
        at += 4 + len;
    }
    return n;
}

static void a_large_h264_unit_is_cut_by_fu_a(void **state)
{
    (void)state;
    struct tap_rtp rtp = track();
    struct weir_buf out = {0};
    struct tap_unit *unit = nal_unit(0x65, 0x11, 1 + 2 * 1398 + 5);
    tap_rtp_unit(&rtp, TAP_CODEC_H264, unit, &out);
    assert_int_equal(check_frames(&out, 0xffff, true), 3);
    const uint8_t *p = (const uint8_t *)out.bytes;
    size_t frame = 4 + 12 + 1400;
    assert_int_equal(p[16], 0x7c); /* NRI of the unit, type 28 */
    assert_int_equal(p[17], 0x85);
    assert_int_equal(p[18], 0x11);
    assert_int_equal(p[frame + 17], 0x05);
    assert_int_equal(p[2 * frame + 17], 0x45);
    assert_int_equal(out.len, 2 * frame + 4 + 12 + 2 + 5);
    free(unit);
    weir_buf_done(&out);
}

static void a_large_h265_unit_is_cut_by_fu(void **state)
{
    (void)state;
    struct tap_rtp rtp = track();
    struct weir_buf out = {0};
    struct tap_unit *unit = nal_unit(0x26, 0x01, 2000);
    tap_rtp_unit(&rtp, TAP_CODEC_H265, unit, &out);
    assert_int_equal(check_frames(&out, 0xffff, true), 2);
    const uint8_t *p = (const uint8_t *)out.bytes;
    assert_int_equal(p[16], 49 << 1);
    assert_int_equal(p[17], 0x01);
    assert_int_equal(p[18], 0x80 | 19);
    assert_int_equal(p[4 + 12 + 1400 + 18], 0x40 | 19);
    free(unit);
    weir_buf_done(&out);
}

static void parameter_sets_ahead_carry_no_marker(void **state)
{
    (void)state;
    struct tap_rtp rtp = track();
    struct weir_buf out = {0};
    tap_rtp_nal(&rtp, TAP_CODEC_H264, 0, (const uint8_t *)"\x67zz", 3, &out);
    assert_int_equal(check_frames(&out, 0xffff, false), 1);
    weir_buf_done(&out);
}

static void aac_carries_the_size_of_the_whole_in_each_piece(void **state)
{
    (void)state;
    struct tap_rtp rtp = track();
    struct weir_buf out = {0};
    struct tap_unit *small = unit_of_size(TAP_AUDIO, false, 0, 300);
    tap_rtp_unit(&rtp, TAP_CODEC_AAC, small, &out);
    assert_int_equal(check_frames(&out, 0xffff, true), 1);
    assert_memory_equal(out.bytes + 16, ((const uint8_t[]){0, 16, 300 >> 5, (300 << 3) & 0xff}), 4);
    weir_buf_clear(&out);
    struct tap_unit *large = unit_of_size(TAP_AUDIO, false, 0, 1536);
    tap_rtp_unit(&rtp, TAP_CODEC_AAC, large, &out);
    assert_int_equal(check_frames(&out, 0, true), 2);
    assert_memory_equal(out.bytes + 16, ((const uint8_t[]){0, 16, 1536 >> 5, 0}), 4);
    assert_memory_equal(out.bytes + 4 + 12 + 1400 + 16, ((const uint8_t[]){0, 16, 1536 >> 5, 0}),
                        4);
    free(small);
    free(large);
    weir_buf_done(&out);
}

static void a_report_ties_the_timestamp_to_ntp_time(void **state)
{
    (void)state;
    static const uint8_t golden[] = {'$',  3,    0,    28,   0x80, 200,  0, 6, 1, 2, 3,
                                     4,    0xe5, 0x6c, 0x6c, 0x80, 0x80, 0, 0, 0, 0, 0,
                                     0x01, 0x10, 0,    0,    0,    7,    0, 0, 0, 9};
    struct tap_rtp rtp = track();
    rtp.packets = 7;
    rtp.octets = 9;
    struct weir_buf out = {0};
    /* 2021-12-22T11:20:00.5Z: NTP 3849164928 (e56c6c80). */
    tap_rtp_report(&rtp, 0x100, (INT64_C(0xe56c6c80) - INT64_C(2208988800)) * 1000000 + 500000,
                   &out);
    assert_int_equal(out.len, sizeof(golden));
    assert_memory_equal(out.bytes, golden, sizeof(golden));
    weir_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_unit_is_one_packet_to_the_byte),
        cmocka_unit_test(a_large_h264_unit_is_cut_by_fu_a),
        cmocka_unit_test(a_large_h265_unit_is_cut_by_fu),
        cmocka_unit_test(parameter_sets_ahead_carry_no_marker),
        cmocka_unit_test(aac_carries_the_size_of_the_whole_in_each_piece),
        cmocka_unit_test(a_report_ties_the_timestamp_to_ntp_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

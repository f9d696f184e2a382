/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/nal.h"

#include <string.h>

#include "lib/base/str.h"
#include "tests/unit/check.h"

static void byte_streams_are_cut_at_start_codes_of_either_length(void **state)
{
    (void)state;
    static const uint8_t stream[] = {9, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65};
    const uint8_t *nal;
    size_t len;
    size_t at = 0;
    assert_true(tap_nal_next(stream, sizeof(stream), &at, &nal, &len));
    assert_int_equal(nal[0], 0x67);
    assert_int_equal(len, 2);
    assert_true(tap_nal_next(stream, sizeof(stream), &at, &nal, &len));
    assert_int_equal(nal[0], 0x68);
    assert_int_equal(len, 2);
    assert_true(tap_nal_next(stream, sizeof(stream), &at, &nal, &len));
    assert_int_equal(nal[0], 0x65);
    assert_int_equal(len, 1);
    assert_false(tap_nal_next(stream, sizeof(stream), &at, &nal, &len));
}

static void empty_units_and_streams_without_start_code_give_nothing(void **state)
{
    (void)state;
    static const uint8_t empty[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 1};
    static const uint8_t none[] = {1, 2, 3, 4};
    const uint8_t *nal;
    size_t len;
    size_t at = 0;
    assert_false(tap_nal_next(empty, sizeof(empty), &at, &nal, &len));
    at = 0;
    assert_false(tap_nal_next(none, sizeof(none), &at, &nal, &len));
    at = 0;
    assert_false(tap_nal_next(none, 0, &at, &nal, &len));
}

static void a_length_that_passes_the_end_ends_the_walk(void **state)
{
    (void)state;
    static const uint8_t unit[] = {0, 0, 0, 1, 0x65, 0, 0, 0, 9, 1};
    const uint8_t *nal;
    size_t len;
    size_t at = 0;
    assert_true(tap_nal_next_in_unit(unit, sizeof(unit), &at, &nal, &len));
    assert_false(tap_nal_next_in_unit(unit, sizeof(unit), &at, &nal, &len));
}

static void kinds_are_told_by_the_header(void **state)
{
    (void)state;
    assert_int_equal(tap_nal_kind(TAP_CODEC_H264, (const uint8_t[]){0x65}, 1), TAP_NAL_KEY);
    assert_int_equal(tap_nal_kind(TAP_CODEC_H264, (const uint8_t[]){0x41}, 1), TAP_NAL_OTHER);
    assert_int_equal(tap_nal_kind(TAP_CODEC_H264, (const uint8_t[]){0x09}, 1), TAP_NAL_USELESS);
    assert_int_equal(tap_nal_kind(TAP_CODEC_H264, (const uint8_t[]){0xe5}, 1), TAP_NAL_BROKEN);
    assert_int_equal(tap_nal_kind(TAP_CODEC_H264, NULL, 0), TAP_NAL_BROKEN);
    assert_int_equal(tap_nal_kind(TAP_CODEC_H265, (const uint8_t[]){0x26, 1, 0}, 3), TAP_NAL_KEY);
    assert_int_equal(tap_nal_kind(TAP_CODEC_H265, (const uint8_t[]){0x40, 1, 0}, 3), TAP_NAL_VPS);
    assert_int_equal(tap_nal_kind(TAP_CODEC_H265, (const uint8_t[]){0x26, 0, 0}, 3),
                     TAP_NAL_BROKEN);
    assert_int_equal(tap_nal_kind(TAP_CODEC_H265, (const uint8_t[]){0x26, 1}, 2), TAP_NAL_BROKEN);
}

static bool size_of(enum tap_codec codec, const char *hex, int *width, int *height)
{
    struct tap_param sps = {.len = strlen(hex) / 2};
    assert_true(weir_hex_decode(hex, strlen(hex), sps.bytes, sps.len));
    return tap_nal_picture_size(codec, &sps, width, height);
}

/* Sets written by x264 and x265; the sizes are those that ffprobe tells. */
static void picture_sizes_are_read_with_cropping(void **state)
{
    (void)state;
    int width = 0;
    int height = 0;
    assert_true(size_of(TAP_CODEC_H264, "67640028acd940780227e5c044000003000400000300c83c60c658",
                        &width, &height));
    assert_int_equal(width, 1920);
    assert_int_equal(height, 1080);
    assert_true(size_of(TAP_CODEC_H264, "6742c016d900a02ff970110000030001000003001e0f162e48",
                        &width, &height));
    assert_int_equal(width, 640);
    assert_int_equal(height, 360);
    assert_true(size_of(
        TAP_CODEC_H265,
        "420101016000000300900000030000030078a003c08010e596566924caf0168080000003008000000c84",
        &width, &height));
    assert_int_equal(width, 1920);
    assert_int_equal(height, 1080);
}

static enum tap_picture picture_of(enum tap_codec codec, const char *hex)
{
    struct tap_param sps = {.len = strlen(hex) / 2};
    assert_true(weir_hex_decode(hex, strlen(hex), sps.bytes, sps.len));
    return tap_nal_picture(codec, &sps);
}

/* Sets written by x264 and x265. */
static void pictures_that_some_players_do_not_show_are_told(void **state)
{
    static const struct {
        enum tap_codec codec;
        const char *sps;
        enum tap_picture picture;
    } sets[] = {
        {TAP_CODEC_H264, "67640028acd940780227e5c044000003000400000300c83c60c658",
         TAP_PICTURE_PLAIN},
        {TAP_CODEC_H264, "6742c016d900a02ff970110000030001000003001e0f162e48", TAP_PICTURE_PLAIN},
        /* 10 bit; 4:2:2 */
        {TAP_CODEC_H264, "676e000ca6cd941419b011000003000100000300320f142996", TAP_PICTURE_DEEP},
        {TAP_CODEC_H264, "677a000cbcd941419b011000000300100000030320f1429960", TAP_PICTURE_DEEP},
        {TAP_CODEC_H264, "67640015acd94143360220000003002000000643e28532c0",
         TAP_PICTURE_INTERLACED},
        {TAP_CODEC_H264, "67640028", TAP_PICTURE_UNKNOWN},
        {TAP_CODEC_H265,
         "420101016000000300900000030000030078a003c08010e596566924caf0168080000003008000000c84",
         TAP_PICTURE_PLAIN},
        {TAP_CODEC_H265, /* yuv420p10le */
         "42010102200000030090000003000003003ca00a080b9f6d96566924caf016808000000300800000030284",
         TAP_PICTURE_PLAIN},
        {TAP_CODEC_H265, /* yuv422p10le */
         "4201010408000003009d0800000300003cb00a080b9f2b65959a4932bc05a020000003002000000300a1",
         TAP_PICTURE_DEEP},
        {TAP_CODEC_H265, /* yuv420p12le */
         "420101040800000300998800000300003ca00a080b9f65296566924caf0168080000030008000003002840",
         TAP_PICTURE_DEEP},
        {TAP_CODEC_H265, /* yuv444p */
         "4201010408000003009e0800000300003c9001410173e5cb2b349265780b404000000300400000030142",
         TAP_PICTURE_DEEP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        assert_int_equal(picture_of(sets[i].codec, sets[i].sps), sets[i].picture);
    }
}

static void a_damaged_set_has_no_size(void **state)
{
    (void)state;
    int width = 0;
    int height = 0;
    assert_false(size_of(TAP_CODEC_H264, "67", &width, &height));
    assert_false(size_of(TAP_CODEC_H264, "67640028", &width, &height));
    assert_false(size_of(TAP_CODEC_H264, "6742c01e0000000000000000", &width, &height));
    assert_false(size_of(TAP_CODEC_H265, "42010101", &width, &height));
    assert_int_equal(width, 0);
}

static void a_parameter_set_is_taken_once(void **state)
{
    (void)state;
    struct tap_params params = {0};
    const uint8_t sps[] = {0x67, 1, 2};
    const uint8_t pps[] = {0x68, 3};
    assert_true(tap_params_take(&params, TAP_CODEC_H264, sps, sizeof(sps)));
    assert_false(tap_params_take(&params, TAP_CODEC_H264, sps, sizeof(sps)));
    assert_false(tap_params_are_complete(&params, TAP_CODEC_H264));
    assert_true(tap_params_take(&params, TAP_CODEC_H264, pps, sizeof(pps)));
    assert_true(tap_params_are_complete(&params, TAP_CODEC_H264));
    assert_false(tap_params_are_complete(&params, TAP_CODEC_H265));
    uint8_t huge[TAP_PARAM_MAX + 1] = {0x67};
    assert_false(tap_params_take(&params, TAP_CODEC_H264, huge, sizeof(huge)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_streams_are_cut_at_start_codes_of_either_length),
        cmocka_unit_test(empty_units_and_streams_without_start_code_give_nothing),
        cmocka_unit_test(a_length_that_passes_the_end_ends_the_walk),
        cmocka_unit_test(kinds_are_told_by_the_header),
        cmocka_unit_test(picture_sizes_are_read_with_cropping),
        cmocka_unit_test(pictures_that_some_players_do_not_show_are_told),
        cmocka_unit_test(a_damaged_set_has_no_size),
        cmocka_unit_test(a_parameter_set_is_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

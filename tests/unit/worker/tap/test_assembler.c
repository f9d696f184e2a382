/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/assembler.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "tests/unit/check.h"
#include "worker/tap/nal.h"

/* 640x360, by x264. */
#define SPS_HEX "6742c016d900a02ff970110000030001000003001e0f162e48"

static uint8_t sps[64];
static size_t sps_len;
static uint8_t extradata[128]; /* SPS and PPS with start codes */
static size_t extradata_len;

static int set_up(void **state)
{
    (void)state;
    static const uint8_t start[] = {0, 0, 0, 1};
    static const uint8_t pps[] = {0x68, 0xce, 0x3c, 0x80};
    sps_len = strlen(SPS_HEX) / 2;
    assert_true(weir_hex_decode(SPS_HEX, 2 * sps_len, sps, sps_len));
    uint8_t *at = extradata;
    memcpy(at, start, 4);
    memcpy(at + 4, sps, sps_len);
    memcpy(at + 4 + sps_len, start, 4);
    memcpy(at + 8 + sps_len, pps, sizeof(pps));
    extradata_len = 8 + sps_len + sizeof(pps);
    return 0;
}

static struct tap_unit *add(struct tap_assembler *as, int64_t pts, const void *bytes, size_t len)
{
    return tap_assembler_add(as, pts, TAP_NO_TIME, pts, bytes, len);
}

static size_t count_nals(const struct tap_unit *unit)
{
    const uint8_t *nal;
    size_t len;
    size_t n = 0;
    for (size_t at = 0; tap_nal_next_in_unit(unit->bytes, unit->len, &at, &nal, &len);)
        n++;
    return n;
}

static void fragments_of_one_time_are_one_unit(void **state)
{
    (void)state;
    struct tap_assembler as;
    tap_assembler_init(&as, TAP_CODEC_H264, extradata, extradata_len);
    assert_null(add(&as, 0,
                    "\0\0\0\1\x65"
                    "abc",
                    8));
    assert_null(add(&as, 0, "def", 3));
    assert_null(add(&as, TAP_NO_TIME, "ghi", 3));
    struct tap_unit *unit = add(&as, 3600, "\0\0\0\1\x41", 5);
    assert_non_null(unit);
    assert_true(unit->is_key);
    assert_int_equal(unit->pts, 0);
    assert_memory_equal(unit->bytes + unit->len - 10,
                        "\x65"
                        "abcdefghi",
                        10);
    free(unit);
    tap_assembler_done(&as);
}

static void a_key_unit_opens_with_its_parameter_sets(void **state)
{
    (void)state;
    struct tap_assembler as;
    tap_assembler_init(&as, TAP_CODEC_H264, extradata, extradata_len);
    assert_null(add(&as, 0,
                    "\0\0\0\1\x65"
                    "abc",
                    8));
    struct tap_unit *unit = tap_assembler_flush(&as);
    assert_int_equal(count_nals(unit), 3);
    assert_memory_equal(unit->bytes + 4, sps, sps_len);
    free(unit);
    /* One that brings its own is left as it is. */
    assert_null(add(&as, 1, extradata, extradata_len));
    assert_null(add(&as, 1,
                    "\0\0\0\1\x65"
                    "abc",
                    8));
    unit = tap_assembler_flush(&as);
    assert_int_equal(count_nals(unit), 3);
    free(unit);
    tap_assembler_done(&as);
}

static void nothing_comes_before_a_key_unit_with_complete_sets(void **state)
{
    (void)state;
    struct tap_assembler as;
    tap_assembler_init(&as, TAP_CODEC_H264, NULL, 0);
    assert_null(add(&as, 0,
                    "\0\0\0\1\x41"
                    "abc",
                    8));
    assert_null(add(&as, 1,
                    "\0\0\0\1\x65"
                    "abc",
                    8));
    assert_null(add(&as, 2, extradata, extradata_len));
    assert_null(add(&as, 3,
                    "\0\0\0\1\x65"
                    "abc",
                    8));
    struct tap_unit *unit = add(&as, 4, "\0\0\0\1\x41", 5);
    assert_int_equal(unit->pts, 3);
    free(unit);
    tap_assembler_done(&as);
}

static void delimiters_filler_and_damaged_units_are_left_out_and_the_last_counted(void **state)
{
    (void)state;
    static const char stream[] = "\0\0\0\1\x09\xf0"
                                 "\0\0\1\x65"
                                 "ab"
                                 "\0\0\1\x0c\xff"
                                 "\0\0\1\xe1zz"
                                 "\0\0\1\x67z";
    struct tap_assembler as;
    tap_assembler_init(&as, TAP_CODEC_H264, extradata, extradata_len);
    assert_null(add(&as, 0, stream, sizeof(stream) - 1));
    struct tap_unit *unit = tap_assembler_flush(&as);
    assert_int_equal(count_nals(unit), 3);
    assert_int_equal(as.broken, 2);
    free(unit);
    tap_assembler_done(&as);
}

static void a_unit_that_is_too_long_is_thrown_away_alone(void **state)
{
    (void)state;
    struct tap_assembler as;
    uint8_t *noise WEIR_CLEANUP(weir_freep) = weir_xalloc(1 << 20);
    memset(noise, 7, 1 << 20);
    tap_assembler_init(&as, TAP_CODEC_H264, extradata, extradata_len);
    assert_null(add(&as, 0,
                    "\0\0\0\1\x65"
                    "abc",
                    8));
    free(add(&as, 1, "\0\0\0\1\x41", 5));
    for (int i = 0; i < 9; i++)
        assert_null(add(&as, 1, noise, 1 << 20));
    assert_null(add(&as, 2, "\0\0\0\1\x41zz", 7));
    assert_int_equal(as.broken, 1);
    struct tap_unit *unit = tap_assembler_flush(&as);
    assert_int_equal(unit->pts, 2);
    assert_true(unit->has_gap); /* it is made from what is not there */
    free(unit);
    assert_null(add(&as, 3, "\0\0\0\1\x41", 5));
    unit = tap_assembler_flush(&as);
    assert_false(unit->has_gap);
    free(unit);
    tap_assembler_done(&as);
}

static void what_follows_a_unit_of_which_nothing_is_good_has_a_gap(void **state)
{
    (void)state;
    static const char *const slices[] = {"\0\0\0\1\x65zz", "\0\0\0\1\x41zz", "\0\0\0\1\xe1zz",
                                         "\0\0\0\1\x0czz", "\0\0\0\1\x41zz", "\0\0\0\1\x41zz"};
    struct tap_assembler as;
    tap_assembler_init(&as, TAP_CODEC_H264, extradata, extradata_len);
    for (int i = 0; i < 6; i++) {
        assert_null(add(&as, i, slices[i], 7));
        struct tap_unit *unit = tap_assembler_flush(&as);
        assert_int_equal(unit != NULL, i != 2 && i != 3); /* broken; filler */
        assert_int_equal(unit != NULL && unit->has_gap, i == 4);
        free(unit);
    }
    tap_assembler_done(&as);
}

/* Slices that are numbered, more than are noted; every tenth behind is left out as filler. */
static void all_of_many_slices_are_written(void **state)
{
    (void)state;
    enum { SLICES = 100 };
    struct tap_assembler as;
    const uint8_t *nal;
    size_t len;
    size_t n = 0;
    tap_assembler_init(&as, TAP_CODEC_H264, extradata, extradata_len);
    for (int i = 0; i < SLICES; i++) {
        uint8_t slice[] = {0, 0, 0, 1, i % 10 == 9 ? 12 : 0x65, (uint8_t)(i + 2)};
        /* Start codes of three bytes and of four. */
        assert_null(add(&as, 0, slice + i % 2, sizeof(slice) - i % 2));
    }
    struct tap_unit *unit = tap_assembler_flush(&as);
    assert_int_equal(count_nals(unit), 2 + SLICES - SLICES / 10);
    for (size_t at = 0; tap_nal_next_in_unit(unit->bytes, unit->len, &at, &nal, &len);) {
        if (nal[0] != 0x65)
            continue;
        n += n % 10 == 9;
        assert_int_equal(len, 2);
        assert_int_equal(nal[1], n++ + 2);
    }
    free(unit);
    tap_assembler_done(&as);
}

static void what_a_large_unit_took_is_not_kept(void **state)
{
    (void)state;
    static uint8_t large[200000] = {0, 0, 0, 1, 0x65};
    static const uint8_t small[] = {0, 0, 0, 1, 0x41, 1};
    struct tap_assembler as;
    memset(large + 5, 0x55, sizeof(large) - 5);
    tap_assembler_init(&as, TAP_CODEC_H264, extradata, extradata_len);
    assert_null(add(&as, 0, large, sizeof(large)));
    struct tap_unit *unit = add(&as, 1, small, sizeof(small));
    assert_true(unit->len > sizeof(large));
    assert_true(as.buf.cap < 1024);
    size_t cap = as.buf.cap;
    free(unit);
    /* A small one is: most are. */
    unit = add(&as, 2, small, sizeof(small));
    assert_int_equal(as.buf.cap, cap);
    free(unit);
    tap_assembler_done(&as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_of_one_time_are_one_unit),
        cmocka_unit_test(a_key_unit_opens_with_its_parameter_sets),
        cmocka_unit_test(nothing_comes_before_a_key_unit_with_complete_sets),
        cmocka_unit_test(delimiters_filler_and_damaged_units_are_left_out_and_the_last_counted),
        cmocka_unit_test(a_unit_that_is_too_long_is_thrown_away_alone),
        cmocka_unit_test(what_follows_a_unit_of_which_nothing_is_good_has_a_gap),
        cmocka_unit_test(all_of_many_slices_are_written),
        cmocka_unit_test(what_a_large_unit_took_is_not_kept),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

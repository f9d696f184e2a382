/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/sound_line.h"

#include <stdlib.h>

#include "lib/domain/xcode.h"
#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"

#define SAMPLES WEIR_XCODE_SOUND_SAMPLES
#define RATE    WEIR_XCODE_SOUND_HZ
#define SECOND  INT64_C(90000)

static void see_frame(struct tap_sound_line *line, int64_t ts)
{
    struct tap_unit frame = {.track = TAP_VIDEO,
                             .ts = ts,
                             .capture_us = 1000000000 + ts * 100 / 9,
                             .arrival_us = 1000005000 + ts * 100 / 9,
                             .is_cameras = true};
    tap_sound_line_frame(line, &frame);
}

/* `ts`: as it should be in the ring. */
static bool take(struct tap_sound_line *line, int64_t ts)
{
    int64_t said = tap_sound_ticks(ts, RATE, 90000);
    struct tap_unit *unit = tap_sound_line_unit(line, said, (const uint8_t *)"aac", 3);
    bool is_taken = unit != NULL;
    if (is_taken)
        assert_true(unit->ts == ts && unit->len == 3 && !unit->is_key);
    free(unit);
    return is_taken;
}

static void nothing_comes_before_the_first_frame(void **state)
{
    (void)state;
    struct tap_sound_line line = {0};
    assert_false(take(&line, 0));
    see_frame(&line, 0);
    assert_true(take(&line, 0));
}

static void no_unit_overlaps_the_one_before(void **state)
{
    (void)state;
    struct tap_sound_line line = {0};
    see_frame(&line, 10 * SECOND);
    assert_true(take(&line, 10 * RATE - 300)); /* a little ahead of the frame, too */
    assert_false(take(&line, 10 * RATE - 300 + SAMPLES - 1));
    assert_true(take(&line, 10 * RATE - 300 + SAMPLES));
    assert_true(take(&line, 12 * RATE));
}

static void what_is_far_from_the_frames_is_not_believed(void **state)
{
    (void)state;
    static const int64_t places[] = {INT64_MIN, INT64_MAX, 0, 89 * SECOND, 103 * SECOND};
    struct tap_sound_line line = {0};
    see_frame(&line, 100 * SECOND);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        assert_null(tap_sound_line_unit(&line, places[i], (const uint8_t *)"aac", 3));
    assert_true(take(&line, 100 * RATE));
}

static void sound_has_the_times_of_the_frames(void **state)
{
    (void)state;
    struct tap_sound_line line = {0};
    see_frame(&line, 0);
    see_frame(&line, 2 * SECOND);
    struct tap_unit *unit = tap_sound_line_unit(&line, SECOND, (const uint8_t *)"a", 1);
    assert_non_null(unit);
    assert_true(unit->capture_us == 1001000000 && unit->is_cameras);
    assert_true(unit->arrival_us == 1002005000);
    free(unit);
}

static void another_process_goes_on_behind_what_was_kept(void **state)
{
    (void)state;
    struct tap_sound_line line = {0};
    tap_sound_line_resume(&line, 5 * RATE);
    see_frame(&line, 6 * SECOND);
    assert_false(take(&line, 5 * RATE - 1));
    assert_true(take(&line, 5 * RATE));
}

static void ticks_there_and_back_are_the_same(void **state)
{
    (void)state;
    static const int64_t places[] = {0, 1, 1023, 7777777, INT64_C(987654321987), -5, -16001};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int64_t there = tap_sound_ticks(places[i], RATE, 90000);
        assert_true(tap_sound_ticks(there, 90000, RATE) == places[i]);
    }
}

static void its_format_is_what_a_decoder_takes(void **state)
{
    (void)state;
    struct tap_format format = {0};
    tap_sound_line_format(&format);
    /* AAC-LC, 16 kHz, one channel: 00010 1000 0001 000. */
    assert_int_equal(format.audio_config_len, 2);
    assert_memory_equal(format.audio_config, "\x14\x08", 2);
    assert_true(format.audio == TAP_CODEC_AAC && format.audio_rate == 16000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_comes_before_the_first_frame),
        cmocka_unit_test(no_unit_overlaps_the_one_before),
        cmocka_unit_test(what_is_far_from_the_frames_is_not_believed),
        cmocka_unit_test(sound_has_the_times_of_the_frames),
        cmocka_unit_test(another_process_goes_on_behind_what_was_kept),
        cmocka_unit_test(ticks_there_and_back_are_the_same),
        cmocka_unit_test(its_format_is_what_a_decoder_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/timeline.h"

#include "tests/unit/check.h"

#define FRAME 3600 /* 25 a second */

/* Maps one unit; TAP_NO_TIME when it is left out. */
static int64_t map(struct tap_timeline *line, enum tap_track track, int64_t pts, bool is_key)
{
    struct tap_unit unit = {.track = track, .pts = pts, .is_key = is_key};
    bool is_kept = tap_timeline_map(line, &unit, track == TAP_VIDEO ? TAP_VIDEO_RATE : 48000);
    return is_kept ? unit.ts : TAP_NO_TIME;
}

static int64_t video(struct tap_timeline *line, int64_t pts)
{
    return map(line, TAP_VIDEO, pts, false);
}

static int64_t key(struct tap_timeline *line, int64_t pts)
{
    return map(line, TAP_VIDEO, pts, true);
}

static void a_line_begins_at_0_and_keeps_every_distance(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    assert_int_equal(key(&line, 700000), 0);
    assert_int_equal(video(&line, 700000 + FRAME), FRAME);
    assert_int_equal(video(&line, 700000 + 12345), 12345);
    assert_int_equal(line.jumps, 0);
}

static void frames_out_of_order_are_no_jump(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    key(&line, 0);
    for (int group = 0; group < 10; group++) {
        int64_t base = (int64_t)group * 3 * FRAME;
        assert_int_equal(video(&line, base + 3 * FRAME), base + 3 * FRAME);
        assert_int_equal(video(&line, base + 1 * FRAME), base + 1 * FRAME);
        assert_int_equal(video(&line, base + 2 * FRAME), base + 2 * FRAME);
    }
    assert_int_equal(line.step, FRAME);
    assert_int_equal(line.jumps, 0);
}

static void after_a_restart_the_line_goes_on_by_one_frame(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    key(&line, 0);
    video(&line, FRAME);
    tap_timeline_restart(&line);
    assert_int_equal(map(&line, TAP_AUDIO, 5, false), TAP_NO_TIME);
    assert_int_equal(key(&line, 123456789), 2 * FRAME);
    assert_int_equal(video(&line, 123456789 + FRAME), 3 * FRAME);
    assert_int_equal(line.jumps, 1);
}

static void jumps_of_the_cameras_clock_are_taken_out(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    key(&line, 0);
    video(&line, FRAME);
    int64_t hour = INT64_C(3600) * TAP_VIDEO_RATE;
    assert_int_equal(video(&line, hour), 2 * FRAME);
    assert_int_equal(video(&line, hour + FRAME), 3 * FRAME);
    assert_int_equal(video(&line, 0), 4 * FRAME);
    /* A small one backwards shows at the next key unit. */
    video(&line, FRAME);
    assert_int_equal(key(&line, FRAME / 2), 6 * FRAME);
    assert_int_equal(line.jumps, 3);
}

static void a_slow_camera_does_not_jump(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    key(&line, 0);
    for (int i = 1; i < 20; i++)
        assert_int_equal(video(&line, (int64_t)i * 2 * TAP_VIDEO_RATE), i * 2 * TAP_VIDEO_RATE);
    assert_int_equal(line.jumps, 0);
}

static void audio_keeps_its_distance_to_video_over_a_restart(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    key(&line, 90000);
    assert_int_equal(map(&line, TAP_AUDIO, 48000, false), 0);
    assert_int_equal(map(&line, TAP_AUDIO, 48960, false), 960);
    video(&line, 90000 + FRAME);
    tap_timeline_restart(&line);
    assert_int_equal(key(&line, 0), 2 * FRAME);
    /* 80 ms on the line: 3840 of 48000. */
    assert_int_equal(map(&line, TAP_AUDIO, 0, false), 3840);
    assert_int_equal(map(&line, TAP_AUDIO, 960, false), 4800);
}

static void audio_never_goes_back(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    key(&line, 0);
    assert_int_equal(map(&line, TAP_AUDIO, 9600, false), 9600);
    assert_int_equal(map(&line, TAP_AUDIO, 9600, false), TAP_NO_TIME);
    assert_int_equal(map(&line, TAP_AUDIO, 4800, false), TAP_NO_TIME);
    assert_int_equal(map(&line, TAP_AUDIO, 9601, false), 9601);
}

static void audio_with_a_clock_of_its_own_is_brought_to_video(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    key(&line, 0);
    assert_int_equal(map(&line, TAP_AUDIO, INT64_C(48000) * 1000, false), 0);
    assert_int_equal(map(&line, TAP_AUDIO, INT64_C(48000) * 1000 + 960, false), 960);
}

static int64_t tied(struct tap_timeline *line, int64_t pts, bool is_key)
{
    struct tap_unit unit = {.pts = pts, .is_key = is_key, .is_tied = true};
    return tap_timeline_map(line, &unit, TAP_VIDEO_RATE) ? unit.ts : TAP_NO_TIME;
}

static void a_report_may_move_frames_in_order_forward_but_not_back(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    for (int i = 0; i < 10; i++)
        assert_int_equal(tied(&line, (int64_t)i * FRAME, i == 0), i * FRAME);
    assert_int_equal(tied(&line, 10 * FRAME + 1234, false), 10 * FRAME + 1234);
    assert_int_equal(tied(&line, 9 * FRAME + 700, false), 11 * FRAME + 1234);
    assert_int_equal(line.jumps, 1);
}

/* I P B B P B B ..., and a report in the middle. */
static void with_b_frames_a_report_moves_nothing(void **state)
{
    (void)state;
    struct tap_timeline line;
    tap_timeline_init(&line);
    tied(&line, 0, true);
    for (int group = 0; group < 8; group++) {
        int64_t base = (int64_t)group * 3 * FRAME;
        int64_t moved = group < 4 ? 0 : FRAME / 3;
        assert_int_equal(tied(&line, base + 3 * FRAME + moved, false), base + 3 * FRAME);
        assert_int_equal(tied(&line, base + 1 * FRAME + moved, false), base + 1 * FRAME);
        assert_int_equal(tied(&line, base + 2 * FRAME + moved, false), base + 2 * FRAME);
    }
    assert_int_equal(line.jumps, 0);
    /* More than reordering explains: the rest of the group is given up. */
    assert_int_equal(tied(&line, 50 * FRAME + 99999, false), TAP_NO_TIME);
    assert_int_equal(tied(&line, 51 * FRAME + 99999, false), TAP_NO_TIME);
    assert_true(tied(&line, 52 * FRAME + 99999, true) > 24 * FRAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_begins_at_0_and_keeps_every_distance),
        cmocka_unit_test(frames_out_of_order_are_no_jump),
        cmocka_unit_test(after_a_restart_the_line_goes_on_by_one_frame),
        cmocka_unit_test(jumps_of_the_cameras_clock_are_taken_out),
        cmocka_unit_test(a_slow_camera_does_not_jump),
        cmocka_unit_test(audio_keeps_its_distance_to_video_over_a_restart),
        cmocka_unit_test(audio_never_goes_back),
        cmocka_unit_test(audio_with_a_clock_of_its_own_is_brought_to_video),
        cmocka_unit_test(a_report_may_move_frames_in_order_forward_but_not_back),
        cmocka_unit_test(with_b_frames_a_report_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

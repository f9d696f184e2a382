/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/facts.h"

#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"
#include "worker/tap/choice.h"
#include "worker/xcode/fit.h"

#define FRAME 3600 /* 25 a second */

static void push(struct tap_ring *ring, int64_t ts, bool is_key, size_t bytes)
{
    assert_true(tap_ring_push(ring, unit_of_size(TAP_VIDEO, is_key, ts, bytes)));
}

static void a_camera_is_measured_by_its_ring(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_facts facts;
    struct tap_format format = {.video = TAP_CODEC_H264};
    tap_ring_init(&ring, 60000, 1 << 24);
    for (int i = 0; i < 126; i++) {
        push(&ring, i * 3600, i % 50 == 0, 1000);
    }
    tap_facts_measure(&ring, &format, &facts);
    assert_int_equal(facts.fps_milli, 25000);
    assert_int_equal(facts.gop_ms, 2000);
    assert_int_equal(facts.span_ms, 5000);
    assert_int_equal(facts.keyframes, 3);
    assert_in_range(facts.bitrate_bps, 199000, 201000);
    assert_false(tap_facts_are_known(&facts)); /* there is no parameter set */
    tap_ring_done(&ring);
}

static void an_open_group_counts_and_too_little_is_not_enough(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_facts facts;
    struct tap_format format = {.video = TAP_CODEC_H264};
    tap_ring_init(&ring, 60000, 1 << 24);
    tap_facts_measure(&ring, &format, &facts);
    assert_int_equal(facts.fps_milli, 0);
    for (int i = 0; i < 76; i++) {
        push(&ring, i * 3600, i == 0, 1000);
    }
    tap_facts_measure(&ring, &format, &facts);
    facts.width = 640;
    assert_int_equal(facts.gop_ms, 3000);
    assert_false(tap_facts_are_known(&facts));
    for (int i = 76; i < 130; i++) {
        push(&ring, i * 3600, false, 1000);
    }
    tap_facts_measure(&ring, &format, &facts);
    facts.width = 640;
    assert_true(tap_facts_are_known(&facts));
    tap_ring_done(&ring);
}

/* The frame that is decoded as number `i` of groups of 24, each third one a B-frame's anchor: I0 P3
 * B1 B2 P6 ...; the last two are shown behind the last P-frame, and are P-frames. */
static int64_t shown_as(int64_t i)
{
    int64_t in_group = i % 24;
    if (in_group == 0 || in_group > 21)
        return i;
    return in_group % 3 == 1 ? i + 2 : i - 1;
}

static struct tap_facts measure_b_frames(int64_t n, int64_t lost)
{
    struct tap_ring ring;
    struct tap_facts facts;
    struct tap_format format = {.video = TAP_CODEC_H264};
    tap_ring_init(&ring, 60000, 1 << 24);
    for (int64_t i = 0; i < n; i++) {
        bool is_key = i % 24 == 0;
        if (lost > 0 && i >= 30 && i < 30 + lost)
            continue;
        struct tap_unit *unit =
            unit_of_size(TAP_VIDEO, is_key, shown_as(i) * FRAME, is_key ? 5000 : 1000);
        unit->has_gap = lost > 0 && i == 30 + lost;
        assert_true(tap_ring_push(&ring, unit));
    }
    tap_facts_measure(&ring, &format, &facts);
    tap_ring_done(&ring);
    return facts;
}

static void frames_that_are_still_to_come_are_not_missed(void **state)
{
    (void)state;
    for (int64_t n = 4; n < 100; n++)
        assert_int_equal(measure_b_frames(n, 0).fps_milli, 25000);
}

static void time_that_was_lost_does_not_count(void **state)
{
    (void)state;
    for (int64_t lost = 1; lost < 40; lost++)
        assert_int_equal(measure_b_frames(100, lost).fps_milli, 25000);
}

static void bits_are_those_of_whole_groups(void **state)
{
    (void)state;
    /* (5000 + 23 x 1000) bytes each 24 frames, whatever the newest group holds. */
    for (int64_t n = 26; n < 100; n += 7)
        assert_in_range(measure_b_frames(n, 0).bitrate_bps, 233000, 234000);
}

/* What a rendition of it keeps, which is chosen as soon as enough is known. */
static void nobody_who_sets_no_limit_loses_a_frame(void **state)
{
    (void)state;
    for (int64_t n = 26; n < 60; n++) {
        struct tap_facts facts = measure_b_frames(n, 0);
        struct weir_profile profile = {WEIR_QUALITY_LOW, 0};
        struct tap_choice choice;
        struct fit_pace pace = {0};
        int kept = 0;
        facts.width = 1920;
        facts.height = 1080;
        assert_true(tap_facts_are_known(&facts));
        tap_choose(&facts, &profile, &choice);
        for (int64_t i = 0; i < 1000; i++) {
            int64_t ts = i * FRAME + (i % 3 - 1) * 450; /* its clock is 5 ms off at most */
            if (!fit_is_due(&pace, ts, (uint32_t)choice.pace_milli))
                continue;
            fit_keep(&pace, ts, (uint32_t)choice.pace_milli);
            kept++;
        }
        assert_int_equal(kept, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_is_measured_by_its_ring),
        cmocka_unit_test(an_open_group_counts_and_too_little_is_not_enough),
        cmocka_unit_test(frames_that_are_still_to_come_are_not_missed),
        cmocka_unit_test(time_that_was_lost_does_not_count),
        cmocka_unit_test(bits_are_those_of_whole_groups),
        cmocka_unit_test(nobody_who_sets_no_limit_loses_a_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/clip.h"

#include "lib/domain/still.h"
#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"

#define FRAME   (TAP_VIDEO_RATE / 10)
#define FRAME_U 100000
#define BEGIN_U INT64_C(1795000000000000)

/* One video unit, shown as the n-th frame of ten a second. */
static void push(struct tap_ring *ring, int n, bool is_key)
{
    struct tap_unit *unit = unit_of_size(TAP_VIDEO, is_key, (int64_t)n * FRAME, 10);
    unit->capture_us = BEGIN_U + (int64_t)n * FRAME_U;
    assert_true(tap_ring_push(ring, unit));
}

static void push_audio(struct tap_ring *ring, int n)
{
    struct tap_unit *unit = unit_of_size(TAP_AUDIO, false, (int64_t)n * FRAME, 7);
    unit->capture_us = BEGIN_U + (int64_t)n * FRAME_U;
    assert_true(tap_ring_push(ring, unit));
}

/* Three groups of ten frames, with audio between. */
static struct tap_ring three_groups(void)
{
    struct tap_ring ring;
    tap_ring_init(&ring, 60000, 1 << 20);
    for (int n = 0; n < 30; n++) {
        push(&ring, n, n % 10 == 0);
        push_audio(&ring, n);
    }
    return ring;
}

static int64_t frame_of(const struct tap_ring *ring, const struct tap_clip *clip)
{
    return (tap_ring_find(ring, clip->last)->capture_us - BEGIN_U) / FRAME_U;
}

/* As B-frames come: 0, 3, 1, 2, 6, 4, 5, ... */
static void what_is_sent_late_is_waited_for(void **state)
{
    (void)state;
    static const int order[] = {0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12};
    struct tap_ring ring;
    struct tap_clip clip;
    const int64_t at_us = BEGIN_U + 7 * FRAME_U;
    tap_ring_init(&ring, 60000, 1 << 20);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        push(&ring, order[i], i == 0);
        /* Frame 9 lies behind it, but 7 and 8 are still to come: 12 says that they have. */
        assert_int_equal(tap_clip_is_ahead(&ring, TAP_CLIP_EXACT, at_us, BEGIN_U), order[i] != 12);
    }
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, at_us, &clip), TAP_CLIP_OK);
    assert_int_equal(frame_of(&ring, &clip), 7);
    tap_ring_done(&ring);
}

static void a_hole_counts_where_it_is_decoded_over(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_clip clip;
    tap_ring_init(&ring, 60000, 1 << 20);
    for (int n = 0; n < 20; n++) {
        struct tap_unit *unit = unit_of_size(TAP_VIDEO, n % 10 == 0, (int64_t)n * FRAME, 10);
        unit->capture_us = BEGIN_U + (int64_t)n * FRAME_U;
        unit->has_gap = n == 4;
        assert_true(tap_ring_push(&ring, unit));
    }
    for (int n = 0; n < 20; n++) {
        assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + n * FRAME_U, &clip),
                         TAP_CLIP_OK);
        assert_int_equal(clip.has_gap, n >= 4 && n < 10);
    }
    tap_ring_done(&ring);
}

static void the_nearest_frame_is_found_and_its_group_comes_along(void **state)
{
    (void)state;
    struct tap_ring ring = three_groups();
    struct tap_clip clip;
    static const struct {
        int64_t at_us;
        int64_t frame;
        size_t n_units;
    } rows[] = {
        {0, 0, 1},        {49999, 0, 1},     {50000, 0, 1}, /* as far from both: the earlier one */
        {50001, 1, 2},    {1500000, 15, 6},  {1949999, 19, 10},
        {1950001, 20, 1}, {2900000, 29, 10}, {2 * 2900000, 29, 10},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + rows[i].at_us, &clip),
                         TAP_CLIP_OK);
        assert_int_equal(frame_of(&ring, &clip), rows[i].frame);
        assert_int_equal(clip.n_units, rows[i].n_units);
        assert_true(tap_ring_find(&ring, clip.first)->is_key);
        assert_int_equal(clip.bytes, rows[i].n_units * (sizeof(struct weir_clip_unit) + 10));
        assert_int_equal(clip.from_us, BEGIN_U);
        assert_int_equal(clip.to_us, BEGIN_U + 29 * FRAME_U);
    }
    tap_ring_done(&ring);
}

static void a_keyframe_may_lie_on_either_side(void **state)
{
    (void)state;
    struct tap_ring ring = three_groups();
    struct tap_clip clip;
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_KEYFRAME, BEGIN_U + 1400000, &clip),
                     TAP_CLIP_OK);
    assert_int_equal(frame_of(&ring, &clip), 10);
    assert_int_equal(clip.n_units, 1);
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_KEYFRAME, BEGIN_U + 1600000, &clip),
                     TAP_CLIP_OK);
    assert_int_equal(frame_of(&ring, &clip), 20);
    tap_ring_done(&ring);
}

static void the_latest_is_the_newest_whatever_the_time(void **state)
{
    (void)state;
    struct tap_ring ring = three_groups();
    struct tap_clip clip;
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_LATEST, 0, &clip), TAP_CLIP_OK);
    assert_int_equal(frame_of(&ring, &clip), 29);
    tap_ring_done(&ring);
}

static void what_lies_before_the_ring_is_past(void **state)
{
    (void)state;
    struct tap_ring ring = three_groups();
    struct tap_clip clip;
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U - 1, &clip), TAP_CLIP_PAST);
    assert_int_equal(clip.from_us, BEGIN_U);
    assert_int_equal(clip.to_us, BEGIN_U + 29 * FRAME_U);
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_KEYFRAME, BEGIN_U - 1, &clip), TAP_CLIP_PAST);
    tap_ring_done(&ring);
}

static void an_empty_ring_has_nothing(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_clip clip;
    tap_ring_init(&ring, 60000, 1 << 20);
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_LATEST, 0, &clip), TAP_CLIP_EMPTY);
    assert_true(tap_clip_is_ahead(&ring, TAP_CLIP_LATEST, 0, BEGIN_U));
    assert_true(tap_clip_is_ahead(&ring, TAP_CLIP_KEYFRAME, BEGIN_U, BEGIN_U));
    tap_ring_done(&ring);
}

/* I3 P6 B4 B5: sent in this order, shown by their numbers. */
static void frames_that_are_shown_out_of_order_are_decoded_up_to_where_they_were_sent(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_clip clip;
    tap_ring_init(&ring, 60000, 1 << 20);
    static const int order[] = {3, 6, 4, 5, 9, 7, 8};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        push(&ring, order[i], i == 0);
    }
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + 5 * FRAME_U, &clip),
                     TAP_CLIP_OK);
    assert_int_equal(frame_of(&ring, &clip), 5);
    assert_int_equal(clip.n_units, 4);
    assert_int_equal(clip.to_us, BEGIN_U + 9 * FRAME_U);
    tap_ring_done(&ring);
}

/* An open group: B8 B9 are sent after I10 and made from the group before, too. */
static void a_picture_that_leads_its_keyframe_needs_the_group_before(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_clip clip;
    tap_ring_init(&ring, 60000, 1 << 20);
    push(&ring, 0, true);
    push(&ring, 7, false);
    push(&ring, 10, true);
    push(&ring, 8, false);
    push(&ring, 9, false);
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + 9 * FRAME_U, &clip),
                     TAP_CLIP_OK);
    assert_int_equal(frame_of(&ring, &clip), 9);
    assert_int_equal(clip.first, 0);
    assert_int_equal(clip.n_units, 5);
    tap_ring_done(&ring);
}

/* The ring begins with I10 of an open group: what B8 and B9 are also made from is gone. */
static void what_leads_the_oldest_keyframe_is_not_there(void **state)
{
    (void)state;
    static const int order[] = {10, 8, 9, 13, 11, 12};
    struct tap_ring ring;
    struct tap_clip clip;
    tap_ring_init(&ring, 60000, 1 << 20);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        push(&ring, order[i], i == 0);
    }
    /* Not even from a moment for which B9 would be the nearest. */
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + 9 * FRAME_U, &clip),
                     TAP_CLIP_PAST);
    assert_int_equal(clip.from_us, BEGIN_U + 10 * FRAME_U);
    assert_int_equal(clip.to_us, BEGIN_U + 13 * FRAME_U);
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + 10 * FRAME_U, &clip),
                     TAP_CLIP_OK);
    assert_int_equal(frame_of(&ring, &clip), 10);
    assert_int_equal(clip.n_units, 1);
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + 12 * FRAME_U, &clip),
                     TAP_CLIP_OK);
    assert_int_equal(frame_of(&ring, &clip), 12);
    tap_ring_done(&ring);
}

static void only_what_could_come_is_waited_for(void **state)
{
    (void)state;
    struct tap_ring ring = three_groups();
    int64_t newest = BEGIN_U + 29 * FRAME_U;
    assert_false(tap_clip_is_ahead(&ring, TAP_CLIP_EXACT, newest, newest));
    assert_true(tap_clip_is_ahead(&ring, TAP_CLIP_EXACT, newest + 1, newest));
    assert_true(tap_clip_is_ahead(&ring, TAP_CLIP_EXACT, newest + 1, newest + FRAME_U));
    assert_false(tap_clip_is_ahead(&ring, TAP_CLIP_KEYFRAME, newest + 1, newest + 1));
    assert_true(tap_clip_is_ahead(&ring, TAP_CLIP_KEYFRAME, newest + 2, newest + 1));
    assert_false(tap_clip_is_ahead(&ring, TAP_CLIP_LATEST, newest + FRAME_U, newest));
    tap_ring_done(&ring);
}

/* The n-th unit, ten a second on the line; captured as the clock said. */
static void push_as_of(struct tap_ring *ring, int n, bool is_key, int64_t capture_us)
{
    struct tap_unit *unit = unit_of_size(TAP_VIDEO, is_key, (int64_t)n * FRAME, 10);
    unit->capture_us = capture_us;
    assert_true(tap_ring_push(ring, unit));
}

/* Of times 0 to 5 s; then its clock is set back, and 1 to 4 s come. */
static void after_a_clock_was_set_back_nothing_old_is_shown_as_new(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_clip clip;
    tap_ring_init(&ring, 60000, 1 << 20);
    for (int n = 0; n <= 50; n++)
        push_as_of(&ring, n, n % 10 == 0, BEGIN_U + n * FRAME_U);
    for (int n = 0; n <= 30; n++) {
        push_as_of(&ring, 51 + n, n % 10 == 0, BEGIN_U + (10 + n) * FRAME_U);
        assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_LATEST, 0, &clip), TAP_CLIP_OK);
        assert_int_equal(clip.last, 51 + n);
        assert_int_equal(clip.to_us, BEGIN_U + (n < 10 ? 20 : 10 + n) * FRAME_U);
    }
    int64_t now_us = BEGIN_U + 40 * FRAME_U;
    for (int back = 0; back < 19; back++) {
        assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, now_us - back * FRAME_U, &clip),
                         TAP_CLIP_OK);
        assert_int_equal(clip.last, 81 - back);
        assert_int_equal(clip.from_us, BEGIN_U);
        assert_int_equal(clip.to_us, now_us);
    }
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_KEYFRAME, BEGIN_U + 50 * FRAME_U, &clip),
                     TAP_CLIP_OK);
    assert_int_equal(clip.last, 81);
    /* What the old clock said is not the frame that is waited for. */
    assert_false(tap_clip_is_ahead(&ring, TAP_CLIP_EXACT, now_us, now_us));
    assert_true(tap_clip_is_ahead(&ring, TAP_CLIP_EXACT, now_us + 1, now_us));
    tap_ring_done(&ring);
}

/* One frame a second, of which two of three are sent after those they lead up to. */
static void frames_that_are_sent_early_are_there_however_few_come(void **state)
{
    (void)state;
    static const int order[] = {0, 30, 10, 20, 60, 40, 50};
    struct tap_ring ring;
    struct tap_clip clip;
    tap_ring_init(&ring, 60000, 1 << 20);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        push(&ring, order[i], i == 0);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        assert_int_equal(
            tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + order[i] * FRAME_U, &clip),
            TAP_CLIP_OK);
        assert_int_equal(clip.last, i);
    }
    tap_ring_done(&ring);
}

static void a_clip_is_written_as_records(void **state)
{
    (void)state;
    struct tap_ring ring = three_groups();
    struct tap_clip clip;
    struct weir_buf out = {0};
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, BEGIN_U + 1200000, &clip), TAP_CLIP_OK);
    tap_clip_write(&ring, &clip, &out);
    assert_int_equal(out.len, clip.bytes);
    size_t at = 0;
    for (int n = 10; n <= 12; n++) {
        struct weir_clip_unit head;
        memcpy(&head, out.bytes + at, sizeof(head));
        assert_int_equal(head.len, 10);
        assert_int_equal(head.ts, (int64_t)n * FRAME);
        at += sizeof(head) + head.len;
    }
    assert_int_equal(at, out.len);
    weir_buf_done(&out);
    tap_ring_done(&ring);
}

static void a_group_that_is_too_large_is_refused(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_clip clip;
    tap_ring_init(&ring, 60000, SIZE_MAX);
    for (int n = 0; n < 34; n++) {
        assert_true(tap_ring_push(&ring, unit_of_size(TAP_VIDEO, n == 0, n, 1 << 20)));
    }
    for (int64_t at = ring.first; at < (int64_t)ring.end; at++) {
        ring.slots[at & (int64_t)(ring.cap - 1)]->capture_us = at;
    }
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_LATEST, 0, &clip), TAP_CLIP_TOO_LONG);
    assert_int_equal(tap_clip_choose(&ring, TAP_CLIP_EXACT, 20, &clip), TAP_CLIP_OK);
    tap_ring_done(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_late_is_waited_for),
        cmocka_unit_test(a_hole_counts_where_it_is_decoded_over),
        cmocka_unit_test(the_nearest_frame_is_found_and_its_group_comes_along),
        cmocka_unit_test(a_keyframe_may_lie_on_either_side),
        cmocka_unit_test(the_latest_is_the_newest_whatever_the_time),
        cmocka_unit_test(what_lies_before_the_ring_is_past),
        cmocka_unit_test(an_empty_ring_has_nothing),
        cmocka_unit_test(frames_that_are_shown_out_of_order_are_decoded_up_to_where_they_were_sent),
        cmocka_unit_test(a_picture_that_leads_its_keyframe_needs_the_group_before),
        cmocka_unit_test(what_leads_the_oldest_keyframe_is_not_there),
        cmocka_unit_test(only_what_could_come_is_waited_for),
        cmocka_unit_test(after_a_clock_was_set_back_nothing_old_is_shown_as_new),
        cmocka_unit_test(frames_that_are_sent_early_are_there_however_few_come),
        cmocka_unit_test(a_clip_is_written_as_records),
        cmocka_unit_test(a_group_that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

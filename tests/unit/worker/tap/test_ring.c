/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/ring.h"

#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"

#define FRAME (TAP_VIDEO_RATE / 10)

/* Groups of 10 frames, 10 frames a second: a second each. */
static void push_seconds(struct tap_ring *ring, int from, int to, size_t bytes)
{
    for (int i = from * 10; i < to * 10; i++)
        tap_ring_push(ring, unit_of_size(TAP_VIDEO, i % 10 == 0, (int64_t)i * FRAME, bytes));
}

static void a_ring_waits_for_a_key_unit(void **state)
{
    (void)state;
    struct tap_ring ring;
    tap_ring_init(&ring, 1000, 1 << 20);
    assert_false(tap_ring_push(&ring, unit_of_size(TAP_AUDIO, false, 0, 10)));
    assert_false(tap_ring_push(&ring, unit_of_size(TAP_VIDEO, false, 0, 10)));
    assert_true(tap_ring_is_empty(&ring));
    assert_true(tap_ring_push(&ring, unit_of_size(TAP_VIDEO, true, 0, 10)));
    assert_true(tap_ring_push(&ring, unit_of_size(TAP_AUDIO, false, 0, 10)));
    assert_non_null(tap_ring_find(&ring, ring.first + 1));
    tap_ring_done(&ring);
}

static void a_ring_that_is_silenced_keeps_its_pictures(void **state)
{
    (void)state;
    struct tap_ring ring;
    tap_ring_init(&ring, 60000, 1 << 20);
    for (int64_t i = 0; i < 30; i++) {
        tap_ring_push(&ring, unit_of_size(TAP_VIDEO, i % 10 == 0, i * FRAME, 100));
        tap_ring_push(&ring, unit_of_size(TAP_AUDIO, false, i, 10));
    }
    tap_ring_silence(&ring);
    /* Readers keep their places. */
    assert_int_equal(ring.end - ring.first, 60);
    assert_int_equal(ring.bytes, 60 * sizeof(struct tap_unit) + 30 * 100);
    for (uint64_t i = ring.first; i < ring.end; i++)
        assert_int_equal(tap_ring_find(&ring, i)->len, i % 2 == 0 ? 100 : 0);
    assert_true(tap_ring_push(&ring, unit_of_size(TAP_VIDEO, false, 30 * FRAME, 100)));
    tap_ring_done(&ring);
    tap_ring_silence(&ring); /* an empty one */
    assert_true(tap_ring_is_empty(&ring));
    tap_ring_done(&ring);
}

static void old_groups_go_as_wholes_once_the_rest_is_long_enough(void **state)
{
    (void)state;
    struct tap_ring ring;
    tap_ring_init(&ring, 3000, 1 << 20);
    push_seconds(&ring, 0, 10, 10);
    assert_true(tap_ring_find(&ring, ring.first)->is_key);
    assert_in_range(tap_ring_ms(&ring), 3000, 3999);
    assert_int_equal(ring.end, 100);
    assert_null(tap_ring_find(&ring, ring.first - 1));
    assert_null(tap_ring_find(&ring, ring.end));
    tap_ring_done(&ring);
}

static void more_bytes_than_allowed_cost_the_oldest_groups(void **state)
{
    (void)state;
    struct tap_ring ring;
    tap_ring_init(&ring, 60000, 30000);
    push_seconds(&ring, 0, 30, 1000);
    assert_true(ring.bytes <= 30000);
    assert_true(tap_ring_find(&ring, ring.first)->is_key);
    assert_true(ring.end - ring.first >= 10);
    tap_ring_done(&ring);
}

static void a_group_longer_than_the_cap_empties_the_ring_until_the_next_key_unit(void **state)
{
    (void)state;
    struct tap_ring ring;
    tap_ring_init(&ring, 10000, 5000);
    push_seconds(&ring, 0, 1, 1000);
    assert_true(tap_ring_is_empty(&ring));
    assert_int_equal(ring.bytes, 0);
    push_seconds(&ring, 1, 2, 10);
    assert_int_equal(ring.end - ring.first, 10);
    tap_ring_done(&ring);
}

static void the_newest_group_stays_however_short_the_ring(void **state)
{
    (void)state;
    struct tap_ring ring;
    tap_ring_init(&ring, 0, 1 << 20);
    push_seconds(&ring, 0, 5, 10);
    assert_int_equal(ring.end - ring.first, 10);
    push_seconds(&ring, 5, 6, 10);
    assert_int_equal(ring.end - ring.first, 10);
    tap_ring_done(&ring);
}

static void shrinking_gives_up_one_group_and_at_last_all(void **state)
{
    (void)state;
    struct tap_ring ring;
    tap_ring_init(&ring, 60000, 1 << 20);
    push_seconds(&ring, 0, 3, 10);
    tap_ring_shrink(&ring);
    assert_int_equal(ring.first, 10);
    tap_ring_shrink(&ring);
    tap_ring_shrink(&ring);
    tap_ring_shrink(&ring);
    assert_true(tap_ring_is_empty(&ring));
    push_seconds(&ring, 3, 4, 10);
    assert_int_equal(ring.first, 30);
    tap_ring_done(&ring);
}

static void numbers_survive_growth(void **state)
{
    (void)state;
    struct tap_ring ring;
    tap_ring_init(&ring, 600000, 1 << 30);
    push_seconds(&ring, 0, 200, 1);
    for (uint64_t i = 0; i < 2000; i++)
        assert_int_equal(tap_ring_find(&ring, i)->ts, (int64_t)i * FRAME);
    tap_ring_done(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_waits_for_a_key_unit),
        cmocka_unit_test(a_ring_that_is_silenced_keeps_its_pictures),
        cmocka_unit_test(old_groups_go_as_wholes_once_the_rest_is_long_enough),
        cmocka_unit_test(more_bytes_than_allowed_cost_the_oldest_groups),
        cmocka_unit_test(a_group_longer_than_the_cap_empties_the_ring_until_the_next_key_unit),
        cmocka_unit_test(the_newest_group_stays_however_short_the_ring),
        cmocka_unit_test(shrinking_gives_up_one_group_and_at_last_all),
        cmocka_unit_test(numbers_survive_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

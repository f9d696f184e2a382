/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/load.h"

#include "tests/unit/check.h"

static const struct weir_worker_row roomy = {.streams_max = 1000};

static struct worker_load load_of(int64_t cpu_used)
{
    return (struct worker_load){
        .worker = &roomy,
        .capacity = {[RESOURCE_CPU] = 4000, [RESOURCE_MEM] = 8000, [RESOURCE_NET] = 1000000},
        .used = {[RESOURCE_CPU] = cpu_used, [RESOURCE_MEM] = 1000},
    };
}

static int64_t score_of(const struct worker_load *load, bool is_puller)
{
    struct cost cost = cost_of_stream(WEIR_QUALITY_SOURCE, 0);
    int64_t share_ppm[RESOURCE_N];
    assert_true(load_fits(&core_defaults, load, &cost, share_ppm));
    return load_score(&core_defaults, load, share_ppm, is_puller);
}

static void a_busier_worker_scores_worse(void **state)
{
    (void)state;
    struct worker_load idle = load_of(100);
    struct worker_load busy = load_of(2000);
    assert_true(score_of(&idle, false) < score_of(&busy, false));
}

static void the_worker_that_pulls_the_camera_scores_better(void **state)
{
    (void)state;
    struct worker_load load = load_of(100);
    assert_true(score_of(&load, true) < score_of(&load, false));
}

static void a_worker_with_a_gpu_is_kept_for_those_who_need_it(void **state)
{
    (void)state;
    struct worker_load plain = load_of(100);
    struct worker_load gpu = load_of(100);
    gpu.capacity[RESOURCE_GPU] = 1000;
    assert_true(score_of(&plain, false) < score_of(&gpu, false));
}

static void a_resource_that_nobody_tells_does_not_count(void **state)
{
    (void)state;
    struct worker_load load = load_of(100);
    load.capacity[RESOURCE_NET] = 0;
    struct cost cost = cost_of_stream(WEIR_QUALITY_ULTRA, 0);
    assert_true(load_fits(&core_defaults, &load, &cost, NULL));
}

static void nothing_fits_above_the_ceiling(void **state)
{
    (void)state;
    struct cost cost = cost_of_stream(WEIR_QUALITY_SOURCE, 0);
    struct worker_load load = load_of(4000 * 8 / 10 - cost.of[RESOURCE_CPU]);
    assert_true(load_fits(&core_defaults, &load, &cost, NULL));
    load.used[RESOURCE_CPU]++;
    assert_false(load_fits(&core_defaults, &load, &cost, NULL));
}

static void what_was_reserved_counts_before_it_is_seen(void **state)
{
    (void)state;
    struct worker_load load = load_of(0);
    struct cost cost = cost_of_stream(WEIR_QUALITY_HIGH, 0);
    int placed = 0;
    while (load_fits(&core_defaults, &load, &cost, NULL)) {
        load_reserve(&load, &cost);
        load.n_streams++;
        placed++;
        assert_true(placed < 100);
    }
    /* Half of the estimates again on top, until heartbeats show them. */
    assert_int_equal(placed, 2);
}

static void a_worker_takes_no_more_streams_than_it_said(void **state)
{
    (void)state;
    struct weir_worker_row small = {.streams_max = 2};
    struct worker_load load = load_of(0);
    load.worker = &small;
    load.n_streams = 2;
    struct cost none = {{0}};
    assert_false(load_fits(&core_defaults, &load, &none, NULL));
}

static void every_quality_costs_more_than_the_one_below(void **state)
{
    (void)state;
    for (int quality = WEIR_QUALITY_LOW; quality < WEIR_QUALITY_ULTRA; quality++) {
        struct cost less = cost_of_stream((enum weir_quality)quality, 0);
        struct cost more = cost_of_stream((enum weir_quality)(quality + 1), 0);
        assert_true(less.of[RESOURCE_CPU] < more.of[RESOURCE_CPU]);
        assert_true(less.of[RESOURCE_NET] < more.of[RESOURCE_NET]);
    }
}

static void fewer_frames_cost_less_but_never_nothing(void **state)
{
    (void)state;
    struct cost all = cost_of_stream(WEIR_QUALITY_MEDIUM, 0);
    assert_int_equal(cost_of_stream(WEIR_QUALITY_MEDIUM, 60).of[RESOURCE_CPU],
                     all.of[RESOURCE_CPU]);
    for (int64_t fps = 1; fps < 25; fps++) {
        struct cost less = cost_of_stream(WEIR_QUALITY_MEDIUM, fps);
        struct cost more = cost_of_stream(WEIR_QUALITY_MEDIUM, fps + 1);
        assert_true(less.of[RESOURCE_CPU] < more.of[RESOURCE_CPU]);
        assert_true(less.of[RESOURCE_CPU] > all.of[RESOURCE_CPU] / 2);
    }
    /* The camera's own size has to be decoded and encoded too. */
    assert_true(cost_of_stream(WEIR_QUALITY_SOURCE, 5).of[RESOURCE_CPU] >
                10 * cost_of_stream(WEIR_QUALITY_SOURCE, 0).of[RESOURCE_CPU]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busier_worker_scores_worse),
        cmocka_unit_test(the_worker_that_pulls_the_camera_scores_better),
        cmocka_unit_test(a_worker_with_a_gpu_is_kept_for_those_who_need_it),
        cmocka_unit_test(a_resource_that_nobody_tells_does_not_count),
        cmocka_unit_test(nothing_fits_above_the_ceiling),
        cmocka_unit_test(what_was_reserved_counts_before_it_is_seen),
        cmocka_unit_test(a_worker_takes_no_more_streams_than_it_said),
        cmocka_unit_test(every_quality_costs_more_than_the_one_below),
        cmocka_unit_test(fewer_frames_cost_less_but_never_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

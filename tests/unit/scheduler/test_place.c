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
    return load_score(&core_defaults, load, &cost, share_ppm, is_puller);
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
    const struct cost none = {.encode_kpx = 0};
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

/* ---- encoders in hardware ---- */

static struct worker_load load_with_engine(int64_t kpx, int64_t sessions)
{
    struct worker_load load = load_of(100);
    load.encode_kpx.capacity = kpx;
    load.encode_sessions.capacity = sessions;
    return load;
}

static int64_t score_with(const struct worker_load *load, const struct cost *cost)
{
    int64_t share_ppm[RESOURCE_N];
    assert_true(load_fits(&core_defaults, load, cost, share_ppm));
    return load_score(&core_defaults, load, cost, share_ppm, false);
}

static int64_t cpu_ppm(const struct worker_load *load, const struct cost *cost)
{
    int64_t share_ppm[RESOURCE_N];
    assert_true(load_fits(&core_defaults, load, cost, share_ppm));
    return share_ppm[RESOURCE_CPU];
}

static void what_an_engine_encodes_costs_less_processor(void **state)
{
    (void)state;
    struct worker_load plain = load_of(100);
    struct worker_load hard = load_with_engine(1000000, 8);
    struct cost cost = cost_of_stream(WEIR_QUALITY_MEDIUM, 0);
    assert_int_equal(cost.encode_kpx, 1280 * 720 * 25 / 1000);
    assert_int_equal(cpu_ppm(&plain, &cost) - cpu_ppm(&hard, &cost),
                     cost.encode_cpu * 1000000 / 4000);
    assert_true(score_with(&hard, &cost) < score_with(&plain, &cost));
    /* Also when it has more to do otherwise. */
    hard.used[RESOURCE_CPU] = 900;
    assert_true(score_with(&hard, &cost) < score_with(&plain, &cost));
}

static void what_passes_leaves_a_worker_with_an_engine_alone(void **state)
{
    (void)state;
    struct worker_load plain = load_of(100);
    struct worker_load hard = load_with_engine(1000000, 8);
    assert_true(score_of(&plain, false) < score_of(&hard, false));
}

static void pixels_and_sessions_are_reserved(void **state)
{
    (void)state;
    struct cost cost = cost_of_stream(WEIR_QUALITY_LOW, 5);
    struct worker_load hard = load_with_engine(1000000, 2);
    int64_t cpu = cost.of[RESOURCE_CPU];
    for (int i = 0; i < 3; i++) {
        int64_t before = hard.fresh[RESOURCE_CPU];
        load_reserve(&hard, &cost);
        /* The third one is done in software. */
        assert_int_equal(hard.fresh[RESOURCE_CPU] - before, i < 2 ? cpu - cost.encode_cpu : cpu);
        assert_int_equal(hard.encode_sessions.fresh, i < 2 ? i + 1 : 2);
    }
    hard = load_with_engine(cost.encode_kpx, 8);
    load_reserve(&hard, &cost);
    struct worker_load before = hard;
    load_reserve(&hard, &cost);
    assert_int_equal(hard.fresh[RESOURCE_CPU] - before.fresh[RESOURCE_CPU], cpu);
    assert_int_equal(hard.encode_kpx.fresh, cost.encode_kpx);
}

static void what_heartbeats_tell_of_an_engine_counts(void **state)
{
    (void)state;
    struct cost cost = cost_of_stream(WEIR_QUALITY_HIGH, 0);
    struct worker_load hard = load_with_engine(100000, 8);
    struct worker_load full = hard;
    full.encode_kpx.used = 60000;
    assert_true(cpu_ppm(&hard, &cost) < cpu_ppm(&full, &cost));
    full = hard;
    full.encode_sessions.used = 8;
    assert_true(cpu_ppm(&hard, &cost) < cpu_ppm(&full, &cost));
}

/* ---- what a stream turned out to be ---- */

static struct weir_stream_row row_of(enum weir_quality quality, int64_t fps,
                                     enum weir_rendition_how how, int64_t width, int64_t height)
{
    struct weir_stream_row row = {.quality = quality, .fps = fps};
    row.effective = (struct weir_effective){
        .codec = "avc1", .width = width, .height = height, .fps = fps, .how = how};
    return row;
}

static void every_way_to_make_a_stream_has_its_cost(void **state)
{
    (void)state;
    struct cost source = cost_of_stream(WEIR_QUALITY_SOURCE, 0);
    struct weir_stream_row untold = {.quality = WEIR_QUALITY_HIGH, .fps = 10};
    assert_int_equal(cost_of_row(&untold).of[RESOURCE_CPU],
                     cost_of_stream(WEIR_QUALITY_HIGH, 10).of[RESOURCE_CPU]);
    for (int how = 0; how < WEIR_RENDITION_HOW_N; how++) {
        for (int quality = 0; quality < WEIR_QUALITY_N; quality++) {
            struct weir_stream_row row =
                row_of((enum weir_quality)quality, 10, (enum weir_rendition_how)how, 640, 360);
            struct cost cost = cost_of_row(&row);
            bool is_made = how == WEIR_RENDITION_HOW_TRANSCODE;
            assert_true(cost.of[RESOURCE_CPU] > 0 && cost.of[RESOURCE_MEM] > 0);
            assert_true(cost.of[RESOURCE_NET] > 0);
            /* Small pictures cost what small pictures do, whatever was asked for. */
            assert_int_equal(
                cost.of[RESOURCE_CPU],
                (is_made ? cost_of_stream(WEIR_QUALITY_LOW, 10) : source).of[RESOURCE_CPU]);
            assert_int_equal(cost.encode_kpx, is_made ? 2304 : 0);
        }
    }
}

static void what_really_goes_out_is_known(void **state)
{
    (void)state;
    struct weir_stream_row row =
        row_of(WEIR_QUALITY_ULTRA, 0, WEIR_RENDITION_HOW_PASSTHROUGH, 3840, 2160);
    row.effective.bitrate_bps = 7500000;
    assert_int_equal(cost_of_row(&row).of[RESOURCE_NET], 7500);
    /* A camera whose own stream no player shows is encoded for who asks for the source. */
    row = row_of(WEIR_QUALITY_SOURCE, 0, WEIR_RENDITION_HOW_TRANSCODE, 1280, 720);
    assert_int_equal(cost_of_row(&row).of[RESOURCE_CPU],
                     cost_of_stream(WEIR_QUALITY_MEDIUM, 0).of[RESOURCE_CPU]);
}

static int64_t corrected(const struct cost_learnt *learnt, enum weir_quality quality)
{
    struct cost cost = cost_of_stream(quality, 0);
    cost_correct(learnt, quality, &cost);
    return cost.of[RESOURCE_CPU] * 1000 / cost_of_stream(quality, 0).of[RESOURCE_CPU];
}

static void what_streams_really_take_is_learnt_for_their_quality(void **state)
{
    (void)state;
    struct cost_learnt learnt = {0};
    struct weir_stream_row row =
        row_of(WEIR_QUALITY_MEDIUM, 0, WEIR_RENDITION_HOW_TRANSCODE, 1280, 720);
    int64_t whole = cost_of_row(&row).of[RESOURCE_CPU];
    assert_int_equal(corrected(&learnt, WEIR_QUALITY_MEDIUM), 1000);
    cost_learn(&learnt, &row, whole / 2);
    assert_in_range(corrected(&learnt, WEIR_QUALITY_MEDIUM), 820, 840);
    for (int i = 0; i < 100; i++) {
        cost_learn(&learnt, &row, whole / 2);
    }
    assert_in_range(corrected(&learnt, WEIR_QUALITY_MEDIUM), 500, 520);
    assert_int_equal(corrected(&learnt, WEIR_QUALITY_HIGH), 1000);
    assert_int_equal(corrected(&learnt, WEIR_QUALITY_SOURCE), 1000);
    /* A worker that says anything. */
    cost_learn(&learnt, &row, 1000000000);
    assert_int_equal(corrected(&learnt, WEIR_QUALITY_MEDIUM), 4000);
    for (int i = 0; i < 5000; i++) {
        learnt.measured[WEIR_QUALITY_LOW] = 0;
        learnt.expected[WEIR_QUALITY_LOW] += 300;
    }
    assert_in_range(corrected(&learnt, WEIR_QUALITY_LOW), 120, 125);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_engine_encodes_costs_less_processor),
        cmocka_unit_test(what_passes_leaves_a_worker_with_an_engine_alone),
        cmocka_unit_test(pixels_and_sessions_are_reserved),
        cmocka_unit_test(what_heartbeats_tell_of_an_engine_counts),
        cmocka_unit_test(every_way_to_make_a_stream_has_its_cost),
        cmocka_unit_test(what_really_goes_out_is_known),
        cmocka_unit_test(what_streams_really_take_is_learnt_for_their_quality),
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

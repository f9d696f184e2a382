/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/choice.h"

#include "tests/unit/check.h"

/* A common camera: 1080p25, 4 Mbit/s, a keyframe each 2 s. */
static struct tap_facts main_stream(void)
{
    return (struct tap_facts){.codec = TAP_CODEC_H264,
                              .width = 1920,
                              .height = 1080,
                              .picture = TAP_PICTURE_PLAIN,
                              .fps_milli = 25000,
                              .bitrate_bps = 4000000,
                              .gop_ms = 2000,
                              .span_ms = 8000,
                              .keyframes = 5};
}

/* And a small one. */
static struct tap_facts sub_stream(void)
{
    struct tap_facts facts = main_stream();
    facts.width = 640;
    facts.height = 360;
    facts.bitrate_bps = 500000;
    return facts;
}

static struct tap_choice choose(struct tap_facts facts, enum weir_quality quality, int64_t fps)
{
    struct tap_choice choice;
    struct weir_profile profile = {quality, fps};
    assert_true(tap_facts_are_known(&facts));
    tap_choose(&facts, &profile, &choice);
    return choice;
}

static void expect_how(struct tap_facts facts, enum weir_quality quality, int64_t fps,
                       enum weir_rendition_how how)
{
    struct tap_choice choice = choose(facts, quality, fps);
    assert_string_equal(weir_rendition_how_name(choice.how), weir_rendition_how_name(how));
    assert_true(choice.why != NULL && choice.why[0] != '\0');
}

static void what_meets_the_request_passes_as_it_is(void **state)
{
    (void)state;
    expect_how(main_stream(), WEIR_QUALITY_HIGH, 0, WEIR_RENDITION_HOW_PASSTHROUGH);
    expect_how(main_stream(), WEIR_QUALITY_ULTRA, 60, WEIR_RENDITION_HOW_PASSTHROUGH);
    expect_how(sub_stream(), WEIR_QUALITY_LOW, 0, WEIR_RENDITION_HOW_PASSTHROUGH);
    expect_how(sub_stream(), WEIR_QUALITY_MEDIUM, 25, WEIR_RENDITION_HOW_PASSTHROUGH);
    /* A tenth more frames, half as many bits again, are let pass. */
    expect_how(sub_stream(), WEIR_QUALITY_LOW, 23, WEIR_RENDITION_HOW_PASSTHROUGH);
    struct tap_facts upright = sub_stream();
    upright.width = 360;
    upright.height = 640;
    expect_how(upright, WEIR_QUALITY_LOW, 0, WEIR_RENDITION_HOW_PASSTHROUGH);
}

static void each_thing_that_is_too_much_is_a_reason_to_transcode(void **state)
{
    (void)state;
    expect_how(main_stream(), WEIR_QUALITY_MEDIUM, 0, WEIR_RENDITION_HOW_TRANSCODE);
    expect_how(sub_stream(), WEIR_QUALITY_LOW, 22, WEIR_RENDITION_HOW_TRANSCODE);
    struct tap_facts facts = sub_stream();
    facts.bitrate_bps = 700000;
    expect_how(facts, WEIR_QUALITY_LOW, 0, WEIR_RENDITION_HOW_TRANSCODE);
    facts = sub_stream();
    facts.gop_ms = 4001;
    expect_how(facts, WEIR_QUALITY_LOW, 0, WEIR_RENDITION_HOW_TRANSCODE);
    facts = sub_stream();
    facts.picture = TAP_PICTURE_DEEP;
    expect_how(facts, WEIR_QUALITY_LOW, 0, WEIR_RENDITION_HOW_TRANSCODE);
    facts = sub_stream();
    facts.codec = TAP_CODEC_H265;
    expect_how(facts, WEIR_QUALITY_LOW, 0, WEIR_RENDITION_HOW_TRANSCODE);
}

static void keyframes_alone_do_where_they_are_enough(void **state)
{
    (void)state;
    struct tap_facts facts = sub_stream();
    facts.gop_ms = 1000;
    expect_how(facts, WEIR_QUALITY_LOW, 1, WEIR_RENDITION_HOW_KEYFRAMES);
    expect_how(facts, WEIR_QUALITY_SOURCE, 1, WEIR_RENDITION_HOW_KEYFRAMES);
    assert_int_equal(choose(facts, WEIR_QUALITY_LOW, 1).fps_milli, 1000);
    facts.gop_ms = 500;
    expect_how(facts, WEIR_QUALITY_LOW, 2, WEIR_RENDITION_HOW_KEYFRAMES);
    /* One frame in two seconds is less than one a second. */
    expect_how(sub_stream(), WEIR_QUALITY_LOW, 1, WEIR_RENDITION_HOW_TRANSCODE);
    facts.width = 1920;
    facts.height = 1080;
    expect_how(facts, WEIR_QUALITY_LOW, 1, WEIR_RENDITION_HOW_TRANSCODE);
    expect_how(facts, WEIR_QUALITY_HIGH, 1, WEIR_RENDITION_HOW_KEYFRAMES);
}

static void source_with_fewer_frames_keeps_its_size(void **state)
{
    (void)state;
    struct tap_facts facts = main_stream();
    facts.codec = TAP_CODEC_H265;
    expect_how(facts, WEIR_QUALITY_SOURCE, 30, WEIR_RENDITION_HOW_PASSTHROUGH);
    struct tap_choice choice = choose(main_stream(), WEIR_QUALITY_SOURCE, 5);
    assert_int_equal(choice.how, WEIR_RENDITION_HOW_TRANSCODE);
    assert_int_equal(choice.long_side, 1920);
    assert_int_equal(choice.fps_milli, 5000);
    assert_in_range(choice.bitrate_bps, 1000000, 1500000);
}

/* Not even where the camera is asked for as it is. */
static void what_no_player_shows_is_transcoded(void **state)
{
    (void)state;
    struct tap_facts facts = sub_stream();
    facts.gop_ms = 1000;
    facts.picture = TAP_PICTURE_INTERLACED;
    for (int fps = 0; fps < 2; fps++) {
        struct tap_choice choice = choose(facts, WEIR_QUALITY_SOURCE, fps);
        assert_int_equal(choice.how, WEIR_RENDITION_HOW_TRANSCODE);
        assert_non_null(strstr(choice.why, "interlaced"));
    }
    assert_int_equal(choose(facts, WEIR_QUALITY_SOURCE, 0).fps_milli, 25000);
    facts.picture = TAP_PICTURE_DEEP;
    assert_non_null(strstr(choose(facts, WEIR_QUALITY_SOURCE, 0).why, "pixel format"));
    facts.codec = TAP_CODEC_H265;
    expect_how(facts, WEIR_QUALITY_SOURCE, 0, WEIR_RENDITION_HOW_TRANSCODE);
    struct tap_format format = {.video = TAP_CODEC_NONE};
    assert_null(tap_choice_bar(&format));
}

static void a_transcode_is_what_its_tier_says(void **state)
{
    (void)state;
    struct tap_choice low = choose(main_stream(), WEIR_QUALITY_LOW, 5);
    assert_int_equal(low.long_side, 640);
    assert_int_equal(low.short_side, 360);
    assert_int_equal(low.fps_milli, 5000);
    assert_in_range(low.bitrate_bps, 136000, 137000); /* 400 k x (5/30)^0.6 */
    assert_int_equal(low.segment_ms, 1000);
    assert_true(low.is_main);
    struct tap_choice medium = choose(main_stream(), WEIR_QUALITY_MEDIUM, 0);
    assert_int_equal(medium.fps_milli, 25000);
    assert_in_range(medium.bitrate_bps, 1600000, 1620000);
    assert_false(medium.is_main);
    assert_int_equal(choose(main_stream(), WEIR_QUALITY_LOW, 1).segment_ms, 2000);
}

static void nothing_is_more_than_the_camera_sends(void **state)
{
    (void)state;
    struct tap_facts facts = main_stream();
    assert_int_equal(choose(facts, WEIR_QUALITY_MEDIUM, 60).fps_milli, 25000);
    facts.width = 3840;
    facts.height = 2160;
    facts.picture = TAP_PICTURE_INTERLACED;
    assert_int_equal(choose(facts, WEIR_QUALITY_ULTRA, 0).long_side, 1920);
}

static void a_still_scene_makes_no_mush_of_what_moves_next(void **state)
{
    (void)state;
    struct tap_facts facts = main_stream();
    int64_t bps = choose(facts, WEIR_QUALITY_MEDIUM, 0).bitrate_bps;
    facts.bitrate_bps = 80000;
    assert_int_equal(choose(facts, WEIR_QUALITY_MEDIUM, 0).bitrate_bps, bps);
}

static void bits_are_those_of_the_size_that_comes_of_it(void **state)
{
    (void)state;
    struct tap_facts facts = sub_stream();
    int64_t bps = choose(facts, WEIR_QUALITY_LOW, 5).bitrate_bps;
    assert_int_equal(choose(facts, WEIR_QUALITY_MEDIUM, 5).bitrate_bps, bps);
    assert_int_equal(choose(facts, WEIR_QUALITY_SOURCE, 5).bitrate_bps, bps);
    facts.width = 3840;
    facts.height = 2160;
    bps = choose(facts, WEIR_QUALITY_HIGH, 5).bitrate_bps;
    assert_in_range(bps, 1360000, 1370000);
    assert_int_equal(choose(facts, WEIR_QUALITY_ULTRA, 5).bitrate_bps, bps);
    assert_int_equal(choose(facts, WEIR_QUALITY_SOURCE, 5).bitrate_bps, bps);
}

static void only_a_limit_leaves_frames_out(void **state)
{
    (void)state;
    struct tap_facts facts = main_stream();
    facts.fps_milli = 23148; /* measured a little too low */
    struct tap_choice choice = choose(facts, WEIR_QUALITY_MEDIUM, 0);
    assert_true(choice.fps_milli == 23148 && choice.pace_milli > 60000);
    facts.fps_milli = 6000; /* at night */
    choice = choose(facts, WEIR_QUALITY_MEDIUM, 15);
    assert_true(choice.fps_milli == 6000 && choice.pace_milli == 15000);
    facts.fps_milli = 500000;
    choice = choose(facts, WEIR_QUALITY_MEDIUM, 0);
    assert_true(choice.fps_milli == 60000 && choice.pace_milli == 60000);
}

static bool is_outgrown(struct tap_facts facts, enum weir_quality quality, int64_t fps)
{
    struct weir_profile profile = {quality, fps};
    struct tap_choice choice = {.how = WEIR_RENDITION_HOW_PASSTHROUGH};
    return tap_choice_is_outgrown(&choice, &facts, &profile);
}

static void what_passed_is_outgrown_by_a_fifth_more_than_may_pass(void **state)
{
    (void)state;
    struct tap_facts facts = sub_stream();
    assert_false(is_outgrown(facts, WEIR_QUALITY_LOW, 19));
    assert_true(is_outgrown(facts, WEIR_QUALITY_LOW, 18));
    facts.bitrate_bps = 640000; /* 359 k x 1.5 x 1.2 */
    assert_false(is_outgrown(facts, WEIR_QUALITY_LOW, 0));
    facts.bitrate_bps = 650000;
    assert_true(is_outgrown(facts, WEIR_QUALITY_LOW, 0));
    assert_false(is_outgrown(facts, WEIR_QUALITY_SOURCE, 0));
    facts = sub_stream();
    facts.gop_ms = 4800;
    assert_false(is_outgrown(facts, WEIR_QUALITY_LOW, 0));
    facts.gop_ms = 4801;
    assert_true(is_outgrown(facts, WEIR_QUALITY_LOW, 0));
    assert_true(is_outgrown(main_stream(), WEIR_QUALITY_LOW, 0)); /* another picture */
}

static void of_what_is_too_large_to_be_decoded_nothing_is_made(void **state)
{
    (void)state;
    struct tap_facts facts = main_stream();
    char why[TAP_TROUBLE_MAX] = "";
    assert_false(tap_choice_is_barred(&facts, why));
    facts.width = 8192;
    facts.height = 4608; /* 36 x 1024 x 1024 */
    assert_false(tap_choice_is_barred(&facts, why));
    facts.height = 4616;
    assert_true(tap_choice_is_barred(&facts, why));
    assert_non_null(strstr(why, "8192x4616"));
    facts.width = 64;
    facts.height = 8200;
    assert_true(tap_choice_is_barred(&facts, why));
    assert_string_equal(why, "the camera's picture, 64x8200, is too large to be decoded: 8192 "
                             "pixels a side and 37748736 in all are the most");
    facts.width = facts.height = 0; /* not known */
    assert_false(tap_choice_is_barred(&facts, why));
    facts.width = facts.height = 65535;
    assert_true(tap_choice_is_barred(&facts, why));
    assert_true(strlen(why) < TAP_TROUBLE_MAX - 1);
}

static void a_thin_transcode_has_fewer_frames_and_bits(void **state)
{
    (void)state;
    struct tap_choice medium = choose(main_stream(), WEIR_QUALITY_MEDIUM, 0);
    struct tap_choice thin = tap_choice_thin(&medium, 500000);
    assert_int_equal(thin.fps_milli, 12500);
    assert_int_equal(thin.pace_milli, 12500);
    assert_in_range(thin.bitrate_bps, medium.bitrate_bps * 65 / 100, medium.bitrate_bps * 67 / 100);
    assert_int_equal(thin.long_side, medium.long_side);
    assert_int_equal(thin.segment_ms, medium.segment_ms);
    thin = tap_choice_thin(&medium, 100000);
    assert_int_equal(thin.fps_milli, TAP_THIN_LEAST_MILLI);
    struct tap_choice all = tap_choice_thin(&medium, 1000000);
    assert_int_equal(all.fps_milli, medium.fps_milli);
    assert_int_equal(all.pace_milli, medium.pace_milli);
    assert_int_equal(all.bitrate_bps, medium.bitrate_bps);
    struct tap_choice slow = choose(main_stream(), WEIR_QUALITY_LOW, 2);
    thin = tap_choice_thin(&slow, 250000);
    assert_int_equal(thin.fps_milli, 2000);
    assert_int_equal(thin.bitrate_bps, slow.bitrate_bps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_meets_the_request_passes_as_it_is),
        cmocka_unit_test(each_thing_that_is_too_much_is_a_reason_to_transcode),
        cmocka_unit_test(keyframes_alone_do_where_they_are_enough),
        cmocka_unit_test(source_with_fewer_frames_keeps_its_size),
        cmocka_unit_test(what_no_player_shows_is_transcoded),
        cmocka_unit_test(a_transcode_is_what_its_tier_says),
        cmocka_unit_test(nothing_is_more_than_the_camera_sends),
        cmocka_unit_test(a_still_scene_makes_no_mush_of_what_moves_next),
        cmocka_unit_test(bits_are_those_of_the_size_that_comes_of_it),
        cmocka_unit_test(only_a_limit_leaves_frames_out),
        cmocka_unit_test(what_passed_is_outgrown_by_a_fifth_more_than_may_pass),
        cmocka_unit_test(of_what_is_too_large_to_be_decoded_nothing_is_made),
        cmocka_unit_test(a_thin_transcode_has_fewer_frames_and_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

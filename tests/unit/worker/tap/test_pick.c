/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/pick.h"

#include <stdio.h>
#include <string.h>

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

static struct tap_offer offer_of(const char *name, int width, int height, int64_t fps, int64_t bps)
{
    struct tap_offer offer = {.name = name, .state = TAP_OFFER_KNOWN, .facts = main_stream()};
    offer.facts.width = width;
    offer.facts.height = height;
    offer.facts.fps_milli = fps * 1000;
    offer.facts.bitrate_bps = bps;
    return offer;
}

static struct tap_offer sub(void)
{
    return offer_of("sub", 640, 360, 15, 300000);
}

/* Of which nothing is known. */
static struct tap_offer unseen(void)
{
    return (struct tap_offer){.name = "sub",
                              .state = TAP_OFFER_UNKNOWN,
                              .facts = {.codec = TAP_CODEC_H264, .picture = TAP_PICTURE_PLAIN}};
}

static struct tap_pick pick(struct tap_facts main, const struct tap_offer *offers, size_t n,
                            enum weir_quality quality, int64_t fps)
{
    struct tap_pick ret;
    struct weir_profile profile = {quality, fps};
    tap_pick(&main, offers, n, &profile, &ret);
    return ret;
}

static struct tap_pick pick_one(struct tap_offer offer, enum weir_quality quality, int64_t fps)
{
    return pick(main_stream(), &offer, 1, quality, fps);
}

static void expect_how(struct tap_pick pick, int source, enum weir_rendition_how how)
{
    assert_true(pick.is_made);
    assert_int_equal(pick.source, source);
    assert_string_equal(weir_rendition_how_name(pick.choice.how), weir_rendition_how_name(how));
}

static void expect(struct tap_pick pick, int source, enum weir_rendition_how how, const char *why)
{
    expect_how(pick, source, how);
    assert_string_equal(pick.why, why);
}

static void a_small_source_that_meets_the_request_is_shown(void **state)
{
    (void)state;
    const char *why = "the camera's stream sub meets what was asked for";
    expect(pick_one(sub(), WEIR_QUALITY_LOW, 0), 1, WEIR_RENDITION_HOW_PROFILE, why);
    expect(pick_one(sub(), WEIR_QUALITY_LOW, 15), 1, WEIR_RENDITION_HOW_PROFILE, why);
    /* A tenth more or less is let pass. */
    expect(pick_one(sub(), WEIR_QUALITY_LOW, 14), 1, WEIR_RENDITION_HOW_PROFILE, why);
    expect(pick_one(sub(), WEIR_QUALITY_LOW, 16), 1, WEIR_RENDITION_HOW_PROFILE, why);
    /* Of a slow camera it has as many as that could give. */
    struct tap_facts slow = main_stream();
    slow.fps_milli = 15000;
    struct tap_offer offer = sub();
    expect(pick(slow, &offer, 1, WEIR_QUALITY_LOW, 30), 1, WEIR_RENDITION_HOW_PROFILE, why);
}

static void main_serves_what_it_meets_and_what_is_asked_for_as_it_is(void **state)
{
    (void)state;
    const char *why = "the camera's stream meets what was asked for";
    expect(pick_one(sub(), WEIR_QUALITY_HIGH, 0), 0, WEIR_RENDITION_HOW_PASSTHROUGH, why);
    expect(pick_one(sub(), WEIR_QUALITY_ULTRA, 0), 0, WEIR_RENDITION_HOW_PASSTHROUGH, why);
    struct tap_offer offer = offer_of("sub", 1920, 1080, 5, 1000000);
    struct tap_pick made = pick_one(offer, WEIR_QUALITY_SOURCE, 5);
    expect(made, 0, WEIR_RENDITION_HOW_TRANSCODE, "the camera sends more frames");
    struct tap_facts small = sub().facts;
    expect(pick(small, &offer, 1, WEIR_QUALITY_LOW, 0), 0, WEIR_RENDITION_HOW_PASSTHROUGH, why);
    expect(pick(main_stream(), NULL, 0, WEIR_QUALITY_LOW, 0), 0, WEIR_RENDITION_HOW_TRANSCODE,
           "the camera's picture is larger");
}

static void what_does_not_fit_is_transcoded_and_said(void **state)
{
    (void)state;
    const struct {
        struct tap_offer offer;
        enum weir_quality quality;
        int64_t fps;
        const char *why;
    } cases[] = {
        {offer_of("sub", 704, 576, 15, 300000), WEIR_QUALITY_LOW, 0, "too large"},
        {offer_of("sub", 640, 360, 15, 2000000), WEIR_QUALITY_LOW, 0, "too many bits"},
        {sub(), WEIR_QUALITY_LOW, 10, "too many frames"},
        {sub(), WEIR_QUALITY_LOW, 25, "too few frames"},
        {sub(), WEIR_QUALITY_MEDIUM, 0, "too small"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char why[TAP_PICK_WHY_MAX];
        snprintf(why, sizeof(why), "the camera's picture is larger; sub: %s", cases[i].why);
        expect(pick_one(cases[i].offer, cases[i].quality, cases[i].fps), 0,
               WEIR_RENDITION_HOW_TRANSCODE, why);
    }
    struct tap_offer offer = sub();
    offer.facts.gop_ms = 9000;
    assert_non_null(strstr(pick_one(offer, WEIR_QUALITY_LOW, 0).why, "sub: keyframes too rare"));
    offer = sub();
    offer.facts.codec = TAP_CODEC_H265;
    assert_non_null(strstr(pick_one(offer, WEIR_QUALITY_LOW, 0).why, "sub: no H.264"));
    offer = sub();
    offer.facts.codec = TAP_CODEC_MJPEG;
    assert_non_null(strstr(pick_one(offer, WEIR_QUALITY_LOW, 0).why, "sub: no H.264"));
    offer = sub();
    offer.facts.picture = TAP_PICTURE_INTERLACED;
    assert_non_null(strstr(pick_one(offer, WEIR_QUALITY_LOW, 0).why, "sub: interlaced"));
    offer = sub();
    offer.facts.picture = TAP_PICTURE_DEEP;
    assert_non_null(strstr(pick_one(offer, WEIR_QUALITY_LOW, 0).why, "sub: not 4:2:0"));
    offer = sub();
    offer.state = TAP_OFFER_BROKEN;
    assert_non_null(strstr(pick_one(offer, WEIR_QUALITY_LOW, 0).why, "sub: cannot be read"));
}

static void the_cheapest_of_several_is_taken(void **state)
{
    (void)state;
    struct tap_offer offers[] = {offer_of("a", 1280, 720, 25, 1500000),
                                 offer_of("b", 640, 360, 25, 500000),
                                 offer_of("c", 640, 360, 25, 300000)};
    assert_int_equal(pick(main_stream(), offers, 3, WEIR_QUALITY_LOW, 0).source, 3);
    assert_int_equal(pick(main_stream(), offers, 3, WEIR_QUALITY_MEDIUM, 0).source, 1);
    /* One that is read already comes before one that would have to be. */
    offers[2].state = TAP_OFFER_UNKNOWN;
    expect(pick(main_stream(), offers, 3, WEIR_QUALITY_LOW, 0), 2, WEIR_RENDITION_HOW_PROFILE,
           "the camera's stream b meets what was asked for");
    offers[1].state = TAP_OFFER_BROKEN;
    struct tap_pick waits = pick(main_stream(), offers, 3, WEIR_QUALITY_LOW, 0);
    assert_true(!waits.is_made && waits.source == 3);
}

static void what_is_not_known_is_read_first(void **state)
{
    (void)state;
    struct tap_pick waits = pick_one(unseen(), WEIR_QUALITY_LOW, 0);
    assert_true(!waits.is_made && waits.source == 1);
    /* Not what was declared to be something else. */
    struct tap_offer declared = unseen();
    declared.facts.width = 1280;
    declared.facts.height = 720;
    expect(pick_one(declared, WEIR_QUALITY_LOW, 0), 0, WEIR_RENDITION_HOW_TRANSCODE,
           "the camera's picture is larger; sub: too large");
    waits = pick_one(declared, WEIR_QUALITY_MEDIUM, 0);
    assert_true(!waits.is_made && waits.source == 1);
    declared.facts.codec = TAP_CODEC_H265;
    assert_true(pick_one(declared, WEIR_QUALITY_MEDIUM, 0).is_made);
}

static void a_source_is_read_while_main_is_still_measured(void **state)
{
    (void)state;
    struct tap_facts began = {.codec = TAP_CODEC_H264, .picture = TAP_PICTURE_PLAIN};
    struct tap_offer offer = unseen();
    /* Nothing is known: main may do. */
    struct tap_pick waits = pick(began, &offer, 1, WEIR_QUALITY_LOW, 0);
    assert_true(!waits.is_made && waits.source == TAP_PICK_MAIN);
    began.width = 1920;
    began.height = 1080;
    waits = pick(began, &offer, 1, WEIR_QUALITY_LOW, 0);
    assert_true(!waits.is_made && waits.source == 1);
    offer = sub();
    assert_true(pick(began, &offer, 1, WEIR_QUALITY_LOW, 0).is_made);
    /* Whether it has enough frames is told by what main has. */
    waits = pick(began, &offer, 1, WEIR_QUALITY_LOW, 25);
    assert_true(!waits.is_made && waits.source == TAP_PICK_MAIN);
    waits = pick(began, &offer, 1, WEIR_QUALITY_SOURCE, 0);
    assert_true(!waits.is_made && waits.source == TAP_PICK_MAIN);
}

static void one_that_has_just_begun_is_read_on_before_its_rates_speak_against_it(void **state)
{
    (void)state;
    struct tap_offer hasty = offer_of("sub", 640, 360, 11, 300000);
    expect_how(pick_one(hasty, WEIR_QUALITY_LOW, 15), TAP_PICK_MAIN, WEIR_RENDITION_HOW_TRANSCODE);
    hasty.is_young = true;
    struct tap_pick is = pick_one(hasty, WEIR_QUALITY_LOW, 15);
    assert_false(is.is_made);
    assert_int_equal(is.source, 1);
    hasty.facts.fps_milli = 15000;
    hasty.facts.bitrate_bps = 900000;
    assert_false(pick_one(hasty, WEIR_QUALITY_LOW, 15).is_made);
    /* What meets the request is taken at once, and of a picture that does not nothing is awaited.
     */
    struct tap_offer good = sub();
    good.is_young = true;
    expect_how(pick_one(good, WEIR_QUALITY_LOW, 15), 1, WEIR_RENDITION_HOW_PROFILE);
    struct tap_offer large = offer_of("sub", 1280, 720, 15, 300000);
    large.is_young = true;
    expect_how(pick_one(large, WEIR_QUALITY_LOW, 15), TAP_PICK_MAIN, WEIR_RENDITION_HOW_TRANSCODE);
}

static void keyframes_of_another_source_do_where_those_of_main_do_not(void **state)
{
    (void)state;
    struct tap_offer offer = sub();
    offer.facts.gop_ms = 1000;
    expect(pick_one(offer, WEIR_QUALITY_LOW, 1), 1, WEIR_RENDITION_HOW_KEYFRAMES,
           "keyframes of the camera's stream sub are as many frames as were asked for");
    assert_int_equal(pick_one(offer, WEIR_QUALITY_LOW, 1).choice.fps_milli, 1000);
    struct tap_facts main = main_stream();
    main.gop_ms = 1000;
    expect(pick(main, &offer, 1, WEIR_QUALITY_HIGH, 1), 0, WEIR_RENDITION_HOW_KEYFRAMES,
           "the camera's keyframes are as many frames as were asked for");
    /* Declared to be faster, it has to be seen for its keyframes; seen to have none it has not. */
    offer = unseen();
    offer.facts.fps_milli = 15000;
    struct tap_pick waits = pick_one(offer, WEIR_QUALITY_LOW, 1);
    assert_true(!waits.is_made && waits.source == 1);
    assert_true(pick_one(offer, WEIR_QUALITY_LOW, 10).is_made);
    offer.facts.gop_ms = 4000;
    assert_int_equal(pick_one(offer, WEIR_QUALITY_LOW, 1).choice.how, WEIR_RENDITION_HOW_TRANSCODE);
}

/* What no player shows is made of main where it is asked for as it is; a smaller picture is not. */
static void a_main_that_no_player_shows_is_replaced_by_one_that_is_plain(void **state)
{
    (void)state;
    static const struct tap_facts barred[] = {
        {.codec = TAP_CODEC_MJPEG, .picture = TAP_PICTURE_UNKNOWN},
        {.codec = TAP_CODEC_H264, .picture = TAP_PICTURE_INTERLACED},
        {.codec = TAP_CODEC_H265, .picture = TAP_PICTURE_DEEP},
    };
    struct tap_offer offer = sub();
    for (size_t i = 0; i < sizeof(barred) / sizeof(barred[0]); i++) {
        struct tap_facts main = main_stream();
        main.codec = barred[i].codec;
        main.picture = barred[i].picture;
        expect_how(pick(main, &offer, 1, WEIR_QUALITY_LOW, 0), 1, WEIR_RENDITION_HOW_PROFILE);
        for (int fps = 0; fps < 2; fps++) {
            expect_how(pick(main, &offer, 1, WEIR_QUALITY_SOURCE, fps), TAP_PICK_MAIN,
                       WEIR_RENDITION_HOW_TRANSCODE);
        }
        /* It is known before anything was measured. */
        main.fps_milli = main.bitrate_bps = main.gop_ms = main.span_ms = 0;
        expect_how(pick(main, &offer, 1, WEIR_QUALITY_LOW, 0), 1, WEIR_RENDITION_HOW_PROFILE);
    }
}

static void a_long_story_is_cut(void **state)
{
    (void)state;
    struct tap_offer offers[3];
    struct tap_facts main = main_stream();
    main.picture = TAP_PICTURE_DEEP;
    for (size_t i = 0; i < 3; i++) {
        offers[i] = sub();
        offers[i].name = "sixteen_bytes_ab";
        offers[i].facts.gop_ms = 9000;
    }
    struct tap_pick made = pick(main, offers, 3, WEIR_QUALITY_LOW, 0);
    assert_int_equal(made.choice.how, WEIR_RENDITION_HOW_TRANSCODE);
    assert_int_equal(strlen(made.why), TAP_PICK_WHY_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_source_that_meets_the_request_is_shown),
        cmocka_unit_test(main_serves_what_it_meets_and_what_is_asked_for_as_it_is),
        cmocka_unit_test(what_does_not_fit_is_transcoded_and_said),
        cmocka_unit_test(the_cheapest_of_several_is_taken),
        cmocka_unit_test(what_is_not_known_is_read_first),
        cmocka_unit_test(a_source_is_read_while_main_is_still_measured),
        cmocka_unit_test(one_that_has_just_begun_is_read_on_before_its_rates_speak_against_it),
        cmocka_unit_test(keyframes_of_another_source_do_where_those_of_main_do_not),
        cmocka_unit_test(a_main_that_no_player_shows_is_replaced_by_one_that_is_plain),
        cmocka_unit_test(a_long_story_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

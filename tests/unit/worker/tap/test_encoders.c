/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/encoders.h"

#include "tests/unit/check.h"

#define KPX_HD 20736 /* 1280x720, 22.5 frames a second */

static struct tap_rendition *transcode(void)
{
    const struct weir_profile profile = {WEIR_QUALITY_MEDIUM, 0};
    struct tap_rendition *rendition = tap_rendition_new(0, &profile);
    rendition->choice = (struct tap_choice){.how = WEIR_RENDITION_HOW_TRANSCODE,
                                            .long_side = 1280,
                                            .short_side = 720,
                                            .fps_milli = 22500,
                                            .bitrate_bps = 1000000};
    return rendition;
}

static void offer(struct tap_encoders *encoders, enum weir_encoder id, int64_t kpx,
                  int64_t sessions)
{
    struct weir_ctl_tap_encoders_encoders row = {id, kpx, sessions};
    const struct weir_ctl_tap_encoders told = {&row, 1};
    tap_encoders_set(encoders, &told);
}

static void without_an_engine_software_does_it(void **state)
{
    (void)state;
    struct tap_encoders encoders = {0};
    struct tap_rendition *r = transcode();
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, r);
    assert_int_equal(r->encoder, WEIR_XCODE_SOFTWARE);
    tap_encoders_release(&encoders, r);
    assert_int_equal(tap_rendition_spec(r).encoder, WEIR_XCODE_SOFTWARE);
    tap_rendition_free(r);
}

static void an_engine_is_given_as_much_as_it_has(void **state)
{
    (void)state;
    struct tap_encoders encoders = {0};
    struct tap_rendition *a = transcode();
    struct tap_rendition *b = transcode();
    struct weir_ctl_tap_encoding_encoders used[WEIR_ENCODER_N];
    offer(&encoders, WEIR_ENCODER_QSV, KPX_HD + 1, 5);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, a);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, b);
    assert_int_equal(a->encoder, 1 + WEIR_ENCODER_QSV);
    assert_int_equal(tap_rendition_spec(a).encoder, 1 + WEIR_ENCODER_QSV);
    assert_int_equal(b->encoder, WEIR_XCODE_SOFTWARE);
    assert_int_equal(tap_encoders_used(&encoders, used), 1);
    assert_int_equal(used[0].kpx_per_s, KPX_HD);
    assert_int_equal(used[0].sessions, 1);
    tap_encoders_release(&encoders, a);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, b);
    assert_int_equal(b->encoder, 1 + WEIR_ENCODER_QSV);
    tap_rendition_free(a);
    tap_rendition_free(b);
}

static void another_frame_rate_takes_more_or_less_of_it(void **state)
{
    (void)state;
    struct tap_encoders encoders = {0};
    struct tap_rendition *r = transcode();
    struct weir_ctl_tap_encoding_encoders used[WEIR_ENCODER_N];
    offer(&encoders, WEIR_ENCODER_QSV, KPX_HD + 1, 5);
    tap_encoders_follow(&encoders, 1920, 1080, r); /* software has no bounds */
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, r);
    r->choice.fps_milli *= 2;
    tap_encoders_follow(&encoders, 1920, 1080, r);
    assert_int_equal(r->encoder, 1 + WEIR_ENCODER_QSV);
    assert_int_equal(tap_encoders_used(&encoders, used), 1);
    assert_int_equal(used[0].kpx_per_s, 2 * KPX_HD);
    tap_encoders_release(&encoders, r);
    tap_encoders_used(&encoders, used);
    assert_int_equal(used[0].kpx_per_s, 0);
    tap_rendition_free(r);
}

static void sessions_are_counted_and_small_pictures_need_less(void **state)
{
    (void)state;
    struct tap_encoders encoders = {0};
    struct tap_rendition *a = transcode();
    struct tap_rendition *b = transcode();
    offer(&encoders, WEIR_ENCODER_NVENC, 1000000, 1);
    /* Upright, and no larger than the camera's own. */
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 480, 640, a);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 480, 640, b);
    assert_int_equal(a->encoder_kpx, 640 * 480 * 225 / 10000);
    assert_int_equal(b->encoder, WEIR_XCODE_SOFTWARE);
    tap_rendition_free(a);
    tap_rendition_free(b);
}

static void a_process_has_one_engine(void **state)
{
    (void)state;
    struct tap_encoders encoders = {0};
    struct tap_rendition *r = transcode();
    offer(&encoders, WEIR_ENCODER_VAAPI, 1000000, 8);
    tap_encoders_assign(&encoders, WEIR_XCODE_SOFTWARE, 1920, 1080, r);
    assert_int_equal(r->encoder, WEIR_XCODE_SOFTWARE);
    tap_encoders_assign(&encoders, 1 + WEIR_ENCODER_NVENC, 1920, 1080, r);
    assert_int_equal(r->encoder, WEIR_XCODE_SOFTWARE);
    tap_encoders_assign(&encoders, 1 + WEIR_ENCODER_VAAPI, 1920, 1080, r);
    assert_int_equal(r->encoder, 1 + WEIR_ENCODER_VAAPI);
    tap_rendition_free(r);
}

static void one_that_failed_gets_nothing_until_it_is_named_again(void **state)
{
    (void)state;
    struct tap_encoders encoders = {0};
    struct tap_rendition *a = transcode();
    struct tap_rendition *b = transcode();
    offer(&encoders, WEIR_ENCODER_NVENC, 1000000, 8);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, a);
    assert_int_equal(tap_encoders_fail(&encoders, a), WEIR_ENCODER_NVENC);
    assert_true(a->has_fallen && a->fallen == WEIR_ENCODER_NVENC);
    assert_int_equal(a->encoder, WEIR_XCODE_SOFTWARE);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, b);
    assert_int_equal(b->encoder, WEIR_XCODE_SOFTWARE);
    /* News of another one, told before the worker heard of the failure. */
    struct weir_ctl_tap_encoders_encoders both[] = {{WEIR_ENCODER_NVENC, 1000000, 8},
                                                    {WEIR_ENCODER_V4L2, 1, 1}};
    const struct weir_ctl_tap_encoders news = {both, 2};
    tap_encoders_set(&encoders, &news);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, b);
    assert_int_equal(b->encoder, WEIR_XCODE_SOFTWARE);
    const struct weir_ctl_tap_encoders none = {NULL, 0};
    tap_encoders_set(&encoders, &none);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, b);
    assert_int_equal(b->encoder, WEIR_XCODE_SOFTWARE);
    offer(&encoders, WEIR_ENCODER_NVENC, 1000000, 8);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, b);
    assert_int_equal(b->encoder, 1 + WEIR_ENCODER_NVENC);
    tap_rendition_free(a);
    tap_rendition_free(b);
}

static void one_that_fails_while_it_is_suspect_is_good_once_it_is_named(void **state)
{
    (void)state;
    struct tap_encoders encoders = {0};
    struct tap_rendition *a = transcode();
    struct tap_rendition *b = transcode();
    const struct weir_ctl_tap_encoders none = {NULL, 0};
    offer(&encoders, WEIR_ENCODER_NVENC, 1000000, 8);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, a);
    tap_encoders_set(&encoders, &none);
    assert_int_equal(tap_encoders_fail(&encoders, a), WEIR_ENCODER_NVENC);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, b);
    assert_int_equal(b->encoder, WEIR_XCODE_SOFTWARE);
    offer(&encoders, WEIR_ENCODER_NVENC, 1000000, 8);
    tap_encoders_assign(&encoders, TAP_XCODE_ANY, 1920, 1080, b);
    assert_int_equal(b->encoder, 1 + WEIR_ENCODER_NVENC);
    tap_rendition_free(a);
    tap_rendition_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_engine_software_does_it),
        cmocka_unit_test(an_engine_is_given_as_much_as_it_has),
        cmocka_unit_test(another_frame_rate_takes_more_or_less_of_it),
        cmocka_unit_test(sessions_are_counted_and_small_pictures_need_less),
        cmocka_unit_test(a_process_has_one_engine),
        cmocka_unit_test(one_that_failed_gets_nothing_until_it_is_named_again),
        cmocka_unit_test(one_that_fails_while_it_is_suspect_is_good_once_it_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/follower.h"

#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"

/* Of 640x360. */
static const uint8_t sps[] = {0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9,
                              0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00,
                              0x03, 0x00, 0x32, 0x0f, 0x16, 0x2e, 0x48};

struct fixture {
    struct tap_ring camera;
    struct tap_format format;
    struct tap_follower follower;
};

static struct fixture begin(void)
{
    struct fixture f = {.format = {.video = TAP_CODEC_H264}, .follower = {.is_live = true}};
    f.format.params.sps.len = sizeof(sps);
    memcpy(f.format.params.sps.bytes, sps, sizeof(sps));
    tap_ring_init(&f.camera, 10000, 1 << 24);
    return f;
}

static int64_t give(struct fixture *f, int64_t ts, int64_t fps, int64_t seconds)
{
    for (int64_t i = 0; i < fps * seconds; i++, ts += TAP_VIDEO_RATE / fps)
        assert_true(tap_ring_push(&f->camera, unit_of_size(TAP_VIDEO, i % fps == 0, ts, 1000)));
    return ts;
}

static struct weir_effective describe(struct fixture *f)
{
    struct weir_effective is;
    tap_follower_describe(&f->follower, &f->camera, &f->format, NULL, &is);
    return is;
}

static void what_is_not_known_at_once_is_told_when_it_is(void **state)
{
    (void)state;
    struct fixture f = begin();
    int64_t ts = give(&f, 0, 10, 1);
    assert_int_equal(describe(&f).fps, 0);
    assert_false(tap_follower_is_late(&f.follower, &f.camera, &f.format));
    give(&f, ts, 10, 1);
    assert_true(tap_follower_is_late(&f.follower, &f.camera, &f.format));
    assert_int_equal(describe(&f).fps, 10);
    assert_false(tap_follower_is_late(&f.follower, &f.camera, &f.format));
    tap_ring_done(&f.camera);
}

/* Its frames are known when it begins, its bits when some keyframes were taken. */
static void bits_of_keyframes_are_told_when_there_are_some(void **state)
{
    (void)state;
    struct fixture f = begin();
    const struct weir_profile profile = {WEIR_QUALITY_LOW, 1};
    struct tap_pick pick = {.is_made = true,
                            .choice = {.how = WEIR_RENDITION_HOW_KEYFRAMES, .fps_milli = 1000}};
    struct tap_rendition *rendition = tap_rendition_new(0, &profile);
    f.follower.rendition = rendition;
    int64_t ts = give(&f, 0, 10, 1);
    tap_rendition_begin(rendition, &pick, &f.camera, &f.format);
    assert_true(tap_rendition_take_keys(rendition, &f.camera, &f.format));
    struct weir_effective is = describe(&f);
    assert_true(is.fps == 1 && is.bitrate_bps == 0);
    assert_false(tap_follower_is_late(&f.follower, &f.camera, &f.format));
    give(&f, ts, 10, 4);
    /* The camera is known by now, of the rendition nothing more. */
    assert_false(tap_follower_is_late(&f.follower, &f.camera, &f.format));
    assert_true(tap_rendition_take_keys(rendition, &f.camera, &f.format));
    assert_true(tap_follower_is_late(&f.follower, &f.camera, &f.format));
    is = describe(&f);
    assert_true(is.fps == 1 && is.bitrate_bps == 8000);
    assert_false(tap_follower_is_late(&f.follower, &f.camera, &f.format));
    tap_rendition_free(rendition);
    tap_ring_done(&f.camera);
}

/* One frame each three seconds: none a second, rounded. */
static void few_frames_are_told_once(void **state)
{
    (void)state;
    struct fixture f = begin();
    for (int64_t i = 0; i < 4; i++)
        assert_true(
            tap_ring_push(&f.camera, unit_of_size(TAP_VIDEO, true, i * 3 * TAP_VIDEO_RATE, 1000)));
    struct weir_effective is = describe(&f);
    assert_true(is.fps == 0 && is.bitrate_bps > 2000);
    assert_false(tap_follower_is_late(&f.follower, &f.camera, &f.format));
    tap_ring_done(&f.camera);
}

static void what_passes_as_it_is_is_told_anew_by_day(void **state)
{
    (void)state;
    struct fixture f = begin();
    int64_t ts = give(&f, 0, 10, 12);
    int64_t now_ms = 0;
    assert_int_equal(describe(&f).fps, 10);
    for (; now_ms < 10000; now_ms += 1000)
        assert_false(tap_follower_has_moved(&f.follower, &f.camera, &f.format, now_ms));
    int told = 0;
    for (int s = 0; s < 30; s++, now_ms += 1000) {
        ts = give(&f, ts, 25, 1);
        if (!tap_follower_has_moved(&f.follower, &f.camera, &f.format, now_ms))
            continue;
        assert_int_equal(describe(&f).fps, 25);
        told++;
    }
    assert_int_equal(told, 1);
    tap_ring_done(&f.camera);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_at_once_is_told_when_it_is),
        cmocka_unit_test(bits_of_keyframes_are_told_when_there_are_some),
        cmocka_unit_test(few_frames_are_told_once),
        cmocka_unit_test(what_passes_as_it_is_is_told_anew_by_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

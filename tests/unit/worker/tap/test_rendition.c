/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/rendition.h"

#include "lib/base/str.h"
#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"
#include "worker/tap/nal.h"

#define FRAME 3600

/* A key unit as an encoder writes it: its SPS (of no size that is looked at), PPS and a slice. */
static const uint8_t key_a[] = {0, 0, 0, 2, 0x67, 1, 0, 0, 0, 1, 0x68, 0, 0, 0, 1, 0x65};
static const uint8_t key_b[] = {0, 0, 0, 2, 0x67, 2, 0, 0, 0, 1, 0x68, 0, 0, 0, 1, 0x65};
static const uint8_t slice[] = {0, 0, 0, 1, 0x41};

struct fixture {
    struct tap_ring camera;
    struct tap_format format;
    struct tap_rendition *rendition;
};

/* Ten seconds of 25 frames a second, a keyframe each second, each taken 40 ms after the other. */
static struct fixture begin(enum weir_rendition_how how, int64_t fps_milli)
{
    struct fixture f = {.format = {.video = TAP_CODEC_H264, .audio = TAP_CODEC_AAC}};
    struct weir_profile profile = {WEIR_QUALITY_LOW, 1};
    tap_ring_init(&f.camera, 60000, 1 << 24);
    for (int64_t i = 0; i < 250; i++) {
        struct tap_unit *unit = unit_new(TAP_VIDEO, i % 25 == 0, i * FRAME, key_a, sizeof(key_a));
        unit->capture_us = 1000000000 + i * 40000;
        unit->arrival_us = unit->capture_us + 5000;
        assert_true(tap_ring_push(&f.camera, unit));
    }
    f.rendition = tap_rendition_new(3, &profile);
    f.rendition->is_chosen = true;
    f.rendition->choice = (struct tap_choice){.how = how, .fps_milli = fps_milli, .why = ""};
    f.rendition->due_ts = INT64_MIN;
    f.rendition->format.video = TAP_CODEC_H264;
    tap_ring_init(&f.rendition->ring, 60000, 1 << 24);
    return f;
}

static void end(struct fixture *f)
{
    tap_rendition_free(f->rendition);
    tap_ring_done(&f->camera);
}

static void keyframes_are_taken_once_each(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_KEYFRAMES, 1000);
    assert_true(tap_rendition_take_keys(f.rendition, &f.camera, &f.format));
    assert_int_equal(f.rendition->ring.end, 10);
    assert_false(tap_rendition_take_keys(f.rendition, &f.camera, &f.format));
    const struct tap_unit *unit = tap_ring_find(&f.rendition->ring, 4);
    assert_true(unit->is_key && unit->ts == 4 * 90000);
    assert_true(unit->capture_us == 1004000000);
    end(&f);
}

/* Sound of 50 units a second in the camera's ring, each behind the frame that is shown then. */
static struct fixture begin_with_sound(enum weir_rendition_how how, int64_t fps_milli)
{
    struct fixture f = begin(how, fps_milli);
    struct tap_ring silent = f.camera;
    f.format.audio_rate = 48000;
    tap_format_take_sound(&f.rendition->format, &f.format);
    tap_ring_init(&f.camera, 60000, 1 << 24);
    for (uint64_t i = 0; i < silent.end; i++) {
        const struct tap_unit *frame = tap_ring_find(&silent, i);
        struct tap_unit *copy =
            unit_new(TAP_VIDEO, frame->is_key, frame->ts, frame->bytes, frame->len);
        assert_true(tap_ring_push(&f.camera, copy));
        for (int64_t half = 0; half < 2; half++)
            assert_true(tap_ring_push(
                &f.camera, unit_of_size(TAP_AUDIO, false, ((int64_t)i * 2 + half) * 960, 9)));
    }
    tap_ring_done(&silent);
    return f;
}

/* The ring's units in short: k a keyframe, v another frame, a sound. */
static const char *shape(const struct tap_ring *ring, uint64_t from, char text[static 128])
{
    size_t n = 0;
    const struct tap_unit *unit;
    for (; (unit = tap_ring_find(ring, from)) != NULL && n < 127; from++)
        text[n++] = unit->track == TAP_AUDIO ? 'a' : unit->is_key ? 'k' : 'v';
    text[n] = '\0';
    return text;
}

static void sound_goes_along_ahead_of_the_frame_that_is_shown_later(void **state)
{
    (void)state;
    char text[128];
    struct fixture f = begin_with_sound(WEIR_RENDITION_HOW_TRANSCODE, 5000);
    /* What was heard before its first frame is none of it; a unit of the same moment is not. */
    tap_rendition_take(f.rendition, &f.camera, 5 * FRAME, true, key_a, sizeof(key_a));
    tap_rendition_take(f.rendition, &f.camera, 7 * FRAME, false, slice, sizeof(slice));
    tap_rendition_take(f.rendition, &f.camera, 8 * FRAME, false, slice, sizeof(slice));
    assert_string_equal(shape(&f.rendition->ring, 0, text), "kaaaavaav");
    assert_true(tap_ring_find(&f.rendition->ring, 1)->ts == 11 * 960);
    end(&f);

    f = begin_with_sound(WEIR_RENDITION_HOW_KEYFRAMES, 1000);
    assert_true(tap_rendition_take_keys(f.rendition, &f.camera, &f.format));
    shape(&f.rendition->ring, 0, text);
    assert_int_equal(strspn(text + 1, "a"), 50);
    assert_int_equal(f.rendition->ring.end, 10 + 9 * 50);
    end(&f);
}

static void a_camera_without_sound_makes_silent_renditions(void **state)
{
    (void)state;
    char text[128];
    struct fixture f = begin_with_sound(WEIR_RENDITION_HOW_TRANSCODE, 5000);
    struct tap_format silent = {.is_muted = true};
    struct weir_effective is;
    tap_format_take_sound(&f.rendition->format, &silent);
    tap_rendition_take(f.rendition, &f.camera, 5 * FRAME, true, key_a, sizeof(key_a));
    tap_rendition_take(f.rendition, &f.camera, 7 * FRAME, false, slice, sizeof(slice));
    assert_string_equal(shape(&f.rendition->ring, 0, text), "kv");
    tap_rendition_describe(f.rendition, &f.camera, &f.format, &is);
    assert_true(is.has_audio && is.audio == WEIR_STREAM_AUDIO_OFF);
    f.rendition->format.is_muted = false;
    tap_rendition_describe(f.rendition, &f.camera, &f.format, &is);
    assert_int_equal(is.audio, WEIR_STREAM_AUDIO_ABSENT);
    WEIR_STR_SET(f.rendition->format.audio_dropped, "speex");
    tap_rendition_describe(f.rendition, &f.camera, &f.format, &is);
    assert_int_equal(is.audio, WEIR_STREAM_AUDIO_UNFIT);
    tap_rendition_describe(NULL, &f.camera, &f.format, &is);
    assert_int_equal(is.audio, WEIR_STREAM_AUDIO_AAC);
    f.format.raw = (struct tap_raw){TAP_CODEC_G726, 8000, 1, 4};
    tap_rendition_describe(NULL, &f.camera, &f.format, &is);
    assert_int_equal(is.audio, WEIR_STREAM_AUDIO_MADE);
    end(&f);
}

static void keyframes_are_no_more_than_asked_for(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_KEYFRAMES, 500);
    assert_true(tap_rendition_take_keys(f.rendition, &f.camera, &f.format));
    assert_int_equal(f.rendition->ring.end, 5);
    end(&f);
}

static void an_encoded_unit_has_the_times_of_its_frame(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_TRANSCODE, 5000);
    assert_false(
        tap_rendition_take(f.rendition, &f.camera, 100 * FRAME, true, key_a, sizeof(key_a)));
    const struct tap_unit *unit = tap_ring_find(&f.rendition->ring, 0);
    assert_true(unit->capture_us == 1004000000 && unit->arrival_us == 1004005000);
    assert_true(tap_params_are_complete(&f.rendition->format.params, TAP_CODEC_H264));
    end(&f);
}

static void a_frame_that_is_gone_lies_behind_the_last_one(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_TRANSCODE, 5000);
    tap_rendition_take(f.rendition, &f.camera, 100 * FRAME, true, key_a, sizeof(key_a));
    tap_rendition_take(f.rendition, &f.camera, 101 * FRAME + 7, false, slice, sizeof(slice));
    const struct tap_unit *unit = tap_ring_find(&f.rendition->ring, 1);
    assert_in_range(unit->capture_us, 1004040000, 1004040100);
    end(&f);
}

static void another_picture_empties_the_ring(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_TRANSCODE, 5000);
    tap_rendition_take(f.rendition, &f.camera, 0, true, key_a, sizeof(key_a));
    tap_rendition_take(f.rendition, &f.camera, FRAME, false, slice, sizeof(slice));
    assert_false(tap_rendition_take(f.rendition, &f.camera, 2 * FRAME, true, key_a, sizeof(key_a)));
    assert_int_equal(f.rendition->ring.end, 3);
    assert_true(tap_rendition_take(f.rendition, &f.camera, 3 * FRAME, true, key_b, sizeof(key_b)));
    assert_int_equal(f.rendition->ring.end - f.rendition->ring.first, 1);
    assert_int_equal(f.rendition->format.params.sps.bytes[1], 2);
    end(&f);
}

static void a_rendition_begins_with_a_keyframe(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_TRANSCODE, 5000);
    tap_rendition_take(f.rendition, &f.camera, FRAME, false, slice, sizeof(slice));
    assert_true(tap_ring_is_empty(&f.rendition->ring));
    end(&f);
}

static struct tap_facts facts_of(int64_t fps)
{
    return (struct tap_facts){.codec = TAP_CODEC_H264,
                              .width = 640,
                              .height = 360,
                              .picture = TAP_PICTURE_PLAIN,
                              .fps_milli = fps * 1000,
                              .bitrate_bps = 300000,
                              .gop_ms = 1000,
                              .span_ms = 8000,
                              .keyframes = 8};
}

/* What the reviews of so many seconds come to: the last one that is not the same as before. */
static enum tap_review review(struct tap_rendition *rendition, struct tap_facts facts,
                              int64_t from_s, int64_t until_s)
{
    enum tap_review what = TAP_REVIEW_SAME;
    for (int64_t s = from_s; s < until_s; s++) {
        enum tap_review now = tap_rendition_review(rendition, &facts, s * 1000);
        what = now != TAP_REVIEW_SAME ? now : what;
    }
    return what;
}

static void begin_as(struct fixture *f, struct tap_facts facts, int64_t fps)
{
    struct tap_pick pick = {.is_made = true};
    f->rendition->profile.fps = fps;
    tap_choose(&facts, &f->rendition->profile, &pick.choice);
    tap_rendition_begin(f->rendition, &pick, &f->camera, &f->format);
}

static void a_transcode_follows_the_camera_from_night_to_day(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_TRANSCODE, 0);
    struct tap_facts night = facts_of(6);
    night.gop_ms = 5000;
    begin_as(&f, night, 15);
    assert_int_equal(f.rendition->choice.how, WEIR_RENDITION_HOW_TRANSCODE);
    struct weir_xcode_rendition before = tap_rendition_spec(f.rendition);
    assert_true(before.fps_milli == 6000 && before.pace_milli == 15000);
    assert_int_equal(review(f.rendition, night, 0, 60), TAP_REVIEW_SAME);
    assert_int_equal(review(f.rendition, facts_of(25), 60, 65), TAP_REVIEW_SAME);
    assert_int_equal(review(f.rendition, facts_of(25), 65, 66), TAP_REVIEW_OTHER);
    struct weir_xcode_rendition after = tap_rendition_spec(f.rendition);
    assert_true(after.fps_milli == 15000 && after.pace_milli == 15000);
    assert_true(after.bitrate_bps > before.bitrate_bps && after.segment_ms == before.segment_ms);
    struct weir_effective is;
    tap_rendition_describe(f.rendition, &f.camera, &f.format, &is);
    assert_true(is.fps == 15 && is.bitrate_bps == after.bitrate_bps);
    assert_int_equal(review(f.rendition, facts_of(25), 66, 120), TAP_REVIEW_SAME);
    end(&f);
}

static void what_passes_is_chosen_anew_when_the_camera_sends_clearly_more(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_TRANSCODE, 0);
    begin_as(&f, facts_of(10), 15);
    assert_int_equal(f.rendition->choice.how, WEIR_RENDITION_HOW_PASSTHROUGH);
    assert_int_equal(review(f.rendition, facts_of(19), 0, 60), TAP_REVIEW_SAME);
    assert_int_equal(review(f.rendition, facts_of(25), 60, 65), TAP_REVIEW_SAME);
    assert_int_equal(review(f.rendition, facts_of(10), 65, 66), TAP_REVIEW_SAME);
    assert_int_equal(review(f.rendition, facts_of(25), 66, 72), TAP_REVIEW_OUTGROWN);
    /* A transcode of it is one by night too. */
    begin_as(&f, facts_of(25), 15);
    assert_int_equal(f.rendition->choice.how, WEIR_RENDITION_HOW_TRANSCODE);
    assert_int_equal(review(f.rendition, facts_of(10), 72, 90), TAP_REVIEW_OTHER);
    assert_int_equal(f.rendition->choice.how, WEIR_RENDITION_HOW_TRANSCODE);
    end(&f);
}

static void keyframes_that_become_rare_are_no_longer_enough(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_TRANSCODE, 0);
    begin_as(&f, facts_of(25), 1);
    assert_int_equal(f.rendition->choice.how, WEIR_RENDITION_HOW_KEYFRAMES);
    struct tap_facts rare = facts_of(25);
    rare.gop_ms = 1300;
    assert_int_equal(review(f.rendition, rare, 0, 60), TAP_REVIEW_SAME);
    rare.gop_ms = 2000;
    assert_int_equal(review(f.rendition, rare, 60, 66), TAP_REVIEW_OUTGROWN);
    end(&f);
}

static void trouble_is_over_with_the_first_unit(void **state)
{
    (void)state;
    struct fixture f = begin(WEIR_RENDITION_HOW_TRANSCODE, 5000);
    tap_rendition_fail(f.rendition, &f.format);
    assert_string_equal(f.rendition->trouble,
                        "nothing can be made of the camera's picture (0x0, H.264)");
    tap_rendition_take(f.rendition, &f.camera, 0, true, key_a, sizeof(key_a));
    assert_string_equal(f.rendition->trouble, "");
    tap_rendition_fail(f.rendition, &f.format);
    tap_rendition_restart(f.rendition);
    assert_string_equal(f.rendition->trouble, "");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keyframes_are_taken_once_each),
        cmocka_unit_test(sound_goes_along_ahead_of_the_frame_that_is_shown_later),
        cmocka_unit_test(a_camera_without_sound_makes_silent_renditions),
        cmocka_unit_test(keyframes_are_no_more_than_asked_for),
        cmocka_unit_test(an_encoded_unit_has_the_times_of_its_frame),
        cmocka_unit_test(a_frame_that_is_gone_lies_behind_the_last_one),
        cmocka_unit_test(another_picture_empties_the_ring),
        cmocka_unit_test(a_rendition_begins_with_a_keyframe),
        cmocka_unit_test(a_transcode_follows_the_camera_from_night_to_day),
        cmocka_unit_test(what_passes_is_chosen_anew_when_the_camera_sends_clearly_more),
        cmocka_unit_test(keyframes_that_become_rare_are_no_longer_enough),
        cmocka_unit_test(trouble_is_over_with_the_first_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

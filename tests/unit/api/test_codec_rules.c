/* SPDX-License-Identifier: Apache-2.0 */
#include "api/codec_rules.h"

#include "tests/unit/check.h"

static struct weir_stream_row row_of(const char *codec, enum weir_stream_state state)
{
    struct weir_stream_row row = {.quality = WEIR_QUALITY_SOURCE, .state = state};
    row.effective.width = 1280;
    row.effective.height = 720;
    for (size_t i = 0; codec[i]; i++) {
        row.effective.codec[i] = codec[i];
    }
    return row;
}

static void what_a_player_shows_is_read(void **state)
{
    (void)state;
    bool shows = true;
    assert_true(codec_read(NULL, &shows) && !shows);
    assert_true(codec_read("hvc1", &shows) && shows);
    assert_true(codec_read("avc1", &shows) && !shows);
    assert_true(codec_read("avc1,hvc1", &shows) && shows);
    assert_true(codec_read("hvc1,avc1", &shows) && shows);
    static const char *const wrong[] = {"",      "hev1",  "HVC1",  "hvc1,",
                                        ",hvc1", "hvc1 ", "hvc12", "hvc"};
    shows = false;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(codec_read(wrong[i], &shows));
        assert_false(shows);
    }
}

static void h265_is_for_who_shows_it(void **state)
{
    (void)state;
    struct weir_stream_row row = row_of("hvc1", WEIR_STREAM_STATE_RUNNING);
    assert_int_equal(codec_judge(&row, true), CODEC_SHOWN);
    assert_int_equal(codec_judge(&row, false), CODEC_RENDITION);
    row = row_of("avc1", WEIR_STREAM_STATE_RUNNING);
    assert_int_equal(codec_judge(&row, false), CODEC_SHOWN);
}

static void what_is_not_known_yet_is_waited_for_where_it_will_be(void **state)
{
    (void)state;
    static const enum weir_stream_state coming[] = {
        WEIR_STREAM_STATE_QUEUED, WEIR_STREAM_STATE_PLACED, WEIR_STREAM_STATE_STARTING};
    for (size_t i = 0; i < 3; i++) {
        struct weir_stream_row row = row_of("", coming[i]);
        assert_int_equal(codec_judge(&row, false), CODEC_UNKNOWN);
        assert_int_equal(codec_judge(&row, true), CODEC_SHOWN);
        row.quality = WEIR_QUALITY_LOW;
        assert_int_equal(codec_judge(&row, false), CODEC_SHOWN);
    }
    struct weir_stream_row row = row_of("", WEIR_STREAM_STATE_BACKOFF);
    assert_int_equal(codec_judge(&row, false), CODEC_SHOWN);
    row = row_of("", WEIR_STREAM_STATE_STOPPED);
    assert_int_equal(codec_judge(&row, false), CODEC_SHOWN);
}

static void expect_rendition(int64_t width, int64_t height, enum weir_quality quality)
{
    struct weir_stream_row row = row_of("hvc1", WEIR_STREAM_STATE_RUNNING);
    row.fps = 12;
    row.effective.width = width;
    row.effective.height = height;
    const struct weir_profile is = codec_rendition(&row);
    assert_int_equal(is.quality, quality);
    assert_int_equal(is.fps, 12);
}

static void a_rendition_is_as_large_as_the_picture_and_as_fast_as_was_asked(void **state)
{
    (void)state;
    expect_rendition(1280, 720, WEIR_QUALITY_MEDIUM);
    expect_rendition(3840, 2160, WEIR_QUALITY_HIGH);
    expect_rendition(0, 0, WEIR_QUALITY_HIGH); /* not known */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_player_shows_is_read),
        cmocka_unit_test(h265_is_for_who_shows_it),
        cmocka_unit_test(what_is_not_known_yet_is_waited_for_where_it_will_be),
        cmocka_unit_test(a_rendition_is_as_large_as_the_picture_and_as_fast_as_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/encoder.h"

#include "tests/unit/check.h"

static void the_slower_size_is_the_budget(void **state)
{
    (void)state;
    /* 300 frames of 720 lines are 276 Mpx; 100 of 1080 lines are 207. */
    assert_int_equal(weir_encoder_budget_kpx(300, 100), 207360 * WEIR_ENCODER_USABLE_PCT / 100);
    assert_int_equal(weir_encoder_budget_kpx(100, 100), 92160 * WEIR_ENCODER_USABLE_PCT / 100);
    assert_int_equal(weir_encoder_budget_kpx(0, 100), 0);
    assert_int_equal(weir_encoder_budget_kpx(1000000, 1000000), INT64_C(737280000));
}

static void a_rendition_needs_its_pixels(void **state)
{
    (void)state;
    assert_int_equal(weir_encoder_need_kpx(1920, 1080, 25000), 51840);
    assert_int_equal(weir_encoder_need_kpx(1280, 720, 15000), 13824);
    assert_int_equal(weir_encoder_need_kpx(320, 180, 10000),
                     weir_encoder_need_kpx(640, 360, 10000));
    assert_int_equal(weir_encoder_need_kpx(2, 2, 1), 1);
    assert_int_equal(weir_encoder_need_kpx(8192, 8192, 1000000), 67108864);
}

static void engines_become_text_and_back(void **state)
{
    (void)state;
    struct weir_ev_heartbeat_encoding_encoders rows[WEIR_ENCODER_N];
    struct weir_ev_heartbeat_encoding_encoders read[WEIR_ENCODER_N];
    char text[WEIR_ENCODERS_TEXT_MAX];
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        rows[i] = (struct weir_ev_heartbeat_encoding_encoders){
            .encoder = (enum weir_encoder)i,
            .state = i == 1 ? WEIR_ENCODER_STATE_SUSPECT : WEIR_ENCODER_STATE_READY,
            .fps_720p = 1000000,
            .fps_1080p = 140,
            .kpx_per_s = 1000000000,
            .sessions = 8 + i,
            .kpx_per_s_used = 13824,
            .sessions_used = i};
    }
    assert_string_equal(weir_encoders_format(rows, 0, text), "");
    assert_int_equal(weir_encoders_parse(text, read), 0);
    assert_string_equal(weir_encoders_format(&rows[1], 1, text),
                        "qsv:suspect:1000000:140:1000000000:9:13824:1");
    assert_int_equal(weir_encoders_parse(weir_encoders_format(rows, WEIR_ENCODER_N, text), read),
                     WEIR_ENCODER_N);
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        assert_int_equal(read[i].encoder, rows[i].encoder);
        assert_int_equal(read[i].state, rows[i].state);
        assert_int_equal(read[i].fps_720p, rows[i].fps_720p);
        assert_int_equal(read[i].fps_1080p, rows[i].fps_1080p);
        assert_int_equal(read[i].kpx_per_s, rows[i].kpx_per_s);
        assert_int_equal(read[i].sessions, rows[i].sessions);
        assert_int_equal(read[i].kpx_per_s_used, rows[i].kpx_per_s_used);
        assert_int_equal(read[i].sessions_used, rows[i].sessions_used);
    }
}

static void other_text_is_left_out(void **state)
{
    (void)state;
    struct weir_ev_heartbeat_encoding_encoders read[WEIR_ENCODER_N];
    static const char *const none[] = {
        "",
        ":",
        "nvenc",
        "nvenc:ready",
        "nvenc:ready:1:2:3:4:5",
        "amf:ready:1:2:3:4:5:6",
        "qsv:odd:1:2:3:4:5:6",
        "qsv:ready:1:2:3:4:5:6:7",
        "qsv:ready:1:2:3:4:5:-6",
        "qsv:ready:1:2:3:4:5:9999999999999999999999",
        "a_name_that_is_much_too_long:ready:1:2:3:4:5:6",
    };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(weir_encoders_parse(none[i], read), 0);
    }
    assert_int_equal(weir_encoders_parse("qsv:ready:1:2:3:4:5:6 rest", read), 1);
    assert_int_equal(weir_encoders_parse("qsv:ready:1:2:3:4:5:6 qsv:ready:1:2:3:4:5:6 "
                                         "qsv:ready:1:2:3:4:5:6 qsv:ready:1:2:3:4:5:6 "
                                         "qsv:ready:1:2:3:4:5:6",
                                         read),
                     WEIR_ENCODER_N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slower_size_is_the_budget),
        cmocka_unit_test(a_rendition_needs_its_pixels),
        cmocka_unit_test(engines_become_text_and_back),
        cmocka_unit_test(other_text_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

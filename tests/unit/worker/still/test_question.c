/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/question.h"

#include <string.h>

#include "tests/unit/check.h"

#define ID(first) first "1234567-89ab-4def-8123-456789abcdef"

/* name=value; the last one of a name counts. */
struct values {
    const char *names[8];
    const char *values[8];
};

static const char *value_of(void *ctx, const char *name)
{
    const struct values *values = ctx;
    for (size_t i = 8; i-- > 0;) {
        if (values->names[i] && strcmp(values->names[i], name) == 0) {
            return values->values[i];
        }
    }
    return NULL;
}

static struct values good(void)
{
    return (struct values){
        .names = {"at_us", "mode", "tolerance_us", "wait_ms", "format", "width", "quality"},
        .values = {"1795000000000000", "keyframe", "1000000", "2000", "webp", "640", "80"}};
}

static enum weir_code read_with(const char *name, const char *value, struct still_question *ret)
{
    struct values values = good();
    values.names[7] = name;
    values.values[7] = value;
    return still_question_read(ID("0"), ID("1"), value_of, &values, ret, NULL);
}

static void a_whole_question_is_read(void **state)
{
    (void)state;
    struct still_question question;
    assert_int_equal(read_with(NULL, NULL, &question), WEIR_OK);
    assert_string_equal(WEIR_ID_TEXT(&question.ask.tenant_id), ID("0"));
    assert_string_equal(WEIR_ID_TEXT(&question.ask.camera_id), ID("1"));
    assert_int_equal(question.ask.mode, WEIR_CTL_CLIP_ASK_MODE_KEYFRAME);
    assert_int_equal(question.ask.at_us, 1795000000000000);
    assert_int_equal(question.ask.wait_ms, 2000);
    assert_int_equal(question.tolerance_us, 1000000);
    assert_int_equal(question.format, WEIR_STILL_WEBP);
    assert_int_equal(question.width, 640);
    assert_int_equal(question.quality, 80);
    assert_true(question.long_side == 0 && question.short_side == 0);
    assert_false(question.ask.is_now);
    assert_int_equal(read_with("is_now", "1", &question), WEIR_OK);
    assert_true(question.ask.has_is_now && question.ask.is_now);
    assert_int_equal(read_with("long_side", "640", &question), WEIR_OK);
    assert_int_equal(question.long_side, 640);
    assert_int_equal(read_with("short_side", "360", &question), WEIR_OK);
    assert_int_equal(question.short_side, 360);
}

static void a_frame_can_be_named(void **state)
{
    (void)state;
    struct still_question question;
    assert_int_equal(read_with(NULL, NULL, &question), WEIR_OK);
    assert_false(question.has_ts);
    assert_int_equal(read_with("ts", "-90000", &question), WEIR_OK);
    assert_true(question.has_ts);
    assert_int_equal(question.ts, -90000);
    assert_int_not_equal(read_with("ts", "", &question), WEIR_OK);
    assert_int_not_equal(read_with("ts", "9007199254740993", &question), WEIR_OK);
}

static void each_value_has_its_limits_and_is_needed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
    } bad[] = {
        {"at_us", NULL},      {"at_us", "-1"},   {"at_us", "9007199254740993"},
        {"mode", NULL},       {"mode", "Exact"}, {"tolerance_us", "-1"},
        {"wait_ms", "10001"}, {"format", "gif"}, {"format", NULL},
        {"width", "8193"},    {"width", "1e3"},  {"quality", "0"},
        {"quality", "101"},   {"quality", ""},   {"long_side", "8193"},
        {"short_side", ""},   {"is_now", "2"},
    };
    struct still_question question;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(read_with(bad[i].name, bad[i].value, &question), WEIR_OK);
    }
    struct values values = good();
    assert_int_not_equal(still_question_read("no-id", ID("1"), value_of, &values, &question, NULL),
                         WEIR_OK);
    assert_int_not_equal(still_question_read(ID("0"), "", value_of, &values, &question, NULL),
                         WEIR_OK);
}

static void what_is_too_far_from_the_time_is_never_shown(void **state)
{
    (void)state;
    struct still_question question = {.ask.at_us = 1000000, .tolerance_us = 5000};
    struct weir_ctl_clip_answer found = {.status = WEIR_CTL_CLIP_ANSWER_STATUS_OK};
    struct still_refusal why;
    for (int64_t off = -5000; off <= 5000; off += 5000) {
        found.frame_us = 1000000 + off;
        assert_true(still_question_allows(&question, &found, &why));
    }
    for (int64_t off = -5001; off <= 5001; off += 10002) {
        found.frame_us = 1000000 + off;
        assert_false(still_question_allows(&question, &found, &why));
        assert_int_equal(why.status, 409);
        assert_string_equal(why.code, "no_picture_near");
    }
}

static void the_distance_is_that_from_the_moment_that_the_tap_looked_for(void **state)
{
    (void)state;
    struct still_question question = {.ask.at_us = 1000000, .tolerance_us = 5000};
    struct weir_ctl_clip_answer found = {
        .status = WEIR_CTL_CLIP_ANSWER_STATUS_OK, .has_at_us = true, .at_us = 5000000};
    struct still_refusal why;
    found.frame_us = 5004000;
    assert_true(still_question_allows(&question, &found, &why));
    found.frame_us = 1000000;
    assert_false(still_question_allows(&question, &found, &why));
}

static void what_the_tap_lacks_is_said(void **state)
{
    (void)state;
    static const struct {
        enum weir_ctl_clip_answer_status status;
        int http;
        const char *code;
    } rows[] = {
        {WEIR_CTL_CLIP_ANSWER_STATUS_UNKNOWN, 404, "camera_not_here"},
        {WEIR_CTL_CLIP_ANSWER_STATUS_EMPTY, 409, "no_picture_yet"},
        {WEIR_CTL_CLIP_ANSWER_STATUS_PAST, 410, "outside_ring"},
        {WEIR_CTL_CLIP_ANSWER_STATUS_TOO_LONG, 409, "group_too_large"},
    };
    struct still_question question = {0};
    struct still_refusal why;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_ctl_clip_answer found = {.status = rows[i].status};
        assert_false(still_question_allows(&question, &found, &why));
        assert_int_equal(why.status, rows[i].http);
        assert_string_equal(why.code, rows[i].code);
    }
}

static void what_a_decoder_does_is_said(void **state)
{
    (void)state;
    static const struct {
        enum weir_code code;
        enum weir_decode_status status;
        int64_t n_units;
        int http;
        const char *is;
    } rows[] = {
        {WEIR_OK, WEIR_DECODE_UNDECODABLE, 3000, 409, "undecodable"},
        {WEIR_OK, WEIR_DECODE_TOO_LARGE, 1, 409, "picture_too_large"},
        {WEIR_OK, WEIR_DECODE_FAILED, 1, 409, "picture_too_large"},
        {WEIR_EIO, WEIR_DECODE_OK, 3000, 409, "undecodable"},
        {WEIR_EUNAVAILABLE, WEIR_DECODE_OK, 3000, 503, "busy"},
        {WEIR_ETIMEOUT, WEIR_DECODE_OK, 50, 503, "busy"},
        {WEIR_ETIMEOUT, WEIR_DECODE_OK, 500, 409, "group_too_large"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct still_refusal why = still_refusal_of(rows[i].code, rows[i].status, rows[i].n_units);
        assert_int_equal(why.status, rows[i].http);
        assert_string_equal(why.code, rows[i].is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_question_is_read),
        cmocka_unit_test(a_frame_can_be_named),
        cmocka_unit_test(each_value_has_its_limits_and_is_needed),
        cmocka_unit_test(what_is_too_far_from_the_time_is_never_shown),
        cmocka_unit_test(the_distance_is_that_from_the_moment_that_the_tap_looked_for),
        cmocka_unit_test(what_the_tap_lacks_is_said),
        cmocka_unit_test(what_a_decoder_does_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

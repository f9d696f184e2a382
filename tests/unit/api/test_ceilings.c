/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ceilings.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct api_field fields[CEILINGS_N] = {CEILING_FIELDS(0)};

static enum weir_code read(const char *text, struct weir_arena *arena,
                           struct api_value values[static CEILINGS_N], struct api_fault *fault)
{
    struct weir_json json;
    assert_int_equal(weir_json_parse(text, strlen(text), arena, &json, NULL), WEIR_OK);
    return api_fields_read(fields, CEILINGS_N, &json, values, fault);
}

static void what_is_given_is_laid_over_what_is_there(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct api_value values[CEILINGS_N];
    struct api_fault fault = {0};
    struct ceiling_texts texts = {{"high", "12", "ultra", "25"}};
    assert_int_equal(read("{\"default_quality\":null,\"max_quality\":\"low\",\"max_fps\":5}", arena,
                          values, &fault),
                     WEIR_OK);
    ceilings_overlay(values, arena, &texts);
    struct weir_profile otherwise = ceilings_default(&texts);
    struct weir_ceiling top = ceilings_top(&texts);
    assert_int_equal(otherwise.quality, WEIR_QUALITY_SOURCE);
    assert_int_equal(otherwise.fps, 12);
    assert_true(top.quality == WEIR_QUALITY_LOW && top.fps == 5);
    struct weir_json_out out = {0};
    size_t len;
    weir_json_open(&out, NULL, '{');
    ceilings_write(&texts, &out);
    weir_json_close(&out, '}');
    assert_string_equal(weir_json_take(&out, arena, &len),
                        "{\"default_quality\":null,\"default_fps\":12,\"max_quality\":\"low\","
                        "\"max_fps\":5}");
}

static void what_is_no_ceiling_is_refused(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    static const struct {
        const char *text, *pointer, *code;
    } wrong[] = {
        {"{\"max_quality\":\"source\"}", "/max_quality", "unknown_value"},
        {"{\"max_quality\":1}", "/max_quality", "wrong_type"},
        {"{\"max_fps\":0}", "/max_fps", "out_of_range"},
        {"{\"max_fps\":61}", "/max_fps", "out_of_range"},
        {"{\"max_fps\":5.5}", "/max_fps", "wrong_type"},
        {"{\"default_fps\":61}", "/default_fps", "out_of_range"},
        {"{\"default_fps\":-1}", "/default_fps", "out_of_range"},
        {"{\"default_quality\":\"best\"}", "/default_quality", "unknown_value"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct api_value values[CEILINGS_N];
        struct api_fault fault = {0};
        assert_int_equal(read(wrong[i].text, arena, values, &fault), WEIR_ESEMANTIC);
        assert_string_equal(fault.pointer, wrong[i].pointer);
        assert_string_equal(fault.code, wrong[i].code);
    }
}

static void what_is_not_named_is_as_the_default(void **state)
{
    (void)state;
    const struct weir_profile otherwise = {WEIR_QUALITY_LOW, 5};
    struct profile_wish wish = {.profile = {WEIR_QUALITY_HIGH, 30}};
    struct weir_profile is = ceilings_fill(&wish, &otherwise);
    assert_true(is.quality == WEIR_QUALITY_LOW && is.fps == 5);
    wish.names_quality = true;
    is = ceilings_fill(&wish, &otherwise);
    assert_true(is.quality == WEIR_QUALITY_HIGH && is.fps == 5);
    /* As the camera sends it can be named, too. */
    wish = (struct profile_wish){true, true, {WEIR_QUALITY_SOURCE, 0}};
    is = ceilings_fill(&wish, &otherwise);
    assert_true(is.quality == WEIR_QUALITY_SOURCE && is.fps == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_is_laid_over_what_is_there),
        cmocka_unit_test(what_is_no_ceiling_is_refused),
        cmocka_unit_test(what_is_not_named_is_as_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fields.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

enum { NAME, URL, USER, SIZE, COLOR, LABELS, NOTE, NETWORKS, ENDS, N_FIELDS };

static const char *const colors[] = {"red", "blue", NULL};
static const struct api_field fields[N_FIELDS] = {
    [NAME] = {"/name", API_STR, .min = 1, .max = 5, .is_required = true},
    [URL] = {"/source/url", API_STR, .min = 1, .max = 20, .is_required = true},
    [USER] = {"/source/user", API_STR, .max = 5, .is_nullable = true},
    [SIZE] = {"/size", API_INT, .min = 1, .max = 60, .is_nullable = true},
    [COLOR] = {"/color", API_ENUM, .names = colors},
    [LABELS] = {"/labels", API_LABELS, .max = 2},
    [NOTE] = {"/is_on", API_BOOL},
    [NETWORKS] = {"/networks", API_NETWORKS, .is_nullable = true},
    [ENDS] = {"/ends_at", API_TIME, .is_nullable = true},
};

static struct weir_arena *arena;
static struct api_value values[N_FIELDS];
static struct api_fault fault;

static int begin(void **state)
{
    (void)state;
    arena = weir_arena_new(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    weir_arena_free(arena);
    return 0;
}

static enum weir_code read_text(const char *text)
{
    struct weir_json json;
    struct weir_err err = {0};
    ASSERT_OK(weir_json_parse(text, strlen(text), arena, &json, &err), &err);
    memset(&fault, 0, sizeof(fault));
    return api_fields_read(fields, N_FIELDS, &json, values, &fault);
}

static void a_document_like_the_table_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("{\"name\":\"n\",\"source\":{\"url\":\"u\",\"user\":null},\"size\":7,"
                  "\"color\":\"blue\",\"labels\":{\"a\":\"b\"},\"is_on\":true}"),
        WEIR_OK);
    assert_string_equal(values[NAME].str, "n");
    assert_string_equal(values[URL].str, "u");
    assert_true(values[USER].is_given && values[USER].is_null);
    assert_int_equal(values[SIZE].integer, 7);
    assert_int_equal(values[COLOR].integer, 1);
    assert_int_equal(values[LABELS].json->n, 1);
    assert_true(values[NOTE].boolean);
}

static void what_was_not_given_is_not_given(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"name\":\"n\"}"), WEIR_OK);
    assert_false(values[URL].is_given || values[SIZE].is_given || values[NOTE].is_given);
}

static void each_fault_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code, *pointer;
    } cases[] = {
        {"{}", "missing_field", "/name"},
        {"[]", "wrong_type", ""},
        {"{\"name\":\"n\",\"source\":{}}", "missing_field", "/source/url"},
        {"{\"name\":\"n\",\"source\":7}", "wrong_type", "/source"},
        {"{\"name\":\"n\",\"source\":{\"url\":\"u\",\"x\":1}}", "unknown_field", "/source/x"},
        {"{\"name\":\"n\",\"a/b~c\":1}", "unknown_field", "/a~1b~0c"},
        {"{\"name\":7}", "wrong_type", "/name"},
        {"{\"name\":null}", "wrong_type", "/name"},
        {"{\"name\":\"\"}", "too_short", "/name"},
        {"{\"name\":\"123456\"}", "too_long", "/name"},
        {"{\"name\":\"a\\nb\"}", "bad_characters", "/name"},
        {"{\"name\":\"n\",\"size\":0}", "out_of_range", "/size"},
        {"{\"name\":\"n\",\"size\":61}", "out_of_range", "/size"},
        {"{\"name\":\"n\",\"size\":1.5}", "wrong_type", "/size"},
        {"{\"name\":\"n\",\"size\":\"1\"}", "wrong_type", "/size"},
        {"{\"name\":\"n\",\"color\":\"green\"}", "unknown_value", "/color"},
        {"{\"name\":\"n\",\"is_on\":1}", "wrong_type", "/is_on"},
        {"{\"name\":\"n\",\"labels\":[]}", "wrong_type", "/labels"},
        {"{\"name\":\"n\",\"labels\":{\"a\":\"\",\"b\":\"\",\"c\":\"\"}}", "too_many", "/labels"},
        {"{\"name\":\"n\",\"labels\":{\"a\":1}}", "bad_label", "/labels/a"},
        {"{\"name\":\"n\",\"labels\":{\"\":\"x\"}}", "bad_name", "/labels/"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (read_text(cases[i].text) != WEIR_ESEMANTIC || strcmp(fault.code, cases[i].code) != 0 ||
            strcmp(fault.pointer, cases[i].pointer) != 0) {
            fail_msg("%s: %s at '%s'", cases[i].text, fault.code ? fault.code : "-", fault.pointer);
        }
    }
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, begin, end)

#define WITH_NETWORKS(list) "{\"name\":\"n\",\"source\":{\"url\":\"u\"},\"networks\":" list "}"

static void networks_are_taken_one_by_one(void **state)
{
    (void)state;
    assert_int_equal(read_text(WITH_NETWORKS("[\"public\",\"10.0.0.0/8\"]")), WEIR_OK);
    assert_int_equal(values[NETWORKS].json->n, 2);
    assert_int_equal(read_text(WITH_NETWORKS("[]")), WEIR_OK);
    assert_int_equal(read_text(WITH_NETWORKS("null")), WEIR_OK);
    assert_true(values[NETWORKS].is_given && values[NETWORKS].is_null);
    assert_int_equal(read_text(WITH_NETWORKS("\"public\"")), WEIR_ESEMANTIC);
    assert_string_equal(fault.code, "wrong_type");
    assert_int_equal(read_text(WITH_NETWORKS("[\"public\",5]")), WEIR_ESEMANTIC);
    assert_string_equal(fault.pointer, "/networks/1");
    assert_int_equal(read_text(WITH_NETWORKS("[\"10.0.0.1/8\"]")), WEIR_ESEMANTIC);
    assert_string_equal(fault.code, "bad_network");
    assert_string_equal(fault.pointer, "/networks/0");
    assert_non_null(strstr(fault.detail, "192.168.0.0/16"));
    assert_int_equal(read_text(WITH_NETWORKS("[\"127.0.0.0/8\"]")), WEIR_ESEMANTIC);
    assert_int_equal(read_text(WITH_NETWORKS("[\"10.0.0.0/8 11.0.0.0/8\"]")), WEIR_ESEMANTIC);
    char many[1024];
    size_t n = (size_t)snprintf(many, sizeof(many), "{\"networks\":[\"9.9.9.9\"");
    for (int i = 0; i < 32; i++)
        n += (size_t)snprintf(many + n, sizeof(many) - n, ",\"9.9.9.9\"");
    snprintf(many + n, sizeof(many) - n, "]}");
    assert_int_equal(read_text(many), WEIR_ESEMANTIC);
    assert_string_equal(fault.code, "too_many");
}

static void a_time_has_a_zone(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"name\":\"n\",\"ends_at\":\"2026-12-04T18:00:00+01:00\"}"),
                     WEIR_OK);
    assert_int_equal(values[ENDS].integer, 1796403600000);
    assert_int_equal(read_text("{\"name\":\"n\",\"ends_at\":null}"), WEIR_OK);
    assert_true(values[ENDS].is_null);
    static const char *const bad[] = {"\"2026-12-04T18:00:00\"", "\"Friday\"", "\"\"", "1796403600",
                                      "\"2026-02-30T00:00:00Z\""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[96];
        snprintf(text, sizeof(text), "{\"name\":\"n\",\"ends_at\":%s}", bad[i]);
        assert_int_equal(read_text(text), WEIR_ESEMANTIC);
        assert_string_equal(fault.pointer, "/ends_at");
        assert_string_equal(fault.code, bad[i][0] == '"' ? "bad_time" : "wrong_type");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(a_document_like_the_table_is_read),
        WITH_ARENA(what_was_not_given_is_not_given),
        WITH_ARENA(each_fault_is_named_with_its_place),
        WITH_ARENA(networks_are_taken_one_by_one),
        cmocka_unit_test_setup_teardown(a_time_has_a_zone, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

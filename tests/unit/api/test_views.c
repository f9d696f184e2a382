/* SPDX-License-Identifier: Apache-2.0 */
#include "api/views.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

#define ID(first)      first "1234567-89ab-cdef-0123-456789abcdef"
#define VIEW(more)     "{\"tenant\":\"" ID("0") "\",\"stream\":\"" ID("1") "\"" more "}"
#define TICKET         ",\"ticket_id\":\"" ID("2") "\""
#define REPORT(inside) "{\"views\":[" inside "]}"

static struct weir_arena *arena;
static struct view_seen seen[VIEWS_MAX];
static size_t n;
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
    return views_read(&json, seen, &n, &fault);
}

static void refused(const char *text, const char *code, const char *pointer)
{
    n = 77;
    assert_int_equal(read_text(text), WEIR_ESEMANTIC);
    assert_string_equal(fault.code, code);
    assert_string_equal(fault.pointer, pointer);
    assert_int_equal(n, 77);
}

static void a_report_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_text(REPORT(VIEW(TICKET ",\"age_ms\":1200") "," VIEW(TICKET ",\"age_ms\":0"))),
        WEIR_OK);
    assert_int_equal(n, 2);
    assert_string_equal(WEIR_ID_TEXT(&seen[0].tenant_id), ID("0"));
    assert_string_equal(WEIR_ID_TEXT(&seen[0].stream_id), ID("1"));
    assert_string_equal(WEIR_ID_TEXT(&seen[0].ticket_id), ID("2"));
    assert_int_equal(seen[0].age_ms, 1200);
    assert_int_equal(read_text(REPORT("")), WEIR_OK);
    assert_int_equal(n, 0);
}

static void what_is_no_report_is_refused_and_where_is_said(void **state)
{
    (void)state;
    refused("[]", "wrong_type", "/views");
    refused("{}", "wrong_type", "/views");
    refused("{\"views\":{}}", "wrong_type", "/views");
    refused("{\"views\":[],\"more\":1}", "wrong_type", "/views");
    refused(REPORT(VIEW(TICKET)), "missing_field", "/views/0/age_ms");
    refused(REPORT(VIEW(TICKET ",\"age_ms\":0") "," VIEW(TICKET ",\"age_ms\":0,\"x\":1")),
            "unknown_field", "/views/1/x");
    assert_int_equal(read_text(REPORT("7")), WEIR_ESEMANTIC);
    assert_int_equal(read_text(REPORT(VIEW(TICKET ",\"age_ms\":-1"))), WEIR_ESEMANTIC);
}

#define WHO           ",\"age_ms\":5,\"who\":{\"viewer\":\"" ID("3") "\"}"
#define COUNTED(more) WHO ",\"counted\":{\"part\":\"" ID("4") "\",\"since_ms\":" more "}"

static void what_was_counted_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_text(REPORT(VIEW(TICKET COUNTED("60000,\"segments\":60,\"bytes\":9007199254740991")))),
        WEIR_OK);
    assert_true(seen[0].is_counted);
    assert_string_equal(WEIR_ID_TEXT(&seen[0].viewer_id), ID("3"));
    assert_string_equal(WEIR_ID_TEXT(&seen[0].part_id), ID("4"));
    assert_int_equal(seen[0].since_ms, 60000);
    assert_int_equal(seen[0].segments, 60);
    assert_int_equal(seen[0].bytes, 9007199254740991);
    assert_int_equal(read_text(REPORT(VIEW(TICKET COUNTED("1,\"segments\":0,\"bytes\":0")))),
                     WEIR_OK);
    assert_int_equal(seen[0].since_ms, 5); /* it did not begin after it was last seen */
    assert_int_equal(read_text(REPORT(VIEW(TICKET ",\"age_ms\":5"))), WEIR_OK);
    assert_false(seen[0].is_counted);
    refused(REPORT(VIEW(TICKET COUNTED("1,\"segments\":1"))), "missing_field",
            "/views/0/counted/bytes");
    refused(REPORT(VIEW(TICKET COUNTED("1,\"segments\":1,\"bytes\":-1"))), "out_of_range",
            "/views/0/counted/bytes");
    refused(REPORT(VIEW(TICKET COUNTED("1,\"segments\":1,\"bytes\":1,\"more\":1"))),
            "unknown_field", "/views/0/counted/more");
    refused(REPORT(VIEW(TICKET ",\"age_ms\":5,\"counted\":{}")), "missing_field",
            "/views/0/counted/part");
    refused(REPORT(VIEW(TICKET ",\"age_ms\":5,\"counted\":{\"part\":\"" ID(
                "4") "\",\"since_ms\":1,\"segments\":1,\"bytes\":1}")),
            "missing_field", "/views/0/who");
}

static void who_it_was_is_read(void **state)
{
    (void)state;
    assert_int_equal(read_text(REPORT(VIEW(TICKET WHO))), WEIR_OK);
    assert_true(weir_id_is_nil(&seen[0].login_id));
    assert_false(seen[0].is_playing);
    assert_int_equal(read_text(REPORT(VIEW(TICKET ",\"age_ms\":5,\"who\":{\"viewer\":\"" ID(
                         "3") "\",\"login\":\"" ID("5") "\",\"is_playing\":true}"))),
                     WEIR_OK);
    assert_string_equal(WEIR_ID_TEXT(&seen[0].login_id), ID("5"));
    assert_true(seen[0].is_playing);
    refused(REPORT(VIEW(TICKET ",\"age_ms\":5,\"who\":{\"login\":\"" ID("5") "\"}")),
            "missing_field", "/views/0/who/viewer");
}

/* With so many views, in the test's arena. */
static const char *report_of(int count)
{
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_open(&out, "views", '[');
    for (int i = 0; i < count; i++) {
        weir_json_raw(&out, NULL, VIEW(TICKET ",\"age_ms\":5"));
    }
    weir_json_close(&out, ']');
    weir_json_close(&out, '}');
    size_t len;
    return weir_json_take(&out, arena, &len);
}

static void a_report_is_bounded(void **state)
{
    (void)state;
    refused(report_of(VIEWS_MAX + 1), "too_long", "/views");
    assert_int_equal(read_text(report_of(VIEWS_MAX)), WEIR_OK);
    assert_int_equal(n, VIEWS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_report_is_read, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_report_is_refused_and_where_is_said, begin, end),
        cmocka_unit_test_setup_teardown(what_was_counted_is_read, begin, end),
        cmocka_unit_test_setup_teardown(who_it_was_is_read, begin, end),
        cmocka_unit_test_setup_teardown(a_report_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

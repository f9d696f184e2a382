/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/line.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

#define ID(first) first "1234567-89ab-cdef-0123-456789abcdef"
#define HEAD      "<190>Nov  9 08:15:00 weir: "
#define IDS       ID("0") " " ID("1") " " ID("2") " " ID("3")
#define SECRET    "5ecret"
#define GOOD      HEAD SECRET " " IDS " media 1234"

static struct tally_line line;

/* From memory of just that length, so that a reader that goes on is found. */
static bool reads(const char *text)
{
    size_t len = strlen(text);
    char *exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, text, len);
    bool is_read = tally_line_read(exact, len, SECRET, &line);
    free(exact);
    return is_read;
}

static void a_line_is_read(void **state)
{
    (void)state;
    assert_true(reads(GOOD));
    assert_string_equal(WEIR_ID_TEXT(&line.tenant_id), ID("0"));
    assert_string_equal(WEIR_ID_TEXT(&line.viewer_id), ID("1"));
    assert_string_equal(WEIR_ID_TEXT(&line.stream_id), ID("2"));
    assert_string_equal(WEIR_ID_TEXT(&line.ticket_id), ID("3"));
    assert_true(line.is_segment);
    assert_int_equal(line.bytes, 1234);
    assert_true(reads(HEAD SECRET " " IDS " playlist 0"));
    assert_false(line.is_segment);
    assert_true(reads("<5>Nov 29 08:15:00 weir: " SECRET " " IDS " init 999999999999999"));
    assert_false(line.is_segment);
    assert_int_equal(line.bytes, 999999999999999);
}

static void whatever_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "<",
        "<190>",
        "<1900>Nov  9 08:15:00 weir: " SECRET " " IDS " media 1",
        "<x>Nov  9 08:15:00 weir: " SECRET " " IDS " media 1",
        "Nov  9 08:15:00 weir: " SECRET " " IDS " media 1",
        "<190>Nov  9 08:15:00 nginx: " SECRET " " IDS " media 1",
        HEAD,
        HEAD SECRET,
        HEAD "5ecres " IDS " media 1",
        HEAD "5ecre " IDS " media 1",
        HEAD IDS " media 1",
        HEAD SECRET IDS " media 1",
        HEAD SECRET " " ID("0") " " ID("1") " " ID("2") " media 1",
        HEAD SECRET " " ID("0") " - " ID("2") " " ID("3") " media 1",
        HEAD SECRET "  " IDS " media 1",
        HEAD SECRET " " IDS " media",
        HEAD SECRET " " IDS " media ",
        HEAD SECRET " " IDS " media -1",
        HEAD SECRET " " IDS " media 1x",
        HEAD SECRET " " IDS " media 1 ",
        HEAD SECRET " " IDS " media 1\n",
        HEAD SECRET " " IDS " media 1000000000000000",
        HEAD SECRET " " IDS " other 1",
        HEAD SECRET " " IDS "  1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        line.bytes = 77;
        if (reads(bad[i])) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_int_equal(line.bytes, 77);
    }
    for (size_t len = 0; len < strlen(GOOD) - 4; len++) {
        char cut[sizeof(GOOD)];
        memcpy(cut, GOOD, len);
        cut[len] = '\0';
        assert_false(reads(cut));
    }
}

static void a_line_is_bounded(void **state)
{
    (void)state;
    char text[TALLY_LINE_MAX + 2];
    memset(text, '0', sizeof(text));
    memcpy(text, GOOD, strlen(GOOD));
    assert_false(tally_line_read(text, sizeof(text), SECRET, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read),
        cmocka_unit_test(whatever_else_is_refused),
        cmocka_unit_test(a_line_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

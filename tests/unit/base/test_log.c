/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"

static char line[16384];

/* Runs `fn` with stderr in a pipe and keeps what it wrote in `line`. */
static void capture(void (*fn)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    close(ends[0]);
    line[n > 0 ? n : 0] = '\0';
}

static void log_awkward(void)
{
    weir_log(WEIR_LOG_WARN, "camera \"yard\"", "reason", "tab\there\nand \\", NULL);
}

static void log_debug(void)
{
    weir_log(WEIR_LOG_DEBUG, "unseen", NULL);
}

static void log_huge(void)
{
    static char huge[5000];
    memset(huge, '\x01', sizeof(huge) - 1);
    weir_log(WEIR_LOG_INFO, "m", "a", huge, "b", huge, "c", "small", NULL);
}

static void a_line_is_one_escaped_json_object(void **state)
{
    (void)state;
    weir_log_init("weir-test", WEIR_LOG_INFO);
    capture(log_awkward);
    const char *tail = strstr(line, "\"level\"");
    assert_non_null(tail);
    assert_string_equal(tail, "\"level\":\"warn\",\"daemon\":\"weir-test\",\"msg\":\"camera "
                              "\\\"yard\\\"\",\"reason\":\"tab\\u0009here\\u000aand \\\\\"}\n");
}

static void lines_under_the_level_are_dropped(void **state)
{
    (void)state;
    weir_log_init("weir-test", WEIR_LOG_INFO);
    capture(log_debug);
    assert_string_equal(line, "");
}

static void values_too_large_are_left_out_and_the_line_stays_whole(void **state)
{
    (void)state;
    weir_log_init("weir-test", WEIR_LOG_INFO);
    capture(log_huge);
    size_t len = strlen(line);
    assert_true(len < 8192);
    assert_string_equal(line + len - 2, "}\n");
    assert_non_null(strstr(line, "\"c\":\"small\""));
}

static void a_limit_lets_a_burst_through_each_period(void **state)
{
    (void)state;
    struct weir_log_limit limit = {0};
    assert_true(weir_log_allowed(&limit, 2, 1000, 5));
    assert_true(weir_log_allowed(&limit, 2, 1000, 6));
    assert_false(weir_log_allowed(&limit, 2, 1000, 7));
    assert_int_equal(limit.dropped, 1);
    assert_true(weir_log_allowed(&limit, 2, 1000, 1005));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_escaped_json_object),
        cmocka_unit_test(lines_under_the_level_are_dropped),
        cmocka_unit_test(values_too_large_are_left_out_and_the_line_stays_whole),
        cmocka_unit_test(a_limit_lets_a_burst_through_each_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

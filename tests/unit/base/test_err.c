/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/err.h"

#include <string.h>

#include "tests/unit/check.h"

static void a_failure_carries_its_code_and_a_message(void **state)
{
    (void)state;
    struct weir_err err = {0};
    assert_int_equal(weir_fail(&err, WEIR_ENOTFOUND, "camera %d", 7), WEIR_ENOTFOUND);
    assert_int_equal(err.code, WEIR_ENOTFOUND);
    assert_string_equal(err.msg, "camera 7");
    assert_int_equal(weir_fail(NULL, WEIR_EIO, "nobody reads this"), WEIR_EIO);
}

static void a_passed_on_failure_names_where_it_came_from(void **state)
{
    (void)state;
    struct weir_err err = {0};
    weir_fail(&err, WEIR_EPARSE, "no digit");
    assert_int_equal(weir_fail_in(&err, WEIR_EINVAL, "field '%s'", "fps"), WEIR_EINVAL);
    assert_string_equal(err.msg, "field 'fps': no digit");
}

static void a_message_too_long_is_cut_not_overrun(void **state)
{
    (void)state;
    struct weir_err err = {0};
    char longer[WEIR_ERR_MSG_MAX * 2];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    weir_fail(&err, WEIR_EIO, "%s", longer);
    assert_int_equal(strlen(err.msg), WEIR_ERR_MSG_MAX - 1);
    weir_fail_in(&err, WEIR_EIO, "outer");
    assert_int_equal(strlen(err.msg), WEIR_ERR_MSG_MAX - 1);
    assert_memory_equal(err.msg, "outer: xxx", 10);
}

static void each_code_knows_its_status_and_whether_to_retry(void **state)
{
    (void)state;
    assert_int_equal(weir_code_http_status(WEIR_ENOTFOUND), 404);
    assert_string_equal(weir_code_text(WEIR_EUNKNOWN), "outcome_unknown");
    assert_true(weir_code_is_retryable(WEIR_EUNKNOWN));
    assert_false(weir_code_is_retryable(WEIR_EINVAL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_carries_its_code_and_a_message),
        cmocka_unit_test(a_passed_on_failure_names_where_it_came_from),
        cmocka_unit_test(a_message_too_long_is_cut_not_overrun),
        cmocka_unit_test(each_code_knows_its_status_and_whether_to_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/versions.h"

#include "tests/unit/check.h"

static const struct weir_id one = {{1}};
static const struct weir_id two = {{2}};
static const struct weir_id three = {{3}};

static void the_newest_version_stays(void **state)
{
    (void)state;
    struct weir_versions *versions = weir_versions_new(8);
    assert_int_equal(weir_versions_least(versions, &one), 0);
    weir_versions_hear(versions, &one, 7);
    weir_versions_hear(versions, &one, 5);
    weir_versions_hear(versions, &two, 1);
    assert_int_equal(weir_versions_least(versions, &one), 7);
    assert_int_equal(weir_versions_least(versions, &two), 1);
    weir_versions_free(versions);
}

static void what_was_heard_of_longest_ago_gives_way(void **state)
{
    (void)state;
    struct weir_versions *versions = weir_versions_new(2);
    weir_versions_hear(versions, &one, 7);
    weir_versions_hear(versions, &two, 8);
    weir_versions_hear(versions, &one, 7);
    weir_versions_hear(versions, &three, 9);
    assert_int_equal(weir_versions_least(versions, &one), 7);
    assert_int_equal(weir_versions_least(versions, &two), 0);
    assert_int_equal(weir_versions_least(versions, &three), 9);
    weir_versions_free(versions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_version_stays),
        cmocka_unit_test(what_was_heard_of_longest_ago_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

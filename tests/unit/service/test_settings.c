/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

struct test_settings {
    const char *listen;
    const char *kafka;
    int64_t idle_s;
    bool allow_local;
    const char *password;
};

static const struct weir_setting rows[] = {
#define WEIR_SETTINGS_STRUCT struct test_settings
/* clang-format off */
#include "lib/service/settings_rows.h"
WEIR_SETTING_STR(listen, "WEIR_T_LISTEN", "127.0.0.1:0", 16, "Where to listen")
WEIR_SETTING_STR(kafka, "WEIR_T_KAFKA", NULL, 16, "Brokers")
WEIR_SETTING_INT(idle_s, "WEIR_T_IDLE_S", 30, 5, 60, "s", "Idle time")
WEIR_SETTING_BOOL(allow_local, "WEIR_T_ALLOW_LOCAL", false, "Lets it")
WEIR_SETTING_SECRET(password, "WEIR_T_PASSWORD", 8, "The password")
#include "lib/service/settings_end.h"
    /* clang-format on */
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct weir_arena *arena;
static struct weir_err err;

static int setup(void **state)
{
    (void)state;
    arena = weir_arena_new(0);
    err = (struct weir_err){0};
    unsetenv("WEIR_T_LISTEN");
    unsetenv("WEIR_T_IDLE_S");
    unsetenv("WEIR_T_ALLOW_LOCAL");
    unsetenv("WEIR_T_PASSWORD");
    unsetenv("WEIR_T_PASSWORD_FILE");
    setenv("WEIR_T_KAFKA", "k:1", 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    weir_arena_free(arena);
    return 0;
}

static enum weir_code load(struct test_settings *ret, int argc, const char **argv)
{
    return weir_settings_load(rows, N_ROWS, argc, (char *const *)argv, arena, ret, &err);
}

static void what_is_not_given_has_its_default(void **state)
{
    (void)state;
    struct test_settings s;
    const char *argv[] = {"t"};
    ASSERT_OK(load(&s, 1, argv), &err);
    assert_string_equal(s.listen, "127.0.0.1:0");
    assert_string_equal(s.kafka, "k:1");
    assert_int_equal(s.idle_s, 30);
    assert_false(s.allow_local);
    assert_string_equal(s.password, "");
}

static void an_argument_wins_over_the_environment(void **state)
{
    (void)state;
    struct test_settings s;
    setenv("WEIR_T_IDLE_S", "10", 1);
    const char *argv[] = {"t", "--t-idle-s=20", "--t-listen", "here:1", "--t-allow-local=yes"};
    ASSERT_OK(load(&s, 5, argv), &err);
    assert_int_equal(s.idle_s, 20);
    assert_string_equal(s.listen, "here:1");
    assert_true(s.allow_local);
}

static void a_missing_required_setting_is_named(void **state)
{
    (void)state;
    struct test_settings s;
    unsetenv("WEIR_T_KAFKA");
    const char *argv[] = {"t"};
    assert_int_equal(load(&s, 1, argv), WEIR_EINVAL);
    assert_string_equal(err.msg, "WEIR_T_KAFKA (or --t-kafka) is missing: Brokers");
}

static void a_value_out_of_range_is_refused_with_the_range(void **state)
{
    (void)state;
    struct test_settings s;
    setenv("WEIR_T_IDLE_S", "4", 1);
    const char *argv[] = {"t"};
    assert_int_equal(load(&s, 1, argv), WEIR_EINVAL);
    assert_string_equal(err.msg, "WEIR_T_IDLE_S in s: '4' is not a whole number from 5 to 60");
}

static void unknown_arguments_and_too_long_values_are_refused(void **state)
{
    (void)state;
    struct test_settings s;
    const char *unknown[] = {"t", "--t-lisen=x"};
    assert_int_equal(load(&s, 2, unknown), WEIR_EINVAL);
    const char *longer[] = {"t", "--t-listen=12345678901234567"};
    assert_int_equal(load(&s, 2, longer), WEIR_ELIMIT);
    const char *bare[] = {"t", "--t-listen"};
    assert_int_equal(load(&s, 2, bare), WEIR_EINVAL);
}

static void a_secret_is_refused_as_an_argument_and_never_shown(void **state)
{
    (void)state;
    struct test_settings s;
    const char *argv[] = {"t", "--t-password=hunter2"};
    assert_int_equal(load(&s, 2, argv), WEIR_EINVAL);
    assert_null(strstr(err.msg, "hunter2"));
    setenv("WEIR_T_PASSWORD", "much-too-long", 1);
    const char *none[] = {"t"};
    assert_int_equal(load(&s, 1, none), WEIR_ELIMIT);
    assert_null(strstr(err.msg, "much"));
}

static void a_secret_comes_from_a_file_that_only_its_owner_reads(void **state)
{
    (void)state;
    struct test_settings s;
    char path[] = "/tmp/weir-test-secret-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hunter2\n", 8), 8);
    close(fd);
    setenv("WEIR_T_PASSWORD_FILE", path, 1);
    const char *argv[] = {"t"};
    ASSERT_OK(load(&s, 1, argv), &err);
    assert_string_equal(s.password, "hunter2");
    chmod(path, 0644);
    assert_int_equal(load(&s, 1, argv), WEIR_EINVAL);
    unlink(path);
    assert_int_equal(load(&s, 1, argv), WEIR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_given_has_its_default, setup, teardown),
        cmocka_unit_test_setup_teardown(an_argument_wins_over_the_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_required_setting_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_out_of_range_is_refused_with_the_range, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(unknown_arguments_and_too_long_values_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_secret_is_refused_as_an_argument_and_never_shown, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_secret_comes_from_a_file_that_only_its_owner_reads, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/room.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "worker/files.h"
#include "worker/progress.h"

#define MIB (INT64_C(1024) * 1024)

static void a_large_file_system_is_full_below_the_least_room(void **state)
{
    (void)state;
    assert_false(room_is_full(17 * MIB, 100000 * MIB, false));
    assert_true(room_is_full(15 * MIB, 100000 * MIB, false));
}

static void a_small_one_is_full_below_a_twentieth(void **state)
{
    (void)state;
    assert_false(room_is_full(2 * MIB, 24 * MIB, false));
    assert_true(room_is_full(1 * MIB, 24 * MIB, false));
}

static void it_stays_full_until_there_is_twice_as_much(void **state)
{
    (void)state;
    assert_true(room_is_full(31 * MIB, 100000 * MIB, true));
    assert_false(room_is_full(33 * MIB, 100000 * MIB, true));
}

static void what_cannot_be_asked_is_not_full(void **state)
{
    (void)state;
    assert_false(room_look("/nonexistent/weir", true));
}

static bool knows_one(void *ctx, const char *path)
{
    return strcmp(path, ctx) == 0;
}

static void make_old_folder(const char *top, const char *name)
{
    char path[256];
    const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    snprintf(path, sizeof(path), "%s/%s", top, name);
    assert_int_equal(files_make_dir(path, NULL), WEIR_OK);
    snprintf(path, sizeof(path), "%s/%s/x.mp4", top, name);
    assert_int_equal(files_write_private(path, "x", 1, NULL), WEIR_OK);
    snprintf(path, sizeof(path), "%s/%s", top, name);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static bool is_there(const char *top, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", top, name);
    return access(path, F_OK) == 0;
}

static void folders_that_no_stream_has_go_when_they_are_old(void **state)
{
    (void)state;
    char top[] = "/tmp/weir-room-XXXXXX";
    char young[64];
    assert_non_null(mkdtemp(top));
    make_old_folder(top, "live/a/1");
    make_old_folder(top, "live/a/2");
    make_old_folder(top, "live/b/1");
    snprintf(young, sizeof(young), "%s/live/c/1", top);
    assert_int_equal(files_make_dir(young, NULL), WEIR_OK);
    char known[] = "live/a/2";
    room_sweep(top, knows_one, known);
    assert_false(is_there(top, "live/a/1"));
    assert_true(is_there(top, "live/a/2"));
    assert_false(is_there(top, "live/b/1"));
    assert_true(is_there(top, "live/c/1"));
    assert_int_equal(files_remove_dir(top, NULL), WEIR_OK);
}

static void a_folder_that_stands_still_is_stuck(void **state)
{
    (void)state;
    struct progress progress = {0};
    progress_begin(&progress, 1000);
    assert_true(progress_see(&progress, 7, 2000));
    assert_false(progress_see(&progress, 7, 9000));
    assert_false(progress_is_stuck(&progress, true, false, 1000, 12900));
    assert_true(progress_is_stuck(&progress, true, false, 1000, 13100));
    assert_true(progress_see(&progress, 8, 13200));
    assert_false(progress_is_stuck(&progress, true, false, 1000, 13300));
}

static void without_room_patience_is_short(void **state)
{
    (void)state;
    struct progress progress = {0};
    assert_true(progress_see(&progress, 7, 1000));
    assert_false(progress_is_stuck(&progress, true, true, 0, 3900));
    assert_true(progress_is_stuck(&progress, true, true, 0, 4100));
    assert_false(progress_is_stuck(&progress, false, true, 0, 4100));
    assert_true(progress_is_stuck(&progress, false, true, 0, 7100));
}

static void a_first_playlist_may_take_its_time(void **state)
{
    (void)state;
    struct progress progress = {0};
    progress_begin(&progress, 0);
    assert_false(progress_is_stuck(&progress, false, false, 4000, 31000));
    assert_true(progress_is_stuck(&progress, false, false, 4000, 33000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_file_system_is_full_below_the_least_room),
        cmocka_unit_test(a_small_one_is_full_below_a_twentieth),
        cmocka_unit_test(it_stays_full_until_there_is_twice_as_much),
        cmocka_unit_test(what_cannot_be_asked_is_not_full),
        cmocka_unit_test(folders_that_no_stream_has_go_when_they_are_old),
        cmocka_unit_test(a_folder_that_stands_still_is_stuck),
        cmocka_unit_test(without_room_patience_is_short),
        cmocka_unit_test(a_first_playlist_may_take_its_time),
    };
    return cmocka_run_group_tests_name("worker room", tests, NULL, NULL);
}

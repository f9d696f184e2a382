/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"

#define FRAME (TAP_VIDEO_RATE / 10)
#define NOW   INT64_C(1700000000000000)

static char folder[64];
static const struct weir_id camera = {{7}};
static const struct tap_format format = {.video = TAP_CODEC_H265, .params.sps.len = 9};

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/weir-spool-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int count_files(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static int tear_down(void **state)
{
    (void)state;
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    tap_spool_close(&spool, true);
    return rmdir(folder);
}

/* Seconds of 10 frames, each opened by a key unit. */
static void write_seconds(struct tap_spool *spool, int from, int to, size_t bytes)
{
    for (int i = from * 10; i < to * 10; i++) {
        struct tap_unit *unit = unit_of_size(TAP_VIDEO, i % 10 == 0, (int64_t)i * FRAME, bytes);
        unit->arrival_us = NOW;
        memset(unit->bytes, i, bytes);
        tap_spool_add(spool, &format, unit);
        free(unit);
    }
}

static bool load(struct tap_ring *ring, int64_t now_us)
{
    struct tap_format got = {0};
    tap_ring_init(ring, 60000, 64 << 20);
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    bool is_loaded = tap_spool_load(spool, now_us, &got, ring);
    tap_spool_close(&spool, false);
    if (is_loaded) {
        assert_int_equal(got.video, TAP_CODEC_H265);
        assert_int_equal(got.params.sps.len, 9);
    }
    return is_loaded;
}

static void what_one_process_wrote_the_next_one_reads(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    write_seconds(spool, 0, 3, 100);
    /* Killed: nothing is closed. */
    assert_true(load(&ring, NOW));
    assert_int_equal(ring.end - ring.first, 30);
    const struct tap_unit *unit = tap_ring_find(&ring, ring.first + 12);
    assert_int_equal(unit->ts, 12 * FRAME);
    assert_int_equal(unit->len, 100);
    assert_int_equal(unit->bytes[99], 12);
    tap_ring_done(&ring);
    tap_spool_close(&spool, false);
}

static void only_the_newest_groups_are_kept(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    write_seconds(spool, 0, 23, 100);
    tap_spool_close(&spool, false);
    assert_int_equal(count_files(), TAP_SPOOL_FILES);
    assert_true(load(&ring, NOW));
    assert_int_equal(ring.end - ring.first, TAP_SPOOL_FILES * 10);
    assert_int_equal(tap_ring_find(&ring, ring.end - 1)->ts, 229 * FRAME);
    tap_ring_done(&ring);
}

static void a_second_process_goes_on_where_the_first_one_ended(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    write_seconds(spool, 0, 7, 100);
    tap_spool_close(&spool, false);
    struct tap_format got;
    tap_ring_init(&ring, 60000, 64 << 20);
    spool = tap_spool_open(folder, &camera);
    assert_true(tap_spool_load(spool, NOW, &got, &ring));
    tap_ring_done(&ring);
    write_seconds(spool, 7, 9, 100);
    tap_spool_close(&spool, false);
    assert_true(load(&ring, NOW));
    assert_int_equal(ring.end - ring.first, TAP_SPOOL_FILES * 10);
    assert_int_equal(tap_ring_find(&ring, ring.end - 1)->ts, 89 * FRAME);
    tap_ring_done(&ring);
}

static void a_unit_that_was_cut_off_is_left_out(void **state)
{
    (void)state;
    char path[128];
    char id[WEIR_ID_TEXT_MAX];
    struct stat info;
    struct tap_ring ring;
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    write_seconds(spool, 0, 1, 100);
    tap_spool_close(&spool, false);
    snprintf(path, sizeof(path), "%s/%s.1", folder, weir_id_format(&camera, id));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - 1), 0);
    assert_true(load(&ring, NOW));
    assert_int_equal(ring.end - ring.first, 9);
    tap_ring_done(&ring);
}

static void files_of_something_else_are_left_alone(void **state)
{
    (void)state;
    char path[128];
    char id[WEIR_ID_TEXT_MAX];
    struct tap_ring ring;
    snprintf(path, sizeof(path), "%s/%s.3", folder, weir_id_format(&camera, id));
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(write(fd, "nonsense", 8), 8);
    close(fd);
    assert_false(load(&ring, NOW));
    assert_true(tap_ring_is_empty(&ring));
    tap_ring_done(&ring);
}

static void what_is_old_or_of_the_future_helps_nobody(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    write_seconds(spool, 0, 2, 100);
    tap_spool_close(&spool, false);
    assert_false(load(&ring, NOW + TAP_SPOOL_OLD_US));
    assert_true(tap_ring_is_empty(&ring));
    tap_ring_done(&ring);
    assert_false(load(&ring, NOW - 1));
    tap_ring_done(&ring);
}

static void a_group_that_is_too_long_leaves_a_hole_that_is_not_crossed(void **state)
{
    (void)state;
    struct tap_ring ring;
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    write_seconds(spool, 0, 1, 100);
    write_seconds(spool, 1, 2, TAP_SPOOL_FILE_MAX / 5);
    write_seconds(spool, 2, 3, 100);
    tap_spool_close(&spool, false);
    assert_true(load(&ring, NOW));
    assert_int_equal(ring.end - ring.first, 10);
    assert_int_equal(tap_ring_find(&ring, ring.first)->ts, 20 * FRAME);
    tap_ring_done(&ring);
}

static bool knows_none(void *ctx, const struct weir_id *id)
{
    (void)ctx;
    (void)id;
    return false;
}

static bool knows_all(void *ctx, const struct weir_id *id)
{
    (void)ctx;
    assert_memory_equal(id, &camera, sizeof(camera));
    return true;
}

static void files_of_cameras_that_are_gone_are_swept(void **state)
{
    (void)state;
    struct tap_spool *spool = tap_spool_open(folder, &camera);
    write_seconds(spool, 0, 3, 100);
    tap_spool_close(&spool, false);
    tap_spool_sweep(folder, knows_all, NULL);
    assert_int_equal(count_files(), 3);
    tap_spool_sweep(folder, knows_none, NULL);
    assert_int_equal(count_files(), 0);
}

static void without_a_folder_nothing_happens(void **state)
{
    (void)state;
    struct tap_ring ring = {0};
    struct tap_format got;
    struct tap_spool *spool = tap_spool_open("", &camera);
    assert_null(spool);
    write_seconds(spool, 0, 1, 10);
    assert_false(tap_spool_load(spool, NOW, &got, &ring));
    tap_spool_clear(spool);
    tap_spool_sweep("", knows_none, NULL);
    tap_spool_close(&spool, true);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_one_process_wrote_the_next_one_reads),
        IN_FOLDER(only_the_newest_groups_are_kept),
        IN_FOLDER(a_second_process_goes_on_where_the_first_one_ended),
        IN_FOLDER(a_unit_that_was_cut_off_is_left_out),
        IN_FOLDER(files_of_something_else_are_left_alone),
        IN_FOLDER(what_is_old_or_of_the_future_helps_nobody),
        IN_FOLDER(a_group_that_is_too_long_leaves_a_hole_that_is_not_crossed),
        IN_FOLDER(files_of_cameras_that_are_gone_are_swept),
        IN_FOLDER(without_a_folder_nothing_happens),
    };
    return cmocka_run_group_tests_name("tap spool", tests, NULL, NULL);
}

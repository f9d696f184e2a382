/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/drm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "tests/unit/check.h"

static const char i915[] = "pos:\t0\nflags:\t02100002\nmnt_id:\t26\ndrm-driver:\ti915\n"
                           "drm-client-id:\t7\ndrm-pdev:\t0000:00:02.0\n"
                           "drm-engine-render:\t9999 ns\ndrm-engine-video:\t5000 ns\n"
                           "drm-engine-capacity-video:\t2\ndrm-engine-video-enhance:\t77 ns\n";
static const char amdgpu[] = "drm-driver:\tamdgpu\ndrm-client-id:\t9\ndrm-pdev:\t0000:03:00.0\n"
                             "drm-engine-gfx:\t123 ns\ndrm-engine-enc:\t100 ns\n"
                             "drm-engine-enc_1:\t20 ns\ndrm-engine-dec:\t3 ns\n";

static void engines_for_video_are_summed(void **state)
{
    (void)state;
    struct drm_client client;
    assert_true(drm_parse(i915, &client));
    assert_string_equal(client.pdev, "0000:00:02.0");
    assert_int_equal(client.id, 7);
    assert_int_equal(client.video_ns, 5000);
    assert_int_equal(client.capacity, 2);
    assert_true(drm_parse(amdgpu, &client));
    assert_int_equal(client.video_ns, 123);
    assert_int_equal(client.capacity, 1);
}

static void another_descriptor_is_of_no_card(void **state)
{
    (void)state;
    struct drm_client client;
    assert_false(drm_parse("", &client));
    assert_false(drm_parse("pos:\t0\nflags:\t02\n", &client));
    assert_false(drm_parse("drm-engine-video:\t5 ns\n", &client));
    assert_true(drm_parse("drm-client-id:\t1\ndrm-engine-video:\t99999999999999999999 ns\n"
                          "drm-engine-enc:\t99999999999999999999 ns\ndrm-engine-dec:\t-5 ns\n"
                          "drm-engine-capacity-video:\t0",
                          &client));
    assert_true(client.video_ns == INT64_MAX);
    assert_int_equal(client.capacity, 1);
}

/* ---- a tree of files as the kernel has it ---- */

static char root[64];

static void put(const char *path, const char *text)
{
    char full[256];
    char command[512];
    snprintf(full, sizeof(full), "%s%s", root, path);
    snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", full);
    assert_int_equal(system(command), 0);
    FILE *file = fopen(full, "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void put_client(int pid, int fd, int id, long long ms)
{
    char path[64];
    char text[160];
    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
    snprintf(text, sizeof(text),
             "drm-client-id:\t%d\ndrm-pdev:\t0000:00:02.0\ndrm-engine-video:\t%lld ns\n", id,
             ms * 1000000);
    put(path, text);
}

static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/weir-drm-XXXXXX");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    put("/proc/10/task/10/children", "11 12 ");
    put("/proc/10/comm", "weir-worker\n");
    put("/proc/11/comm", "weir-tap\n");
    put("/proc/11/task/11/children", "20 21 ");
    put("/proc/12/comm", "weir-origin\n");
    put("/proc/20/comm", "weir-xcode\n");
    put("/proc/21/comm", "weir-xcode\n");
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", root);
    return system(command);
}

static struct drm_reader *reader_here(void)
{
    static struct drm_reader reader;
    reader = (struct drm_reader){.n = 0};
    WEIR_STR_SET(reader.root, root);
    return &reader;
}

static void transcoders_without_a_card_tell_nothing(void **state)
{
    (void)state;
    struct drm_reader *reader = reader_here();
    struct weir_ev_heartbeat_load load = {0};
    put("/proc/20/fdinfo/3", "pos:\t0\n");
    put_client(11, 5, 1, 100); /* the tap's, which is none of ours */
    drm_sample(reader, 10, 1000, &load);
    drm_sample(reader, 10, 2000, &load);
    assert_false(load.has_gpu_permille_used);
}

static void busy_time_of_all_transcoders_is_a_share_of_the_time(void **state)
{
    (void)state;
    struct drm_reader *reader = reader_here();
    struct weir_ev_heartbeat_load load = {0};
    put_client(20, 4, 1, 1000);
    put_client(20, 5, 1, 1000); /* the same user once more */
    put_client(21, 4, 2, 5000);
    drm_sample(reader, 10, 1000, &load);
    assert_false(load.has_gpu_permille_used);
    put_client(20, 4, 1, 1100);
    put_client(20, 5, 1, 1100);
    put_client(21, 4, 2, 5150);
    drm_sample(reader, 10, 2000, &load);
    assert_true(load.has_gpu_permille_used);
    assert_int_equal(load.gpu_permille_used, 250);
    /* One that is new, and one that counts anew. */
    put_client(21, 4, 3, 400);
    put_client(20, 4, 1, 10);
    put_client(20, 5, 1, 10);
    drm_sample(reader, 10, 3000, &load);
    assert_int_equal(load.gpu_permille_used, 400);
    put_client(21, 4, 3, 9000);
    drm_sample(reader, 10, 4000, &load);
    assert_int_equal(load.gpu_permille_used, 1000);
    /* All have ended: there is a card, and it is idle. */
    put("/proc/11/task/11/children", "");
    drm_sample(reader, 10, 5000, &load);
    assert_true(load.has_gpu_permille_used);
    assert_int_equal(load.gpu_permille_used, 0);
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines_for_video_are_summed),
        cmocka_unit_test(another_descriptor_is_of_no_card),
        IN_ROOT(transcoders_without_a_card_tell_nothing),
        IN_ROOT(busy_time_of_all_transcoders_is_a_share_of_the_time),
    };
    return cmocka_run_group_tests_name("worker drm", tests, NULL, NULL);
}

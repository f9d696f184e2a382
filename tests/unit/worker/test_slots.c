/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/base/str.h"

#define N_SLOTS 3

/* A pool whose engines are only said to be there. */
struct pool {
    struct slots slots;
    struct slot slot[N_SLOTS];
};

static void fill(struct pool *pool)
{
    memset(pool, 0, sizeof(*pool));
    pool->slots.streams_per_slot = 4;
    for (int i = 0; i < N_SLOTS; i++) {
        pool->slot[i].index = i;
        pool->slot[i].state = SLOT_UP;
        pool->slots.slots[i] = &pool->slot[i];
    }
}

static void the_fullest_engine_with_room_is_taken(void **state)
{
    (void)state;
    struct pool pool;
    fill(&pool);
    pool.slot[0].n_streams = 4;
    pool.slot[1].n_streams = 1;
    pool.slot[2].n_streams = 3;
    assert_ptr_equal(slots_pick(&pool.slots), &pool.slot[2]);
}

static void an_empty_engine_is_taken_when_the_others_are_full(void **state)
{
    (void)state;
    struct pool pool;
    fill(&pool);
    pool.slot[0].n_streams = pool.slot[2].n_streams = 4;
    assert_ptr_equal(slots_pick(&pool.slots), &pool.slot[1]);
}

static void an_engine_that_is_not_up_gets_nothing(void **state)
{
    (void)state;
    struct pool pool;
    fill(&pool);
    pool.slot[0].state = SLOT_DOWN;
    pool.slot[1].state = SLOT_STARTING;
    pool.slot[2].state = SLOT_OFF;
    assert_null(slots_pick(&pool.slots));
}

static void there_is_no_room_when_all_are_full(void **state)
{
    (void)state;
    struct pool pool;
    fill(&pool);
    for (int i = 0; i < N_SLOTS; i++) {
        pool.slot[i].n_streams = 4;
    }
    assert_null(slots_pick(&pool.slots));
}

static void states_are_counted(void **state)
{
    (void)state;
    struct pool pool;
    fill(&pool);
    pool.slot[1].state = SLOT_DOWN;
    assert_int_equal(slots_count(&pool.slots, SLOT_UP), 2);
    assert_int_equal(slots_count(&pool.slots, SLOT_DOWN), 1);
}

/* ---- one slot ---- */

static void a_segments_number_is_read_from_its_name(void **state)
{
    (void)state;
    assert_int_equal(slot_segment_number("05dd15b0fb66_video1_seg12.mp4"), 12);
    assert_int_equal(slot_segment_number("05dd15b0fb66_main_seg0.ts"), 0);
    assert_int_equal(slot_segment_number("05dd15b0fb66_video1_init.mp4"), -1);
    assert_int_equal(slot_segment_number("05dd15b0fb66_video1_seg12.mp4.tmp"), -1);
    assert_int_equal(slot_segment_number("_seg-3.mp4"), -1);
    assert_int_equal(slot_segment_number("index.m3u8"), -1);
}

static void make_file(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void a_playlist_is_there_when_its_segments_are_whole(void **state)
{
    (void)state;
    char root[] = "/tmp/weir-slot-XXXXXX";
    char folder[64];
    struct slot_config config = {.variant = WEIR_CTL_ORIGIN_ROUTE_VARIANT_FMP4};
    struct slot slot = {.config = &config};
    assert_non_null(mkdtemp(root));
    WEIR_STR_SET(slot.segments, root);
    snprintf(folder, sizeof(folder), "%s/live", root);

    assert_false(slot_has_playlist(&slot, "live"));
    assert_int_equal(mkdir(folder, 0700), 0);
    make_file(folder, "a_video1_init.mp4");
    make_file(folder, "a_video1_seg0.mp4");
    make_file(folder, "a_video1_seg1.mp4");
    assert_false(slot_has_playlist(&slot, "live"));
    make_file(folder, "a_video1_seg2.mp4"); /* the third is begun: two are whole */
    assert_true(slot_has_playlist(&slot, "live"));

    config.variant = WEIR_CTL_ORIGIN_ROUTE_VARIANT_LOWLATENCY;
    assert_false(slot_has_playlist(&slot, "live"));
    make_file(folder, "a_video1_seg8.mp4");
    assert_true(slot_has_playlist(&slot, "live"));
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static void the_engine_opens_nothing_but_what_is_used(void **state)
{
    (void)state;
    struct slot_config config = {.variant = WEIR_CTL_ORIGIN_ROUTE_VARIANT_FMP4};
    struct slot slot = {.config = &config, .rtsp_port = 40123};
    struct weir_buf text = {0};
    WEIR_STR_SET(slot.api_socket, "/run/w/s0/api");
    WEIR_STR_SET(slot.hls_socket, "/run/w/s0/hls");
    WEIR_STR_SET(slot.username, "u1");
    WEIR_STR_SET(slot.password, "p1");
    WEIR_STR_SET(slot.cdn_secret, "c1");
    WEIR_STR_SET(slot.segments, "/dev/shm/w/s0");
    slot_write_config(&slot, &text);
    assert_non_null(strstr(text.bytes, "apiAddress: unix:///run/w/s0/api\n"));
    assert_non_null(strstr(text.bytes, "hlsAddress: unix:///run/w/s0/hls\n"));
    assert_non_null(strstr(text.bytes, "rtspAddress: 127.0.0.1:40123\n"));
    assert_non_null(strstr(text.bytes, "hlsCDNSecret: c1\n"));
    assert_non_null(strstr(text.bytes, "useAbsoluteTimestamp: true\n"));
    const char *const off[] = {"rtmp", "webrtc", "srt", "moq", "metrics", "pprof", "playback"};
    for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
        char line[64];
        snprintf(line, sizeof(line), "\n%s: false\n", off[i]);
        assert_non_null(strstr(text.bytes, line));
    }
    assert_null(strstr(text.bytes, "action: read"));
    weir_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fullest_engine_with_room_is_taken),
        cmocka_unit_test(an_empty_engine_is_taken_when_the_others_are_full),
        cmocka_unit_test(an_engine_that_is_not_up_gets_nothing),
        cmocka_unit_test(there_is_no_room_when_all_are_full),
        cmocka_unit_test(states_are_counted),
        cmocka_unit_test(a_segments_number_is_read_from_its_name),
        cmocka_unit_test(a_playlist_is_there_when_its_segments_are_whole),
        cmocka_unit_test(the_engine_opens_nothing_but_what_is_used),
    };
    return cmocka_run_group_tests_name("worker slots", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/clips.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/domain/still.h"
#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"

#define TENANT  "01234567-89ab-4def-8123-456789abcdef"
#define CAMERA  "11234567-89ab-4def-8123-456789abcdef"
#define FRAME_U 40000
#define BEGIN_U INT64_C(1795000000000000)
#define UNITS   20
#define BYTES   200000 /* of a unit; all of them are far more than a socket takes at once */

struct place {
    struct weir_loop *loop;
    struct tap_ring ring;
    char path[64];
    int64_t at_us;
    int64_t wait_ms;
    bool is_now;
    int64_t shift_us;
    char line[1024];
    size_t n_bytes; /* behind the line */
    bool is_whole;
};

static bool find(void *ctx, const struct weir_id *tenant_id, const struct weir_id *camera_id,
                 struct tap_clips_camera *ret)
{
    struct place *place = ctx;
    *ret = (struct tap_clips_camera){
        .ring = &place->ring, .codec = TAP_CODEC_H264, .now_shift_us = place->shift_us};
    return strcmp(WEIR_ID_TEXT(tenant_id), TENANT) == 0 &&
           strcmp(WEIR_ID_TEXT(camera_id), CAMERA) == 0;
}

static void push(struct place *place, int n)
{
    struct tap_unit *unit = unit_of_size(TAP_VIDEO, n == 0, (int64_t)n * 3600, BYTES);
    unit->capture_us = BEGIN_U + (int64_t)n * FRAME_U;
    memset(unit->bytes, n, BYTES);
    assert_true(tap_ring_push(&place->ring, unit));
}

/* Each record is there, with the bytes that were pushed. */
static bool is_whole(const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    int n = 0;
    for (; len - at >= sizeof(struct weir_clip_unit); n++) {
        struct weir_clip_unit head;
        memcpy(&head, bytes + at, sizeof(head));
        at += sizeof(head);
        if (head.len != BYTES || len - at < BYTES || head.ts != (int64_t)n * 3600 ||
            bytes[at] != n || bytes[at + BYTES - 1] != n)
            return false;
        at += BYTES;
    }
    return at == len;
}

static void stop(void *ctx)
{
    weir_loop_stop(ctx);
}

static void *ask(void *ctx)
{
    static uint8_t bytes[2 * UNITS * BYTES];
    struct place *place = ctx;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = 0;
    ssize_t n;
    memcpy(addr.sun_path, place->path, sizeof(place->path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)(void *)&addr, sizeof(addr)) == 0) {
        dprintf(fd,
                "{\"type\":\"clip.ask\",\"tenant_id\":\"" TENANT "\",\"camera_id\":\"" CAMERA
                "\",\"mode\":\"exact\",\"at_us\":%lld,\"wait_ms\":%lld,\"is_now\":%s}\n",
                (long long)place->at_us, (long long)place->wait_ms,
                place->is_now ? "true" : "false");
        while ((n = read(fd, bytes + len, sizeof(bytes) - len)) > 0)
            len += (size_t)n;
    }
    close(fd);
    const uint8_t *end = memchr(bytes, '\n', len);
    if (end != NULL && (size_t)(end - bytes) < sizeof(place->line)) {
        memcpy(place->line, bytes, (size_t)(end - bytes));
        place->n_bytes = len - (size_t)(end + 1 - bytes);
        place->is_whole = is_whole(end + 1, place->n_bytes);
    }
    weir_loop_post(place->loop, stop, place->loop);
    return NULL;
}

static void run(struct place *place)
{
    struct tap_clips *clips = NULL;
    pthread_t thread;
    snprintf(place->path, sizeof(place->path), "/tmp/weir-test-clips-%d", (int)getpid());
    assert_int_equal(tap_clips_open(place->loop, place->path, SIZE_MAX, find, place, &clips, NULL),
                     WEIR_OK);
    assert_int_equal(pthread_create(&thread, NULL, ask, place), 0);
    weir_loop_run(place->loop);
    pthread_join(thread, NULL);
    tap_clips_close(&clips);
}

static struct place place_of(int n_units)
{
    struct place place = {.loop = weir_loop_new()};
    tap_ring_init(&place.ring, 60000, (size_t)2 * UNITS * BYTES);
    for (int n = 0; n < n_units; n++)
        push(&place, n);
    return place;
}

static void done(struct place *place)
{
    tap_ring_done(&place->ring);
    weir_loop_free(place->loop);
}

static void a_clip_that_no_socket_takes_at_once_comes_whole(void **state)
{
    (void)state;
    struct place place = place_of(UNITS);
    place.at_us = BEGIN_U + (UNITS - 1) * FRAME_U;
    run(&place);
    assert_non_null(strstr(place.line, "\"status\":\"ok\""));
    assert_int_equal(place.n_bytes, UNITS * (BYTES + sizeof(struct weir_clip_unit)));
    assert_true(place.is_whole);
    done(&place);
}

static void push_one(void *ctx)
{
    push(ctx, UNITS - 1);
}

static void what_is_not_there_yet_is_waited_for(void **state)
{
    (void)state;
    struct place place = place_of(UNITS - 1);
    place.at_us = BEGIN_U + (UNITS - 1) * FRAME_U;
    place.wait_ms = 10000;
    struct weir_timer *timer = weir_timer_new(place.loop, push_one, &place);
    weir_timer_set(timer, 50);
    run(&place);
    assert_int_equal(place.n_bytes, UNITS * (BYTES + sizeof(struct weir_clip_unit)));
    assert_true(place.is_whole);
    weir_timer_free(&timer);
    done(&place);
}

/* The newest frame is of now, by a camera's clock that is `off_us` ahead of ours. */
static void ask_of_now(int64_t off_us, bool is_now)
{
    struct place place = place_of(UNITS);
    char text[64];
    const int64_t newest_us = BEGIN_U + (UNITS - 1) * FRAME_U;
    place.at_us = newest_us - off_us;
    place.is_now = is_now;
    place.shift_us = off_us;
    run(&place);
    snprintf(text, sizeof(text), "\"frame_us\":%lld", (long long)newest_us);
    assert_int_equal(strstr(place.line, text) != NULL, is_now || off_us < 0);
    snprintf(text, sizeof(text), "\"at_us\":%lld", (long long)(is_now ? newest_us : place.at_us));
    assert_non_null(strstr(place.line, text));
    done(&place);
}

static void now_is_by_the_clock_of_the_camera(void **state)
{
    (void)state;
    ask_of_now(4000000, true);
    ask_of_now(-4000000, true);
    ask_of_now(4000000, false);
    ask_of_now(-4000000, false);
}

static void what_is_gone_has_no_records(void **state)
{
    (void)state;
    struct place place = place_of(UNITS);
    place.at_us = BEGIN_U - 1;
    run(&place);
    assert_non_null(strstr(place.line, "\"status\":\"past\""));
    assert_int_equal(place.n_bytes, 0);
    done(&place);
}

/* ---- many at once ---- */

#define ASKERS 6

struct crowd {
    struct place place;
    struct tap_clips *clips;
    struct weir_timer *timer;
    size_t most; /* bytes that copies took */
    int fds[ASKERS];
};

static int begin_asking(const struct place *place)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, place->path, sizeof(place->path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&addr, sizeof(addr)), 0);
    assert_true(dprintf(fd, "{\"type\":\"clip.ask\",\"tenant_id\":\"" TENANT
                            "\",\"camera_id\":\"" CAMERA
                            "\",\"mode\":\"latest\",\"at_us\":0,\"wait_ms\":0}\n") > 0);
    return fd;
}

static void *take_up_all(void *ctx)
{
    static char bytes[65536];
    struct crowd *crowd = ctx;
    usleep(200000); /* all have asked, and none is taken up */
    for (int i = 0; i < ASKERS; i++) {
        size_t len = 0;
        ssize_t n;
        while ((n = read(crowd->fds[i], bytes, sizeof(bytes))) > 0)
            len += (size_t)n;
        crowd->place.n_bytes += len > (size_t)UNITS * BYTES;
        close(crowd->fds[i]);
    }
    weir_loop_post(crowd->place.loop, stop, crowd->place.loop);
    return NULL;
}

static void measure(void *ctx)
{
    struct crowd *crowd = ctx;
    size_t bytes = tap_clips_bytes(crowd->clips);
    crowd->most = bytes > crowd->most ? bytes : crowd->most;
    weir_timer_set(crowd->timer, 1);
}

static void copies_of_many_askers_stay_under_their_ceiling_and_all_are_answered(void **state)
{
    (void)state;
    struct crowd crowd = {.place = place_of(UNITS)};
    struct place *place = &crowd.place;
    /* Two clips, and a little that their buffers have in reserve. */
    const size_t max_bytes = (size_t)5 * UNITS * BYTES / 2;
    pthread_t thread;
    snprintf(place->path, sizeof(place->path), "/tmp/weir-test-clips-%d", (int)getpid());
    assert_int_equal(
        tap_clips_open(place->loop, place->path, max_bytes, find, place, &crowd.clips, NULL),
        WEIR_OK);
    crowd.timer = weir_timer_new(place->loop, measure, &crowd);
    weir_timer_set(crowd.timer, 0);
    for (int i = 0; i < ASKERS; i++)
        crowd.fds[i] = begin_asking(place);
    assert_int_equal(pthread_create(&thread, NULL, take_up_all, &crowd), 0);
    weir_loop_run(place->loop);
    pthread_join(thread, NULL);
    assert_int_equal(place->n_bytes, ASKERS);
    assert_true(crowd.most > (size_t)2 * UNITS * BYTES);
    assert_true(crowd.most <= max_bytes);
    assert_int_equal(tap_clips_bytes(crowd.clips), 0);
    weir_timer_free(&crowd.timer);
    tap_clips_close(&crowd.clips);
    done(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clip_that_no_socket_takes_at_once_comes_whole),
        cmocka_unit_test(what_is_not_there_yet_is_waited_for),
        cmocka_unit_test(now_is_by_the_clock_of_the_camera),
        cmocka_unit_test(what_is_gone_has_no_records),
        cmocka_unit_test(copies_of_many_askers_stay_under_their_ceiling_and_all_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

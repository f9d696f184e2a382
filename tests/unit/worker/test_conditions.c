/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/base/log.h"
#include "tests/unit/check.h"
#include "worker/worker.h"

#define BIT(fault) (1 << WEIR_FAULT_##fault)

static struct weir_ctl_tap_stats_cameras stats(enum weir_picture_health health, int64_t faults)
{
    return (struct weir_ctl_tap_stats_cameras){.has_health = true,
                                               .health = health,
                                               .has_faults = true,
                                               .faults = faults,
                                               .has_health_ms = true,
                                               .has_cpu_ppm = true,
                                               .cpu_ppm = 6000};
}

static void a_camera_that_is_read_tells_all_of_it(void **state)
{
    (void)state;
    struct lease lease = {.is_given = true, .is_up = true, .ring_ms = 9000};
    struct weir_ctl_camera_status status;
    lease.info.has_video_codec = true;
    strcpy(lease.info.video_codec, "avc1");
    lease.stats = stats(WEIR_PICTURE_HEALTH_DEGRADED, BIT(LOSS));
    conditions_fill(&lease, &status);
    assert_int_equal(status.state, WEIR_CTL_CAMERA_STATUS_STATE_UP);
    assert_false(status.has_reason);
    assert_string_equal(status.video_codec, "avc1");
    assert_int_equal(status.ring_ms, 9000);
    assert_int_equal(status.cpu_ppm, 6000);
    assert_int_equal(status.health, WEIR_PICTURE_HEALTH_DEGRADED);
    assert_int_equal(status.faults, BIT(LOSS));
}

static void what_a_camera_said_it_sends_is_told_before_it_comes(void **state)
{
    (void)state;
    struct lease lease = {.is_given = true};
    struct weir_ctl_camera_status status;
    lease.info.state = WEIR_CTL_TAP_SOURCE_STATE_CONNECTING;
    conditions_fill(&lease, &status);
    assert_false(status.has_video_codec);
    lease.info.has_video_codec = lease.info.has_width = lease.info.has_height = true;
    strcpy(lease.info.video_codec, "hvc1");
    lease.info.width = 640;
    lease.info.height = 360;
    conditions_fill(&lease, &status);
    assert_int_equal(status.state, WEIR_CTL_CAMERA_STATUS_STATE_CONNECTING);
    assert_true(status.has_video_codec && status.has_width && status.has_height);
    assert_string_equal(status.video_codec, "hvc1");
    assert_int_equal(status.width, 640);
    /* What was true of an earlier tap's is not told. */
    lease.info.state = WEIR_CTL_TAP_SOURCE_STATE_UP;
    conditions_fill(&lease, &status);
    assert_false(status.has_video_codec || status.has_width || status.has_height);
}

static void a_camera_that_cannot_be_read_says_why_and_keeps_no_old_figures(void **state)
{
    (void)state;
    struct lease lease = {.is_failing = true, .ring_ms = 9000};
    struct weir_ctl_camera_status status;
    strcpy(lease.trouble.reason, "source_refused");
    strcpy(lease.trouble.detail, "nothing listens on that port");
    lease.stats = stats(WEIR_PICTURE_HEALTH_HEALTHY, 0);
    conditions_fill(&lease, &status); /* the tap was not given it yet */
    assert_int_equal(status.state, WEIR_CTL_CAMERA_STATUS_STATE_FAILING);
    assert_string_equal(status.reason, "source_refused");
    assert_int_equal(status.ring_ms, 0);
    assert_false(status.has_health || status.has_cpu_ppm || status.has_video_codec);
}

static void what_is_new_is_news(void **state)
{
    (void)state;
    struct worker worker = {.leases = NULL};
    struct lease lease = {.stats = stats(WEIR_PICTURE_HEALTH_HEALTHY, 0)};
    struct weir_ctl_tap_stats_cameras same = stats(WEIR_PICTURE_HEALTH_HEALTHY, 0);
    struct weir_ctl_tap_stats_cameras other = stats(WEIR_PICTURE_HEALTH_STALLED, BIT(STALLED));
    assert_false(conditions_take(&worker, &lease, &same));
    assert_true(conditions_take(&worker, &lease, &other));
}

static void what_was_done_about_a_camera_is_shown(void **state)
{
    (void)state;
    struct worker worker = {.leases = weir_map_new(sizeof(struct weir_id))};
    struct lease lease = {.is_given = true};
    struct weir_ctl_camera_status status;
    struct weir_ctl_tap_remedy told = {
        .camera_id = {{7}}, .remedy = WEIR_REMEDY_TCP, .reason = "loss", .next_in_ms = 60000};
    weir_log_init("test", WEIR_LOG_ERROR);
    lease.row.camera_id = told.camera_id;
    weir_map_put(worker.leases, lease.row.camera_id.b, &lease);
    conditions_fill(&lease, &status);
    assert_true(status.has_remedies && status.remedies == 0 && !status.has_remedy);
    remedies_take(&worker, &told);
    conditions_fill(&lease, &status);
    assert_int_equal(status.remedies, 1);
    assert_int_equal(status.remedy, WEIR_REMEDY_TCP);
    assert_string_equal(status.remedy_reason, "loss");
    assert_in_range(status.remedy_next_ms, 50000, 60000);
    told.camera_id.b[0] = 8; /* not one of ours */
    remedies_take(&worker, &told);
    assert_int_equal(lease.remedies.taken, 1);
    weir_map_free(worker.leases);
}

static void a_stream_that_is_always_stuck_is_published_anew_some_times(void **state)
{
    (void)state;
    struct worker worker = {.leases = weir_map_new(sizeof(struct weir_id))};
    struct lease lease = {.is_given = true};
    struct stream stream = {.worker = &worker};
    weir_log_init("test", WEIR_LOG_ERROR);
    weir_map_put(worker.leases, lease.row.camera_id.b, &lease);
    for (int i = 0; i < 20; i++) {
        bool may = remedies_may_republish(&worker, &stream, WEIR_REASON_playlist_stuck);
        assert_int_equal(may, i < WEIR_BUDGET_ACTIONS);
    }
    assert_int_equal(lease.remedies.taken, WEIR_BUDGET_ACTIONS);
    assert_int_equal(lease.remedies.newest, WEIR_REMEDY_REPUBLISH);
    weir_map_free(worker.leases);
}

static void faults_and_cost_of_another_source_are_the_cameras(void **state)
{
    (void)state;
    struct weir_ctl_tap_stats_cameras is = stats(WEIR_PICTURE_HEALTH_HEALTHY, 0);
    struct weir_ctl_tap_stats_cameras sub = stats(WEIR_PICTURE_HEALTH_HEALTHY, 0);
    int64_t cpu_ppm = is.cpu_ppm;
    conditions_join(&sub, &is);
    assert_int_equal(is.health, WEIR_PICTURE_HEALTH_HEALTHY);
    assert_int_equal(is.cpu_ppm, 2 * cpu_ppm);
    sub = stats(WEIR_PICTURE_HEALTH_STALLED, BIT(STALLED));
    conditions_join(&sub, &is);
    assert_int_equal(is.health, WEIR_PICTURE_HEALTH_DEGRADED);
    assert_int_equal(is.faults, BIT(STALLED));
    /* One that cannot be read at all. */
    is = stats(WEIR_PICTURE_HEALTH_HEALTHY, 0);
    sub = stats(WEIR_PICTURE_HEALTH_DOWN, BIT(OTHER_SOURCE));
    sub.health_ms = 7000;
    conditions_join(&sub, &is);
    assert_int_equal(is.health, WEIR_PICTURE_HEALTH_DEGRADED);
    assert_int_equal(is.faults, BIT(OTHER_SOURCE));
    assert_int_equal(is.health_ms, 7000);
    /* Main is worse off. */
    sub = stats(WEIR_PICTURE_HEALTH_STALLED, BIT(STALLED));
    is = stats(WEIR_PICTURE_HEALTH_STALLED, BIT(LOSS));
    conditions_join(&sub, &is);
    assert_int_equal(is.health, WEIR_PICTURE_HEALTH_STALLED);
    assert_int_equal(is.faults, BIT(STALLED) | BIT(LOSS));
}

static void faults_have_names(void **state)
{
    (void)state;
    char text[WEIR_FAULTS_TEXT_MAX];
    assert_string_equal(weir_faults_format(0, text), "");
    assert_string_equal(weir_faults_format(BIT(LOW_FPS) | BIT(LOSS), text), "low_fps loss");
    assert_string_equal(weir_faults_format(~0U, text),
                        "stalled low_fps no_keyframe loss drift parameters frozen black covered "
                        "overspeed other_source");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_that_is_read_tells_all_of_it),
        cmocka_unit_test(what_a_camera_said_it_sends_is_told_before_it_comes),
        cmocka_unit_test(a_camera_that_cannot_be_read_says_why_and_keeps_no_old_figures),
        cmocka_unit_test(what_is_new_is_news),
        cmocka_unit_test(what_was_done_about_a_camera_is_shown),
        cmocka_unit_test(a_stream_that_is_always_stuck_is_published_anew_some_times),
        cmocka_unit_test(faults_and_cost_of_another_source_are_the_cameras),
        cmocka_unit_test(faults_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

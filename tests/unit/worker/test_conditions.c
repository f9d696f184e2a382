/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

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
    /* Main is worse off. */
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
                        "stalled low_fps no_keyframe loss drift parameters frozen black covered");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_that_is_read_tells_all_of_it),
        cmocka_unit_test(a_camera_that_cannot_be_read_says_why_and_keeps_no_old_figures),
        cmocka_unit_test(what_is_new_is_news),
        cmocka_unit_test(faults_and_cost_of_another_source_are_the_cameras),
        cmocka_unit_test(faults_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

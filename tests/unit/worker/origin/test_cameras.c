/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/cameras.h"

#include "tests/unit/check.h"

static const struct weir_id acme = {{1}};
static const struct weir_id other = {{2}};
static const struct weir_id porch = {{7}};

static void say(struct cameras *cameras, int64_t ring_ms, int64_t now_ms)
{
    const struct weir_ctl_camera_status status = {.tenant_id = acme,
                                                  .camera_id = porch,
                                                  .state = WEIR_CTL_CAMERA_STATUS_STATE_UP,
                                                  .ring_ms = ring_ms};
    cameras_take(cameras, &status, now_ms);
}

/* The ring that is told of; -1: the camera is not here. */
static int64_t ring_ms(struct cameras *cameras, const struct weir_id *tenant_id, int64_t now_ms)
{
    const struct weir_ctl *ctl = cameras_find(cameras, tenant_id, &porch, now_ms);
    return ctl != NULL ? ctl->u.camera_status.ring_ms : -1;
}

static void the_newest_is_told_to_its_tenant_only(void **state)
{
    (void)state;
    struct cameras *cameras = cameras_new();
    assert_int_equal(ring_ms(cameras, &acme, 1000), -1);
    say(cameras, 2000, 1000);
    say(cameras, 3000, 2000);
    assert_int_equal(ring_ms(cameras, &acme, 2500), 3000);
    assert_int_equal(ring_ms(cameras, &other, 2500), -1);
    cameras_free(cameras);
}

static void what_nothing_was_said_of_is_not_here(void **state)
{
    (void)state;
    struct cameras *cameras = cameras_new();
    say(cameras, 2000, 1000);
    assert_int_equal(ring_ms(cameras, &acme, 1000 + CAMERAS_OLD_MS), 2000);
    assert_int_equal(ring_ms(cameras, &acme, 1001 + CAMERAS_OLD_MS), -1);
    say(cameras, 2500, 20000);
    assert_int_equal(ring_ms(cameras, &acme, 20000), 2500);
    cameras_free(cameras);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_told_to_its_tenant_only),
        cmocka_unit_test(what_nothing_was_said_of_is_not_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/fair.h"

#include "tests/unit/check.h"

/* A tenant's first and second camera. */
static const struct weir_id acme = {{1}};
static const struct weir_id acme_door = {{1, 1}};
static const struct weir_id acme_yard = {{1, 2}};
static const struct weir_id acme_hall = {{1, 3}};
static const struct weir_id blue = {{2}};
static const struct weir_id blue_door = {{2, 1}};

static void no_camera_and_no_tenant_runs_more_than_its_share(void **state)
{
    (void)state;
    struct weir_fair *fair = weir_fair_new(
        &(struct weir_fair_limits){.all = {6, 20}, .tenant = {3, 10}, .camera = {2, 5}});
    struct weir_fair_place door[3] = {0};
    struct weir_fair_place yard[2] = {0};
    struct weir_fair_place other = {0};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(weir_fair_ask(fair, &door[i], &acme, &acme_door), WEIR_FAIR_OK);
    }
    assert_ptr_equal(weir_fair_next(fair), &door[0]);
    assert_ptr_equal(weir_fair_next(fair), &door[1]);
    assert_null(weir_fair_next(fair)); /* the camera's */
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(weir_fair_ask(fair, &yard[i], &acme, &acme_yard), WEIR_FAIR_OK);
    }
    assert_ptr_equal(weir_fair_next(fair), &yard[0]);
    assert_null(weir_fair_next(fair)); /* the tenant's */
    assert_int_equal(weir_fair_ask(fair, &other, &blue, &blue_door), WEIR_FAIR_OK);
    assert_ptr_equal(weir_fair_next(fair), &other);
    /* What ends makes room: for the camera that has none, not for the one that came first. */
    weir_fair_end(fair, &yard[0]);
    assert_ptr_equal(weir_fair_next(fair), &yard[1]);
    weir_fair_end(fair, &door[0]);
    weir_fair_end(fair, &door[0]);
    assert_ptr_equal(weir_fair_next(fair), &door[2]);
    assert_null(weir_fair_next(fair));
    weir_fair_end(fair, &door[1]);
    weir_fair_end(fair, &door[2]);
    weir_fair_end(fair, &yard[1]);
    weir_fair_end(fair, &other);
    weir_fair_free(fair);
}

static void the_next_is_of_the_tenant_with_the_fewest_that_run(void **state)
{
    (void)state;
    struct weir_fair *fair = weir_fair_new(
        &(struct weir_fair_limits){.all = {2, 20}, .tenant = {2, 20}, .camera = {2, 20}});
    struct weir_fair_place a[6] = {0};
    struct weir_fair_place b[2] = {0};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(weir_fair_ask(fair, &a[i], &acme, &acme_door), WEIR_FAIR_OK);
    }
    assert_ptr_equal(weir_fair_next(fair), &a[0]);
    assert_ptr_equal(weir_fair_next(fair), &a[1]);
    assert_null(weir_fair_next(fair));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(weir_fair_ask(fair, &b[i], &blue, &blue_door), WEIR_FAIR_OK);
    }
    /* Four came before them, of one who has a place already. */
    weir_fair_end(fair, &a[0]);
    assert_ptr_equal(weir_fair_next(fair), &b[0]);
    /* Each has one now: it is the turn of whoever has none, else of who came first. */
    weir_fair_end(fair, &a[1]);
    assert_ptr_equal(weir_fair_next(fair), &a[2]);
    weir_fair_end(fair, &b[0]);
    assert_ptr_equal(weir_fair_next(fair), &b[1]);
    weir_fair_end(fair, &b[1]);
    assert_ptr_equal(weir_fair_next(fair), &a[3]);
    for (size_t i = 2; i < 6; i++) {
        weir_fair_end(fair, &a[i]); /* also who waits */
    }
    assert_null(weir_fair_next(fair));
    weir_fair_free(fair);
}

static void who_comes_when_too_many_are_there_is_told_of_whom(void **state)
{
    (void)state;
    struct weir_fair *fair = weir_fair_new(
        &(struct weir_fair_limits){.all = {1, 4}, .tenant = {1, 3}, .camera = {1, 2}});
    struct weir_fair_place place[4] = {0};
    struct weir_fair_place more = {0};
    assert_int_equal(weir_fair_ask(fair, &place[0], &acme, &acme_door), WEIR_FAIR_OK);
    assert_ptr_equal(weir_fair_next(fair), &place[0]); /* it counts still */
    assert_int_equal(weir_fair_ask(fair, &place[1], &acme, &acme_door), WEIR_FAIR_OK);
    assert_int_equal(weir_fair_ask(fair, &more, &acme, &acme_door), WEIR_FAIR_CAMERA_FULL);
    assert_int_equal(weir_fair_ask(fair, &place[2], &acme, &acme_yard), WEIR_FAIR_OK);
    assert_int_equal(weir_fair_ask(fair, &more, &acme, &acme_hall), WEIR_FAIR_TENANT_FULL);
    assert_int_equal(weir_fair_ask(fair, &place[3], &blue, &blue_door), WEIR_FAIR_OK);
    assert_int_equal(weir_fair_ask(fair, &more, &blue, &blue_door), WEIR_FAIR_FULL);
    weir_fair_end(fair, &more); /* it holds nothing */
    weir_fair_end(fair, &place[1]);
    assert_int_equal(weir_fair_ask(fair, &place[1], &acme, &acme_door), WEIR_FAIR_OK);
    for (size_t i = 0; i < 4; i++) {
        weir_fair_end(fair, &place[i]);
    }
    weir_fair_free(fair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_camera_and_no_tenant_runs_more_than_its_share),
        cmocka_unit_test(the_next_is_of_the_tenant_with_the_fewest_that_run),
        cmocka_unit_test(who_comes_when_too_many_are_there_is_told_of_whom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

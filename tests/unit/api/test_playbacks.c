/* SPDX-License-Identifier: Apache-2.0 */
#include "api/playbacks.h"

#include "tests/unit/check.h"

#define VIEWER_MAX 2
#define TENANT_MAX 4
#define MAX        8
#define NOW        100000 /* long after it was born */

static struct playbacks *playbacks;

static int begin(void **state)
{
    (void)state;
    struct playbacks_config config = {
        .viewer_max = VIEWER_MAX, .tenant_max = TENANT_MAX, .max = MAX, .born_mono_ms = 0};
    playbacks = playbacks_new(&config);
    return 0;
}

static int end(void **state)
{
    (void)state;
    playbacks_free(playbacks);
    return 0;
}

/* Each viewer has one login. */
static struct playback of(uint8_t tenant, uint8_t viewer, uint8_t stream)
{
    return (struct playback){.tenant_id = {.b = {tenant}},
                             .viewer_id = {.b = {tenant, viewer}},
                             .login_id = {.b = {tenant, viewer, 1}},
                             .stream_id = {.b = {stream}}};
}

static enum playbacks_verdict ask(uint8_t tenant, uint8_t viewer, uint8_t stream, int64_t mono_ms)
{
    struct playback asked = of(tenant, viewer, stream);
    return playbacks_take(playbacks, &asked, false, mono_ms);
}

static void who_plays_goes_on_and_who_comes_on_top_is_refused(void **state)
{
    (void)state;
    assert_int_equal(ask(1, 1, 1, NOW), PLAYBACKS_OK);
    assert_int_equal(ask(1, 1, 2, NOW), PLAYBACKS_OK);
    for (int64_t s = 0; s < 60; s++) {
        assert_int_equal(ask(1, 1, 3, NOW + s * 1000), PLAYBACKS_VIEWER);
        assert_int_equal(ask(1, 1, 1, NOW + s * 1000), PLAYBACKS_OK);
        assert_int_equal(ask(1, 1, 2, NOW + s * 1000), PLAYBACKS_OK);
    }
    assert_int_equal(ask(1, 2, 1, NOW), PLAYBACKS_OK); /* somebody else */
    assert_int_equal(ask(2, 1, 3, NOW), PLAYBACKS_OK);
}

static void a_place_gets_free_when_one_stops(void **state)
{
    (void)state;
    ask(1, 1, 1, NOW);
    ask(1, 1, 2, NOW + 10000);
    assert_int_equal(ask(1, 1, 3, NOW + PLAYBACKS_LIVE_MS - 1), PLAYBACKS_VIEWER);
    assert_int_equal(ask(1, 1, 3, NOW + PLAYBACKS_LIVE_MS + 1000), PLAYBACKS_OK);
    assert_int_equal(ask(1, 1, 1, NOW + PLAYBACKS_LIVE_MS + 1000), PLAYBACKS_VIEWER);
}

static void a_tenant_has_a_limit_too(void **state)
{
    (void)state;
    for (uint8_t viewer = 0; viewer < TENANT_MAX; viewer++) {
        assert_int_equal(ask(1, viewer, 1, NOW), PLAYBACKS_OK);
    }
    assert_int_equal(ask(1, 77, 1, NOW), PLAYBACKS_TENANT);
    assert_int_equal(ask(2, 77, 1, NOW), PLAYBACKS_OK);
}

static void who_was_let_in_elsewhere_stays_in(void **state)
{
    (void)state;
    ask(1, 1, 1, NOW);
    ask(1, 1, 2, NOW);
    struct playback third = of(1, 1, 3);
    assert_int_equal(playbacks_take(playbacks, &third, true, NOW), PLAYBACKS_OK);
    assert_int_equal(ask(1, 1, 3, NOW), PLAYBACKS_OK);
    assert_int_equal(ask(1, 1, 4, NOW), PLAYBACKS_VIEWER);
}

static void an_api_that_is_young_lets_everybody_in(void **state)
{
    (void)state;
    for (uint8_t stream = 0; stream < 5; stream++) {
        assert_int_equal(ask(1, 1, stream, PLAYBACKS_LIVE_MS - 1), PLAYBACKS_OK);
    }
    for (uint8_t stream = 0; stream < 5; stream++) {
        assert_int_equal(ask(1, 1, stream, PLAYBACKS_LIVE_MS + 5000), PLAYBACKS_OK);
    }
    assert_int_equal(ask(1, 1, 5, PLAYBACKS_LIVE_MS + 5000), PLAYBACKS_VIEWER);
}

static void the_refused_can_be_told_while_they_try(void **state)
{
    (void)state;
    struct playback refused[MAX];
    for (uint8_t stream = 1; stream <= 4; stream++) {
        ask(1, 1, stream, NOW);
    }
    assert_int_equal(playbacks_refused(playbacks, NOW, MAX, refused), 2);
    assert_int_equal(refused[0].stream_id.b[0], 3);
    assert_int_equal(playbacks_refused(playbacks, NOW, 1, refused), 1);
    assert_int_equal(playbacks_refused(playbacks, NOW + PLAYBACKS_LIVE_MS, MAX, refused), 0);
    assert_int_equal(playbacks_count(playbacks), 0);
}

static void of_more_than_fit_nobody_is_refused(void **state)
{
    (void)state;
    for (uint8_t stream = 0; stream < MAX; stream++) {
        ask(1, 1, stream, NOW);
    }
    assert_int_equal(ask(1, 1, MAX, NOW), PLAYBACKS_OK);
    assert_int_equal(playbacks_count(playbacks), MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_plays_goes_on_and_who_comes_on_top_is_refused),
        TEST(a_place_gets_free_when_one_stops),
        TEST(a_tenant_has_a_limit_too),
        TEST(who_was_let_in_elsewhere_stays_in),
        TEST(an_api_that_is_young_lets_everybody_in),
        TEST(the_refused_can_be_told_while_they_try),
        TEST(of_more_than_fit_nobody_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "api/known_cameras.h"

static const struct weir_id acme = {{1}};
static const struct weir_id globex = {{2}};

static struct weir_id camera(uint8_t n)
{
    return (struct weir_id){{0xca, n}};
}

static bool knows(struct api_known_cameras *known, const struct weir_id *tenant, uint8_t n)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_id id = camera(n);
    struct api_known_camera found;
    return api_known_cameras_find(known, tenant, &id, arena, &found);
}

static void put(struct api_known_cameras *known, const struct weir_id *tenant, uint8_t n,
                int64_t max_streams)
{
    struct weir_id id = camera(n);
    struct api_known_camera camera_of = {.version = max_streams,
                                         .tenant_version = 3,
                                         .max_streams = max_streams,
                                         .source_version = max_streams,
                                         .sealed = "sealed",
                                         .networks = max_streams > 8 ? "public" : NULL};
    api_known_cameras_put(known, tenant, &id, &camera_of);
}

static void a_camera_is_known_to_its_own_tenant_only(void **state)
{
    (void)state;
    struct api_known_cameras *known = api_known_cameras_new(4, 8);
    put(known, &acme, 1, 7);
    assert_true(knows(known, &acme, 1));
    assert_false(knows(known, &globex, 1));
    api_known_cameras_free(known);
}

static void the_newest_answer_counts(void **state)
{
    (void)state;
    struct api_known_cameras *known = api_known_cameras_new(4, 8);
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_id id = camera(1);
    struct api_known_camera found = {0};
    put(known, &acme, 1, 7);
    put(known, &acme, 1, 9);
    assert_true(api_known_cameras_find(known, &acme, &id, arena, &found));
    assert_int_equal(found.max_streams, 9);
    assert_string_equal(found.networks, "public");
    api_known_cameras_remove(known, &acme, &id);
    assert_string_equal(found.sealed, "sealed");
    assert_false(knows(known, &acme, 1));
    api_known_cameras_remove(known, &acme, &id);
    api_known_cameras_free(known);
}

static void the_oldest_gives_way_when_there_are_many(void **state)
{
    (void)state;
    struct api_known_cameras *known = api_known_cameras_new(2, 8);
    put(known, &acme, 1, 7);
    put(known, &acme, 2, 7);
    put(known, &acme, 1, 7); /* asked for again: not the oldest any more */
    put(known, &acme, 3, 7);
    assert_true(knows(known, &acme, 1));
    assert_false(knows(known, &acme, 2));
    assert_true(knows(known, &acme, 3));
    api_known_cameras_free(known);
}

static void what_is_older_than_what_was_heard_is_not_known(void **state)
{
    (void)state;
    struct api_known_cameras *known = api_known_cameras_new(4, 8);
    struct weir_id id = camera(1);
    put(known, &acme, 1, 7);
    api_known_cameras_hear(known, &id, 7);
    assert_true(knows(known, &acme, 1));
    api_known_cameras_hear(known, &id, 8);
    assert_false(knows(known, &acme, 1));
    put(known, &acme, 1, 7); /* read before the change, put after it */
    assert_false(knows(known, &acme, 1));
    put(known, &acme, 1, 8);
    assert_true(knows(known, &acme, 1));
    api_known_cameras_hear(known, &acme, 4);
    assert_false(knows(known, &acme, 1));
    assert_int_equal(api_known_cameras_least(known, &acme), 4);
    api_known_cameras_free(known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_is_known_to_its_own_tenant_only),
        cmocka_unit_test(the_newest_answer_counts),
        cmocka_unit_test(what_is_older_than_what_was_heard_is_not_known),
        cmocka_unit_test(the_oldest_gives_way_when_there_are_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

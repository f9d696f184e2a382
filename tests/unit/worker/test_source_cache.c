/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/source_cache.h"

#include <string.h>

#include "tests/unit/check.h"

#define SEED       "3131313131313131313131313131313131313131313131313131313131313131"
#define OTHER_SEED "4141414141414141414141414141414141414141414141414141414141414141"
#define NOW_MS     1795000000000

static const struct weir_id acme = {{1}};
static const struct weir_id globex = {{2}};
static const struct weir_id yard = {{3}};
static const struct weir_id gate = {{4}};

struct setup {
    struct weir_arena *arena;
    struct weir_sign_key key;
    struct weir_sign_ring ring;
    struct call call;
    struct weir_source_entry entry;
};

static int set_up(void **state)
{
    static struct setup setup;
    setup = (struct setup){
        .arena = weir_arena_new(0),
        .call = {.id = yard, .tenant_id = acme, .camera_version = 9, .tenant_version = 3},
        .entry = {.tenant_id = acme,
                  .camera_id = yard,
                  .camera_version = 9,
                  .tenant_version = 3,
                  .source_version = 7,
                  .sealed = "0011223344556677.AbC",
                  .networks = "public",
                  .expires_at_ms = NOW_MS + 1}};
    *state = &setup;
    if (weir_sign_parse_key(SEED, &setup.key, NULL) != WEIR_OK) {
        return -1;
    }
    setup.ring = weir_sign_ring_of(&setup.key);
    return 0;
}

static int tear_down(void **state)
{
    weir_arena_free(((struct setup *)*state)->arena);
    return 0;
}

static enum source_cache_verdict judge_text(struct setup *setup, const char *text)
{
    const char *inner = NULL;
    return source_cache_judge(&setup->ring, &setup->call, text, NOW_MS, setup->arena, &inner);
}

static enum source_cache_verdict judge(struct setup *setup)
{
    const char *json = weir_source_entry_write(&setup->entry, setup->arena);
    return judge_text(setup, weir_sign(&setup->key, WEIR_SOURCE_ENTRY_CONTEXT, json, setup->arena));
}

static void an_entry_of_an_api_answers(void **state)
{
    struct setup *setup = *state;
    assert_int_equal(judge(setup), SOURCE_CACHE_HIT);
    setup->call.camera_version = 0;
    setup->call.tenant_version = 0;
    assert_int_equal(judge(setup), SOURCE_CACHE_HIT);
}

static void what_no_api_signed_is_forged(void **state)
{
    struct setup *setup = *state;
    const char *json = weir_source_entry_write(&setup->entry, setup->arena);
    assert_int_equal(judge_text(setup, json), SOURCE_CACHE_FORGED);
    assert_int_equal(judge_text(setup, weir_sign(&setup->key, "weir.other", json, setup->arena)),
                     SOURCE_CACHE_FORGED);
    assert_int_equal(
        judge_text(setup, weir_sign(&setup->key, WEIR_SOURCE_ENTRY_CONTEXT, "{}", setup->arena)),
        SOURCE_CACHE_FORGED);
    assert_int_equal(weir_sign_parse_key(OTHER_SEED, &setup->key, NULL), WEIR_OK);
    assert_int_equal(judge(setup), SOURCE_CACHE_FORGED);
}

static void another_cameras_or_tenants_entry_is_moved(void **state)
{
    struct setup *setup = *state;
    setup->entry.camera_id = gate;
    assert_int_equal(judge(setup), SOURCE_CACHE_MOVED);
    setup->entry.camera_id = yard;
    setup->entry.tenant_id = globex;
    assert_int_equal(judge(setup), SOURCE_CACHE_MOVED);
}

static void an_entry_from_before_a_change_or_past_its_life_is_old(void **state)
{
    struct setup *setup = *state;
    setup->call.camera_version = 10;
    assert_int_equal(judge(setup), SOURCE_CACHE_OLD);
    setup->call.camera_version = 9;
    setup->call.tenant_version = 4;
    assert_int_equal(judge(setup), SOURCE_CACHE_OLD);
    setup->call.tenant_version = 3;
    setup->entry.expires_at_ms = NOW_MS;
    assert_int_equal(judge(setup), SOURCE_CACHE_OLD);
}

#define IN_SETUP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SETUP(an_entry_of_an_api_answers),
        IN_SETUP(what_no_api_signed_is_forged),
        IN_SETUP(another_cameras_or_tenants_entry_is_moved),
        IN_SETUP(an_entry_from_before_a_change_or_past_its_life_is_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/source_entry.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct weir_source_entry entry = {
    .tenant_id = {{1, 2}},
    .camera_id = {{3, 4}},
    .camera_version = 9,
    .tenant_version = 3,
    .source_version = 7,
    .sealed = "0011223344556677.AbC",
    .networks = "public 10.0.0.0/8",
    .is_exclusive = true,
    .encoder_delay_ms = 660,
    .max_streams = 100,
    .otherwise = {WEIR_QUALITY_HIGH, 12},
    .ceiling = {WEIR_QUALITY_MEDIUM, 10},
    .has_audio = true,
    .expires_at_ms = 1795000000000,
};

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_source_entry back;
    struct weir_err err = {0};
    const char *text = weir_source_entry_write(&entry, arena);
    ASSERT_OK(weir_source_entry_parse(text, arena, &back, &err), &err);
    assert_true(weir_id_equal(&back.tenant_id, &entry.tenant_id));
    assert_true(weir_id_equal(&back.camera_id, &entry.camera_id));
    assert_int_equal(back.camera_version, 9);
    assert_int_equal(back.tenant_version, 3);
    assert_int_equal(back.source_version, 7);
    assert_string_equal(back.sealed, entry.sealed);
    assert_string_equal(back.networks, entry.networks);
    assert_true(back.is_exclusive && !back.is_stopped);
    assert_int_equal(back.encoder_delay_ms, 660);
    assert_int_equal(back.max_streams, 100);
    assert_int_equal(back.expires_at_ms, entry.expires_at_ms);
    assert_int_equal(back.otherwise.quality, WEIR_QUALITY_HIGH);
    assert_int_equal(back.otherwise.fps, 12);
    assert_true(weir_ceiling_is_same(&back.ceiling, &entry.ceiling));
    assert_true(back.has_audio);
}

static void an_entry_that_lacks_anything_is_none(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_source_entry back;
    static const char *const names[] = {
        "tenant_id",   "camera_id",     "version",          "sealed",
        "exclusive",   "networks",      "camera_version",   "max_streams",
        "stopped",     "expires_at_ms", "default_quality",  "default_fps",
        "max_quality", "max_fps",       "encoder_delay_ms", "audio"};
    const char *whole = weir_source_entry_write(&entry, arena);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *text = weir_arena_strdup(arena, whole);
        char *at = strstr(text, weir_arena_printf(arena, "\"%s\"", names[i]));
        assert_non_null(at);
        at[1] = '_';
        assert_int_equal(weir_source_entry_parse(text, arena, &back, NULL), WEIR_EPARSE);
    }
    assert_int_equal(weir_source_entry_parse("[]", arena, &back, NULL), WEIR_EPARSE);
    char *long_text = weir_arena_alloc(arena, WEIR_SOURCE_ENTRY_MAX_BYTES + 2);
    memset(long_text, ' ', WEIR_SOURCE_ENTRY_MAX_BYTES + 1);
    assert_int_equal(weir_source_entry_parse(long_text, arena, &back, NULL), WEIR_ELIMIT);
}

static void a_ceiling_of_another_kind_is_none(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    static const char *const wrong[] = {
        "{\"max_quality\":\"best\",\"max_fps\":0}", "{\"max_quality\":\"low\",\"max_fps\":61}",
        "{\"max_quality\":\"low\",\"max_fps\":-1}", "{\"max_quality\":null,\"max_fps\":0}",
        "{\"max_quality\":\"low\"}"};
    struct weir_json json;
    struct weir_ceiling ceiling = {WEIR_QUALITY_HIGH, 7};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(weir_json_parse(wrong[i], strlen(wrong[i]), arena, &json, NULL), WEIR_OK);
        assert_false(weir_ceiling_read(&json, &ceiling));
    }
    assert_true(ceiling.quality == WEIR_QUALITY_HIGH && ceiling.fps == 7);
}

static void a_delay_out_of_bounds_is_none(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    static const char *const wrong[] = {"{\"encoder_delay_ms\":5001}", "{\"encoder_delay_ms\":-1}",
                                        "{\"encoder_delay_ms\":\"5\"}", "{}"};
    struct weir_json json;
    int64_t delay_ms = 7;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(weir_json_parse(wrong[i], strlen(wrong[i]), arena, &json, NULL), WEIR_OK);
        assert_false(weir_encoder_delay_read(&json, &delay_ms));
    }
    assert_int_equal(delay_ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(an_entry_that_lacks_anything_is_none),
        cmocka_unit_test(a_ceiling_of_another_kind_is_none),
        cmocka_unit_test(a_delay_out_of_bounds_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

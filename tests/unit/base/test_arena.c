/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/arena.h"

#include <stdint.h>
#include <string.h>

#include "tests/unit/check.h"

static void memory_is_zeroed_and_aligned_for_any_type(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(64);
    for (size_t size = 1; size < 300; size += 7) {
        unsigned char *p = weir_arena_alloc(arena, size);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xff, size);
    }
}

static void empty_allocations_are_distinct(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    assert_ptr_not_equal(weir_arena_alloc(arena, 0), weir_arena_alloc(arena, 0));
}

static void memory_is_zeroed_again_after_a_reset(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(32);
    memset(weir_arena_alloc(arena, 5000), 0xaa, 5000);
    weir_arena_reset(arena);
    unsigned char *p = weir_arena_alloc(arena, 5000);
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(p[i], 0);
    }
}

static void texts_longer_than_a_block_are_kept_whole(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(16);
    char *text = weir_arena_printf(arena, "%0200d", 7);
    assert_int_equal(strlen(text), 200);
    assert_string_equal(text + 199, "7");
    assert_string_equal(weir_arena_strdup(arena, "weir"), "weir");
    assert_memory_equal(weir_arena_memdup(arena, "a\0b", 3), "a\0b", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned_for_any_type),
        cmocka_unit_test(empty_allocations_are_distinct),
        cmocka_unit_test(memory_is_zeroed_again_after_a_reset),
        cmocka_unit_test(texts_longer_than_a_block_are_kept_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/map.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static void siphash_gives_the_papers_vectors(void **state)
{
    (void)state;
    uint8_t key[16];
    uint8_t input[15];
    for (uint8_t i = 0; i < 16; i++) {
        key[i] = i;
    }
    for (uint8_t i = 0; i < 15; i++) {
        input[i] = i;
    }
    assert_true(weir_siphash(key, input, 15) == 0xa129ca6149be45e5);
    assert_true(weir_siphash(key, input, 0) == 0x726fdb47dd0e0e31);
}

static void it_agrees_with_a_plain_array_over_random_work(void **state)
{
    (void)state;
    struct weir_map *map = weir_map_new(sizeof(uint32_t));
    static char objects[512];
    void *expected[512] = {0};
    unsigned seed = 7;
    size_t count = 0;
    for (int i = 0; i < 200000; i++) {
        uint32_t key = (uint32_t)rand_r(&seed) % 512;
        if (rand_r(&seed) % 3) {
            void *value = &objects[rand_r(&seed) % 512];
            count += expected[key] == NULL;
            assert_ptr_equal(weir_map_put(map, &key, value), expected[key]);
            expected[key] = value;
        } else {
            count -= expected[key] != NULL;
            assert_ptr_equal(weir_map_remove(map, &key), expected[key]);
            expected[key] = NULL;
        }
        assert_ptr_equal(weir_map_find(map, &key), expected[key]);
        assert_int_equal(weir_map_count(map), count);
    }
    weir_map_free(map);
}

static void a_walk_follows_the_order_of_insertion(void **state)
{
    (void)state;
    struct weir_map *map = weir_map_new(sizeof(uint32_t));
    static char object;
    for (uint32_t i = 1000; i > 0; i--) {
        weir_map_put(map, &i, &object);
    }
    size_t at = 0;
    const void *key;
    void *value;
    uint32_t expected = 1000;
    while (weir_map_next(map, &at, &key, &value)) {
        assert_int_equal(*(const uint32_t *)key, expected--);
    }
    assert_int_equal(expected, 0);
    weir_map_free(map);
}

static void the_entry_just_visited_may_be_removed(void **state)
{
    (void)state;
    struct weir_map *map = weir_map_new(1);
    static char object;
    for (uint8_t i = 0; i < 100; i++) {
        weir_map_put(map, &i, &object);
    }
    size_t at = 0;
    const void *key;
    void *value;
    int seen = 0;
    while (weir_map_next(map, &at, &key, &value)) {
        uint8_t copy = *(const uint8_t *)key;
        weir_map_remove(map, &copy);
        seen++;
    }
    assert_int_equal(seen, 100);
    assert_int_equal(weir_map_count(map), 0);
    weir_map_free(map);
}

static void what_has_room_is_put_without_moving_the_others(void **state)
{
    (void)state;
    struct weir_map *map = weir_map_new(sizeof(uint32_t));
    static char object;
    uint32_t first = 0;
    weir_map_put(map, &first, &object);
    weir_map_reserve(map, 5000);
    const void *before;
    const void *after;
    void *value;
    assert_true(weir_map_next(map, &(size_t){0}, &before, &value));
    for (uint32_t i = 1; i < 5000; i++) {
        weir_map_put(map, &i, &object);
    }
    assert_true(weir_map_next(map, &(size_t){0}, &after, &value));
    assert_ptr_equal(before, after);
    weir_map_reserve(map, 10);
    for (uint32_t i = 5000; i < 6000; i++) {
        weir_map_put(map, &i, &object);
    }
    assert_int_equal(weir_map_count(map), 6000);
    for (uint32_t i = 0; i < 6000; i++) {
        assert_ptr_equal(weir_map_find(map, &i), &object);
    }
    weir_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_papers_vectors),
        cmocka_unit_test(it_agrees_with_a_plain_array_over_random_work),
        cmocka_unit_test(a_walk_follows_the_order_of_insertion),
        cmocka_unit_test(the_entry_just_visited_may_be_removed),
        cmocka_unit_test(what_has_room_is_put_without_moving_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

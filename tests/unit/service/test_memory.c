/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"

#define MIB (1024UL * 1024UL)

static void loose_is_what_lies_beyond_the_last_rest(void **state)
{
    (void)state;
    struct weir_memory fresh = {0};
    assert_false(weir_memory_is_loose(&fresh, 0, 0));
    assert_false(weir_memory_is_loose(&fresh, MIB, 2 * MIB));
    assert_false(weir_memory_is_loose(&fresh, MIB + MIB / 16, MIB));
    assert_true(weir_memory_is_loose(&fresh, MIB + MIB / 16 + 1, MIB));
    /* Of much, a part. */
    assert_false(weir_memory_is_loose(&fresh, 65 * MIB, 64 * MIB));
    assert_true(weir_memory_is_loose(&fresh, 65 * MIB + 1, 64 * MIB));
    struct weir_memory rested = {.slack_bytes = 3 * MIB};
    assert_false(weir_memory_is_loose(&rested, 4 * MIB + MIB / 16, MIB));
    assert_true(weir_memory_is_loose(&rested, 4 * MIB + MIB / 16 + 1, MIB));
}

#define PIECES 65536
#define PIECE  512
#define KEPT   64 /* one in so many stays */

static size_t resident(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %zu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What is left keeps the heap's end where it is, so that free() alone gives nothing back. */
static void scattered_pages_go_back(void **state)
{
    (void)state;
    static char *pieces[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = malloc(PIECE);
        assert_non_null(pieces[i]);
        memset(pieces[i], (int)i, PIECE);
    }
    for (size_t i = 0; i < PIECES; i++) {
        if (i % KEPT != KEPT - 1) {
            free(pieces[i]);
        }
    }
    size_t before = resident();
    struct weir_memory memory = {0};
    weir_memory_trim(&memory);
    size_t after = resident();
    assert_true(after + 16 * MIB < before);
    assert_true(memory.slack_bytes < 16 * MIB);
    for (size_t i = KEPT - 1; i < PIECES; i += KEPT) {
        assert_int_equal(pieces[i][PIECE - 1], (char)i);
        free(pieces[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loose_is_what_lies_beyond_the_last_rest),
        cmocka_unit_test(scattered_pages_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/fields.h"

#include <string.h>

#include "tests/unit/check.h"

/* Sequence parameter sets of x264: whole pictures, and pictures in fields; 4:2:0 and 4:4:4. */
static const uint8_t whole[] = {0x67, 0x64, 0x00, 0x0c, 0xac, 0xd9, 0x41, 0x41, 0x9b,
                                0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
                                0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60};
static const uint8_t in_fields[] = {0x67, 0x64, 0x00, 0x15, 0xac, 0xd9, 0x41, 0x43,
                                    0x36, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x20,
                                    0x00, 0x00, 0x06, 0x43, 0xe2, 0x85, 0x32, 0xc0};
static const uint8_t whole_444[] = {0x67, 0xf4, 0x00, 0x0c, 0x91, 0x9b, 0x28, 0x28, 0x33,
                                    0x60, 0x22, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00, 0x00,
                                    0x03, 0x00, 0x64, 0x1e, 0x28, 0x53, 0x2c};
static const uint8_t in_fields_444[] = {0x67, 0xf4, 0x00, 0x15, 0x91, 0x9b, 0x28, 0x28, 0x66,
                                        0xc0, 0x44, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00,
                                        0x03, 0x00, 0xc8, 0x7c, 0x50, 0xa6, 0x58};

static bool is_in_fields(const uint8_t *set, size_t len)
{
    /* Behind a delimiter, before a picture. */
    uint8_t unit[256] = {0, 0, 0, 2, 9, 0x10, 0, 0, 0, (uint8_t)len};
    memcpy(unit + 10, set, len);
    static const uint8_t picture[] = {0, 0, 0, 2, 0x65, 0x88};
    memcpy(unit + 10 + len, picture, sizeof(picture));
    return fields_may_be(unit, 10 + len + sizeof(picture));
}

static void a_set_says_whether_pictures_may_be_of_fields(void **state)
{
    (void)state;
    assert_false(is_in_fields(whole, sizeof(whole)));
    assert_true(is_in_fields(in_fields, sizeof(in_fields)));
    assert_false(is_in_fields(whole_444, sizeof(whole_444)));
    assert_true(is_in_fields(in_fields_444, sizeof(in_fields_444)));
}

/* ---- sets that no encoder here writes ---- */

struct writer {
    uint8_t bytes[128];
    size_t bits;
};

static void put(struct writer *w, unsigned n, uint32_t value)
{
    for (unsigned i = n; i-- > 0; w->bits++)
        w->bytes[w->bits / 8] |= (uint8_t)((value >> i & 1) << (7 - w->bits % 8));
}

static void put_ue(struct writer *w, uint32_t value)
{
    unsigned n = 0;
    while ((value + 1) >> (n + 1) != 0)
        n++;
    put(w, n, 0);
    put(w, n + 1, value + 1);
}

/* High profile with two scaling lists, one cut short, and pictures ordered by a cycle. */
static void put_set(struct writer *w, bool is_whole)
{
    put(w, 32, 0x67640028);
    put_ue(w, 0);
    put_ue(w, 1); /* 4:2:0 */
    put_ue(w, 0);
    put_ue(w, 0);
    put(w, 2, 1); /* no bypass; lists */
    put(w, 1, 1);
    for (int i = 0; i < 16; i++)
        put_ue(w, 1 + (uint32_t)i % 2); /* +1, -1 */
    put(w, 6, 1);                       /* the last one of these six is there, of 64 */
    put_ue(w, 16);                      /* -8: the rest is as before */
    put(w, 1, 0);
    put_ue(w, 4);
    put_ue(w, 1);
    put(w, 1, 0);
    put_ue(w, 3);
    put_ue(w, 4);
    put_ue(w, 2);
    put_ue(w, 5);
    put_ue(w, 6);
    put_ue(w, 1);
    put(w, 1, 0);
    put_ue(w, 119);
    put_ue(w, 67);
    put(w, 1, is_whole);
    put(w, 8, 0x80);
}

static void lists_and_cycles_are_passed(void **state)
{
    (void)state;
    struct writer sets[2] = {0};
    put_set(&sets[0], false);
    put_set(&sets[1], true);
    assert_true(is_in_fields(sets[0].bytes, (sets[0].bits + 7) / 8));
    assert_false(is_in_fields(sets[1].bytes, (sets[1].bits + 7) / 8));
}

static void a_set_that_is_cut_or_damaged_says_nothing(void **state)
{
    (void)state;
    for (size_t len = 0; len < 8; len++)
        assert_false(is_in_fields(in_fields, len));
    uint8_t unit[64] = {0, 0, 0, 200, 0x67};
    assert_false(fields_may_be(unit, 20));
    assert_false(fields_may_be(unit, 3));
    assert_false(fields_may_be(unit, 0));
    static const uint8_t zeros[60] = {0x67, 100};
    assert_false(is_in_fields(zeros, sizeof(zeros)));
}

static void any_bytes_are_read_to_an_end(void **state)
{
    (void)state;
    uint32_t dice = 43;
    for (int round = 0; round < 20000; round++) {
        uint8_t set[48];
        memcpy(set, in_fields_444, sizeof(in_fields_444));
        for (size_t i = 4; i < sizeof(set); i++)
            set[i] =
                (uint8_t)((dice = dice * 1664525 + 1013904223) >> 24 & (round % 2 ? 0xff : 0x11));
        (void)is_in_fields(set, sizeof(set));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_says_whether_pictures_may_be_of_fields),
        cmocka_unit_test(lists_and_cycles_are_passed),
        cmocka_unit_test(a_set_that_is_cut_or_damaged_says_nothing),
        cmocka_unit_test(any_bytes_are_read_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/xcode_wire.h"

#include <string.h>

#include "tests/unit/check.h"

static const uint8_t unit_bytes[] = {0, 0, 0, 2, 0x67, 1, 0, 0, 0, 1, 0x65};

struct said {
    char bytes[256];
    size_t len;
};

static void say(struct said *said, uint32_t kind, uint32_t rendition, const void *bytes, size_t len)
{
    struct weir_xcode_head head = {.magic = WEIR_XCODE_MAGIC,
                                   .kind = kind,
                                   .rendition = rendition,
                                   .len = (uint32_t)len,
                                   .ts = 90000};
    memcpy(said->bytes + said->len, &head, sizeof(head));
    memcpy(said->bytes + said->len + sizeof(head), bytes, len);
    said->len += sizeof(head) + len;
}

static enum tap_xcode_item next(const struct said *said, size_t len)
{
    struct weir_xcode_head head;
    const uint8_t *unit;
    size_t used;
    return tap_xcode_next(said->bytes, len, &head, &unit, &used);
}

static void a_unit_is_taken_when_it_is_whole(void **state)
{
    (void)state;
    struct said said = {0};
    struct weir_xcode_head head;
    const uint8_t *unit;
    size_t used = 0;
    say(&said, WEIR_XCODE_UNIT, 3, unit_bytes, sizeof(unit_bytes));
    for (size_t len = 0; len < said.len; len++) {
        assert_int_equal(next(&said, len), TAP_XCODE_MORE);
    }
    say(&said, WEIR_XCODE_DONE, 0, unit_bytes, 0);
    assert_int_equal(tap_xcode_next(said.bytes, said.len, &head, &unit, &used), TAP_XCODE_UNIT);
    assert_int_equal(head.rendition, 3);
    assert_memory_equal(unit, unit_bytes, sizeof(unit_bytes));
    assert_int_equal(tap_xcode_next(said.bytes + used, said.len - used, &head, &unit, &used),
                     TAP_XCODE_DONE);
}

static void sound_is_taken_when_it_is_whole(void **state)
{
    (void)state;
    struct said said = {0};
    struct weir_xcode_head head;
    const uint8_t *unit;
    size_t used = 0;
    say(&said, WEIR_XCODE_SOUND_UNIT, 0, "aac", 3);
    for (size_t len = 0; len < said.len; len++) {
        assert_int_equal(next(&said, len), TAP_XCODE_MORE);
    }
    say(&said, WEIR_XCODE_SOUND_NONE, 0, "", 0);
    assert_int_equal(tap_xcode_next(said.bytes, said.len, &head, &unit, &used),
                     TAP_XCODE_SOUND_UNIT);
    assert_int_equal(head.len, 3);
    assert_memory_equal(unit, "aac", 3);
    assert_int_equal(tap_xcode_next(said.bytes + used, said.len - used, &head, &unit, &used),
                     TAP_XCODE_SOUND_NONE);
}

static void of_an_engine_it_is_told_where_it_is_and_how_it_failed(void **state)
{
    (void)state;
    struct said said = {0};
    struct weir_xcode_head fell = {
        .magic = WEIR_XCODE_MAGIC, .kind = WEIR_XCODE_FELL_BACK, .codec = WEIR_XCODE_FAULT_PICTURE};
    say(&said, WEIR_XCODE_ENTER, 1, unit_bytes, 0);
    assert_int_equal(next(&said, said.len), TAP_XCODE_ENTER);
    said.len = 0;
    say(&said, WEIR_XCODE_LEAVE, 0, unit_bytes, 0);
    assert_int_equal(next(&said, said.len), TAP_XCODE_LEAVE);
    memcpy(said.bytes, &fell, sizeof(fell));
    assert_int_equal(next(&said, sizeof(fell)), TAP_XCODE_FELL_BACK);
    fell.codec = WEIR_XCODE_FAULT_N;
    memcpy(said.bytes, &fell, sizeof(fell));
    assert_int_equal(next(&said, sizeof(fell)), TAP_XCODE_BROKEN);
}

static void expect_broken(uint32_t kind, uint32_t rendition, const void *bytes, size_t len)
{
    struct said said = {0};
    say(&said, kind, rendition, bytes, len);
    assert_int_equal(next(&said, said.len), TAP_XCODE_BROKEN);
}

static void what_it_may_not_say_is_seen(void **state)
{
    (void)state;
    static const uint8_t over[] = {0, 0, 0, 9, 1};
    static const uint8_t none[] = {0, 0, 0, 0, 1};
    expect_broken(WEIR_XCODE_UNIT, WEIR_XCODE_RENDITIONS_MAX, unit_bytes, sizeof(unit_bytes));
    expect_broken(WEIR_XCODE_RENDITION, 0, unit_bytes, sizeof(unit_bytes));
    expect_broken(WEIR_XCODE_DONE, 0, unit_bytes, sizeof(unit_bytes));
    expect_broken(WEIR_XCODE_SOUND, 0, unit_bytes, sizeof(unit_bytes));
    expect_broken(WEIR_XCODE_SOUND_UNIT, 0, unit_bytes, 0);
    expect_broken(WEIR_XCODE_SOUND_NONE, 0, unit_bytes, 1);
    expect_broken(WEIR_XCODE_ENTER, 0, unit_bytes, sizeof(unit_bytes));
    expect_broken(WEIR_XCODE_FELL_BACK, 0, unit_bytes, 1);
    expect_broken(WEIR_XCODE_FELL_BACK, 99, unit_bytes, 0);
    expect_broken(WEIR_XCODE_UNIT, 0, over, sizeof(over));
    expect_broken(WEIR_XCODE_UNIT, 0, none, sizeof(none));
    expect_broken(WEIR_XCODE_UNIT, 0, unit_bytes, 0);
    expect_broken(WEIR_XCODE_UNIT, 0, unit_bytes, 3);
}

static void a_length_beyond_all_bounds_is_not_waited_for(void **state)
{
    (void)state;
    struct said said = {0};
    struct weir_xcode_head head = {
        .magic = WEIR_XCODE_MAGIC, .kind = WEIR_XCODE_UNIT, .len = WEIR_XCODE_UNIT_MAX + 1};
    memcpy(said.bytes, &head, sizeof(head));
    assert_int_equal(next(&said, sizeof(head)), TAP_XCODE_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_is_taken_when_it_is_whole),
        cmocka_unit_test(a_unit_is_taken_when_it_is_whole),
        cmocka_unit_test(of_an_engine_it_is_told_where_it_is_and_how_it_failed),
        cmocka_unit_test(what_it_may_not_say_is_seen),
        cmocka_unit_test(a_length_beyond_all_bounds_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

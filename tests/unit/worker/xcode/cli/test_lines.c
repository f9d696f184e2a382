/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/lines.h"

#include <stdlib.h>
#include <string.h>

#include "lib/domain/xcode.h"
#include "tests/unit/check.h"

static enum lines_item next(const char *text, struct lines_packet *ret)
{
    size_t used = 0;
    enum lines_item item = lines_next(text, strlen(text), ret, &used);
    if (item == LINES_PACKET || item == LINES_SKIP)
        assert_int_equal(used, strchr(text, '\n') - text + 1);
    return item;
}

static void a_packet_says_its_time_and_its_length(void **state)
{
    (void)state;
    struct lines_packet packet;
    assert_int_equal(next("0,     907200,     903600,     3600,     9596, 0xf52e9bbe, F=0x0, S=1, "
                          "8\n0, 1",
                          &packet),
                     LINES_PACKET);
    assert_int_equal(packet.pts, 903600);
    assert_int_equal(packet.len, 9596);
    assert_int_equal(next("0,         -5,         -5,        0,        0, 0x00000001\n", &packet),
                     LINES_PACKET);
    assert_int_equal(packet.pts, -5);
    assert_int_equal(packet.len, 0);
}

static void lines_about_the_stream_are_passed(void **state)
{
    (void)state;
    struct lines_packet packet;
    assert_int_equal(next("#software: Lavf59.27.100\n", &packet), LINES_SKIP);
    assert_int_equal(next("#tb 0: 1/90000\n", &packet), LINES_SKIP);
    assert_int_equal(next("#dimensions 0: 640x360\n", &packet), LINES_SKIP);
}

static void another_time_base_is_refused(void **state)
{
    (void)state;
    struct lines_packet packet;
    assert_int_equal(next("#tb 0: 1/25\n", &packet), LINES_BROKEN);
    assert_int_equal(next("#tb 0: 1/900000\n", &packet), LINES_BROKEN);
}

static void half_a_line_is_waited_for(void **state)
{
    (void)state;
    struct lines_packet packet;
    assert_int_equal(next("", &packet), LINES_MORE);
    assert_int_equal(next("0,     907200,     903600,  ", &packet), LINES_MORE);
}

static void what_is_no_packet_is_refused(void **state)
{
    (void)state;
    struct lines_packet packet;
    char long_one[LINES_LEN_MAX + 1];
    memset(long_one, '1', sizeof(long_one));
    size_t used;
    assert_int_equal(lines_next(long_one, sizeof(long_one), &packet, &used), LINES_BROKEN);
    assert_int_equal(next("\n", &packet), LINES_BROKEN);
    assert_int_equal(next("1, 1, 1, 1, 1, 0x1\n", &packet), LINES_BROKEN);
    assert_int_equal(next("0, 1, 1, 1\n", &packet), LINES_BROKEN);
    assert_int_equal(next("0, 1, NOPTS, 1, 1, 0x1\n", &packet), LINES_BROKEN);
    assert_int_equal(next("0, 1, 1, 1, -1, 0x1\n", &packet), LINES_BROKEN);
    assert_int_equal(next("0, 1, 1, 1, 8388609, 0x1\n", &packet), LINES_BROKEN);
    assert_int_equal(next("0, 1, 1, 1, 99999999999999999999, 0x1\n", &packet), LINES_BROKEN);
    assert_int_equal(next("0, 1, 1, 1, 8388608, 0x1\n", &packet), LINES_PACKET);
    assert_int_equal(packet.len, WEIR_XCODE_UNIT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_says_its_time_and_its_length),
        cmocka_unit_test(lines_about_the_stream_are_passed),
        cmocka_unit_test(another_time_base_is_refused),
        cmocka_unit_test(half_a_line_is_waited_for),
        cmocka_unit_test(what_is_no_packet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

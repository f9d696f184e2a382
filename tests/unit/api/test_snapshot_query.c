/* SPDX-License-Identifier: Apache-2.0 */
#include "api/snapshot_query.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

#define NOW_US INT64_C(1795000000123456) /* 2026-11-18T11:06:40.123456Z */

struct pair {
    const char *name;
    const char *value;
};

static const char *value_of(void *ctx, const char *name)
{
    const struct pair *pair = ctx;
    return pair && strcmp(pair->name, name) == 0 ? pair->value : NULL;
}

static struct api_fault fault;

static enum weir_code read_one(const char *name, const char *value, struct snapshot_query *ret)
{
    struct pair pair = {name, value};
    memset(&fault, 0, sizeof(fault));
    return snapshot_query_read(value_of, &pair, NOW_US, ret, &fault);
}

static void nothing_said_is_an_exact_jpeg_of_now(void **state)
{
    (void)state;
    struct snapshot_query query;
    assert_int_equal(snapshot_query_read(value_of, NULL, NOW_US, &query, &fault), WEIR_OK);
    assert_int_equal(query.at_us, NOW_US);
    assert_string_equal(query.mode, "exact");
    assert_int_equal(query.tolerance_us, 1000000);
    assert_int_equal(query.format, WEIR_STILL_JPEG);
    assert_int_equal(query.width, 0);
    assert_int_equal(query.quality, 85);
    assert_int_equal(query.wait_ms, 2000);
}

static void a_camera_is_started_for_now_only(void **state)
{
    (void)state;
    struct snapshot_query query;
    assert_int_equal(read_one("start", "true", &query), WEIR_OK);
    assert_true(query.starts && query.is_now);
    assert_int_equal(read_one("start", "false", &query), WEIR_OK);
    assert_false(query.starts);
    assert_int_equal(read_one("start", "", &query), WEIR_ESEMANTIC);
    snapshot_query_set_now(&query, NOW_US + 5);
    assert_int_equal(query.at_us, NOW_US + 5);
    assert_int_equal(query.wait_ms, 2000);
    assert_int_equal(read_one("at", "1970-01-01T00:00:00+01:00", &query), WEIR_OK);
    assert_int_equal(query.at_us, 0);
    assert_false(query.is_now);
}

static void a_name_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct snapshot_query query = {
        .format = WEIR_STILL_WEBP, .width = 640, .quality = 80, .box = {1280, 720}};
    struct snapshot_query is;
    char text[SNAPSHOT_NAME_MAX];
    assert_true(snapshot_name_write(&query, NOW_US, -77, text));
    assert_string_equal(text, "1795000000123456.-77.webp.640.80.1280.720");
    assert_true(snapshot_name_read(text, &is));
    assert_int_equal(is.at_us, NOW_US);
    assert_true(is.has_ts);
    assert_int_equal(is.ts, -77);
    assert_int_equal(is.format, WEIR_STILL_WEBP);
    assert_int_equal(is.width, 640);
    assert_int_equal(is.quality, 80);
    assert_true(is.box.long_side == 1280 && is.box.short_side == 720);
    assert_int_equal(is.tolerance_us, 0);
    assert_int_equal(is.wait_ms, 0);
    assert_string_equal(is.mode, "exact");
    static const char *const bad[] = {"",
                                      "1.2.jpeg.0.85",
                                      "1.2.jpeg.0.85.0",
                                      "1.2.jpeg.0.85.0.0.1",
                                      "-1.2.jpeg.0.85.0.0",
                                      "1.2.gif.0.85.0.0",
                                      "1.2.jpeg.8193.85.0.0",
                                      "1.2.jpeg.0.0.0.0",
                                      "1.2.jpeg.0.101.0.0",
                                      "1.2.jpeg.0.85.8193.0",
                                      "1.2.jpeg.0.85.0.-1",
                                      "1.x.jpeg.0.85.0.0",
                                      "1.2.jpeg.0.85.0.0 ",
                                      "99999999999999999999.2.jpeg.0.85.0.0"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(snapshot_name_read(bad[i], &is));
    }
    assert_true(snapshot_name_read("1.2.jpeg.0.85.0.0", &is));
}

/* from and to, and one value more. */
struct three {
    struct pair pairs[3];
};

static const char *value_of_three(void *ctx, const char *name)
{
    struct three *three = ctx;
    const char *found = NULL;
    for (size_t i = 0; i < 3; i++) {
        const char *value = three->pairs[i].name ? value_of(&three->pairs[i], name) : NULL;
        found = value ? value : found;
    }
    return found;
}

static enum weir_code read_lapse(const char *from, const char *to, const char *name,
                                 const char *value, struct snapshot_lapse *ret)
{
    struct three three = {{{"from", from}, {"to", to}, {name, value}}};
    memset(&fault, 0, sizeof(fault));
    return snapshot_lapse_read(value_of_three, &three, NOW_US, ret, &fault);
}

#define LAPSE_FROM "2026-11-18T11:06:30Z"
#define LAPSE_TO   "2026-11-18T11:06:36.500Z"

static void several_are_at_equal_distances(void **state)
{
    (void)state;
    struct snapshot_lapse lapse;
    assert_int_equal(read_lapse(LAPSE_FROM, LAPSE_TO, NULL, NULL, &lapse), WEIR_OK);
    assert_int_equal(lapse.n, 7);
    assert_false(lapse.query.is_now);
    assert_int_equal(lapse.every_us, 1000000);
    assert_int_equal(lapse.query.tolerance_us, 500000);
    snapshot_lapse_aim(&lapse, 6, NOW_US);
    assert_int_equal(lapse.query.at_us, INT64_C(1794999996000000));
    assert_int_equal(lapse.query.wait_ms, 2000);
    snapshot_lapse_aim(&lapse, 6, NOW_US + INT64_C(10000000));
    assert_int_equal(lapse.query.wait_ms, 0);
    assert_int_equal(read_lapse(LAPSE_FROM, LAPSE_TO, "every", "111", &lapse), WEIR_OK);
    assert_int_equal(lapse.n, 59);
    assert_int_equal(read_lapse(LAPSE_FROM, LAPSE_FROM, "width", "640", &lapse), WEIR_OK);
    assert_int_equal(lapse.n, 1);
    assert_int_equal(lapse.query.width, 640);
    snapshot_lapse_aim(&lapse, 0, INT64_C(1794999989000000));
    assert_int_equal(lapse.query.wait_ms, 3000);
}

static void of_a_camera_that_stalls_one_picture_is_waited_for(void **state)
{
    (void)state;
    struct snapshot_lapse lapse;
    assert_int_equal(read_lapse(LAPSE_FROM, LAPSE_TO, NULL, NULL, &lapse), WEIR_OK);
    for (int64_t i = 0; i < lapse.n; i++) {
        int64_t newest_us = INT64_C(1794999993600000);
        snapshot_lapse_aim(&lapse, i, NOW_US);
        assert_int_equal(lapse.query.wait_ms, i <= 4 ? 2000 : 0);
        if (i == 1 || i > 3) { /* a hole, and then the end */
            snapshot_lapse_miss(&lapse, newest_us);
        }
    }
}

static void no_picture_passes_the_ceiling(void **state)
{
    (void)state;
    const struct weir_ceiling none = {WEIR_QUALITY_SOURCE, 0};
    const struct weir_ceiling low = {WEIR_QUALITY_LOW, 3};
    struct snapshot_query query;
    struct snapshot_lapse lapse;
    assert_int_equal(read_one("width", "800", &query), WEIR_OK);
    snapshot_query_cap(&query, &none);
    assert_true(query.box.long_side == 0 && query.box.short_side == 0);
    snapshot_query_cap(&query, &low);
    assert_true(query.box.long_side == 640 && query.box.short_side == 360);
    assert_int_equal(query.width, 800);
    snapshot_query_cap(&query, &none);
    assert_int_equal(query.box.short_side, 0);
    /* Several are as frames of a stream are. */
    assert_int_equal(read_lapse(LAPSE_FROM, LAPSE_TO, "every", "334", &lapse), WEIR_OK);
    assert_int_equal(snapshot_lapse_cap(&lapse, &low, &fault), WEIR_OK);
    assert_int_equal(lapse.query.box.short_side, 360);
    assert_int_equal(read_lapse(LAPSE_FROM, LAPSE_TO, "every", "333", &lapse), WEIR_OK);
    assert_int_equal(snapshot_lapse_cap(&lapse, &none, &fault), WEIR_OK);
    assert_int_equal(snapshot_lapse_cap(&lapse, &low, &fault), WEIR_ESEMANTIC);
    assert_string_equal(fault.code, "above_ceiling");
    assert_string_equal(fault.detail, "every must be at least 334: the ceiling is low at 3 fps");
    assert_int_equal(read_lapse(LAPSE_FROM, LAPSE_FROM, "every", "40", &lapse), WEIR_OK);
    assert_int_equal(snapshot_lapse_cap(&lapse, &low, &fault), WEIR_OK);
}

static void of_several_the_number_is_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *name, *value, *code;
    } rows[] = {
        {NULL, LAPSE_TO, NULL, NULL, "missing_parameter"},
        {LAPSE_FROM, NULL, NULL, NULL, "missing_parameter"},
        {LAPSE_TO, LAPSE_FROM, NULL, NULL, "out_of_range"},
        {LAPSE_FROM, LAPSE_TO, "every", "100", "out_of_range"},
        {LAPSE_FROM, LAPSE_TO, "every", "39", "out_of_range"},
        {LAPSE_FROM, LAPSE_TO, "every", "0", "out_of_range"},
        {LAPSE_FROM, LAPSE_TO, "every", "-1000", "out_of_range"},
        {LAPSE_FROM, LAPSE_TO, "width", "0", "out_of_range"},
        {LAPSE_FROM, LAPSE_TO, "format", "gif", "unknown_value"},
        {LAPSE_FROM, LAPSE_TO, "mode", "latest", "unknown_value"},
        {LAPSE_FROM, "9999-12-31T23:59:59Z", NULL, NULL, "out_of_range"},
        {"1970-01-01T00:00:00Z", LAPSE_TO, NULL, NULL, "out_of_range"},
        {"yesterday", LAPSE_TO, NULL, NULL, "wrong_type"},
    };
    struct snapshot_lapse lapse;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(read_lapse(rows[i].from, rows[i].to, rows[i].name, rows[i].value, &lapse),
                         WEIR_ESEMANTIC);
        assert_string_equal(fault.code, rows[i].code);
    }
}

static void a_time_has_a_zone_and_lies_at_most_two_seconds_ahead(void **state)
{
    (void)state;
    struct snapshot_query query;
    assert_int_equal(read_one("at", "2026-11-18T12:06:39.5+01:00", &query), WEIR_OK);
    assert_int_equal(query.at_us, INT64_C(1794999999500000));
    assert_int_equal(query.wait_ms, 2000);
    assert_int_equal(read_one("at", "2026-11-18T11:06:42.123Z", &query), WEIR_OK);
    assert_int_equal(query.wait_ms, 2000 + 1999);
    assert_int_equal(read_one("at", "2026-11-18T11:06:28.2Z", &query), WEIR_OK);
    assert_int_equal(query.wait_ms, 2000);
    assert_int_equal(read_one("at", "2026-11-18T11:06:28.1Z", &query), WEIR_OK);
    assert_int_equal(query.wait_ms, 0);
    assert_int_equal(read_one("at", "1970-01-01T00:00:00Z", &query), WEIR_OK);
    assert_int_equal(query.wait_ms, 0);
    assert_int_equal(read_one("at", "now", &query), WEIR_OK);
    assert_int_equal(query.at_us, NOW_US);
    static const char *const bad[] = {"2026-11-18T11:06:42.200Z",
                                      "9999-12-31T23:59:59Z",
                                      "2026-11-18T11:06:39",
                                      "2026-11-18",
                                      "1795000000",
                                      "",
                                      "NOW",
                                      "10000-01-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(read_one("at", bad[i], &query), WEIR_ESEMANTIC);
        assert_true(strlen(fault.detail) > 10);
    }
}

static void where_no_exact_frame_is_asked_for_it_may_be_further_away(void **state)
{
    (void)state;
    struct snapshot_query query;
    assert_int_equal(read_one("mode", "keyframe", &query), WEIR_OK);
    assert_string_equal(query.mode, "keyframe");
    assert_int_equal(query.tolerance_us, 10000000);
    assert_int_equal(read_one("mode", "latest", &query), WEIR_OK);
    assert_int_equal(query.tolerance_us, 10000000);
}

static void what_is_out_of_range_is_named(void **state)
{
    (void)state;
    static const struct {
        struct pair pair;
        const char *code;
    } rows[] = {
        {{"mode", "nearest"}, "unknown_value"},      {{"format", "gif"}, "unknown_value"},
        {{"format", ""}, "unknown_value"},           {{"tolerance_ms", "-1"}, "out_of_range"},
        {{"tolerance_ms", "60001"}, "out_of_range"}, {{"width", "0"}, "out_of_range"},
        {{"width", "100000"}, "out_of_range"},       {{"width", "15"}, "out_of_range"},
        {{"quality", "0"}, "out_of_range"},          {{"quality", "59.94"}, "out_of_range"},
    };
    struct snapshot_query query;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(read_one(rows[i].pair.name, rows[i].pair.value, &query), WEIR_ESEMANTIC);
        assert_string_equal(fault.code, rows[i].code);
        assert_non_null(strstr(fault.detail, rows[i].pair.name));
    }
}

static void edges_are_inside(void **state)
{
    (void)state;
    static const struct pair rows[] = {
        {"tolerance_ms", "0"}, {"tolerance_ms", "60000"}, {"width", "16"},    {"width", "8192"},
        {"quality", "1"},      {"quality", "100"},        {"format", "avif"},
    };
    struct snapshot_query query;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(read_one(rows[i].name, rows[i].value, &query), WEIR_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said_is_an_exact_jpeg_of_now),
        cmocka_unit_test(a_camera_is_started_for_now_only),
        cmocka_unit_test(a_name_is_read_as_it_was_written),
        cmocka_unit_test(several_are_at_equal_distances),
        cmocka_unit_test(of_several_the_number_is_bounded),
        cmocka_unit_test(of_a_camera_that_stalls_one_picture_is_waited_for),
        cmocka_unit_test(no_picture_passes_the_ceiling),
        cmocka_unit_test(a_time_has_a_zone_and_lies_at_most_two_seconds_ahead),
        cmocka_unit_test(where_no_exact_frame_is_asked_for_it_may_be_further_away),
        cmocka_unit_test(what_is_out_of_range_is_named),
        cmocka_unit_test(edges_are_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

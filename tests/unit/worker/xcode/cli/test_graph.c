/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/graph.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct graph_rendition low = {{.long_side = 640,
                                            .short_side = 360,
                                            .bitrate_bps = 400000,
                                            .fps_milli = 15000,
                                            .segment_ms = 1000,
                                            .is_main = 1,
                                            .after_ts = INT64_MIN}};

/* What stands behind the `n`th argument of that name; "" when there are not so many. */
static const char *find(const char *const *arguments, const char *name, int n)
{
    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, name) == 0 && n-- == 0)
            return arguments[1] != NULL ? arguments[1] : "";
    }
    return "";
}

static const char *const *make(struct weir_arena *arena, size_t n, int64_t after_ts)
{
    struct graph_rendition all[WEIR_XCODE_RENDITIONS_MAX];
    for (size_t i = 0; i < n; i++) {
        all[i] = low;
        all[i].spec.after_ts = after_ts;
    }
    return graph_arguments(arena, "/usr/bin/ffmpeg", WEIR_XCODE_H265, false, all, n);
}

static void a_rendition_gets_what_was_asked_for(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *const *is = make(arena, 1, INT64_MIN);
    assert_string_equal(is[0], "/usr/bin/ffmpeg");
    assert_string_equal(find(is, "-protocol_whitelist", 0), "pipe");
    assert_string_equal(find(is, "-c:v", 0), "hevc");
    assert_string_equal(find(is, "-c:v", 1), "libx264");
    assert_string_equal(find(is, "-profile:v", 0), "main");
    assert_string_equal(find(is, "-b:v", 0), "400000");
    assert_string_equal(find(is, "-maxrate", 0), "440000");
    assert_string_equal(find(is, "-bufsize", 0), "400000");
    assert_non_null(strstr(find(is, "-x264-params", 0), "fps=15000/1000"));
    assert_string_equal(find(is, "-force_key_frames", 0),
                        "expr:if(isnan(prev_forced_t),1,gte(t-prev_forced_t,0.999995))");
    assert_string_equal(find(is, "tee", 0),
                        "[f=h264:flush_packets=1]pipe:4|[f=framecrc:flush_packets=1]pipe:5");
    assert_string_equal(find(is, "-f", 2), "framecrc");
}

static void frames_are_left_out_before_they_are_made_smaller(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *graph = find(make(arena, 1, INT64_MIN), "-filter_complex", 0);
    const char *select = strstr(graph, "select='st(0,max(ld(0),0));if(gt(pts,0)*gte(pts,ld(0)-600),"
                                       "st(0,if(lt(pts,ld(0)+6000),ld(0),pts)+6000),0)'");
    assert_non_null(select);
    assert_true(strstr(select, ",scale=") > select);
    assert_null(strstr(graph, "bwdif"));
    /* Behind what was made before, one interval later. */
    graph = find(make(arena, 1, 905000), "-filter_complex", 0);
    assert_non_null(strstr(graph, "max(ld(0),911000)"));
    assert_non_null(strstr(graph, "gt(pts,905000)"));
}

static void a_limit_leaves_frames_out_and_not_what_was_measured(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct graph_rendition slow = low;
    slow.spec.fps_milli = 6000;
    slow.spec.pace_milli = 15000;
    const char *const *is = graph_arguments(arena, "/ffmpeg", WEIR_XCODE_H264, false, &slow, 1);
    assert_non_null(strstr(find(is, "-filter_complex", 0), "ld(0),pts)+6000"));
    assert_non_null(strstr(find(is, "-x264-params", 0), "fps=6000/1000"));
}

static void pictures_in_fields_are_made_whole_once(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const struct graph_rendition two[] = {low, low};
    const char *graph = find(graph_arguments(arena, "/ffmpeg", WEIR_XCODE_H264, true, two, 2),
                             "-filter_complex", 0);
    assert_memory_equal(graph, "[0:v]bwdif=", strlen("[0:v]bwdif="));
    assert_null(strstr(graph + 1, "[0:v]"));
    assert_non_null(strstr(graph, "split=3[meter][s0][s1];"));
}

static void there_is_room_for_as_many_as_there_may_be(void **state)
{
    (void)state;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *const *is = make(arena, WEIR_XCODE_RENDITIONS_MAX, INT64_MIN);
    assert_string_equal(find(is, "-map", WEIR_XCODE_RENDITIONS_MAX - 1), "[o15]");
    assert_string_equal(find(is, "-map", WEIR_XCODE_RENDITIONS_MAX), "[meter]");
    assert_string_equal(find(is, "tee", WEIR_XCODE_RENDITIONS_MAX - 1),
                        "[f=h264:flush_packets=1]pipe:34|[f=framecrc:flush_packets=1]pipe:35");
}

static void units_carry_their_times(void **state)
{
    (void)state;
    uint8_t head[GRAPH_IVF_HEAD];
    uint8_t frame[GRAPH_IVF_FRAME];
    static const uint8_t is_head[GRAPH_IVF_HEAD] = {
        'D', 'K', 'I', 'F', 0, 0, 32, 0, 'M', 'J', 'P', 'G', 0, 0, 0, 0, 0x90, 0x5f, 1, 0, 1};
    static const uint8_t is_frame[GRAPH_IVF_FRAME] = {0x02, 0x01, 0, 0, 0x08, 7, 6, 5, 4, 3, 2, 1};
    graph_ivf_head(WEIR_XCODE_MJPEG, head);
    graph_ivf_frame(0x102, 0x0102030405060708, frame);
    assert_memory_equal(head, is_head, sizeof(head));
    assert_memory_equal(frame, is_frame, sizeof(frame));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rendition_gets_what_was_asked_for),
        cmocka_unit_test(frames_are_left_out_before_they_are_made_smaller),
        cmocka_unit_test(a_limit_leaves_frames_out_and_not_what_was_measured),
        cmocka_unit_test(pictures_in_fields_are_made_whole_once),
        cmocka_unit_test(there_is_room_for_as_many_as_there_may_be),
        cmocka_unit_test(units_carry_their_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

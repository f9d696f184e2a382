/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/graph.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/buf.h"
#include "worker/xcode/fit.h"
#include "worker/xcode/x264.h"

#define ARGUMENTS_MAX (64 + 40 * WEIR_XCODE_RENDITIONS_MAX)

struct list {
    struct weir_arena *arena;
    const char **at;
    size_t n;
};

static void add(struct list *list, const char *const *words)
{
    for (; *words != NULL; words++) {
        list->at[list->n++] = *words;
    }
}

#define ADD(list, ...) add(list, (const char *const[]){__VA_ARGS__, NULL})

static const char *text(struct list *list, int64_t number)
{
    return weir_arena_printf(list->arena, "%" PRId64, number);
}

/*
 * fit_is_due and fit_keep: register 0 is the time from which the next picture is kept; what is
 * kept behind a gap begins the grid anew.
 */
static void add_select(struct weir_buf *graph, const struct weir_xcode_rendition *spec)
{
    int64_t step = (int64_t)FIT_TICKS * 1000 / fit_pace_milli(spec);
    int64_t after = spec->after_ts > 0 ? spec->after_ts : 0;
    weir_buf_printf(graph,
                    "select='st(0,max(ld(0),%" PRId64 "));"
                    "if(gt(pts,%" PRId64 ")*gte(pts,ld(0)-%" PRId64 "),"
                    "st(0,if(lt(pts,ld(0)+%" PRId64 "),ld(0),pts)+%" PRId64 "),0)'",
                    after > 0 ? after + step : 0, after, step / 10, step, step);
}

/*
 * fit_into, as scale's two expressions have it: registers 0 and 1 are the sides with square pixels,
 * 2 and 3 the box, 4 whether the width decides. `sar` is 0 or 1 where the camera does not say.
 */
static void add_side(struct weir_buf *graph, const struct weir_xcode_rendition *spec, bool is_width)
{
    static const char squeezed[] = "between(sar,0.0625,0.99999999)";
    static const char stretched[] = "between(sar,1.00000001,16)";
    weir_buf_printf(graph,
                    "st(0,if(%s,floor(iw*sar+0.000001),iw));st(1,if(%s,floor(ih/sar+0.000001),ih));"
                    "st(2,if(gte(ld(0),ld(1)),%" PRIu32 ",%" PRIu32 "));"
                    "st(3,if(gte(ld(0),ld(1)),%" PRIu32 ",%" PRIu32 "));"
                    "st(4,gte(ld(0)*ld(3),ld(1)*ld(2)));",
                    squeezed, stretched, spec->long_side, spec->short_side, spec->short_side,
                    spec->long_side);
    const char *fitted =
        is_width ? "if(ld(4),ld(2),min(ld(2),floor((ld(0)*ld(3)+floor(ld(1)/2))/ld(1))))"
                 : "if(ld(4),min(ld(3),floor((ld(1)*ld(2)+floor(ld(0)/2))/ld(0))),ld(3))";
    weir_buf_printf(graph, "max(2,2*floor(if(gt(ld(0),ld(2))+gt(ld(1),ld(3)),%s,ld(%d))/2))",
                    fitted, is_width ? 0 : 1);
}

static void add_branch(struct weir_buf *graph, const struct weir_xcode_rendition *spec, size_t i)
{
    weir_buf_printf(graph, ";[s%zu]", i);
    add_select(graph, spec);
    weir_buf_printf(graph, ",scale=w='");
    add_side(graph, spec, true);
    weir_buf_printf(graph, "':h='");
    add_side(graph, spec, false);
    weir_buf_printf(graph, "':flags=area:out_range=tv,format=yuv420p,setsar=1[o%zu]", i);
}

/* One decoding; pictures are left out before they are made smaller. */
static const char *filters(struct weir_arena *arena, bool is_fields,
                           const struct graph_rendition *renditions, size_t n)
{
    struct weir_buf graph = {0};
    /* Made whole at the time of the first field; its time base is half as long. */
    const char *whole =
        is_fields ? "bwdif=mode=send_frame:parity=auto:deint=interlaced,settb=1/90000," : "";
    weir_buf_printf(&graph, "[0:v]%ssplit=%zu[meter]", whole, n + 1);
    for (size_t i = 0; i < n; i++) {
        weir_buf_printf(&graph, "[s%zu]", i);
    }
    for (size_t i = 0; i < n; i++) {
        add_branch(&graph, &renditions[i].spec, i);
    }
    char *copy = weir_arena_memdup(arena, graph.bytes, graph.len);
    weir_buf_done(&graph);
    return copy;
}

/* A keyframe as soon as a segment has passed since the last one, to a tick, and nowhere else. */
static const char *keys(struct list *list, const struct weir_xcode_rendition *spec)
{
    int64_t us = (int64_t)spec->segment_ms * 1000 - 5;
    return weir_arena_printf(list->arena,
                             "expr:if(isnan(prev_forced_t),1,"
                             "gte(t-prev_forced_t,%" PRId64 ".%06" PRId64 "))",
                             us / 1000000, us % 1000000);
}

static void add_times(struct list *list)
{
    ADD(list, "-enc_time_base", "1:90000", "-fps_mode", "passthrough");
}

static void add_output(struct list *list, const struct weir_xcode_rendition *spec, size_t i)
{
    struct weir_arena *arena = list->arena;
    int64_t bps = spec->bitrate_bps;
    int bytes_fd = GRAPH_FIRST + 2 * (int)i;
    ADD(list, "-map", weir_arena_printf(arena, "[o%zu]", i), "-c:v", "libx264", "-preset",
        X264_PRESET, "-tune", X264_TUNE, "-profile:v", spec->is_main ? "main" : "high",
        "-forced-idr", "1", "-g", text(list, X264_GOP_MOST), "-bf", "0", "-threads", "1", "-b:v",
        text(list, bps), "-maxrate", text(list, bps + bps / 10), "-bufsize", text(list, bps),
        "-force_key_frames", keys(list, spec), "-x264-params",
        weir_arena_printf(arena, X264_PARAMS ":fps=%" PRIu32 "/1000", spec->fps_milli));
    add_times(list);
    ADD(list, "-f", "tee",
        weir_arena_printf(arena,
                          "[f=h264:flush_packets=1]pipe:%d|[f=framecrc:flush_packets=1]pipe:%d",
                          bytes_fd, bytes_fd + 1));
}

const char *const *graph_arguments(struct weir_arena *arena, const char *program,
                                   enum weir_xcode_codec codec, bool is_fields,
                                   const struct graph_rendition *renditions, size_t n)
{
    static const char *const decoders[] = {
        [WEIR_XCODE_H264] = "h264", [WEIR_XCODE_H265] = "hevc", [WEIR_XCODE_MJPEG] = "mjpeg"};
    struct list list = {arena, weir_arena_array(arena, ARGUMENTS_MAX, sizeof(char *)), 0};
    ADD(&list, program, "-hide_banner", "-nostdin", "-nostats", "-v", "error");
    /* The first unit, a key unit, says all that there is to know. */
    ADD(&list, "-protocol_whitelist", "pipe", "-probesize", "32", "-analyzeduration", "0",
        "-threads", "1", "-copyts", "-f", "ivf", "-c:v", decoders[codec], "-i", "pipe:0");
    ADD(&list, "-filter_complex_threads", "1", "-filter_complex",
        filters(arena, is_fields, renditions, n));
    for (size_t i = 0; i < n; i++) {
        add_output(&list, &renditions[i].spec, i);
    }
    /* Last, so that what a picture became is on its way before the picture is told. */
    ADD(&list, "-map", "[meter]", "-c:v", "wrapped_avframe");
    add_times(&list);
    ADD(&list, "-flush_packets", "1", "-f", "framecrc",
        weir_arena_printf(arena, "pipe:%d", GRAPH_METER));
    return list.at;
}

static void put(uint8_t *bytes, uint64_t value, int n)
{
    for (int i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

void graph_ivf_head(enum weir_xcode_codec codec, uint8_t *bytes)
{
    static const char *const names[] = {
        [WEIR_XCODE_H264] = "H264", [WEIR_XCODE_H265] = "HEVC", [WEIR_XCODE_MJPEG] = "MJPG"};
    static const uint8_t magic[4] = {'D', 'K', 'I', 'F'};
    memset(bytes, 0, GRAPH_IVF_HEAD);
    memcpy(bytes, magic, sizeof(magic));
    put(bytes + 6, GRAPH_IVF_HEAD, 2);
    memcpy(bytes + 8, names[codec], 4);
    put(bytes + 16, FIT_TICKS, 4);
    put(bytes + 20, 1, 4);
}

void graph_ivf_frame(size_t len, int64_t ts, uint8_t *bytes)
{
    put(bytes, len, 4);
    put(bytes + 4, (uint64_t)ts, 8);
}

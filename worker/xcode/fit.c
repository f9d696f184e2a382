/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/fit.h"

#include "lib/domain/events.h"

#define SAR_MOST 16 /* wider pixels are a mistake in the stream */

bool fit_is_sane(const struct weir_xcode_rendition *spec)
{
    return spec->short_side >= 16 && spec->short_side <= spec->long_side &&
           spec->long_side <= WEIR_XCODE_SIDE_MAX && spec->bitrate_bps >= 1000 &&
           spec->bitrate_bps <= 200000000 && spec->fps_milli >= 100 && spec->fps_milli <= 1000000 &&
           (spec->pace_milli == 0 || spec->pace_milli >= 100) && spec->pace_milli <= 1000000 &&
           spec->segment_ms >= 100 && spec->segment_ms <= 60000 && spec->encoder <= WEIR_ENCODER_N;
}

static int even(int64_t side)
{
    return side < 2 ? 2 : (int)(side & ~(int64_t)1);
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct fit_size fit_into(int width, int height, int sar_num, int sar_den, int long_side,
                         int short_side)
{
    int64_t w = width;
    int64_t h = height;
    if (sar_num > 0 && sar_den > 0 && sar_num <= SAR_MOST * sar_den &&
        sar_den <= SAR_MOST * sar_num) {
        w = sar_num < sar_den ? w * sar_num / sar_den : w;
        h = sar_num > sar_den ? h * sar_den / sar_num : h;
    }
    int64_t box_w = w >= h ? long_side : short_side;
    int64_t box_h = w >= h ? short_side : long_side;
    /* By the side that is too long the most: w / box_w against h / box_h. */
    if (w > box_w || h > box_h) {
        bool by_width = w * box_h >= h * box_w;
        int64_t to_w = by_width ? box_w : (w * box_h + h / 2) / h;
        int64_t to_h = by_width ? (h * box_w + w / 2) / w : box_h;
        w = min(to_w, box_w);
        h = min(to_h, box_h);
    }
    return (struct fit_size){even(w), even(h)};
}

uint32_t fit_pace_milli(const struct weir_xcode_rendition *spec)
{
    return spec->pace_milli > 0 ? spec->pace_milli : spec->fps_milli;
}

static int64_t interval(uint32_t fps_milli)
{
    return fps_milli > 0 ? (int64_t)FIT_TICKS * 1000 / fps_milli : 0;
}

bool fit_is_due(const struct fit_pace *pace, int64_t ts, uint32_t fps_milli)
{
    return !pace->has_begun || ts >= pace->due_ts - interval(fps_milli) / 10;
}

void fit_keep(struct fit_pace *pace, int64_t ts, uint32_t fps_milli)
{
    int64_t step = interval(fps_milli);
    bool is_on_time = pace->has_begun && ts < pace->due_ts + step;
    /* The grid is kept, so that 25 become 15 on the average; behind a gap it begins anew. */
    pace->due_ts = (is_on_time ? pace->due_ts : ts) + step;
    pace->has_begun = true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What streams take: by what was asked for, and by what they turned out to be. */
#include "lib/domain/encoder.h"
#include "lib/domain/profile.h"
#include "scheduler/load.h"

#define USUAL_FPS 25 /* that costs.def is for */

/* How far from costs.def anything is believed to be, per mille: workers only say so. */
#define LEARNT_LEAST 125
#define LEARNT_MOST  4000

/* Nothing larger is made, whatever was asked for (docs/adr/0034). */
#define MADE_LONG  1920
#define MADE_SHORT 1080

#define TAP(cpu, mem)
static const struct cost stream_costs[WEIR_QUALITY_N] = {
#define COST(quality, cpu, mem, net)                                                               \
    [WEIR_QUALITY_##                                                                               \
        quality] = {.of = {[RESOURCE_CPU] = cpu, [RESOURCE_MEM] = mem, [RESOURCE_NET] = net}},
#include "scheduler/costs.def"
#undef COST
};
#undef TAP

#define COST(quality, cpu, mem, net)
static const struct cost tap_cost = {
#define TAP(cpu, mem) .of = {[RESOURCE_CPU] = cpu, [RESOURCE_MEM] = mem}
#include "scheduler/costs.def"
#undef TAP
};
#undef COST

struct cost cost_of_tap(void)
{
    return tap_cost;
}

void cost_add(struct cost *to, const struct cost *more)
{
    for (int r = 0; r < RESOURCE_N; r++) {
        to->of[r] += more->of[r];
    }
    to->encode_cpu += more->encode_cpu;
    to->encode_kpx += more->encode_kpx;
    to->encode_sessions += more->encode_sessions;
}

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most;
}

enum weir_quality cost_made_quality(enum weir_quality quality, int64_t fps)
{
    return quality == WEIR_QUALITY_SOURCE && fps > 0 ? WEIR_QUALITY_HIGH : quality;
}

/*
 * With a limit of frames it has to be decoded whole and encoded in part, whatever its size is;
 * where the camera sends no more frames it passes as it is, and load that is measured says so soon.
 * Half of what the usual number of frames takes is for encoding them.
 */
struct cost cost_of_stream(enum weir_quality quality, int64_t fps)
{
    if (quality == WEIR_QUALITY_SOURCE && fps == 0) {
        return stream_costs[quality];
    }
    enum weir_quality made = cost_made_quality(quality, fps);
    struct cost cost = stream_costs[made];
    struct weir_box box = weir_quality_box(made);
    int64_t part = fps > 0 && fps < USUAL_FPS ? fps : USUAL_FPS;
    int64_t all = cost.of[RESOURCE_CPU];
    cost.of[RESOURCE_CPU] = (all + all * part / USUAL_FPS) / 2;
    cost.of[RESOURCE_NET] = (cost.of[RESOURCE_NET] + cost.of[RESOURCE_NET] * part / USUAL_FPS) / 2;
    cost.encode_cpu = cost.of[RESOURCE_CPU] - all / 2;
    cost.encode_kpx = weir_encoder_need_kpx(at_most(box.long_side, MADE_LONG),
                                            at_most(box.short_side, MADE_SHORT), part * 1000);
    cost.encode_sessions = 1;
    return cost;
}

enum weir_quality cost_quality(const struct weir_stream_row *row)
{
    const struct weir_effective *is = &row->effective;
    return is->width > 0 && is->height > 0 ? weir_quality_of_picture(is->width, is->height)
                                           : cost_made_quality(row->quality, row->fps);
}

static struct cost cost_of_made(const struct weir_stream_row *row)
{
    const struct weir_effective *is = &row->effective;
    bool has_size = is->width > 0 && is->height > 0;
    struct cost cost = cost_of_stream(cost_quality(row), is->fps > 0 ? is->fps : row->fps);
    if (has_size && is->fps > 0) {
        cost.encode_kpx = weir_encoder_need_kpx(is->width, is->height, is->fps * 1000);
    }
    return cost;
}

struct cost cost_of_row(const struct weir_stream_row *row)
{
    const struct weir_effective *is = &row->effective;
    if (is->codec[0] == '\0') {
        return cost_of_stream(row->quality, row->fps);
    }
    bool is_made = is->how == WEIR_RENDITION_HOW_TRANSCODE;
    struct cost cost = is_made ? cost_of_made(row) : stream_costs[WEIR_QUALITY_SOURCE];
    if (is->bitrate_bps > 0) {
        cost.of[RESOURCE_NET] = is->bitrate_bps / 1000;
    } else if (!is_made) {
        cost.of[RESOURCE_NET] = cost_of_stream(row->quality, row->fps).of[RESOURCE_NET];
    }
    return cost;
}

/* ---- what they really take ---- */

void cost_learn(struct cost_learnt *learnt, const struct weir_stream_row *row, int64_t cpu_milli)
{
    enum weir_quality quality = cost_quality(row);
    learnt->measured[quality] += cpu_milli;
    learnt->expected[quality] += cost_of_row(row).of[RESOURCE_CPU];
}

void cost_correct(const struct cost_learnt *learnt, enum weir_quality quality, struct cost *cost)
{
    if (cost->encode_kpx == 0) {
        return; /* it passes as it is */
    }
    /* As if two more ran that take what the table says. */
    int64_t prior = 2 * stream_costs[quality].of[RESOURCE_CPU];
    int64_t permille =
        (learnt->measured[quality] + prior) * 1000 / (learnt->expected[quality] + prior);
    permille = permille < LEARNT_LEAST ? LEARNT_LEAST : at_most(permille, LEARNT_MOST);
    cost->of[RESOURCE_CPU] = cost->of[RESOURCE_CPU] * permille / 1000;
    cost->encode_cpu = cost->encode_cpu * permille / 1000;
}

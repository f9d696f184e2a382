/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/shrink.h"

#include <assert.h>

/*
 * Lines are added up first, into one of 16 bits, then the samples of that: weights are whole
 * numbers, 8 * 8 * 255 at most in all, so nothing is rounded before the one division at the end,
 * which is a multiplication. Loops are written so that compilers make vectors of them.
 */

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define ONCE_MOST     3 /* lines that are added in one go */
#define HALVES_MOST   2

/* `from` samples become `to`; across, pairs are added `halves` times before that. */
struct ratio {
    int from;
    int to;
    int halves;
};

static const struct ratio ratios[] = {{3, 2, 0}, {3, 1, 0}, {2, 1, 0}, {4, 3, 0},
                                      {4, 1, 1}, {6, 1, 1}, {8, 1, 2}};

/* (sum + half) * factor / 65536 + offset is the sample. */
struct level {
    uint16_t half;
    uint16_t factor;
    uint16_t offset;
};

struct lines {
    const uint8_t *bytes[ONCE_MOST];
    uint16_t weights[ONCE_MOST];
};

static const struct ratio *ratio_of(int from, int to)
{
    for (size_t i = 0; i < sizeof(ratios) / sizeof(ratios[0]); i++) {
        if ((int64_t)from * ratios[i].to == (int64_t)to * ratios[i].from) {
            return &ratios[i];
        }
    }
    return NULL;
}

bool shrink_is_known(int from_width, int from_height, int to_width, int to_height)
{
    return to_width > 0 && to_height > 0 && from_width <= SHRINK_WIDTH_MAX &&
           ratio_of(from_width, to_width) != NULL && ratio_of(from_height, to_height) != NULL;
}

bool shrink_is_whole(int from_width, int from_height, int to_width, int to_height)
{
    return shrink_is_known(from_width, from_height, to_width, to_height) &&
           from_width % to_width == 0 && from_height % to_height == 0;
}

/* ---- kernels ---- */

ALWAYS_INLINE void add_body(const struct lines *lines, int width, bool is_more, int n,
                            uint16_t *restrict sums)
{
    const uint8_t *restrict a = lines->bytes[0];
    const uint8_t *restrict b = lines->bytes[1];
    const uint8_t *restrict c = lines->bytes[2];
    const unsigned by_a = lines->weights[0];
    const unsigned by_b = lines->weights[1];
    const unsigned by_c = lines->weights[2];
    for (int x = 0; x < width; x++) {
        unsigned sum = is_more ? sums[x] : 0;
        sum += by_a * a[x];
        sum += n > 1 ? by_b * b[x] : 0;
        sum += n > 2 ? by_c * c[x] : 0;
        sums[x] = (uint16_t)sum;
    }
}

ALWAYS_INLINE void halve_body(const uint16_t *restrict from, int width, uint16_t *restrict to)
{
    for (int x = 0; x < width; x++) {
        to[x] = (uint16_t)(from[2 * x] + from[2 * x + 1]);
    }
}

/* Of sample `i` of those that become less, and sample `j` of what they become. */
ALWAYS_INLINE int common(int i, int j, int from, int to)
{
    int begin = i * to > j * from ? i * to : j * from;
    int end = (i + 1) * to < (j + 1) * from ? (i + 1) * to : (j + 1) * from;
    return end > begin ? end - begin : 0;
}

ALWAYS_INLINE void join_body(const uint16_t *restrict sums, int groups, int from, int to,
                             struct level level, uint8_t *restrict out)
{
    for (int g = 0; g < groups; g++) {
        for (int j = 0; j < to; j++) {
            uint16_t sum = level.half;
            for (int i = 0; i < from; i++) {
                sum = (uint16_t)(sum + common(i, j, from, to) * sums[g * from + i]);
            }
            out[g * to + j] = (uint8_t)((((uint32_t)sum * level.factor) >> 16) + level.offset);
        }
    }
}

/* With constants for what each loop does, so that there is none left inside. */
ALWAYS_INLINE void add_any(const struct lines *lines, int n, int width, bool is_more,
                           uint16_t *sums)
{
    if (is_more) {
        n == 1   ? add_body(lines, width, true, 1, sums)
        : n == 2 ? add_body(lines, width, true, 2, sums)
                 : add_body(lines, width, true, 3, sums);
    } else {
        n == 1   ? add_body(lines, width, false, 1, sums)
        : n == 2 ? add_body(lines, width, false, 2, sums)
                 : add_body(lines, width, false, 3, sums);
    }
}

ALWAYS_INLINE void join_any(const uint16_t *sums, int groups, int from, int to, struct level level,
                            uint8_t *out)
{
    if (from == 4) {
        join_body(sums, groups, 4, 3, level, out);
    } else if (from == 2) {
        join_body(sums, groups, 2, 1, level, out);
    } else if (to == 2) {
        join_body(sums, groups, 3, 2, level, out);
    } else {
        join_body(sums, groups, 3, 1, level, out);
    }
}

/* How it is done on this processor. */
struct kernels {
    void (*add)(const struct lines *lines, int n, int width, bool is_more, uint16_t *sums);
    void (*halve)(const uint16_t *from, int width, uint16_t *to);
    void (*join)(const uint16_t *sums, int groups, int from, int to, struct level level,
                 uint8_t *out);
};

#define KERNELS(name, how)                                                                         \
    how static void name##_add(const struct lines *lines, int n, int width, bool is_more,          \
                               uint16_t *sums)                                                     \
    {                                                                                              \
        add_any(lines, n, width, is_more, sums);                                                   \
    }                                                                                              \
    how static void name##_halve(const uint16_t *from, int width, uint16_t *to)                    \
    {                                                                                              \
        halve_body(from, width, to);                                                               \
    }                                                                                              \
    how static void name##_join(const uint16_t *sums, int groups, int from, int to,                \
                                struct level level, uint8_t *out)                                  \
    {                                                                                              \
        join_any(sums, groups, from, to, level, out);                                              \
    }                                                                                              \
    static const struct kernels name = {name##_add, name##_halve, name##_join};

KERNELS(plain, )
#if defined(__x86_64__) && !defined(SHRINK_PLAINLY)
KERNELS(avx2, __attribute__((target("avx2"))))
#endif

static const struct kernels *kernels_here(void)
{
#if defined(__x86_64__) && !defined(SHRINK_PLAINLY)
    return __builtin_cpu_supports("avx2") ? &avx2 : &plain;
#else
    return &plain;
#endif
}

/* ---- a plane ---- */

/* The sum of all weights is `area`. */
static struct level level_of(enum shrink_levels levels, int area)
{
    /* In 1/255 of a level: what the whole range becomes, and where it begins. */
    static const struct {
        int range;
        int begin;
    } of[] = {[SHRINK_AS_THEY_ARE] = {255, 0},
              [SHRINK_FULL_LUMA] = {219, 16 * 255},
              [SHRINK_FULL_CHROMA] = {224, 128 * (255 - 224)}};
    int offset = of[levels].begin / 255;
    double factor = 65536.0 * of[levels].range / (255.0 * area);
    double rest = (double)of[levels].begin / 255 - offset + 0.5;
    return (struct level){(uint16_t)(rest * 65536 / factor), (uint16_t)(factor + 0.999),
                          (uint16_t)offset};
}

/* Line `y` of the smaller plane covers these of the larger one. */
static void add_lines(const struct kernels *k, const struct shrink_plane *from,
                      const struct ratio *down, int y, uint16_t *sums)
{
    int begin = y * down->from;
    int end = begin + down->from;
    bool is_more = false;
    for (int line = begin / down->to; line * down->to < end;) {
        struct lines lines = {{0}, {0}};
        int n = 0;
        for (; n < ONCE_MOST && line * down->to < end; n++, line++) {
            lines.bytes[n] = from->bytes + line * from->stride;
            lines.weights[n] = (uint16_t)common(line, y, down->from, down->to);
        }
        k->add(&lines, n, from->width, is_more, sums);
        is_more = true;
    }
}

void shrink_plane(const struct shrink_plane *from, const struct shrink_plane *to,
                  enum shrink_levels levels)
{
    assert(shrink_is_known(from->width, from->height, to->width, to->height));
    const struct kernels *k = kernels_here();
    const struct ratio *across = ratio_of(from->width, to->width);
    const struct ratio *down = ratio_of(from->height, to->height);
    struct level level = level_of(levels, across->from * down->from);
    uint16_t sums[1 + HALVES_MOST][SHRINK_WIDTH_MAX];
    for (int y = 0; y < to->height; y++) {
        add_lines(k, from, down, y, sums[0]);
        int width = from->width;
        for (int i = 0; i < across->halves; i++) {
            width /= 2;
            k->halve(sums[i], width, sums[i + 1]);
        }
        int size = across->from >> across->halves;
        k->join(sums[across->halves], width / size, size, across->to, level,
                to->bytes + y * to->stride);
    }
}

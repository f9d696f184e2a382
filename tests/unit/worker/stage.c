/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/stage.h"

#include <string.h>

uint32_t stage_roll(struct stage *stage)
{
    stage->dice = stage->dice * 1664525U + 1013904223U;
    return stage->dice >> 8;
}

#define POOL   (1U << 17)
#define SPREAD 37 /* of what the pool holds */

/* About normal; four dice in one. Made once, for an hour has twenty million pixels. */
static const int8_t *noise_pool(struct stage *stage)
{
    static int8_t pool[POOL];
    static bool is_made;
    for (size_t i = 0; !is_made && i < POOL; i++) {
        uint32_t dice = stage_roll(stage);
        pool[i] = (int8_t)((int)(dice & 63) + (int)(dice >> 6 & 63) + (int)(dice >> 12 & 63) +
                           (int)(dice >> 18 & 63) - 126);
    }
    is_made = true;
    return pool + stage_roll(stage) % (POOL - WEIR_LUMA_BYTES);
}

/* A wall, a door, shelves and a window: edges, slopes and plain parts. */
static int draw_room_at(int x, int y)
{
    int level = 90 + x / 8 - y / 6;
    level = x > 40 && x < 90 && y > 50 ? 45 + y / 10 : level;
    level = x > 200 && y > 30 && y < 90 ? 210 : level;
    level = x > 110 && x < 190 && y / 12 % 2 == 0 ? 70 + (x / 10 * 37 + y / 12 * 53) % 90 : level;
    return y > 150 ? 60 + (x / 16 + y / 8) % 2 * 25 : level;
}

static int room_at(int x, int y)
{
    static uint8_t drawn[WEIR_LUMA_BYTES]; /* once; 0: not yet */
    uint8_t *at = &drawn[y * WEIR_LUMA_WIDTH + x];
    if (*at == 0) {
        *at = (uint8_t)draw_room_at(x, y);
    }
    return *at;
}

static int level_at(const struct stage *stage, int x, int y)
{
    switch (stage->show.view) {
    case VIEW_ROOM:
        return room_at((x + stage->show.turn) % WEIR_LUMA_WIDTH, y) * stage->show.light / 100;
    case VIEW_ROAD: { /* with a car that has gone on since */
        int64_t car = stage->now_ms / 100 % WEIR_LUMA_WIDTH;
        bool is_car = y > 90 && y < 130 && x > car && x < car + 70;
        return (is_car ? 30 + (x - (int)car) * 2 : room_at(x, y)) * stage->show.light / 100;
    }
    case VIEW_HAND:
        return 40 + x / 40;
    case VIEW_NOTHING:
        return 0;
    case VIEW_BALL: { /* a test picture, without any noise */
        int64_t at = stage->now_ms / 50 % 300;
        return x >= at && x < at + 12 && y > 80 && y < 92 ? 255 : 0;
    }
    }
    return 0;
}

static uint8_t clamp(int level)
{
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

static void expose(struct stage *stage)
{
    const int8_t *noise = noise_pool(stage);
    for (int i = 0; i < (int)WEIR_LUMA_BYTES; i++) {
        int level = level_at(stage, i % WEIR_LUMA_WIDTH, i / WEIR_LUMA_WIDTH);
        level += noise[i] * stage->show.noise / SPREAD;
        bool is_rain = stage->show.rain > 0 && (int)(stage_roll(stage) % 1000) < stage->show.rain;
        stage->held[i] = clamp(is_rain ? level + 60 : level);
    }
}

/* An encoder of constant bitrate: what is left of the noise is another thing each time. */
static void encode(struct stage *stage)
{
    int step =
        stage->show.coarse > 1 ? 1 + (int)(stage_roll(stage) % (uint32_t)stage->show.coarse) : 1;
    memcpy(stage->now, stage->held, WEIR_LUMA_BYTES);
    for (int i = 0; step > 1 && i < (int)WEIR_LUMA_BYTES; i++) {
        stage->now[i] = clamp((stage->held[i] + step / 2) / step * step);
    }
    for (int i = 0; stage->show.has_clock && i < 60 * 8; i++) {
        stage->now[(2 + i / 60) * WEIR_LUMA_WIDTH + 4 + i % 60] =
            (uint8_t)(stage_roll(stage) & 255);
    }
}

void stage_shoot(struct stage *stage)
{
    if (!stage->show.is_held) {
        expose(stage);
    }
    encode(stage);
}

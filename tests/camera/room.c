/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/camera/room.h"

#include <stdbool.h>

#define ACROSS 320 /* the room's own size; the picture shows it larger */
#define DOWN   180
#define NOISE  6 /* levels, at most, to either side */
#define BLACK  16
#define HAND   60

static uint32_t roll(void)
{
    static _Thread_local uint32_t dice = 1;
    dice = dice * 1664525U + 1013904223U;
    return dice >> 8;
}

/* Two dice: the middle is likelier. */
static int noise(void)
{
    uint32_t dice = roll();
    return (int)(dice % (NOISE + 1)) - (int)(dice / 4096 % (NOISE + 1));
}

/* A wall, a door, shelves, a window, a floor of tiles. */
static int level_at(int x, int y)
{
    if (y > 150) {
        return 60 + (x / 16 + y / 8) % 2 * 25;
    }
    if (x > 110 && x < 190 && y / 12 % 2 == 0) {
        return 70 + (x / 10 * 37 + y / 12 * 53) % 90;
    }
    if (x > 200 && y > 30 && y < 90) {
        return 210;
    }
    return x > 40 && x < 90 && y > 50 ? 45 + y / 10 : 90 + x / 8 - y / 6;
}

static uint8_t clamp(int level)
{
    return (uint8_t)(level < BLACK ? BLACK : level > 235 ? 235 : level);
}

/* `level` -1: of the room. */
static void fill(const struct room_plane *plane, int level)
{
    for (int y = 0; y < plane->height; y++) {
        uint8_t *row = plane->luma + (size_t)y * plane->stride;
        for (int x = 0; x < plane->width; x++) {
            bool is_room = level < 0;
            int is =
                is_room ? level_at(x * ACROSS / plane->width, y * DOWN / plane->height) : level;
            row[x] = clamp(is + noise());
        }
    }
}

void room_draw(const struct room_plane *plane)
{
    fill(plane, -1);
}

void room_draw_black(const struct room_plane *plane)
{
    fill(plane, BLACK);
}

void room_draw_covered(const struct room_plane *plane)
{
    fill(plane, HAND);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/pattern.h"

#include <libavutil/frame.h>
#include <stddef.h>

#define WAVE     64 /* samples up, and as many down */
#define STEP     12 /* from picture to picture */
#define SQUARE   96
#define SQUARE_X 28
#define SQUARE_Y 16

/* 0..WAVE - 1, up and down again. */
static int wave(int at)
{
    int in = at % (2 * WAVE);
    return in < WAVE ? in : 2 * WAVE - 1 - in;
}

static void draw_plane(const AVFrame *picture, int plane, int n)
{
    int shift = plane > 0;
    int width = picture->width >> shift;
    int height = picture->height >> shift;
    int square = SQUARE >> shift;
    int left = (SQUARE_X * n >> shift) % (width > square ? width - square : 1);
    int top = (SQUARE_Y * n >> shift) % (height > square ? height - square : 1);
    int moved = (STEP * n >> shift) * (plane == 2 ? 2 : 1);
    for (int y = 0; y < height; y++) {
        uint8_t *line = picture->data[plane] + (ptrdiff_t)y * picture->linesize[plane];
        for (int x = 0; x < width; x++) {
            line[x] = (uint8_t)(40 + wave(x + moved) + wave(y + moved / 2));
        }
        for (int x = left; y >= top && y < top + square && x < left + square && x < width; x++) {
            line[x] = plane == 0 ? 220 : 90;
        }
    }
}

void pattern_draw(AVFrame *picture, int n)
{
    for (int plane = 0; plane < 3; plane++) {
        draw_plane(picture, plane, n);
    }
}

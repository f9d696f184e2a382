/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/camera/stamp.h"

#include <stdbool.h>
#include <string.h>

#define BLACK 16
#define WHITE 235

void stamp_draw(uint8_t *luma, int stride, int width, uint64_t utc_ms)
{
    bool parity = false;
    for (int cell = 0; cell < STAMP_CELLS; cell++) {
        bool bit = parity;
        if (cell < STAMP_CELLS - 1) {
            bit = (utc_ms >> (STAMP_CELLS - 2 - cell)) & 1;
            parity ^= bit;
        }
        int from = cell * width / STAMP_CELLS;
        int to = (cell + 1) * width / STAMP_CELLS;
        for (int row = 0; row < STAMP_ROWS; row++) {
            memset(luma + (size_t)row * (size_t)stride + from, bit ? WHITE : BLACK,
                   (size_t)(to - from));
        }
    }
}

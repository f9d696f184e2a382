/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time stamp in the picture: 40 black or white cells side by side over the top 16 rows.
 *
 * Cell 0 (left) to 38 are the low 39 bits of the UTC time in milliseconds, highest bit first;
 * cell 39 makes the number of white cells even. White is a set bit. Cells of 16 x 16 pixels
 * survive every encoder here; a reader averages the middle of each cell and compares with 128.
 */
#ifndef TESTS_CAMERA_STAMP_H
#define TESTS_CAMERA_STAMP_H

#include <stdint.h>

#define STAMP_CELLS 40
#define STAMP_ROWS  16

/*
 * Draws `utc_ms` into a luma plane.
 *
 * `luma`    `stride` bytes a row, at least STAMP_ROWS rows.
 * `width`   pixels, >= STAMP_CELLS.
 */
void stamp_draw(uint8_t *luma, int stride, int width, uint64_t utc_ms);

#endif

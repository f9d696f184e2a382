/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures in motion that are like no other one of the row. */
#ifndef WEIR_WORKER_XCODE_PATTERN_H
#define WEIR_WORKER_XCODE_PATTERN_H

#include <stdint.h>

struct AVFrame;

/* Draws picture number `n` of the row into a writable picture of 4:2:0 with 8 bit. */
void pattern_draw(struct AVFrame *picture, int n);

#endif

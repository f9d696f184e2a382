/* SPDX-License-Identifier: Apache-2.0 */
/* One question of weir-still after the other, on descriptor 3 (lib/domain/still.h). */
#ifndef WEIR_WORKER_DECODE_SERVE_H
#define WEIR_WORKER_DECODE_SERVE_H

#include <stdbool.h>

/* Answers one, after the decoder that an earlier one left (course.h) was given up in its time.
 * False when the parent is gone, or says what it never would. */
bool serve_one(void);

#endif

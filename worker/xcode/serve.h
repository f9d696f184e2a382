/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_WORKER_XCODE_SERVE_H
#define WEIR_WORKER_XCODE_SERVE_H

#include <stdbool.h>

struct serve;

/* Speaks lib/domain/xcode.h on descriptor `fd`. */
struct serve *serve_new(int fd);
void serve_free(struct serve *serve);

/* Reads one message and does what it says; false at the end, or when it is none. */
bool serve_one(struct serve *serve);

#endif

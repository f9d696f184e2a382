/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_WORKER_XCODE_SERVE_H
#define WEIR_WORKER_XCODE_SERVE_H

#include <stdbool.h>

struct engine;
struct serve;

/* Speaks lib/domain/xcode.h on descriptor `fd`. `engine`: that this process was started with, or
 * NULL; stays the caller's. */
struct serve *serve_new(int fd, struct engine *engine);
void serve_free(struct serve *serve);

/* The engine is open, or is known not to be. */
bool serve_say_ready(struct serve *serve);

/* Reads one message and does what it says; false at the end, or when it is none. */
bool serve_one(struct serve *serve);

#endif

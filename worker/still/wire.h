/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing non-blocking descriptors from a thread that may wait, until a deadline
 * (CLOCK_MONOTONIC, milliseconds). False: it passed, or the other end is gone.
 */
#ifndef WEIR_WORKER_STILL_WIRE_H
#define WEIR_WORKER_STILL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool wire_write(int fd, const void *bytes, size_t len, int64_t deadline_mono_ms);
bool wire_read(int fd, void *bytes, size_t len, int64_t deadline_mono_ms);

#endif

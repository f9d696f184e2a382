/* SPDX-License-Identifier: Apache-2.0 */
/* Small things with files and ports that the worker needs around its engines. */
#ifndef WEIR_WORKER_FILES_H
#define WEIR_WORKER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

/* Reads a small text file (as in /proc); cut at size - 1 and NUL-terminated. False: unreadable. */
bool files_read(const char *path, char *text, size_t size);

/* Makes a folder (mode 0700, parents too), or empties it without following links. */
WEIR_MUST_USE enum weir_code files_empty_dir(const char *path, struct weir_err *err);

/* Removes a folder with all that is in it; one that is not there is fine. */
WEIR_MUST_USE enum weir_code files_remove_dir(const char *path, struct weir_err *err);

/* Makes a folder (mode 0700, parents too) where there is none. */
WEIR_MUST_USE enum weir_code files_make_dir(const char *path, struct weir_err *err);

/* Writes a file that only its owner may read; it must not exist. */
WEIR_MUST_USE enum weir_code files_write_private(const char *path, const void *bytes, size_t len,
                                                 struct weir_err *err);

/*
 * Takes an exclusive lock on a file for the life of the process. WEIR_ECONFLICT when another
 * process has it.
 */
WEIR_MUST_USE enum weir_code files_lock(const char *path, struct weir_err *err);
/* The same on a folder, in which no file is left by that. */
WEIR_MUST_USE enum weir_code files_lock_dir(const char *path, struct weir_err *err);

/* A TCP port of loopback that was free a moment ago; 0 when there is none. */
int64_t files_free_port(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena: memory of one request or one message, freed by one call.
 *
 *     struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(4096);
 *     char *name = weir_arena_printf(arena, "%s-%d", base, n);
 *
 * Allocation never fails: it aborts the process. So every size that an outsider controls must
 * have been held against a limit before it gets here. Not thread-safe.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

#include "lib/base/err.h"

struct weir_arena;

/* `first_bytes`: size of the first block, 0 for a default. Never NULL. */
struct weir_arena *weir_arena_new(size_t first_bytes);

/* Frees the arena and everything that came from it. NULL is fine. */
void weir_arena_free(struct weir_arena *arena);

/* For WEIR_CLEANUP. */
void weir_arena_cleanup(struct weir_arena **arena);

/* Forgets all allocations but keeps the largest block, for loops. */
void weir_arena_reset(struct weir_arena *arena);

/* Zeroed memory aligned for any type; `size` 0 gives a unique non-NULL pointer. */
void *weir_arena_alloc(struct weir_arena *arena, size_t size);

/* Zeroed array; aborts when n * size overflows. */
void *weir_arena_array(struct weir_arena *arena, size_t n, size_t size);

/* NUL-terminated copies. */
char *weir_arena_strdup(struct weir_arena *arena, const char *s);
char *weir_arena_memdup(struct weir_arena *arena, const void *bytes, size_t len);
char *weir_arena_printf(struct weir_arena *arena, const char *fmt, ...) WEIR_PRINTF(2, 3);

/* malloc family that aborts instead of returning NULL, for what outlives one arena. */
void *weir_xalloc(size_t size); /* zeroed */
void *weir_xarray(size_t n, size_t size);
void *weir_xrealloc(void *p, size_t n, size_t size); /* new bytes are not zeroed */
char *weir_xstrdup(const char *s);

/* free() through a pointer to a pointer, for WEIR_CLEANUP(weir_freep) on any pointer type. */
void weir_freep(void *pp);

#endif

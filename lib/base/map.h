/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from short byte keys to pointers, safe against chosen keys (SipHash-2-4 with a random
 * key per process, Aumasson and Bernstein 2012) and iterated in insertion order, so that a walk is
 * the same for the same history in every process.
 *
 *     struct weir_map *map = weir_map_new(16);              keys of exactly 16 bytes
 *     weir_map_put(map, id.b, stream);                      replaces; returns the old value
 *     for (size_t at = 0; weir_map_next(map, &at, NULL, &value);) ...
 *
 * Values are not owned. Removing the entry just visited is allowed while walking; adding is not.
 */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_map;

/* `key_bytes` 1..255, the same for all keys. */
struct weir_map *weir_map_new(size_t key_bytes);
void weir_map_free(struct weir_map *map); /* NULL is fine; values stay */

/* Makes room for `n` entries in all, so that putting them moves and frees nothing. */
void weir_map_reserve(struct weir_map *map, size_t n);

size_t weir_map_count(const struct weir_map *map);

/* NULL when absent. */
void *weir_map_find(const struct weir_map *map, const void *key);

/* `value` is not NULL. Returns the value replaced, or NULL. The key is copied. */
void *weir_map_put(struct weir_map *map, const void *key, void *value);

/* Returns the value removed, or NULL. */
void *weir_map_remove(struct weir_map *map, const void *key);

/* Walks in insertion order; *at starts at 0. `ret_key` (into the map) may be NULL. */
bool weir_map_next(const struct weir_map *map, size_t *at, const void **ret_key, void **ret_value);

/* SipHash-2-4 of `len` bytes under the given 128-bit key; also for tests with the paper's vectors.
 */
uint64_t weir_siphash(const uint8_t key[static 16], const void *bytes, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/map.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/arena.h"

#define EMPTY     UINT32_MAX
#define TOMBSTONE (UINT32_MAX - 1)

/* Entries stand in insertion order; `index` holds their positions by hash (open addressing). */
struct weir_map {
    size_t key_bytes;
    uint8_t *keys;
    void **values; /* NULL: removed */
    size_t n_entries;
    size_t cap_entries;
    size_t live;
    uint32_t *index;
    size_t cap_index;  /* power of two */
    size_t used_index; /* live and tombstones */
};

static uint8_t process_key[16];
static pthread_once_t process_key_once = PTHREAD_ONCE_INIT;

static void make_process_key(void)
{
    if (getrandom(process_key, sizeof(process_key), 0) != (ssize_t)sizeof(process_key)) {
        abort();
    }
}

static uint64_t rotl(uint64_t x, int b)
{
    return (x << b) | (x >> (64 - b));
}

static void sip_round(uint64_t v[static 4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
    return x;
}

uint64_t weir_siphash(const uint8_t key[static 16], const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t k0 = load_le(key, 8);
    uint64_t k1 = load_le(key + 8, 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
    size_t whole = len / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = load_le(p + i, 8);
        v[3] ^= m;
        sip_round(v);
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = load_le(p + whole, len - whole) | (uint64_t)(len & 0xff) << 56;
    v[3] ^= last;
    sip_round(v);
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct weir_map *weir_map_new(size_t key_bytes)
{
    assert(key_bytes > 0 && key_bytes < 256);
    pthread_once(&process_key_once, make_process_key);
    struct weir_map *map = weir_xalloc(sizeof(*map));
    map->key_bytes = key_bytes;
    return map;
}

void weir_map_free(struct weir_map *map)
{
    if (map) {
        free(map->keys);
        free(map->values);
        free(map->index);
        free(map);
    }
}

size_t weir_map_count(const struct weir_map *map)
{
    return map->live;
}

static const uint8_t *key_at(const struct weir_map *map, size_t entry)
{
    return map->keys + entry * map->key_bytes;
}

static size_t slot_of(const struct weir_map *map, const void *key)
{
    return (size_t)weir_siphash(process_key, key, map->key_bytes) & (map->cap_index - 1);
}

/* The slot that holds the key, or SIZE_MAX. */
static size_t find_slot(const struct weir_map *map, const void *key)
{
    if (map->cap_index == 0) {
        return SIZE_MAX;
    }
    size_t slot = slot_of(map, key);
    while (map->index[slot] != EMPTY) {
        uint32_t entry = map->index[slot];
        if (entry != TOMBSTONE && memcmp(key_at(map, entry), key, map->key_bytes) == 0) {
            return slot;
        }
        slot = (slot + 1) & (map->cap_index - 1);
    }
    return SIZE_MAX;
}

void *weir_map_find(const struct weir_map *map, const void *key)
{
    size_t slot = find_slot(map, key);
    return slot == SIZE_MAX ? NULL : map->values[map->index[slot]];
}

static void index_entry(struct weir_map *map, size_t entry)
{
    size_t slot = slot_of(map, key_at(map, entry));
    while (map->index[slot] != EMPTY) {
        slot = (slot + 1) & (map->cap_index - 1);
    }
    map->index[slot] = (uint32_t)entry;
    map->used_index++;
}

/* Drops removed entries and builds the index anew, for `most` entries at least, with room to grow.
 */
static void rebuild(struct weir_map *map, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < map->n_entries; i++) {
        if (map->values[i]) {
            memmove(map->keys + n * map->key_bytes, key_at(map, i), map->key_bytes);
            map->values[n++] = map->values[i];
        }
    }
    map->n_entries = n;
    size_t cap = 16;
    while (cap < (n + 1) * 4 || cap < most * 2) {
        cap *= 2;
    }
    assert(cap < TOMBSTONE);
    free(map->index);
    map->index = weir_xarray(cap, sizeof(*map->index));
    memset(map->index, 0xff, cap * sizeof(*map->index));
    map->cap_index = cap;
    map->used_index = 0;
    for (size_t i = 0; i < n; i++) {
        index_entry(map, i);
    }
}

static void make_room(struct weir_map *map, size_t cap)
{
    map->keys = weir_xrealloc(map->keys, cap, map->key_bytes);
    map->values = weir_xrealloc(map->values, cap, sizeof(*map->values));
    map->cap_entries = cap;
}

void weir_map_reserve(struct weir_map *map, size_t n)
{
    if (n > map->cap_entries) {
        make_room(map, n);
    }
    if (n * 2 > map->cap_index) {
        rebuild(map, n);
    }
}

void *weir_map_put(struct weir_map *map, const void *key, void *value)
{
    assert(value);
    size_t slot = find_slot(map, key);
    if (slot != SIZE_MAX) {
        void *old = map->values[map->index[slot]];
        map->values[map->index[slot]] = value;
        return old;
    }
    if ((map->used_index + 1) * 2 > map->cap_index) {
        rebuild(map, 0);
    }
    if (map->n_entries == map->cap_entries) {
        make_room(map, map->cap_entries ? map->cap_entries * 2 : 16);
    }
    memcpy(map->keys + map->n_entries * map->key_bytes, key, map->key_bytes);
    map->values[map->n_entries] = value;
    index_entry(map, map->n_entries);
    map->n_entries++;
    map->live++;
    return NULL;
}

void *weir_map_remove(struct weir_map *map, const void *key)
{
    size_t slot = find_slot(map, key);
    if (slot == SIZE_MAX) {
        return NULL;
    }
    uint32_t entry = map->index[slot];
    void *old = map->values[entry];
    map->values[entry] = NULL;
    map->index[slot] = TOMBSTONE;
    map->live--;
    return old;
}

bool weir_map_next(const struct weir_map *map, size_t *at, const void **ret_key, void **ret_value)
{
    while (*at < map->n_entries && !map->values[*at]) {
        (*at)++;
    }
    if (*at >= map->n_entries) {
        return false;
    }
    if (ret_key) {
        *ret_key = key_at(map, *at);
    }
    *ret_value = map->values[*at];
    (*at)++;
    return true;
}

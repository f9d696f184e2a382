/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN               alignof(max_align_t)
#define DEFAULT_BLOCK_BYTES 4096

struct block {
    struct block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

struct weir_arena {
    struct block *head;
};

static void die_of_memory(size_t size)
{
    fprintf(stderr, "out of memory asking for %zu bytes\n", size);
    abort();
}

void *weir_xalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) {
        die_of_memory(size);
    }
    return p;
}

void *weir_xarray(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p) {
        die_of_memory(n);
    }
    return p;
}

void *weir_xrealloc(void *p, size_t n, size_t size)
{
    void *grown = reallocarray(p, n ? n : 1, size ? size : 1);
    if (!grown) {
        die_of_memory(n);
    }
    return grown;
}

char *weir_xstrdup(const char *s)
{
    char *copy = strdup(s);
    if (!copy) {
        die_of_memory(strlen(s));
    }
    return copy;
}

void weir_freep(void *pp)
{
    void **slot = pp;
    free(*slot);
    *slot = NULL;
}

static struct block *block_new(size_t size)
{
    struct block *b = malloc(sizeof(*b) + size);
    if (!b) {
        die_of_memory(size);
    }
    b->next = NULL;
    b->size = size;
    b->used = 0;
    return b;
}

struct weir_arena *weir_arena_new(size_t first_bytes)
{
    struct weir_arena *arena = weir_xalloc(sizeof(*arena));
    arena->head = block_new(first_bytes ? first_bytes : DEFAULT_BLOCK_BYTES);
    return arena;
}

void weir_arena_free(struct weir_arena *arena)
{
    if (!arena) {
        return;
    }
    for (struct block *b = arena->head; b;) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
    free(arena);
}

void weir_arena_cleanup(struct weir_arena **arena)
{
    weir_arena_free(*arena);
    *arena = NULL;
}

void weir_arena_reset(struct weir_arena *arena)
{
    struct block *largest = arena->head;
    assert(largest); /* weir_arena_new makes the first one */
    for (struct block *b = largest->next; b; b = b->next) {
        if (b->size > largest->size) {
            largest = b;
        }
    }
    for (struct block *b = arena->head; b;) {
        struct block *next = b->next;
        if (b != largest) {
            free(b);
        }
        b = next;
    }
    largest->next = NULL;
    largest->used = 0;
    arena->head = largest;
}

void *weir_arena_alloc(struct weir_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4) {
        die_of_memory(size);
    }
    size_t need = (size + ALIGN) / ALIGN * ALIGN; /* one spare byte keeps empty ones apart */
    struct block *b = arena->head;
    if (b->size - b->used < need) {
        size_t grown = b->size * 2;
        b = block_new(grown > need ? grown : need);
        b->next = arena->head;
        arena->head = b;
    }
    void *p = b->bytes + b->used;
    b->used += need;
    memset(p, 0, need);
    return p;
}

void *weir_arena_array(struct weir_arena *arena, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total)) {
        die_of_memory(n);
    }
    return weir_arena_alloc(arena, total);
}

char *weir_arena_memdup(struct weir_arena *arena, const void *bytes, size_t len)
{
    char *copy = weir_arena_alloc(arena, len + 1);
    if (len) {
        memcpy(copy, bytes, len);
    }
    copy[len] = '\0';
    return copy;
}

char *weir_arena_strdup(struct weir_arena *arena, const char *s)
{
    return weir_arena_memdup(arena, s, strlen(s));
}

char *weir_arena_printf(struct weir_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = weir_arena_alloc(arena, n > 0 ? (size_t)n + 1 : 1);
    if (n > 0) {
        vsnprintf(text, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    return text;
}

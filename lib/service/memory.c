/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/memory.h"

#include <stdio.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define ARENAS_MAX 2
#define WORTH_MIN  (64UL * 1024UL)
#define WORTH_PART 64 /* of what is in use */

static size_t slack_of(size_t resident_bytes, size_t used_bytes)
{
    return resident_bytes > used_bytes ? resident_bytes - used_bytes : 0;
}

bool weir_memory_is_loose(const struct weir_memory *memory, size_t resident_bytes,
                          size_t used_bytes)
{
    size_t part = used_bytes / WORTH_PART;
    return slack_of(resident_bytes, used_bytes) >
           memory->slack_bytes + (part > WORTH_MIN ? part : WORTH_MIN);
}

#ifdef __GLIBC__

/* Anonymous pages, as proc(5) tells of them; 0 when it does not. */
static size_t resident(void)
{
    unsigned long all = 0;
    unsigned long shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) {
        return 0;
    }
    int n = fscanf(file, "%*u %lu %lu", &all, &shared);
    fclose(file);
    return n == 2 && all > shared ? (all - shared) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

static size_t used(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

void weir_memory_bound(void)
{
    mallopt(M_ARENA_MAX, ARENAS_MAX);
}

void weir_memory_trim(struct weir_memory *memory)
{
    if (weir_memory_is_loose(memory, resident(), used())) {
        malloc_trim(0);
        memory->slack_bytes = slack_of(resident(), used());
    }
}

#else

void weir_memory_bound(void)
{
}

void weir_memory_trim(struct weir_memory *memory)
{
    (void)memory;
}

#endif

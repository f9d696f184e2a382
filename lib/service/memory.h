/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what a program holds close to what it uses.
 *
 * glibc gives every thread an arena of its own. Kafka's library allocates in its threads what the
 * loop frees, so free pieces lie scattered over many arenas and no page of them goes back: a daemon
 * grows for hours though it knows no more (measured on a scheduler after 12,000 commands: 14.6 MB
 * held over 16 arenas, 4.6 MB in use). Elsewhere than on glibc nothing is done.
 */
#ifndef WEIR_SERVICE_MEMORY_H
#define WEIR_SERVICE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct weir_memory {
    size_t slack_bytes; /* what trimming left last: stacks, data, pieces of pages */
};

/* Few arenas for all threads. Once, before the first thread is made. */
void weir_memory_bound(void);

/* Whether so much of what is resident is not in use that giving it back is worth the time. */
bool weir_memory_is_loose(const struct weir_memory *memory, size_t resident_bytes,
                          size_t used_bytes);

/* Gives free pages back to the system when it is worth it: about 1 ms for 10 MB, in which other
 * threads that allocate may wait. From one thread; `memory` begins as zeros. */
void weir_memory_trim(struct weir_memory *memory);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Where the scheduler puts input records that nobody can read. A producer that the library gave up
 * is replaced; what it had not delivered then still stands in the topic it came from. */
#ifndef SCHEDULER_DEAD_LETTERS_H
#define SCHEDULER_DEAD_LETTERS_H

#include "lib/io/bus.h"

struct dead_letters;

WEIR_MUST_USE enum weir_code dead_letters_open(const char *brokers, struct dead_letters **ret,
                                               struct weir_err *err);
void dead_letters_close(struct dead_letters **letters);

void dead_letters_put(struct dead_letters *letters, const struct weir_bus_message *message,
                      const struct weir_err *why);

/* Several times a second. */
void dead_letters_poll(struct dead_letters *letters);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the ledger: the ids of the commands that it remembers, oldest first.
 *
 * In one array and not an allocation each: a ledger takes in some hundred thousand a day, between
 * allocations that live for a moment, and every one that stayed there would hold a page.
 */
#ifndef WEIR_DOMAIN_LEDGER_COMMANDS_H
#define WEIR_DOMAIN_LEDGER_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/id.h"

struct weir_ledger_command {
    struct weir_id command_id;
    int64_t at_ms; /* cell time at which it was decided on */
};

struct weir_ledger_commands;

struct weir_ledger_commands *weir_ledger_commands_new(void);
void weir_ledger_commands_free(struct weir_ledger_commands *self);

bool weir_ledger_commands_has(const struct weir_ledger_commands *self,
                              const struct weir_id *command_id);

/* Comes last in the order. False when it is known already: then nothing changed. */
bool weir_ledger_commands_add(struct weir_ledger_commands *self,
                              const struct weir_ledger_command *command);

size_t weir_ledger_commands_count(const struct weir_ledger_commands *self);

/* `at` 0 is the oldest, below the count; valid until the next change. */
const struct weir_ledger_command *weir_ledger_commands_at(const struct weir_ledger_commands *self,
                                                          size_t at);

/* Forgets the oldest; there must be one. */
void weir_ledger_commands_drop(struct weir_ledger_commands *self);

/* By time, whatever the order in which they came. */
void weir_ledger_commands_sort(struct weir_ledger_commands *self);

#endif

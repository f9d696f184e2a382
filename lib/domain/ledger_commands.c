/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/ledger_commands.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"

/* A power of two, as every capacity is. A busy hour's: what has to grow leaves holes behind. */
#define CAP_MIN 4096

struct weir_ledger_commands {
    struct weir_map *known;            /* command_id -> `is_known` */
    struct weir_ledger_command *items; /* a ring of `cap` */
    size_t cap;
    size_t first;
    size_t n;
};

static char is_known;

struct weir_ledger_commands *weir_ledger_commands_new(void)
{
    struct weir_ledger_commands *self = weir_xalloc(sizeof(*self));
    self->known = weir_map_new(sizeof(struct weir_id));
    weir_map_reserve(self->known, CAP_MIN);
    return self;
}

void weir_ledger_commands_free(struct weir_ledger_commands *self)
{
    if (self == NULL) {
        return;
    }
    weir_map_free(self->known);
    free(self->items);
    free(self);
}

bool weir_ledger_commands_has(const struct weir_ledger_commands *self,
                              const struct weir_id *command_id)
{
    return weir_map_find(self->known, command_id->b) != NULL;
}

size_t weir_ledger_commands_count(const struct weir_ledger_commands *self)
{
    return self->n;
}

static struct weir_ledger_command *item(const struct weir_ledger_commands *self, size_t at)
{
    return &self->items[(self->first + at) & (self->cap - 1)];
}

const struct weir_ledger_command *weir_ledger_commands_at(const struct weir_ledger_commands *self,
                                                          size_t at)
{
    assert(at < self->n);
    return item(self, at);
}

/* Lays them out from the array's beginning, with room for `cap`. */
static void move_to(struct weir_ledger_commands *self, size_t cap)
{
    struct weir_ledger_command *items = weir_xarray(cap, sizeof(*items));
    for (size_t i = 0; i < self->n; i++) {
        items[i] = *item(self, i);
    }
    free(self->items);
    self->items = items;
    self->cap = cap;
    self->first = 0;
}

bool weir_ledger_commands_add(struct weir_ledger_commands *self,
                              const struct weir_ledger_command *command)
{
    if (weir_ledger_commands_has(self, &command->command_id)) {
        return false;
    }
    if (self->n == self->cap) {
        move_to(self, self->cap == 0 ? CAP_MIN : self->cap * 2);
    }
    *item(self, self->n) = *command;
    self->n++;
    weir_map_put(self->known, command->command_id.b, &is_known);
    return true;
}

void weir_ledger_commands_drop(struct weir_ledger_commands *self)
{
    assert(self->n > 0);
    weir_map_remove(self->known, item(self, 0)->command_id.b);
    self->first = (self->first + 1) & (self->cap - 1);
    self->n--;
    if (self->cap > CAP_MIN && self->n < self->cap / 4) {
        move_to(self, self->cap / 2);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct weir_ledger_command *left = a;
    const struct weir_ledger_command *right = b;
    if (left->at_ms != right->at_ms) {
        return left->at_ms < right->at_ms ? -1 : 1;
    }
    return memcmp(left->command_id.b, right->command_id.b, sizeof(left->command_id.b));
}

void weir_ledger_commands_sort(struct weir_ledger_commands *self)
{
    if (self->n > 0) {
        move_to(self, self->cap);
        qsort(self->items, self->n, sizeof(*self->items), by_time);
    }
}

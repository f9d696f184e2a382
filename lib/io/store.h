/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis by hiredis: one blocking connection with timeouts that comes back by itself. What is
 * written here may vanish at any time; nobody may need it to be right.
 */
#ifndef WEIR_IO_STORE_H
#define WEIR_IO_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct weir_store;

struct weir_store_config {
    const char *url;    /* redis://[user:password@]host:port[/db]; never logged */
    int64_t connect_ms; /* 0: 500 */
    int64_t command_ms; /* 0: 500 */
    int64_t retry_ms;   /* 0: 500; after a failure calls fail at once for this long; < 0: never */
};

enum weir_store_type { WEIR_STORE_NIL, WEIR_STORE_TEXT, WEIR_STORE_INT, WEIR_STORE_ARRAY };

struct weir_store_value {
    enum weir_store_type type;
    const char *text; /* NUL-terminated, in the arena */
    size_t len;
    int64_t integer;
    struct weir_store_value *items;
    size_t n_items;
};

/* Opens no connection yet. One thread. */
WEIR_MUST_USE enum weir_code weir_store_open(const struct weir_store_config *config,
                                             struct weir_store **ret, struct weir_err *err);
void weir_store_close(struct weir_store **store);

/* One command; arguments are binary safe. An error reply is WEIR_EINVAL with its text. */
WEIR_MUST_USE enum weir_code weir_store_call(struct weir_store *store, const char *const *args,
                                             const size_t *lens, size_t n, struct weir_arena *arena,
                                             struct weir_store_value *ret, struct weir_err *err);

/* Queues a command; weir_store_flush sends all and reads the answers. On an error the whole batch
 * has an unknown outcome. */
void weir_store_queue(struct weir_store *store, const char *const *args, const size_t *lens,
                      size_t n);
WEIR_MUST_USE enum weir_code weir_store_flush(struct weir_store *store, size_t *ret_errors,
                                              struct weir_err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the ledger, shared by its files: folding (ledger.c), checkpoints
 * (ledger_checkpoint.c) and hashing (ledger_hash.c). Nobody else includes this.
 */
#ifndef WEIR_DOMAIN_LEDGER_ROWS_H
#define WEIR_DOMAIN_LEDGER_ROWS_H

#include "lib/base/map.h"
#include "lib/domain/ledger.h"
#include "lib/domain/ledger_commands.h"

struct weir_ledger {
    struct weir_map *streams; /* stream_id -> struct weir_stream_row */
    struct weir_map *leases;  /* camera_id -> struct weir_lease_row */
    struct weir_map *workers; /* worker_id -> struct weir_worker_row */
    struct weir_ledger_commands *commands;
    struct weir_ledger_causes causes;
    int64_t offset;
    int64_t now_ms;
    uint64_t hash; /* sum of the hashes of all rows and commands */
    /* Chunks of command ids taken from a checkpoint, to be counted at its end. */
    int64_t restored_chunks;
};

uint64_t weir_ledger_hash_stream(const struct weir_stream_row *row);
uint64_t weir_ledger_hash_lease(const struct weir_lease_row *row);
uint64_t weir_ledger_hash_worker(const struct weir_worker_row *row);
uint64_t weir_ledger_hash_command(const struct weir_ledger_command *command);

/* Remembers a command id; a known one keeps its time. */
void weir_ledger_add_command(struct weir_ledger *ledger, const struct weir_id *command_id,
                             int64_t at_ms);

#endif

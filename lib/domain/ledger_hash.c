/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/domain/ledger_rows.h"

/* The key is no secret: ledgers of different processes are to be compared. */
static const uint8_t hash_key[16] = "weir ledger v1";

/* Fields one after the other, without the padding of structs. Fits the largest row. */
struct packed {
    uint8_t bytes[1024];
    size_t len;
};

static void pack_bytes(struct packed *packed, const void *bytes, size_t len)
{
    assert(packed->len + len <= sizeof(packed->bytes));
    memcpy(packed->bytes + packed->len, bytes, len);
    packed->len += len;
}

static void pack_id(struct packed *packed, const struct weir_id *id)
{
    pack_bytes(packed, id->b, sizeof(id->b));
}

static void pack_int(struct packed *packed, int64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * i));
    }
    pack_bytes(packed, bytes, sizeof(bytes));
}

/* With its NUL, so that neighbours cannot flow into each other. */
static void pack_text(struct packed *packed, const char *text)
{
    pack_bytes(packed, text, strlen(text) + 1);
}

static uint64_t digest(const struct packed *packed)
{
    return weir_siphash(hash_key, packed->bytes, packed->len);
}

/* Packed only where there is one: rows that never moved hash as they always did. */
static void pack_second(struct packed *packed, const struct weir_place *second)
{
    if (weir_id_is_nil(&second->worker_id)) {
        return;
    }
    pack_text(packed, "second");
    pack_id(packed, &second->worker_id);
    pack_int(packed, second->incarnation);
    pack_int(packed, second->lease_generation);
    pack_int(packed, second->generation);
    pack_int(packed, second->seq_base);
    pack_int(packed, second->placed_at_ms);
}

/* Packed only where it is known: rows of older records hash as they always did. */
static void pack_effective(struct packed *packed, const struct weir_effective *effective)
{
    if (effective->codec[0] == '\0') {
        return;
    }
    pack_text(packed, "effective");
    pack_text(packed, effective->codec);
    pack_int(packed, effective->width);
    pack_int(packed, effective->height);
    pack_int(packed, effective->fps);
    pack_int(packed, effective->bitrate_bps);
    pack_int(packed, effective->how);
    pack_text(packed, effective->why);
    if (effective->has_audio) {
        pack_text(packed, "audio");
        pack_int(packed, effective->audio);
    }
    if (effective->has_encoder) {
        pack_text(packed, weir_encoder_name(effective->encoder));
    }
}

uint64_t weir_ledger_hash_stream(const struct weir_stream_row *row)
{
    struct packed packed = {.len = 0};
    pack_text(&packed, "stream");
    pack_id(&packed, &row->stream_id);
    pack_id(&packed, &row->tenant_id);
    pack_id(&packed, &row->camera_id);
    pack_int(&packed, row->quality);
    pack_int(&packed, row->fps);
    pack_int(&packed, row->class);
    pack_int(&packed, row->state);
    pack_int(&packed, row->generation);
    pack_id(&packed, &row->worker_id);
    pack_int(&packed, row->incarnation);
    pack_int(&packed, row->lease_generation);
    pack_int(&packed, row->seq_base);
    pack_int(&packed, row->placed_at_ms);
    pack_int(&packed, row->queued_at_ms);
    pack_int(&packed, row->changed_at_ms);
    pack_text(&packed, row->reason);
    pack_text(&packed, row->detail);
    pack_second(&packed, &row->second);
    if (row->last_generation != row->generation) {
        pack_text(&packed, "last");
        pack_int(&packed, row->last_generation);
    }
    pack_effective(&packed, &row->effective);
    return digest(&packed);
}

uint64_t weir_ledger_hash_lease(const struct weir_lease_row *row)
{
    struct packed packed = {.len = 0};
    pack_text(&packed, "lease");
    pack_id(&packed, &row->camera_id);
    pack_id(&packed, &row->tenant_id);
    pack_id(&packed, &row->worker_id);
    pack_int(&packed, row->incarnation);
    pack_int(&packed, row->lease_generation);
    pack_int(&packed, row->state);
    pack_int(&packed, row->warm);
    pack_int(&packed, row->since_ms);
    pack_text(&packed, row->reason);
    pack_second(&packed, &row->second);
    return digest(&packed);
}

uint64_t weir_ledger_hash_worker(const struct weir_worker_row *row)
{
    struct packed packed = {.len = 0};
    pack_text(&packed, "worker");
    pack_id(&packed, &row->worker_id);
    pack_id(&packed, &row->boot_id);
    pack_int(&packed, row->incarnation);
    pack_int(&packed, row->state);
    pack_text(&packed, row->origin_url);
    pack_text(&packed, row->site);
    pack_int(&packed, row->capacity.cpu_milli);
    pack_int(&packed, row->capacity.mem_mib);
    pack_int(&packed, row->capacity.net_kbps);
    pack_int(&packed, row->capacity.gpu_permille);
    pack_int(&packed, row->capacity.gpu_mem_mib);
    pack_int(&packed, row->streams_max);
    pack_int(&packed, row->since_ms);
    pack_text(&packed, row->reason);
    return digest(&packed);
}

uint64_t weir_ledger_hash_command(const struct weir_ledger_command *command)
{
    struct packed packed = {.len = 0};
    pack_text(&packed, "command");
    pack_id(&packed, &command->command_id);
    pack_int(&packed, command->at_ms);
    return digest(&packed);
}

const char *weir_ledger_hash_format(uint64_t hash, char text[static WEIR_LEDGER_HASH_TEXT_MAX])
{
    snprintf(text, WEIR_LEDGER_HASH_TEXT_MAX, "%016llx", (unsigned long long)hash);
    return text;
}

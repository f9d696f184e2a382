/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may lie in Redis for a camera's source. The first byte says how it comes: as it is, or
 * signed rightly, so that what comes after the signature is reached too. What is read is written so
 * that it is read as the same; what was not signed is not read at all. Then as a sealed text, which
 * opens only when it was sealed for a key of the ring.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/domain/source_entry.h"
#include "lib/io/seal.h"
#include "lib/io/sign.h"

#define KEY  "3131313131313131313131313131313131313131313131313131313131313131"
#define KEY2 "4141414141414141414141414141414141414141414141414141414141414141"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_entry(const char *text, struct weir_arena *arena)
{
    struct weir_source_entry entry;
    struct weir_source_entry again;
    if (weir_source_entry_parse(text, arena, &entry, NULL) != WEIR_OK)
        return;
    must(weir_source_entry_parse(weir_source_entry_write(&entry, arena), arena, &again, NULL) ==
         WEIR_OK);
    must(weir_id_equal(&entry.tenant_id, &again.tenant_id) &&
         weir_id_equal(&entry.camera_id, &again.camera_id));
    must(entry.camera_version == again.camera_version && entry.camera_version >= 0);
    must(weir_ceiling_is_same(&entry.ceiling, &again.ceiling) && entry.ceiling.fps >= 0 &&
         entry.ceiling.fps <= WEIR_FPS_MAX);
    must(entry.encoder_delay_ms == again.encoder_delay_ms && entry.encoder_delay_ms >= 0 &&
         entry.encoder_delay_ms <= WEIR_ENCODER_DELAY_MAX_MS);
    must(strcmp(entry.sealed, again.sealed) == 0 && strcmp(entry.networks, again.networks) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_sign_key key;
    struct weir_seal_ring keys;
    if (size == 0 || size > WEIR_SOURCE_ENTRY_MAX_BYTES + 16)
        return 0;
    must(weir_sign_parse_key(KEY, &key, NULL) == WEIR_OK);
    must(weir_seal_parse_ring(KEY "\n" KEY2, &keys, NULL) == WEIR_OK);
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_sign_ring ring = weir_sign_ring_of(&key);
    const char *text = weir_arena_memdup(arena, data + 1, size - 1);
    const char *inner = NULL;
    if (data[0] == 's') {
        const char *sealed = weir_sign(&key, WEIR_SOURCE_ENTRY_CONTEXT, text, arena);
        must(weir_sign_check(&ring, WEIR_SOURCE_ENTRY_CONTEXT, sealed, arena, &inner, NULL) ==
             WEIR_OK);
        must(strcmp(inner, text) == 0);
        check_entry(inner, arena);
    } else {
        must(weir_sign_check(&ring, WEIR_SOURCE_ENTRY_CONTEXT, text, arena, &inner, NULL) !=
             WEIR_OK);
    }
    size_t len;
    char id[WEIR_SEAL_ID_MAX];
    weir_seal_id_of(text, id);
    must(weir_unseal(&keys, text, arena, &inner, &len, NULL) != WEIR_OK);
    return 0;
}

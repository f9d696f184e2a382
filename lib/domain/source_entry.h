/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the api says of a camera's source: its answer to a worker, and what it keeps in Redis for
 * itself and the workers, signed there (lib/io/sign.h). Pure.
 *
 *     {"tenant_id":"...","camera_id":"...","version":7,"sealed":"...","exclusive":false,
 *      "encoder_delay_ms":0,"networks":"public","camera_version":9,"tenant_version":3,
 *      "max_streams":100,"stopped":false,"default_quality":"source","default_fps":0,
 *      "max_quality":"medium","max_fps":0,"audio":false,
 *      "expires_at_ms":1795000000000}
 *
 * `version` is the one that was sealed; `camera_version` and `tenant_version` are those of the
 * rows, which rise with every change: by them it is told what is out of date. Defaults and ceiling
 * are what comes of the camera's and its tenant's together; an entry without them is none, so that
 * nothing written by those who knew of no ceiling passes one.
 */
#ifndef WEIR_DOMAIN_SOURCE_ENTRY_H
#define WEIR_DOMAIN_SOURCE_ENTRY_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/domain/id.h"
#include "lib/domain/json.h"
#include "lib/domain/profile.h"

#define WEIR_SOURCE_ENTRY_MAX_BYTES 32768
/* How much later than the capture a camera may say that a picture was (docs/adr/0044). */
#define WEIR_ENCODER_DELAY_MAX_MS 5000
/* What such an entry's signature is good for. */
#define WEIR_SOURCE_ENTRY_CONTEXT "weir.source.v1"

struct weir_source_entry {
    struct weir_id tenant_id;
    struct weir_id camera_id;
    int64_t camera_version;
    int64_t tenant_version;
    int64_t source_version;
    const char *sealed;
    const char *networks; /* where the tenant's cameras may be */
    bool is_exclusive;
    int64_t encoder_delay_ms;      /* 0..WEIR_ENCODER_DELAY_MAX_MS */
    bool is_stopped;               /* the tenant is */
    int64_t max_streams;           /* of the tenant */
    struct weir_profile otherwise; /* what a start gets that names nothing */
    struct weir_ceiling ceiling;
    bool has_audio;        /* the tenant has sound, and the camera is not muted */
    int64_t expires_at_ms; /* wall clock; from then on it says nothing */
};

/* The JSON text, in the arena. */
const char *weir_source_entry_write(const struct weir_source_entry *entry,
                                    struct weir_arena *arena);

/* Texts of `ret` live in the arena. WEIR_EPARSE, WEIR_ELIMIT: it is no such entry. */
WEIR_MUST_USE enum weir_code weir_source_entry_parse(const char *text, struct weir_arena *arena,
                                                     struct weir_source_entry *ret,
                                                     struct weir_err *err);

/* The encoder's delay of such an entry alone; false when it is not there as it should be. */
WEIR_MUST_USE bool weir_encoder_delay_read(const struct weir_json *json, int64_t *ret_ms);

/* The ceiling of such an entry alone; false when it is not there as it should be. */
WEIR_MUST_USE bool weir_ceiling_read(const struct weir_json *json, struct weir_ceiling *ret);

/* Where it is kept in Redis: a hash of `v`, the camera's version, and `e`, the signed entry, which
 * is missing for a while after a change. */
const char *weir_source_entry_key(int64_t cell, const struct weir_id *camera_id,
                                  struct weir_arena *arena);
/* A hash of `v`, the version of a tenant that changed lately. */
const char *weir_source_tenant_key(int64_t cell, const struct weir_id *tenant_id,
                                   struct weir_arena *arena);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start and a worker need to know of a camera, without asking Postgres each time: from
 * Redis, whose entries the apis sign; else from this api's memory, as long as it follows
 * `weir.config.v1` and heard of no newer version; else from Postgres, by one caller for all.
 *
 * A change is told to Redis before it is answered, and to every api by the log. So whoever asks
 * after an answered change sees it at once while Redis stands, and a second later when it does not.
 * docs/adr/0032.
 */
#ifndef WEIR_API_SOURCES_H
#define WEIR_API_SOURCES_H

#include "api/api.h"
#include "lib/domain/source_entry.h"

struct api_sources;

/* Takes the signing key from the settings; without one Redis is not used. */
WEIR_MUST_USE enum weir_code api_sources_open(struct api *api, struct api_sources **ret,
                                              struct weir_err *err);
void api_sources_free(struct api_sources *sources); /* NULL is fine */

struct api_source_wish {
    struct weir_id tenant_id;
    struct weir_id camera_id;
    /* Older versions of the rows will not do; 0: any that is thought current. */
    int64_t camera_version;
    int64_t tenant_version;
};

/*
 * Texts of `ret` live in the arena. `ret_asked` is set where Postgres was asked, else left alone.
 * WEIR_ENOTFOUND: the tenant has no such camera. WEIR_EUNAVAILABLE, WEIR_ETIMEOUT: Postgres is away
 * and nobody else knows. Blocks.
 */
WEIR_MUST_USE enum weir_code api_sources_find(struct api *api, const struct api_source_wish *wish,
                                              struct weir_arena *arena,
                                              struct api_known_camera *ret, bool *ret_asked,
                                              struct weir_err *err);

/* What workers are told. */
struct weir_source_entry api_sources_entry(const struct api *api, const struct weir_id *tenant_id,
                                           const struct weir_id *camera_id,
                                           const struct api_known_camera *camera);

/* A camera or tenant has this version from now on; `is_new` false while old records are read, of
 * which Redis needs to hear nothing. Before the change is answered, and at its record. */
void api_sources_camera_changed(struct api *api, const struct weir_id *camera_id, int64_t version,
                                bool is_new);
void api_sources_tenant_changed(struct api *api, const struct weir_id *tenant_id, int64_t version,
                                bool is_new);

/* Counts a start by whether it asked Postgres. */
void api_sources_count_start(struct api *api, bool has_asked);

#endif

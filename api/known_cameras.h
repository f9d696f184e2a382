/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cameras that Postgres was asked for lately: whose they are, how many streams their tenant may
 * have and where its cameras may be, what streams of them may be, and their sealed source, which
 * nobody here can open. What is older than the newest version that was heard of its camera or
 * tenant is not known any more. Thread-safe.
 */
#ifndef WEIR_API_KNOWN_CAMERAS_H
#define WEIR_API_KNOWN_CAMERAS_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/domain/id.h"
#include "lib/domain/profile.h"

struct api_known_cameras;

struct api_known_camera {
    int64_t version;        /* of the camera's row */
    int64_t tenant_version; /* of its tenant's */
    int64_t max_streams;    /* of the tenant */
    bool is_stopped;        /* the tenant is */
    int64_t source_version;
    const char *sealed;
    bool is_exclusive;
    int64_t encoder_delay_ms;
    struct weir_profile otherwise; /* what a start gets that names nothing */
    struct weir_ceiling ceiling;
    bool has_audio;       /* its sound may be heard */
    const char *networks; /* of the tenant's cameras; NULL: the deployment's default */
};

/* Keeps the `max` newest, and of `heard_max` cameras and tenants the newest version. */
struct api_known_cameras *api_known_cameras_new(size_t max, size_t heard_max);
void api_known_cameras_free(struct api_known_cameras *known);

void api_known_cameras_put(struct api_known_cameras *known, const struct weir_id *tenant_id,
                           const struct weir_id *camera_id, const struct api_known_camera *camera);
void api_known_cameras_remove(struct api_known_cameras *known, const struct weir_id *tenant_id,
                              const struct weir_id *camera_id);

/* A camera or tenant has this version now. */
void api_known_cameras_hear(struct api_known_cameras *known, const struct weir_id *id,
                            int64_t version);
/* The newest version heard of a camera or tenant; 0: none. */
int64_t api_known_cameras_least(struct api_known_cameras *known, const struct weir_id *id);

/* False when it is not known that the camera is the tenant's, or how it is now. Texts are copied to
 * `arena`. */
bool api_known_cameras_find(struct api_known_cameras *known, const struct weir_id *tenant_id,
                            const struct weir_id *camera_id, struct weir_arena *arena,
                            struct api_known_camera *ret);

#endif

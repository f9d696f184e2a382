/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a camera is and how to get in: out of Redis (worker/source_cache.h) or fetched from the
 * api's internal route, opened with the worker's private keys, kept in memory only.
 *
 *     GET {api}/internal/v1/cameras/{camera_id}/source?camera_version=8&tenant_version=2
 *     Authorization: Bearer {worker secret}        X-Weir-Worker-Id: {worker_id}
 *
 *     200 {"camera_id":"...","tenant_id":"...","version":7,"sealed":"...","exclusive":false,
 *          "networks":"public 192.168.0.0/16","camera_version":9,"tenant_version":3,...}
 *
 * The route answers only for cameras that the log places on the asking worker. The sealed text is
 * {"tenant_id","camera_id","version","url","username","password","transport",
 * "tls_pin_sha256"}, and where the camera has more than one source `others`, as tap.camera has
 * them; it must be about the
 * camera and tenant of the lease and the version that is told beside it. `networks` is where the
 * tenant's cameras may be (lib/domain/reach.h), beside the seal because it is not the camera's; so
 * are `max_quality` and `max_fps`, the ceiling of its streams (lib/domain/profile.h), and
 * `encoder_delay_ms` and `audio`: without that word there is no sound.
 */
#ifndef WEIR_WORKER_SOURCE_H
#define WEIR_WORKER_SOURCE_H

#include "lib/base/arena.h"
#include "lib/domain/events.h"
#include "lib/domain/profile.h"
#include "lib/domain/reach.h"
#include "lib/domain/tls_pin.h"
#include "lib/io/http_client.h"
#include "lib/io/seal.h"
#include "worker/calls.h"

#define SOURCE_ANSWER_MAX 65536

struct source {
    int64_t version;        /* that was sealed */
    int64_t camera_version; /* of the camera's row; 0: not told */
    int64_t tenant_version;
    char url[2049];
    bool has_username;
    char username[257];
    bool has_password;
    char password[257];
    bool has_tls_pin;
    char tls_pin[WEIR_TLS_PIN_TEXT_MAX];
    enum weir_transport transport;
    struct weir_ctl_tap_camera_others others[WEIR_CTL_TAP_CAMERA_OTHERS_MAX]; /* beside main */
    size_t n_others;
    bool is_exclusive; /* may never be pulled twice */
    int64_t encoder_delay_ms;
    char networks[WEIR_NETWORKS_TEXT_MAX];
    struct weir_ceiling ceiling; /* that no stream of it passes */
    bool has_audio;              /* its sound may be heard; else it is not even asked for */
};

/* What a worker has heard of a camera and its tenant: older versions will not do; 0: any. */
struct source_least {
    int64_t camera_version;
    int64_t tenant_version;
};

/* Fills in the call that asks for a camera of a tenant; `fn` and `ctx` are the caller's. */
void source_ask(struct call *call, const char *secret, const struct weir_id *worker_id,
                const struct weir_id *tenant_id, const struct weir_id *camera_id,
                const struct source_least *least);

/*
 * Reads the route's answer. WEIR_ENOTFOUND, WEIR_EFORBIDDEN as the api says; WEIR_EFORBIDDEN also
 * for a sealed text of another key, tenant, camera or version; WEIR_EUNSUPPORTED when it names a
 * key that is not in the ring. WEIR_EINVAL: not such an answer, as when the networks are missing,
 * without which nothing may be connected to. Pure.
 */
WEIR_MUST_USE enum weir_code source_read(const struct weir_http_answer *answer,
                                         const struct weir_seal_ring *ring,
                                         const struct weir_id *tenant_id,
                                         const struct weir_id *camera_id, struct source *ret,
                                         struct weir_err *err);

/* Whether both lead to the same sources, by the same way and credentials. */
bool source_is_same_place(const struct source *a, const struct source *b);

#endif

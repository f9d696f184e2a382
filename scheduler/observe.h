/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the core knows beside the ledger: load and silence of workers, activity of viewers, and the
 * configuration. Rebuilt from live input by each leader, never hashed, never in a checkpoint.
 * Times are cell time at which something was received, not times written in an event.
 */
#ifndef SCHEDULER_OBSERVE_H
#define SCHEDULER_OBSERVE_H

#include "lib/domain/ledger.h"

struct seen_worker {
    struct weir_id worker_id;
    int64_t incarnation;
    int64_t heard_ms;
    bool has_load;
    struct weir_ev_heartbeat_load load;
    /* All its engines together, those that are ready: */
    struct seen_encode {
        int64_t kpx_per_s;
        int64_t sessions;
        int64_t kpx_per_s_used;
        int64_t sessions_used;
    } encode;
    struct weir_ev_heartbeat_encoding_encoders encoders[WEIR_ENCODER_N];
    size_t n_encoders;
    int64_t flaps; /* FLAP for each death, as they stood at flapped_ms; they fade */
    int64_t flapped_ms;
};

#define FLAP 1000

/* A generation of a stream as heartbeats list it. */
struct seen_run {
    int64_t generation;
    int64_t listed_ms;        /* last heartbeat that lists it; 0: never */
    int64_t running_since_ms; /* listed as running since then; 0: not running */
    bool has_cpu;             /* the worker tells what making it takes: */
    int64_t cpu_milli;        /* thousandths of a core */
};

#define SEEN_RUNS 2 /* a stream that moves runs twice */

struct seen_stream {
    struct weir_id stream_id;
    struct seen_run runs[SEEN_RUNS];
    int64_t activity_ms; /* newest sign of a viewer; 0: none */
};

struct seen_camera {
    struct weir_id camera_id;
    struct weir_id tenant_id;
    int64_t version;
    bool is_deleted;
    bool is_warm;
    bool is_exclusive;
    int64_t n_unused; /* sweeps since it was deleted and nothing lives that belongs to it */
};

/* The last try to move a camera's streams that did not come to its end. */
struct seen_move {
    struct weir_id camera_id;
    struct weir_id worker_id; /* where they were to go */
    int64_t failed_ms;
    bool is_busy; /* the camera has no session for a second worker */
};

struct seen_tenant {
    struct weir_id tenant_id;
    int64_t version;
    bool is_deleted;
    bool is_stopped;
    int64_t max_streams;
    int64_t n_unused; /* as of a camera */
};

struct observations;

struct observations *observations_new(int64_t now_ms);
void observations_free(struct observations *seen);

void observations_take(struct observations *seen, const struct weir_event *event, int64_t now_ms);
void observations_live(struct observations *seen, int64_t now_ms);

/* Somebody wanted the stream at `at_ms`. */
void observations_activity(struct observations *seen, const struct weir_id *stream_id,
                           int64_t at_ms);
/* The worker showed itself by other means than a heartbeat. */
void observations_heard(struct observations *seen, const struct weir_id *worker_id,
                        int64_t incarnation, int64_t now_ms);

void observations_move_failed(struct observations *seen, const struct weir_id *camera_id,
                              const struct weir_id *worker_id, int64_t now_ms);
void observations_move_busy(struct observations *seen, const struct weir_id *camera_id);
/* NULL: none failed. */
const struct seen_move *observations_move(const struct observations *seen,
                                          const struct weir_id *camera_id);

/* The worker died, or began anew without having left. */
void observations_flapped(struct observations *seen, const struct weir_id *worker_id,
                          int64_t half_life_ms, int64_t now_ms);
/* What is left of FLAP `flaps` that stood at `since_ms`: half of it after each half-life. Pure. */
int64_t observations_faded(int64_t flaps, int64_t since_ms, int64_t half_life_ms, int64_t now_ms);

/* Since when inputs have come without a gap. */
int64_t observations_since(const struct observations *seen);
/* Whether inputs were read to their end just now. */
bool observations_are_live(const struct observations *seen, int64_t now_ms);

/* NULL when nothing is known. */
const struct seen_worker *observations_worker(const struct observations *seen,
                                              const struct weir_id *worker_id);
const struct seen_stream *observations_stream(const struct observations *seen,
                                              const struct weir_id *stream_id);
/* NULL when no heartbeat listed this generation lately. */
const struct seen_run *observations_run(const struct observations *seen,
                                        const struct weir_id *stream_id, int64_t generation);
const struct seen_camera *observations_camera(const struct observations *seen,
                                              const struct weir_id *camera_id);
const struct seen_tenant *observations_tenant(const struct observations *seen,
                                              const struct weir_id *tenant_id);
bool observations_next_camera(const struct observations *seen, size_t *at,
                              const struct seen_camera **ret);

/* Whether the configuration says that the camera or its tenant is gone. */
bool observations_is_gone(const struct observations *seen, const struct weir_id *tenant_id,
                          const struct weir_id *camera_id);

/* Drops what is kept of streams and workers that the ledger does not know any more, and of cameras
 * and tenants that were deleted and had nothing left for OBSERVATIONS_KEEP_SWEEPS sweeps: longer
 * than a start may be on its way. */
#define OBSERVATIONS_KEEP_SWEEPS 10
void observations_sweep(struct observations *seen, const struct weir_ledger *ledger);

#endif

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
};

struct seen_stream {
    struct weir_id stream_id;
    int64_t generation;       /* that heartbeats list */
    int64_t listed_ms;        /* last heartbeat that lists it; 0: never */
    int64_t running_since_ms; /* listed as running since then; 0: not running */
    int64_t activity_ms;      /* newest sign of a viewer; 0: none */
};

struct seen_camera {
    struct weir_id camera_id;
    struct weir_id tenant_id;
    int64_t version;
    bool is_deleted;
    bool is_warm;
    bool is_exclusive;
};

struct seen_tenant {
    struct weir_id tenant_id;
    int64_t version;
    bool is_deleted;
    int64_t max_streams;
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

/* Since when inputs have come without a gap. */
int64_t observations_since(const struct observations *seen);
/* Whether inputs were read to their end just now. */
bool observations_are_live(const struct observations *seen, int64_t now_ms);

/* NULL when nothing is known. */
const struct seen_worker *observations_worker(const struct observations *seen,
                                              const struct weir_id *worker_id);
const struct seen_stream *observations_stream(const struct observations *seen,
                                              const struct weir_id *stream_id);
const struct seen_camera *observations_camera(const struct observations *seen,
                                              const struct weir_id *camera_id);
const struct seen_tenant *observations_tenant(const struct observations *seen,
                                              const struct weir_id *tenant_id);
bool observations_next_camera(const struct observations *seen, size_t *at,
                              const struct seen_camera **ret);

/* Whether the configuration says that the camera or its tenant is gone. */
bool observations_is_gone(const struct observations *seen, const struct weir_id *tenant_id,
                          const struct weir_id *camera_id);

/* Drops what is kept of streams and workers that the ledger does not know any more. */
void observations_sweep(struct observations *seen, const struct weir_ledger *ledger);

#endif

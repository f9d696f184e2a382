/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger of a cell: the fold of its decision log, and nothing else (DESIGN section 2).
 *
 * Pure: no clock, no I/O. Scheduler, standby, worker, api and audit fold the same records and
 * come to the same ledger; weir_ledger_hash lets them compare. A row is only changed by
 * weir_ledger_apply or, at the start, by weir_ledger_restore from a checkpoint.
 *
 * Rows are owned by the ledger; pointers are valid until the next apply, restore or reset.
 */
#ifndef WEIR_DOMAIN_LEDGER_H
#define WEIR_DOMAIN_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/domain/events.h"
#include "lib/domain/id.h"

#define WEIR_REASON_MAX     64
#define WEIR_ORIGIN_URL_MAX 256

struct weir_stream_row {
    struct weir_id stream_id;
    struct weir_id tenant_id;
    struct weir_id camera_id;
    enum weir_quality quality;
    int64_t fps;   /* 0: as the source */
    int64_t class; /* 0 highest .. 3 */
    enum weir_stream_state state;
    int64_t generation;       /* 0: never placed */
    struct weir_id worker_id; /* nil: not placed */
    int64_t incarnation;
    int64_t lease_generation; /* of the camera lease it was placed on */
    int64_t seq_base;         /* of this generation, see DESIGN "origin" */
    int64_t placed_at_ms;     /* cell time */
    /* While migrating: where it starts a newer generation; the fields above are what is served.
     * The worker is nil where there is none. */
    struct weir_place second;
    int64_t last_generation; /* the newest ever given; `generation`, or one that was given up */
    int64_t queued_at_ms;
    int64_t changed_at_ms;            /* cell time of the last change */
    int64_t version;                  /* offset of the decision that changed it last */
    char reason[WEIR_REASON_MAX + 1]; /* why it is in this state */
    char detail[257];
    /* What this placement really is; `codec` is empty until its worker said so. */
    struct weir_effective effective;
};

struct weir_lease_row {
    struct weir_id camera_id;
    struct weir_id tenant_id;
    struct weir_id worker_id;
    int64_t incarnation;
    int64_t lease_generation;
    /* active: has streams. lingering: none, ends after tap_linger_s. warm: none, the camera is
     * marked warm. releasing: the worker was told to let go. */
    enum weir_lease_state state;
    bool warm;
    /* Another worker that pulls the camera too while its streams move: with a newer lease
     * generation the one they go to, with an older one the one they left a moment ago. The worker
     * is nil where there is none. */
    struct weir_place second;
    int64_t since_ms; /* in this state since, cell time */
    int64_t version;
    char reason[WEIR_REASON_MAX + 1];
};

struct weir_worker_row {
    struct weir_id worker_id;
    struct weir_id boot_id;
    int64_t incarnation;
    enum weir_worker_state state; /* dead, left: the incarnation is void */
    char origin_url[WEIR_ORIGIN_URL_MAX + 1];
    char site[65];
    struct weir_capacity capacity;
    int64_t streams_max;
    int64_t since_ms;
    int64_t version;
    char reason[WEIR_REASON_MAX + 1];
};

/* Whether both say the same of a stream. */
bool weir_effective_is_same(const struct weir_effective *a, const struct weir_effective *b);

struct weir_ledger;

struct weir_ledger *weir_ledger_new(void);
void weir_ledger_free(struct weir_ledger *ledger);
void weir_ledger_reset(struct weir_ledger *ledger);

/* What of a row changed; `stream`, `lease` or `worker` is set, the row after the change. */
struct weir_ledger_change {
    const struct weir_stream_row *stream;
    const struct weir_lease_row *lease;
    const struct weir_worker_row *worker;
    int from;    /* the state before, enum of the row that is set; of no meaning when is_new */
    bool is_new; /* also a row that comes from a checkpoint */
};
typedef void weir_ledger_change_fn(void *ctx, const struct weir_ledger_change *change);

/* Rows of streams and workers that ended are forgotten, and so are command ids, after this long. */
#define WEIR_LEDGER_KEEP_MS (24 * 3600 * 1000)

/*
 * Folds one decision read at `offset`. The caller has judged it valid (epoch and instance). Effects
 * are applied in order, all or none. WEIR_ECORRUPT when an effect contradicts the ledger (its
 * `from` is not the row's state): the follower must start again from a checkpoint.
 * `fn` may be NULL; it is called after each effect.
 */
WEIR_MUST_USE enum weir_code weir_ledger_apply(struct weir_ledger *ledger, int64_t offset,
                                               const struct weir_ev_decision *decision,
                                               weir_ledger_change_fn *fn, void *ctx,
                                               struct weir_err *err);

/* Offset of the last decision folded, -1 for none; its cell time. */
int64_t weir_ledger_offset(const struct weir_ledger *ledger);
int64_t weir_ledger_now_ms(const struct weir_ledger *ledger);

const struct weir_stream_row *weir_ledger_stream(const struct weir_ledger *ledger,
                                                 const struct weir_id *stream_id);
/* A lease that ended (state none) has no row. */
const struct weir_lease_row *weir_ledger_lease(const struct weir_ledger *ledger,
                                               const struct weir_id *camera_id);
const struct weir_worker_row *weir_ledger_worker(const struct weir_ledger *ledger,
                                                 const struct weir_id *worker_id);

/* Walks in order of first appearance; *at starts at 0. */
bool weir_ledger_next_stream(const struct weir_ledger *ledger, size_t *at,
                             const struct weir_stream_row **ret);
bool weir_ledger_next_lease(const struct weir_ledger *ledger, size_t *at,
                            const struct weir_lease_row **ret);
bool weir_ledger_next_worker(const struct weir_ledger *ledger, size_t *at,
                             const struct weir_worker_row **ret);

/* Command ids of the last 24 h of cell time, but for those that came after their deadline. */
bool weir_ledger_has_command(const struct weir_ledger *ledger, const struct weir_id *command_id);

/* The next offset to read of each input topic, as the decisions tell (`cause_offset` + 1). */
struct weir_ledger_causes {
    int64_t commands_next;
    int64_t facts_next;
    int64_t config_next;
};
struct weir_ledger_causes weir_ledger_causes(const struct weir_ledger *ledger);

/*
 * A checkpoint: gives every row as a state.* event to `fn`, and at last the state.checkpoint. Only
 * `type` and `u` of the events are set; they are valid during the call.
 */
typedef void weir_ledger_dump_fn(void *ctx, const struct weir_event *event);
void weir_ledger_dump(const struct weir_ledger *ledger, const struct weir_id *instance,
                      int64_t epoch, weir_ledger_dump_fn *fn, void *ctx);
/* Takes one state.* event of a checkpoint into a fresh ledger; state.checkpoint is the last one. */
WEIR_MUST_USE enum weir_code weir_ledger_restore(struct weir_ledger *ledger,
                                                 const struct weir_event *event,
                                                 struct weir_err *err);

/* An equal ledger with its own rows. */
struct weir_ledger *weir_ledger_copy(const struct weir_ledger *ledger);

/*
 * Equal for equal rows and command ids, whatever the order they came in; offsets do not count, so
 * that a leader can compare what it decided with what it reads back. Kept up to date: costs
 * nothing.
 */
uint64_t weir_ledger_hash(const struct weir_ledger *ledger);
#define WEIR_LEDGER_HASH_TEXT_MAX 17
const char *weir_ledger_hash_format(uint64_t hash, char text[static WEIR_LEDGER_HASH_TEXT_MAX]);

#endif

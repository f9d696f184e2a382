/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/domain/ledger_rows.h"
#include "lib/domain/reason.h"
#include "lib/domain/stream_state.h"

#define FORGET_EVERY_MS 60000

bool weir_effective_is_same(const struct weir_effective *a, const struct weir_effective *b)
{
    return strcmp(a->codec, b->codec) == 0 && a->width == b->width && a->height == b->height &&
           a->fps == b->fps && a->bitrate_bps == b->bitrate_bps && a->how == b->how &&
           a->has_audio == b->has_audio && (!a->has_audio || a->audio == b->audio) &&
           a->has_encoder == b->has_encoder && (!a->has_encoder || a->encoder == b->encoder) &&
           strcmp(a->why, b->why) == 0;
}

struct weir_ledger *weir_ledger_new(void)
{
    struct weir_ledger *ledger = weir_xalloc(sizeof(*ledger));
    ledger->streams = weir_map_new(sizeof(struct weir_id));
    ledger->leases = weir_map_new(sizeof(struct weir_id));
    ledger->workers = weir_map_new(sizeof(struct weir_id));
    ledger->commands = weir_ledger_commands_new();
    ledger->offset = -1;
    return ledger;
}

static void free_map(struct weir_map *map)
{
    void *row;
    for (size_t at = 0; weir_map_next(map, &at, NULL, &row);) {
        free(row);
    }
    weir_map_free(map);
}

void weir_ledger_free(struct weir_ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    free_map(ledger->streams);
    free_map(ledger->leases);
    free_map(ledger->workers);
    weir_ledger_commands_free(ledger->commands);
    free(ledger);
}

void weir_ledger_reset(struct weir_ledger *ledger)
{
    struct weir_ledger *fresh = weir_ledger_new();
    struct weir_ledger old = *ledger;
    *ledger = *fresh;
    *fresh = old;
    weir_ledger_free(fresh);
}

/* ---- judging effects before any is applied ---- */

static const struct weir_id *effect_key(const struct weir_ev_decision_effects *e)
{
    switch (e->entity) {
    case WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM:
        return e->has_stream_id ? &e->stream_id : NULL;
    case WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE:
        return e->has_camera_id ? &e->camera_id : NULL;
    case WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER:
        return e->has_worker_id ? &e->worker_id : NULL;
    }
    return NULL;
}

static const char *row_state(const struct weir_ledger *ledger,
                             const struct weir_ev_decision_effects *e, const struct weir_id *key)
{
    switch (e->entity) {
    case WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM: {
        const struct weir_stream_row *row = weir_map_find(ledger->streams, key->b);
        return row == NULL ? NULL : weir_stream_state_name(row->state);
    }
    case WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE: {
        const struct weir_lease_row *row = weir_map_find(ledger->leases, key->b);
        return row == NULL ? NULL : weir_lease_state_name(row->state);
    }
    case WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER: {
        const struct weir_worker_row *row = weir_map_find(ledger->workers, key->b);
        return row == NULL ? NULL : weir_worker_state_name(row->state);
    }
    }
    return NULL;
}

static bool is_removal(const struct weir_ev_decision_effects *e)
{
    return e->entity == WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE &&
           strcmp(e->to, weir_lease_state_name(WEIR_LEASE_STATE_NONE)) == 0;
}

/* The state that effect `at` must come from: that of an earlier effect on the same row, or of the
 * ledger; NULL where there is no row. */
static const char *state_before(const struct weir_ledger *ledger,
                                const struct weir_ev_decision *decision, size_t at,
                                const struct weir_id *key)
{
    const struct weir_ev_decision_effects *e = &decision->effects[at];
    for (size_t i = at; i-- > 0;) {
        const struct weir_ev_decision_effects *earlier = &decision->effects[i];
        if (earlier->entity == e->entity && weir_id_equal(effect_key(earlier), key)) {
            return is_removal(earlier) ? NULL : earlier->to;
        }
    }
    return row_state(ledger, e, key);
}

static bool is_known_state(const struct weir_ev_decision_effects *e)
{
    enum weir_stream_state stream;
    enum weir_lease_state lease;
    enum weir_worker_state worker;
    switch (e->entity) {
    case WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM:
        return weir_stream_state_get(e->to, &stream) == WEIR_OK;
    case WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE:
        return weir_lease_state_get(e->to, &lease) == WEIR_OK;
    case WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER:
        return weir_worker_state_get(e->to, &worker) == WEIR_OK;
    }
    return false;
}

/* What a row cannot do without when it appears. */
static bool can_be_new(const struct weir_ev_decision_effects *e)
{
    switch (e->entity) {
    case WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM:
        return e->has_tenant_id && e->has_camera_id;
    case WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE:
        return e->has_tenant_id && e->has_worker_id && e->has_incarnation && !is_removal(e);
    case WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER:
        return e->has_incarnation && e->has_boot_id && e->has_origin_url;
    }
    return false;
}

static enum weir_code check_effect(const struct weir_ledger *ledger,
                                   const struct weir_ev_decision *decision, size_t at,
                                   struct weir_err *err)
{
    const struct weir_ev_decision_effects *e = &decision->effects[at];
    const struct weir_id *key = effect_key(e);
    if (key == NULL || !is_known_state(e)) {
        return weir_fail(err, WEIR_ECORRUPT, "effect %zu lacks its id or has an unknown state", at);
    }
    const char *before = state_before(ledger, decision, at, key);
    if (before == NULL) {
        if (e->has_from && strcmp(e->from, "none") != 0) {
            return weir_fail(err, WEIR_ECORRUPT, "effect %zu comes from %s, there is no row", at,
                             e->from);
        }
        return can_be_new(e) ? WEIR_OK
                             : weir_fail(err, WEIR_ECORRUPT, "effect %zu makes half a row", at);
    }
    if (!e->has_from || strcmp(e->from, before) != 0) {
        return weir_fail(err, WEIR_ECORRUPT, "effect %zu comes from %s, the row is %s", at,
                         e->has_from ? e->from : "nothing", before);
    }
    return WEIR_OK;
}

/* ---- applying ---- */

struct fold {
    struct weir_ledger *ledger;
    const struct weir_ev_decision *decision;
    int64_t offset;
    weir_ledger_change_fn *fn;
    void *ctx;
};

static void tell(const struct fold *fold, const struct weir_ledger_change *change)
{
    if (fold->fn != NULL) {
        fold->fn(fold->ctx, change);
    }
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Another placement is another thing until its worker says what. */
static void set_effective(struct weir_stream_row *row, const struct weir_ev_decision_effects *e)
{
    bool is_other = e->has_generation && e->generation != row->generation;
    if (e->has_effective) {
        row->effective = e->effective;
    } else if (is_other || !weir_stream_state_is_placed(row->state)) {
        row->effective = (struct weir_effective){.codec = ""};
    }
}

/* Sets what the effect carries; returns the state before. */
static enum weir_stream_state set_stream(struct weir_stream_row *row,
                                         const struct weir_ev_decision_effects *e, int64_t at_ms)
{
    enum weir_stream_state from = row->state;
    WEIR_IGNORE(weir_stream_state_get(e->to, &row->state), "checked before");
    set_effective(row, e);
    if (e->has_quality) {
        row->quality = e->quality;
    }
    row->fps = e->has_fps ? e->fps : row->fps;
    row->class = e->has_class ? e->class : row->class;
    row->generation = e->has_generation ? e->generation : row->generation;
    row->worker_id = e->has_worker_id ? e->worker_id : row->worker_id;
    row->incarnation = e->has_incarnation ? e->incarnation : row->incarnation;
    row->lease_generation = e->has_lease_generation ? e->lease_generation : row->lease_generation;
    row->seq_base = e->has_seq_base ? e->seq_base : row->seq_base;
    row->placed_at_ms = e->has_placed_at_ms ? e->placed_at_ms : row->placed_at_ms;
    row->second = e->has_second ? e->second : (struct weir_place){.generation = 0};
    row->last_generation = max(row->last_generation, max(row->generation, row->second.generation));
    row->changed_at_ms = at_ms;
    WEIR_STR_SET(row->reason, e->reason);
    WEIR_STR_SET(row->detail, e->has_detail ? e->detail : "");
    if (!weir_stream_state_is_placed(row->state) || weir_id_is_nil(&row->worker_id)) {
        row->worker_id = (struct weir_id){{0}};
        row->incarnation = 0;
        row->lease_generation = 0;
        row->second = (struct weir_place){.generation = 0};
    }
    return from;
}

static void apply_stream(const struct fold *fold, const struct weir_ev_decision_effects *e)
{
    struct weir_ledger *ledger = fold->ledger;
    struct weir_stream_row *row = weir_map_find(ledger->streams, e->stream_id.b);
    bool is_new = row == NULL;
    if (is_new) {
        row = weir_xalloc(sizeof(*row));
        row->stream_id = e->stream_id;
        row->tenant_id = e->tenant_id;
        row->camera_id = e->camera_id;
        weir_map_put(ledger->streams, row->stream_id.b, row);
    } else {
        ledger->hash -= weir_ledger_hash_stream(row);
    }
    enum weir_stream_state from = set_stream(row, e, fold->decision->at_ms);
    /* A stream that lost its worker keeps its place in the queue. */
    if (row->state == WEIR_STREAM_STATE_QUEUED && (is_new || weir_stream_state_is_final(from))) {
        row->queued_at_ms = fold->decision->at_ms;
    }
    row->version = fold->offset;
    ledger->hash += weir_ledger_hash_stream(row);
    tell(fold, &(struct weir_ledger_change){.stream = row, .from = (int)from, .is_new = is_new});
}

static void apply_lease(const struct fold *fold, const struct weir_ev_decision_effects *e)
{
    struct weir_ledger *ledger = fold->ledger;
    struct weir_lease_row *row = weir_map_find(ledger->leases, e->camera_id.b);
    bool is_new = row == NULL;
    if (is_new) {
        row = weir_xalloc(sizeof(*row));
        row->camera_id = e->camera_id;
        row->tenant_id = e->tenant_id;
        weir_map_put(ledger->leases, row->camera_id.b, row);
    } else {
        ledger->hash -= weir_ledger_hash_lease(row);
    }
    enum weir_lease_state from = row->state;
    WEIR_IGNORE(weir_lease_state_get(e->to, &row->state), "checked before");
    row->worker_id = e->has_worker_id ? e->worker_id : row->worker_id;
    row->incarnation = e->has_incarnation ? e->incarnation : row->incarnation;
    row->lease_generation = e->has_lease_generation ? e->lease_generation : row->lease_generation;
    row->warm = e->has_warm ? e->warm : row->warm;
    row->second = e->has_second ? e->second : (struct weir_place){.generation = 0};
    row->since_ms = fold->decision->at_ms;
    row->version = fold->offset;
    WEIR_STR_SET(row->reason, e->reason);
    tell(fold, &(struct weir_ledger_change){.lease = row, .from = (int)from, .is_new = is_new});
    if (row->state == WEIR_LEASE_STATE_NONE) {
        weir_map_remove(ledger->leases, e->camera_id.b);
        free(row);
    } else {
        ledger->hash += weir_ledger_hash_lease(row);
    }
}

static void apply_worker(const struct fold *fold, const struct weir_ev_decision_effects *e)
{
    struct weir_ledger *ledger = fold->ledger;
    struct weir_worker_row *row = weir_map_find(ledger->workers, e->worker_id.b);
    bool is_new = row == NULL;
    if (is_new) {
        row = weir_xalloc(sizeof(*row));
        row->worker_id = e->worker_id;
        weir_map_put(ledger->workers, row->worker_id.b, row);
    } else {
        ledger->hash -= weir_ledger_hash_worker(row);
    }
    enum weir_worker_state from = row->state;
    WEIR_IGNORE(weir_worker_state_get(e->to, &row->state), "checked before");
    bool is_same = !is_new && from == row->state &&
                   (!e->has_incarnation || e->incarnation == row->incarnation);
    row->boot_id = e->has_boot_id ? e->boot_id : row->boot_id;
    row->incarnation = e->has_incarnation ? e->incarnation : row->incarnation;
    row->capacity = e->has_capacity ? e->capacity : row->capacity;
    row->streams_max = e->has_streams_max ? e->streams_max : row->streams_max;
    if (e->has_origin_url) {
        WEIR_STR_SET(row->origin_url, e->origin_url);
    }
    if (e->has_site) {
        WEIR_STR_SET(row->site, e->site);
    }
    row->since_ms = is_same ? row->since_ms : fold->decision->at_ms;
    row->version = fold->offset;
    WEIR_STR_SET(row->reason, e->reason);
    ledger->hash += weir_ledger_hash_worker(row);
    tell(fold, &(struct weir_ledger_change){.worker = row, .from = (int)from, .is_new = is_new});
}

/* ---- forgetting ---- */

static void forget_commands(struct weir_ledger *ledger, int64_t before_ms)
{
    while (weir_ledger_commands_count(ledger->commands) > 0) {
        const struct weir_ledger_command *oldest = weir_ledger_commands_at(ledger->commands, 0);
        if (oldest->at_ms >= before_ms) {
            return;
        }
        ledger->hash -= weir_ledger_hash_command(oldest);
        weir_ledger_commands_drop(ledger->commands);
    }
}

static void forget_rows(struct weir_ledger *ledger, int64_t before_ms)
{
    void *value;
    for (size_t at = 0; weir_map_next(ledger->streams, &at, NULL, &value);) {
        struct weir_stream_row *row = value;
        if (weir_stream_state_is_final(row->state) && row->changed_at_ms < before_ms) {
            ledger->hash -= weir_ledger_hash_stream(row);
            weir_map_remove(ledger->streams, row->stream_id.b);
            free(row);
        }
    }
    for (size_t at = 0; weir_map_next(ledger->workers, &at, NULL, &value);) {
        struct weir_worker_row *row = value;
        bool is_gone = row->state == WEIR_WORKER_STATE_DEAD || row->state == WEIR_WORKER_STATE_LEFT;
        if (is_gone && row->since_ms < before_ms) {
            ledger->hash -= weir_ledger_hash_worker(row);
            weir_map_remove(ledger->workers, row->worker_id.b);
            free(row);
        }
    }
}

/*
 * Depends on the records alone, so that every ledger forgets the same at the same record: the first
 * of each minute of cell time.
 */
static void forget(struct weir_ledger *ledger, int64_t at_ms)
{
    if (at_ms / FORGET_EVERY_MS > ledger->now_ms / FORGET_EVERY_MS) {
        forget_commands(ledger, at_ms - WEIR_LEDGER_KEEP_MS);
        forget_rows(ledger, at_ms - WEIR_LEDGER_KEEP_MS);
    }
}

void weir_ledger_add_command(struct weir_ledger *ledger, const struct weir_id *command_id,
                             int64_t at_ms)
{
    struct weir_ledger_command command = {.command_id = *command_id, .at_ms = at_ms};
    if (weir_ledger_commands_add(ledger->commands, &command)) {
        ledger->hash += weir_ledger_hash_command(&command);
    }
}

static void advance_cause(struct weir_ledger_causes *causes,
                          const struct weir_ev_decision *decision)
{
    if (!decision->has_cause_topic || !decision->has_cause_offset) {
        return;
    }
    int64_t next = decision->cause_offset + 1;
    int64_t *cause = NULL;
    if (strcmp(decision->cause_topic, WEIR_TOPIC_COMMANDS) == 0) {
        cause = &causes->commands_next;
    } else if (strcmp(decision->cause_topic, WEIR_TOPIC_FACTS) == 0) {
        cause = &causes->facts_next;
    } else if (strcmp(decision->cause_topic, WEIR_TOPIC_CONFIG) == 0) {
        cause = &causes->config_next;
    }
    if (cause != NULL && next > *cause) {
        *cause = next;
    }
}

/* It did nothing, so the same wish, sent again with a later deadline, is no duplicate. */
static bool came_too_late(const struct weir_ev_decision *decision)
{
    return decision->outcome == WEIR_EV_DECISION_OUTCOME_REFUSED &&
           strcmp(decision->reason, weir_reason_name(WEIR_REASON_expired)) == 0;
}

enum weir_code weir_ledger_apply(struct weir_ledger *ledger, int64_t offset,
                                 const struct weir_ev_decision *decision, weir_ledger_change_fn *fn,
                                 void *ctx, struct weir_err *err)
{
    if (offset <= ledger->offset) {
        return weir_fail(err, WEIR_ECORRUPT, "offset %lld comes after %lld", (long long)offset,
                         (long long)ledger->offset);
    }
    for (size_t i = 0; i < decision->n_effects; i++) {
        enum weir_code code = check_effect(ledger, decision, i, err);
        if (code != WEIR_OK) {
            return weir_fail_in(err, code, "decision at %lld", (long long)offset);
        }
    }
    struct fold fold = {
        .ledger = ledger, .decision = decision, .offset = offset, .fn = fn, .ctx = ctx};
    for (size_t i = 0; i < decision->n_effects; i++) {
        const struct weir_ev_decision_effects *e = &decision->effects[i];
        switch (e->entity) {
        case WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM:
            apply_stream(&fold, e);
            break;
        case WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE:
            apply_lease(&fold, e);
            break;
        case WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER:
            apply_worker(&fold, e);
            break;
        }
    }
    if (decision->has_command_id && !came_too_late(decision)) {
        weir_ledger_add_command(ledger, &decision->command_id, decision->at_ms);
    }
    advance_cause(&ledger->causes, decision);
    forget(ledger, decision->at_ms);
    ledger->offset = offset;
    ledger->now_ms = decision->at_ms > ledger->now_ms ? decision->at_ms : ledger->now_ms;
    return WEIR_OK;
}

/* ---- reading ---- */

int64_t weir_ledger_offset(const struct weir_ledger *ledger)
{
    return ledger->offset;
}

int64_t weir_ledger_now_ms(const struct weir_ledger *ledger)
{
    return ledger->now_ms;
}

const struct weir_stream_row *weir_ledger_stream(const struct weir_ledger *ledger,
                                                 const struct weir_id *stream_id)
{
    return weir_map_find(ledger->streams, stream_id->b);
}

const struct weir_lease_row *weir_ledger_lease(const struct weir_ledger *ledger,
                                               const struct weir_id *camera_id)
{
    return weir_map_find(ledger->leases, camera_id->b);
}

const struct weir_worker_row *weir_ledger_worker(const struct weir_ledger *ledger,
                                                 const struct weir_id *worker_id)
{
    return weir_map_find(ledger->workers, worker_id->b);
}

bool weir_ledger_next_stream(const struct weir_ledger *ledger, size_t *at,
                             const struct weir_stream_row **ret)
{
    void *row;
    if (!weir_map_next(ledger->streams, at, NULL, &row)) {
        return false;
    }
    *ret = row;
    return true;
}

bool weir_ledger_next_lease(const struct weir_ledger *ledger, size_t *at,
                            const struct weir_lease_row **ret)
{
    void *row;
    if (!weir_map_next(ledger->leases, at, NULL, &row)) {
        return false;
    }
    *ret = row;
    return true;
}

bool weir_ledger_next_worker(const struct weir_ledger *ledger, size_t *at,
                             const struct weir_worker_row **ret)
{
    void *row;
    if (!weir_map_next(ledger->workers, at, NULL, &row)) {
        return false;
    }
    *ret = row;
    return true;
}

bool weir_ledger_has_command(const struct weir_ledger *ledger, const struct weir_id *command_id)
{
    return weir_ledger_commands_has(ledger->commands, command_id);
}

struct weir_ledger_causes weir_ledger_causes(const struct weir_ledger *ledger)
{
    return ledger->causes;
}

uint64_t weir_ledger_hash(const struct weir_ledger *ledger)
{
    return ledger->hash;
}

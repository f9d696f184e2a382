/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/domain/events.h"

const char *weir_audit_verdict_name(enum weir_audit_verdict verdict)
{
    static const char *const names[] = {"valid", "void", "unreadable"};
    return names[verdict];
}

void weir_audit_chain_init(struct weir_audit_chain *chain, const char *topic, int32_t partition,
                           int64_t first)
{
    *chain = (struct weir_audit_chain){
        .topic = topic, .partition = partition, .first = first, .next = first, .epoch = -1};
}

static void link_record(const struct weir_audit_chain *chain, const void *raw, size_t len,
                        uint8_t ret[static WEIR_SHA256_BYTES])
{
    struct weir_sha256 sha;
    char place[320];
    int n = snprintf(place, sizeof(place), "%s:%" PRId32 ":%" PRId64 ":", chain->topic,
                     chain->partition, chain->next);
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, chain->head, sizeof(chain->head));
    weir_sha256_add(&sha, place, (size_t)n);
    weir_sha256_add(&sha, raw, len);
    weir_sha256_done(&sha, ret);
}

/* ---- rows ---- */

static void set_id(struct weir_audit_row *row, enum weir_audit_column column, bool is_there,
                   const struct weir_id *id, struct weir_arena *arena)
{
    if (is_there)
        row->text[column] = weir_arena_strdup(arena, WEIR_ID_TEXT(id));
}

static void set_int(struct weir_audit_row *row, enum weir_audit_column column, int64_t value,
                    struct weir_arena *arena)
{
    row->text[column] = weir_arena_printf(arena, "%" PRId64, value);
}

static void set_text(struct weir_audit_row *row, enum weir_audit_column column, bool is_there,
                     const char *text, struct weir_arena *arena)
{
    if (is_there)
        row->text[column] = weir_arena_strdup(arena, text);
}

static void set_envelope(struct weir_audit_row *row, const struct weir_event *event,
                         struct weir_arena *arena)
{
    set_int(row, WEIR_AUDIT_at, event->time_ms, arena);
    set_id(row, WEIR_AUDIT_event_id, true, &event->id, arena);
    row->text[WEIR_AUDIT_type] = weir_ev_type_name(event->type);
}

static const char *const entity_names[] = {
    [WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM] = "stream",
    [WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE] = "lease",
    [WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER] = "worker",
};

static const char *const kind_names[] = {
    [WEIR_EV_DECISION_KIND_TAKEOVER] = "takeover",
    [WEIR_EV_DECISION_KIND_COMMAND] = "command",
    [WEIR_EV_DECISION_KIND_FACT] = "fact",
    [WEIR_EV_DECISION_KIND_HEARTBEAT] = "heartbeat",
    [WEIR_EV_DECISION_KIND_TIMER] = "timer",
    [WEIR_EV_DECISION_KIND_CONFIG] = "config",
    [WEIR_EV_DECISION_KIND_CONTINUATION] = "continuation",
};

static const char *const decision_outcome_names[] = {
    [WEIR_EV_DECISION_OUTCOME_APPLIED] = "applied",
    [WEIR_EV_DECISION_OUTCOME_NOOP] = "noop",
    [WEIR_EV_DECISION_OUTCOME_REFUSED] = "refused",
};

static const char *const access_outcome_names[] = {
    [WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED] = "allowed",
    [WEIR_EV_AUDIT_ACCESS_OUTCOME_DENIED] = "denied",
    [WEIR_EV_AUDIT_ACCESS_OUTCOME_ERROR] = "error",
};

static void effect_row(struct weir_audit_row *row, const struct weir_event *event,
                       const struct weir_ev_decision_effects *effect, struct weir_arena *arena)
{
    const struct weir_ev_decision *decision = &event->u.decision;
    bool is_stream = effect->entity == WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM;
    set_envelope(row, event, arena);
    set_id(row, WEIR_AUDIT_tenant_id, true, &effect->tenant_id, arena);
    set_text(row, WEIR_AUDIT_actor, true, event->source, arena);
    row->text[WEIR_AUDIT_action] = kind_names[decision->kind];
    row->text[WEIR_AUDIT_outcome] = decision_outcome_names[decision->outcome];
    row->text[WEIR_AUDIT_object_type] = entity_names[effect->entity];
    if (is_stream)
        set_id(row, WEIR_AUDIT_object_id, effect->has_stream_id, &effect->stream_id, arena);
    else
        set_id(row, WEIR_AUDIT_object_id, effect->has_camera_id, &effect->camera_id, arena);
    set_id(row, WEIR_AUDIT_stream_id, effect->has_stream_id, &effect->stream_id, arena);
    set_id(row, WEIR_AUDIT_camera_id, effect->has_camera_id, &effect->camera_id, arena);
    set_id(row, WEIR_AUDIT_worker_id, effect->has_worker_id, &effect->worker_id, arena);
    set_id(row, WEIR_AUDIT_command_id, decision->has_command_id, &decision->command_id, arena);
    if (effect->has_generation || effect->has_lease_generation)
        set_int(row, WEIR_AUDIT_generation,
                effect->has_generation ? effect->generation : effect->lease_generation, arena);
    set_text(row, WEIR_AUDIT_state_from, effect->has_from, effect->from, arena);
    set_text(row, WEIR_AUDIT_state_to, true, effect->to, arena);
    set_text(row, WEIR_AUDIT_reason, true, effect->reason, arena);
    set_text(row, WEIR_AUDIT_detail, effect->has_detail, effect->detail, arena);
}

/* What became of a wish that changed nothing: it is told to the tenant that wished. The envelope is
 * the command's, as the scheduler copies it. */
static void verdict_row(struct weir_audit_row *row, const struct weir_event *event,
                        struct weir_arena *arena)
{
    const struct weir_ev_decision *decision = &event->u.decision;
    struct weir_id stream_id;
    bool has_stream =
        weir_id_parse(event->subject, strlen(event->subject), &stream_id, NULL) == WEIR_OK;
    set_envelope(row, event, arena);
    set_id(row, WEIR_AUDIT_tenant_id, true, &event->tenantid, arena);
    set_text(row, WEIR_AUDIT_actor, true, event->source, arena);
    row->text[WEIR_AUDIT_action] = kind_names[decision->kind];
    row->text[WEIR_AUDIT_outcome] = decision_outcome_names[decision->outcome];
    row->text[WEIR_AUDIT_object_type] = entity_names[WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM];
    set_id(row, WEIR_AUDIT_object_id, has_stream, &stream_id, arena);
    set_id(row, WEIR_AUDIT_stream_id, has_stream, &stream_id, arena);
    set_id(row, WEIR_AUDIT_command_id, decision->has_command_id, &decision->command_id, arena);
    set_text(row, WEIR_AUDIT_reason, true, decision->reason, arena);
}

/* Effects on workers belong to no tenant: they are in the raw record only. */
static void decision_rows(const struct weir_event *event, struct weir_arena *arena,
                          struct weir_audit_entry *ret)
{
    const struct weir_ev_decision *decision = &event->u.decision;
    ret->rows = weir_arena_array(arena, decision->n_effects + 1, sizeof(*ret->rows));
    for (size_t i = 0; i < decision->n_effects; i++) {
        if (decision->effects[i].has_tenant_id)
            effect_row(&ret->rows[ret->n_rows++], event, &decision->effects[i], arena);
    }
    if (ret->n_rows == 0 && event->has_tenantid && decision->kind == WEIR_EV_DECISION_KIND_COMMAND)
        verdict_row(&ret->rows[ret->n_rows++], event, arena);
}

static void access_rows(const struct weir_event *event, struct weir_arena *arena,
                        struct weir_audit_entry *ret)
{
    const struct weir_ev_audit_access *access = &event->u.audit_access;
    struct weir_audit_row *row = weir_arena_array(arena, 1, sizeof(*row));
    set_envelope(row, event, arena);
    set_id(row, WEIR_AUDIT_tenant_id, true, &access->tenant_id, arena);
    set_text(row, WEIR_AUDIT_actor, true, access->actor, arena);
    set_text(row, WEIR_AUDIT_action, true, access->action, arena);
    row->text[WEIR_AUDIT_outcome] = access_outcome_names[access->outcome];
    set_text(row, WEIR_AUDIT_object_type, true, access->object_type, arena);
    set_id(row, WEIR_AUDIT_object_id, access->has_object_id, &access->object_id, arena);
    bool is_stream = strcmp(access->object_type, "stream") == 0;
    bool is_camera = strcmp(access->object_type, "camera") == 0;
    set_id(row, WEIR_AUDIT_stream_id, access->has_object_id && is_stream, &access->object_id,
           arena);
    set_id(row, WEIR_AUDIT_camera_id, access->has_object_id && is_camera, &access->object_id,
           arena);
    set_text(row, WEIR_AUDIT_request_id, true, access->request_id, arena);
    set_text(row, WEIR_AUDIT_remote_addr, access->has_remote_addr, access->remote_addr, arena);
    set_text(row, WEIR_AUDIT_detail, access->has_detail, access->detail, arena);
    ret->rows = row;
    ret->n_rows = 1;
}

struct picture {
    const struct weir_id *tenant_id, *camera_id, *worker_id;
    int64_t lease_generation;
};

#define PICTURE_OF(fact)                                                                           \
    &(struct picture)                                                                              \
    {                                                                                              \
        &(fact)->tenant_id, &(fact)->camera_id, &(fact)->worker_id, (fact)->lease_generation       \
    }

static void picture_row(struct weir_audit_row *row, const struct weir_event *event,
                        const struct picture *picture, struct weir_arena *arena)
{
    set_envelope(row, event, arena);
    set_id(row, WEIR_AUDIT_tenant_id, true, picture->tenant_id, arena);
    set_text(row, WEIR_AUDIT_actor, true, event->source, arena);
    row->text[WEIR_AUDIT_object_type] = "camera";
    set_id(row, WEIR_AUDIT_object_id, true, picture->camera_id, arena);
    set_id(row, WEIR_AUDIT_camera_id, true, picture->camera_id, arena);
    set_id(row, WEIR_AUDIT_worker_id, true, picture->worker_id, arena);
    set_int(row, WEIR_AUDIT_generation, picture->lease_generation, arena);
}

static void health_row(struct weir_audit_row *row, const struct weir_event *event,
                       struct weir_arena *arena)
{
    const struct weir_ev_fact_health *fact = &event->u.fact_health;
    picture_row(row, event, PICTURE_OF(fact), arena);
    row->text[WEIR_AUDIT_state_to] = weir_picture_health_name(fact->health);
    set_text(row, WEIR_AUDIT_reason, fact->has_reason, fact->reason, arena);
    set_text(row, WEIR_AUDIT_detail, fact->faults[0], fact->faults, arena);
}

static void clock_row(struct weir_audit_row *row, const struct weir_event *event,
                      struct weir_arena *arena)
{
    const struct weir_ev_fact_clock *fact = &event->u.fact_clock;
    picture_row(row, event, PICTURE_OF(fact), arena);
    row->text[WEIR_AUDIT_state_to] =
        fact->source == WEIR_EV_FACT_CLOCK_SOURCE_RTCP_SR ? "rtcp_sr" : "arrival";
    row->text[WEIR_AUDIT_detail] = weir_arena_printf(
        arena, "offset_before_us %" PRId64 " offset_us %" PRId64 " jumps %" PRId64,
        fact->offset_before_us, fact->offset_us, fact->jumps);
}

static void remedy_row(struct weir_audit_row *row, const struct weir_event *event,
                       struct weir_arena *arena)
{
    const struct weir_ev_fact_remedy *fact = &event->u.fact_remedy;
    picture_row(row, event, PICTURE_OF(fact), arena);
    row->text[WEIR_AUDIT_action] = weir_remedy_name(fact->remedy);
    set_id(row, WEIR_AUDIT_stream_id, fact->has_stream_id, &fact->stream_id, arena);
    set_text(row, WEIR_AUDIT_reason, true, fact->reason, arena);
    row->text[WEIR_AUDIT_detail] = weir_arena_printf(arena, "taken %" PRId64 " next_in_ms %" PRId64,
                                                     fact->taken, fact->next_in_ms);
}

typedef void write_row_fn(struct weir_audit_row *row, const struct weir_event *event,
                          struct weir_arena *arena);

/* NULL: of a fact that is not kept. */
static write_row_fn *row_of_fact(enum weir_ev_type type)
{
    switch ((int)type) {
    case WEIR_EV_FACT_HEALTH:
        return health_row;
    case WEIR_EV_FACT_CLOCK:
        return clock_row;
    case WEIR_EV_FACT_REMEDY:
        return remedy_row;
    default:
        return NULL;
    }
}

/* ---- what counts ---- */

static bool is_sparse(const struct weir_audit_chain *chain)
{
    return strcmp(chain->topic, WEIR_TOPIC_FACTS) == 0;
}

/*
 * As every follower of the log judges (lib/service/follower.h). Where the log had been cut off
 * before the audit began, the takeover was never seen: then the first epoch read is believed.
 */
static enum weir_audit_verdict judge(struct weir_audit_chain *chain,
                                     const struct weir_ev_decision *decision, int64_t offset)
{
    if (weir_id_is_nil(&chain->instance))
        chain->instance = decision->instance;
    if (!weir_id_equal(&decision->instance, &chain->instance))
        return WEIR_AUDIT_VOID;
    if (decision->kind == WEIR_EV_DECISION_KIND_TAKEOVER)
        chain->epoch = offset;
    else if (chain->epoch < 0 && chain->first > 0)
        chain->epoch = decision->epoch;
    else if (decision->epoch != chain->epoch)
        return WEIR_AUDIT_VOID;
    return WEIR_AUDIT_VALID;
}

/* The reason may quote what was read, which need not be text that a database takes. */
static void unreadable(struct weir_audit_entry *ret, const char *why, struct weir_arena *arena)
{
    char *text = weir_arena_strdup(arena, why);
    for (char *at = text; *at; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
    ret->verdict = WEIR_AUDIT_UNREADABLE;
    ret->parse_error = text;
}

/* What cannot be read is passed over too: a release that can read it comes to the same chain. */
static void read_fact(const void *raw, size_t len, struct weir_arena *arena,
                      struct weir_audit_entry *ret)
{
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    write_row_fn *write_row = NULL;
    if (raw && weir_ev_parse(raw, len, arena, event, NULL) == WEIR_OK)
        write_row = row_of_fact(event->type);
    if (!write_row) {
        ret->is_passed_over = true;
        return;
    }
    ret->event = event;
    ret->rows = weir_arena_array(arena, 1, sizeof(*ret->rows));
    ret->n_rows = 1;
    write_row(ret->rows, event, arena);
}

static void read_record(struct weir_audit_chain *chain, const void *raw, size_t len,
                        struct weir_arena *arena, struct weir_audit_entry *ret)
{
    struct weir_err err = {0};
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    if (!raw) {
        unreadable(ret, "a record without a value", arena);
        return;
    }
    if (weir_ev_parse(raw, len, arena, event, &err) != WEIR_OK) {
        unreadable(ret, err.msg, arena);
        return;
    }
    if (strcmp(weir_ev_topic(event->type), chain->topic) != 0) {
        unreadable(ret, "a type of another topic", arena);
        return;
    }
    ret->event = event;
    if (event->type == WEIR_EV_DECISION) {
        ret->verdict = judge(chain, &event->u.decision, ret->offset);
        decision_rows(event, arena, ret);
    } else if (event->type == WEIR_EV_AUDIT_ACCESS) {
        access_rows(event, arena, ret);
    }
}

enum weir_code weir_audit_take(struct weir_audit_chain *chain, int64_t offset, const void *raw,
                               size_t len, struct weir_arena *arena, struct weir_audit_entry *ret,
                               struct weir_err *err)
{
    if (offset != chain->next)
        return weir_fail(err, WEIR_ECORRUPT,
                         "%s/%" PRId32 ": record %" PRId64 " was expected, %" PRId64 " came",
                         chain->topic, chain->partition, chain->next, offset);
    *ret = (struct weir_audit_entry){.offset = offset, .verdict = WEIR_AUDIT_VALID};
    if (is_sparse(chain))
        read_fact(raw, len, arena, ret);
    else
        read_record(chain, raw, len, arena, ret);
    if (!ret->is_passed_over) {
        link_record(chain, raw, len, ret->hash);
        memcpy(chain->head, ret->hash, sizeof(chain->head));
    }
    chain->next++;
    return WEIR_OK;
}

enum weir_code weir_audit_skip(struct weir_audit_chain *chain, int64_t offset, struct weir_err *err)
{
    if (offset < chain->next || (offset > chain->next && !is_sparse(chain)))
        return weir_fail(err, WEIR_ECORRUPT, "%s/%" PRId32 ": record %" PRId64 " is missing",
                         chain->topic, chain->partition, chain->next);
    chain->next = offset;
    return WEIR_OK;
}

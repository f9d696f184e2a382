/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/scheduler_world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/domain/stream_state.h"

static const struct weir_id name_space = {{0x5c, 0xe0, 0xa2, 0x10}};
static const struct weir_id instance = {{0x11}};

struct world *world_new(FILE *out)
{
    struct world *world = weir_xalloc(sizeof(*world));
    world->out = out;
    world->config = core_defaults;
    world->ledger = weir_ledger_new();
    world->names = weir_map_new(sizeof(struct weir_id));
    world->takes = weir_map_new(sizeof(struct weir_id));
    world->now_ms = WORLD_T0;
    world->core = core_new(&world->config, world->now_ms);
    return world;
}

void world_free(struct world *world)
{
    void *name;
    for (size_t at = 0; weir_map_next(world->names, &at, NULL, &name);) {
        free(name);
    }
    weir_map_free(world->names);
    for (size_t at = 0; weir_map_next(world->takes, &at, NULL, &name);) {
        free(name);
    }
    weir_map_free(world->takes);
    for (size_t i = 0; i < world->n_log; i++) {
        free(world->log[i].bytes);
    }
    free(world->log);
    free(world->configs);
    core_free(world->core);
    weir_ledger_free(world->ledger);
    free(world);
}

struct weir_id world_id(struct world *world, const char *name)
{
    struct weir_id id = weir_id_v5(&name_space, name, strlen(name));
    if (weir_map_find(world->names, id.b) == NULL) {
        weir_map_put(world->names, id.b, weir_xstrdup(name));
    }
    return id;
}

const char *world_name(const struct world *world, const struct weir_id *id)
{
    const char *name = weir_map_find(world->names, id->b);
    return name != NULL ? name : "?";
}

/* ---- printing ---- */

static const char *const kinds[WEIR_EV_DECISION_KIND_N] = {
    "takeover", "command", "fact", "heartbeat", "timer", "config", "continuation"};
static const char *const outcomes[WEIR_EV_DECISION_OUTCOME_N] = {"applied", "noop", "refused"};

/* Generations are seconds of cell time; the transcript counts them from the start. */
static long long age(int64_t generation)
{
    return (long long)(generation - WORLD_T0 / 1000);
}

static void print_effect(const struct world *world, const struct weir_ev_decision_effects *e)
{
    FILE *out = world->out;
    const char *from = e->has_from ? e->from : "-";
    if (e->entity == WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM) {
        fprintf(out, "      stream %s %s>%s %s", world_name(world, &e->stream_id), from, e->to,
                e->reason);
        if (e->has_placed_at_ms) {
            fprintf(out, " on %s g+%lld l+%lld seq %lld", world_name(world, &e->worker_id),
                    age(e->generation), age(e->lease_generation), (long long)e->seq_base);
        }
        if (e->has_second) {
            fprintf(out, " and on %s g+%lld l+%lld seq %lld",
                    world_name(world, &e->second.worker_id), age(e->second.generation),
                    age(e->second.lease_generation), (long long)e->second.seq_base);
        }
        if (e->has_detail) {
            fprintf(out, " \"%s\"", e->detail);
        }
        if (e->has_effective) {
            fprintf(out, " is %s %lldx%lld at %lld", weir_rendition_how_name(e->effective.how),
                    (long long)e->effective.width, (long long)e->effective.height,
                    (long long)e->effective.fps);
        }
    } else if (e->entity == WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE) {
        fprintf(out, "      lease %s %s>%s %s on %s l+%lld", world_name(world, &e->camera_id), from,
                e->to, e->reason, world_name(world, &e->worker_id), age(e->lease_generation));
        if (e->has_second) {
            fprintf(out, " and on %s l+%lld", world_name(world, &e->second.worker_id),
                    age(e->second.lease_generation));
        }
    } else {
        fprintf(out, "      worker %s %s>%s %s inc %lld", world_name(world, &e->worker_id), from,
                e->to, e->reason, (long long)e->incarnation);
    }
    fprintf(out, "\n");
}

static void print_decision(const struct world *world, const struct weir_ev_decision *decision)
{
    fprintf(world->out, "   #%zu +%lld %s %s %s\n", world->n_log,
            (long long)(world->now_ms - WORLD_T0), kinds[decision->kind],
            outcomes[decision->outcome], decision->reason);
    for (size_t i = 0; i < decision->n_effects; i++) {
        print_effect(world, &decision->effects[i]);
    }
}

/* ---- the log ---- */

static void must(enum weir_code code, const struct weir_err *err)
{
    if (code != WEIR_OK) {
        fprintf(stderr, "%s\n", err->msg);
        abort();
    }
}

/* As the leader does: through the codec into the log, and into the ledger at once. */
static void append(struct world *world, struct weir_ev_decision *decision)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_err err;
    decision->instance = instance;
    decision->has_ledger_hash = true;
    weir_ledger_hash_format(weir_ledger_hash(world->ledger), decision->ledger_hash);
    print_decision(world, decision);
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    event->type = WEIR_EV_DECISION;
    event->id = instance;
    event->time_ms = world->now_ms;
    WEIR_STR_SET(event->source, "/weir/scheduler/scenario");
    WEIR_STR_SET(event->subject, "cell-0");
    event->u.decision = *decision;
    const char *bytes;
    size_t len;
    must(weir_ev_dump(event, arena, &bytes, &len, &err), &err);
    world->log = weir_xrealloc(world->log, world->n_log + 1, sizeof(*world->log));
    char *copy = weir_xalloc(len + 1);
    memcpy(copy, bytes, len);
    world->log[world->n_log] = (struct world_record){copy, len};
    must(weir_ledger_apply(world->ledger, (int64_t)world->n_log, decision, NULL, NULL, &err), &err);
    world->n_log++;
}

static struct weir_ledger *fold(const struct world *world)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_err err;
    struct weir_ledger *ledger = weir_ledger_new();
    for (size_t i = 0; i < world->n_log; i++) {
        struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
        must(weir_ev_parse(world->log[i].bytes, world->log[i].len, arena, event, &err), &err);
        char hash[WEIR_LEDGER_HASH_TEXT_MAX];
        weir_ledger_hash_format(weir_ledger_hash(ledger), hash);
        assert(strcmp(hash, event->u.decision.ledger_hash) == 0);
        must(weir_ledger_apply(ledger, (int64_t)i, &event->u.decision, NULL, NULL, &err), &err);
        weir_arena_reset(arena);
    }
    return ledger;
}

/* ---- inputs ---- */

static void keep_config(struct world *world, const struct weir_event *event)
{
    world->configs = weir_xrealloc(world->configs, world->n_configs + 1, sizeof(*world->configs));
    world->configs[world->n_configs++] = *event;
}

void world_due(struct world *world)
{
    if (!world->is_deaf) {
        core_inputs_live(world->core, world->now_ms);
    }
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_ev_decision decision;
    for (int i = 0; core_due(world->core, world->ledger, world->now_ms, arena, &decision); i++) {
        assert(i < 1000);
        append(world, &decision);
        weir_arena_reset(arena);
    }
}

void world_input(struct world *world, const struct weir_event *event)
{
    const char *topic = weir_ev_topic(event->type);
    bool is_command = strcmp(topic, WEIR_TOPIC_COMMANDS) == 0;
    bool is_fact = strcmp(topic, WEIR_TOPIC_FACTS) == 0;
    core_observe(world->core, event, world->now_ms);
    if (strcmp(topic, WEIR_TOPIC_CONFIG) == 0) {
        keep_config(world, event);
    }
    if (is_command || is_fact) {
        struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
        struct weir_ev_decision decision;
        int64_t *next = is_command ? &world->commands_next : &world->facts_next;
        const struct core_input input = {
            .event = event, .offset = (*next)++, .age_ms = world->age_ms};
        if (core_input(world->core, world->ledger, &input, world->now_ms, arena, &decision)) {
            append(world, &decision);
        } else {
            fprintf(world->out, "   nothing to decide\n");
        }
    }
    world->age_ms = 0;
    world_due(world);
}

static enum weir_ev_heartbeat_streams_state beat_state(enum weir_stream_state state)
{
    if (state == WEIR_STREAM_STATE_RUNNING || state == WEIR_STREAM_STATE_SUSPECT ||
        state == WEIR_STREAM_STATE_MIGRATING) {
        return WEIR_EV_HEARTBEAT_STREAMS_STATE_RUNNING;
    }
    return state == WEIR_STREAM_STATE_BACKOFF ? WEIR_EV_HEARTBEAT_STREAMS_STATE_BACKOFF
                                              : WEIR_EV_HEARTBEAT_STREAMS_STATE_STARTING;
}

void world_beat(struct world *world, const struct weir_id *worker_id, const struct weir_id *without,
                int64_t cpu_used)
{
    const struct weir_worker_row *worker = weir_ledger_worker(world->ledger, worker_id);
    if (worker == NULL) {
        return;
    }
    static struct weir_ev_heartbeat_streams streams[WEIR_EV_HEARTBEAT_STREAMS_MAX];
    struct weir_event event = {.type = WEIR_EV_HEARTBEAT};
    struct weir_ev_heartbeat *beat = &event.u.heartbeat;
    beat->worker_id = *worker_id;
    beat->incarnation = worker->incarnation;
    beat->seq = ++world->heartbeat_seq;
    beat->load.cpu_milli_used = cpu_used;
    beat->streams = streams;
    const struct weir_stream_row *row;
    for (size_t at = 0; weir_ledger_next_stream(world->ledger, &at, &row);) {
        bool is_first = weir_stream_state_is_placed(row->state) &&
                        weir_id_equal(&row->worker_id, worker_id) &&
                        row->incarnation == worker->incarnation;
        bool is_second = weir_id_equal(&row->second.worker_id, worker_id) &&
                         row->second.incarnation == worker->incarnation;
        if ((is_first || is_second) &&
            (without == NULL || !weir_id_equal(without, &row->stream_id))) {
            const int64_t *takes = weir_map_find(world->takes, row->stream_id.b);
            streams[beat->n_streams++] = (struct weir_ev_heartbeat_streams){
                .has_cpu_milli = takes != NULL,
                .cpu_milli = takes != NULL ? *takes : 0,
                .stream_id = row->stream_id,
                .tenant_id = row->tenant_id,
                .generation = is_first ? row->generation : row->second.generation,
                .state =
                    is_first ? beat_state(row->state) : WEIR_EV_HEARTBEAT_STREAMS_STATE_STARTING,
            };
        }
    }
    for (size_t i = 0; i < world->n_engines; i++) {
        if (weir_id_equal(&world->engines[i].worker_id, worker_id)) {
            beat->has_encoding = true;
            beat->encoding.encoders = &world->engines[i].told;
            beat->encoding.n_encoders = 1;
        }
    }
    core_observe(world->core, &event, world->now_ms);
}

void world_takeover(struct world *world)
{
    struct weir_ledger *folded = fold(world);
    assert(weir_ledger_hash(folded) == weir_ledger_hash(world->ledger));
    weir_ledger_free(world->ledger);
    world->ledger = folded;
    core_free(world->core);
    world->core = core_new(&world->config, world->now_ms);
    for (size_t i = 0; i < world->n_configs; i++) {
        core_observe(world->core, &world->configs[i], world->now_ms);
    }
    struct weir_ev_decision takeover = {
        .kind = WEIR_EV_DECISION_KIND_TAKEOVER, .epoch = -1, .at_ms = world->now_ms};
    WEIR_STR_SET(takeover.reason, "takeover");
    append(world, &takeover);
    world_due(world);
}

/* ---- looking ---- */

void world_show(struct world *world)
{
    const struct weir_worker_row *worker;
    for (size_t at = 0; weir_ledger_next_worker(world->ledger, &at, &worker);) {
        fprintf(world->out, "   worker %s %s inc %lld\n", world_name(world, &worker->worker_id),
                weir_worker_state_name(worker->state), (long long)worker->incarnation);
    }
    const struct weir_lease_row *lease;
    for (size_t at = 0; weir_ledger_next_lease(world->ledger, &at, &lease);) {
        fprintf(world->out, "   lease %s %s on %s\n", world_name(world, &lease->camera_id),
                weir_lease_state_name(lease->state), world_name(world, &lease->worker_id));
        if (!weir_id_is_nil(&lease->second.worker_id)) {
            fprintf(world->out, "      and on %s\n", world_name(world, &lease->second.worker_id));
        }
    }
    const struct weir_stream_row *stream;
    int placed[WEIR_STREAM_STATE_N] = {0};
    size_t n = 0;
    for (size_t at = 0; weir_ledger_next_stream(world->ledger, &at, &stream); n++) {
        placed[stream->state]++;
        if (n < 10) {
            fprintf(world->out, "   stream %s %s %s%s%s\n", world_name(world, &stream->stream_id),
                    weir_stream_state_name(stream->state), stream->reason,
                    weir_id_is_nil(&stream->worker_id) ? "" : " on ",
                    weir_id_is_nil(&stream->worker_id) ? ""
                                                       : world_name(world, &stream->worker_id));
        }
    }
    for (int state = 0; n >= 10 && state < WEIR_STREAM_STATE_N; state++) {
        if (placed[state] > 0) {
            fprintf(world->out, "   %d %s\n", placed[state],
                    weir_stream_state_name((enum weir_stream_state)state));
        }
    }
}

static void copy_row(void *ctx, const struct weir_event *event)
{
    struct weir_err err;
    must(weir_ledger_restore(ctx, event, &err), &err);
}

bool world_check(struct world *world)
{
    struct weir_ledger *folded = fold(world);
    struct weir_ledger *restored = weir_ledger_new();
    weir_ledger_dump(world->ledger, &instance, 0, copy_row, restored);
    bool is_equal = weir_ledger_hash(folded) == weir_ledger_hash(world->ledger) &&
                    weir_ledger_hash(restored) == weir_ledger_hash(world->ledger);
    fprintf(world->out, "ledger, log and checkpoint agree: %s\n", is_equal ? "yes" : "NO");
    weir_ledger_free(folded);
    weir_ledger_free(restored);
    return is_equal;
}

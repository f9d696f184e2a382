/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/leader.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/reason.h"
#include "scheduler/cell_clock.h"
#include "scheduler/checkpoint.h"
#include "scheduler/inputs.h"
#include "scheduler/probe.h"

/*
 * Longer than any pause of this process that leaves it leading: a record that the library gives up
 * while later ones still go out would leave a hole in what this leader decided. OVERDUE_MS ends the
 * term long before.
 */
#define DELIVERY_TIMEOUT_MS 300000
#define OVERDUE_MS          10000
#define STALL_MS            2500 /* a loop that stood still this long may have been replaced */
#define IN_FLIGHT_MAX       1000
#define INPUTS_MAX          500 /* taken in one go */
#define DUE_MAX             200 /* decided in one go */
#define DUE_EVERY_MS        200
#define CONFIG_SILENCE_MS   3000 /* the last records of a compacted topic may be gone */
#define QUEUE_MAX_RECORDS   400000

enum phase {
    PHASE_TAKEOVER, /* the takeover is on its way into the log */
    PHASE_FOLDING,  /* it stands there; the follower has not read it yet */
    PHASE_BOUNDS,   /* the broker is asked where the inputs begin and end */
    PHASE_CONFIG,   /* the configuration is being read to its end */
    PHASE_LEADING,
    PHASE_OVER,
};

struct leader {
    struct leader_env env;
    const struct weir_follower *follower;
    enum phase phase;
    char why[256];
    bool is_replaced;
    struct weir_id instance;
    int64_t epoch;
    struct cell_clock clock;
    int64_t takeover_offset; /* the newest takeover read back, anybody's, and the broker's stamp */
    int64_t takeover_stamp_ms;
    int64_t pumped_boot_ms;
    struct weir_bus_producer *producer;
    struct weir_ledger *ledger; /* with what is in flight */
    struct core *core;
    struct inputs *inputs;
    struct probe *probe;
    struct checkpoint *checkpoint;
    int64_t config_end;
    int64_t config_boot_ms; /* when its last record came */
    struct weir_arena *arena;
    struct weir_list in_flight; /* of struct append, oldest first */
    int64_t n_in_flight;
    bool is_due; /* something changed that may make more due */
    int64_t due_mono_ms;
    int64_t since_checkpoint; /* decisions read back */
    int64_t checkpoint_mono_ms;
    int64_t n_checkpoints;
};

struct append {
    struct weir_list node;
    struct leader *leader;
    int64_t sent_mono_ms;
    bool is_takeover;
};

void leader_end(struct leader *leader, const char *why)
{
    if (leader->phase != PHASE_OVER) {
        leader->phase = PHASE_OVER;
        WEIR_STR_SET(leader->why, why);
    }
}

static void end_by(struct leader *leader, const char *what, const struct weir_err *err)
{
    char why[256];
    snprintf(why, sizeof(why), "%s: %.200s", what, err->msg);
    leader_end(leader, why);
}

static void end_replaced(struct leader *leader)
{
    leader_end(leader, "another scheduler took over");
    leader->is_replaced = true;
}

bool leader_is_replaced(const struct leader *leader)
{
    return leader->is_replaced;
}

const char *leader_why(const struct leader *leader)
{
    return leader->why;
}

bool leader_is_leading(const struct leader *leader)
{
    return leader->phase == PHASE_LEADING;
}

int64_t leader_epoch(const struct leader *leader)
{
    return leader->epoch;
}

static int64_t cell_now(const struct leader *leader)
{
    return cell_clock_now(&leader->clock, weir_clock_boot_ms());
}

/* ---- appending ---- */

static void reported(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct append *append = ctx;
    struct leader *leader = append->leader;
    weir_list_remove(&append->node);
    leader->n_in_flight--;
    weir_metric_observe(leader->env.meters->append_ms, weir_clock_mono_ms() - append->sent_mono_ms);
    if (delivery->code != WEIR_OK) {
        char why[256];
        snprintf(why, sizeof(why), "a decision may not be in the log: %.200s", delivery->detail);
        leader_end(leader, why);
    } else if (append->is_takeover && leader->phase == PHASE_TAKEOVER) {
        leader->epoch = delivery->offset;
        leader->phase = PHASE_FOLDING;
    }
    free(append);
}

static enum weir_code dump(const struct leader *leader, const struct weir_ev_decision *decision,
                           const struct weir_event *cause, const char **ret_bytes, size_t *ret_len,
                           struct weir_err *err)
{
    struct weir_event *event = weir_arena_alloc(leader->arena, sizeof(*event));
    int32_t cell = (int32_t)leader->env.settings->cell;
    event->type = WEIR_EV_DECISION;
    event->time_ms = weir_clock_wall_ms();
    event->id = weir_id_new(event->time_ms);
    snprintf(event->source, sizeof(event->source), "/weir/scheduler/%d", (int)cell);
    snprintf(event->subject, sizeof(event->subject), "cell-%d", (int)cell);
    if (cause != NULL) {
        WEIR_STR_SET(event->subject, cause->subject);
        event->has_tenantid = cause->has_tenantid;
        event->tenantid = cause->tenantid;
        event->has_traceparent = cause->has_traceparent;
        WEIR_STR_SET(event->traceparent, cause->traceparent);
    }
    event->has_partitionkey = true;
    snprintf(event->partitionkey, sizeof(event->partitionkey), "%d", (int)cell);
    event->u.decision = *decision;
    return weir_ev_dump(event, leader->arena, ret_bytes, ret_len, err);
}

static enum weir_code send(struct leader *leader, const struct weir_ev_decision *decision,
                           const struct weir_event *cause, struct weir_err *err)
{
    const char *bytes;
    size_t len;
    enum weir_code code = dump(leader, decision, cause, &bytes, &len, err);
    if (code != WEIR_OK) {
        return code;
    }
    char key[16];
    int key_len = snprintf(key, sizeof(key), "%d", (int)leader->env.settings->cell);
    const struct weir_bus_record record = {
        .topic = WEIR_TOPIC_DECISIONS,
        .partition = (int32_t)leader->env.settings->cell,
        .key = key,
        .key_len = (size_t)key_len,
        .value = bytes,
        .value_len = len,
    };
    struct append *append = weir_xalloc(sizeof(*append));
    append->leader = leader;
    append->sent_mono_ms = weir_clock_mono_ms();
    append->is_takeover = decision->kind == WEIR_EV_DECISION_KIND_TAKEOVER;
    code = weir_bus_producer_send(leader->producer, &record, reported, append, err);
    if (code != WEIR_OK) {
        free(append);
        return code;
    }
    weir_list_push_back(&leader->in_flight, &append->node);
    leader->n_in_flight++;
    meters_decision(leader->env.meters, decision);
    return WEIR_OK;
}

/* Completes a decision of the core, applies it to the ledger ahead of the log, and appends it. */
static void decide(struct leader *leader, struct weir_ev_decision *decision,
                   const struct weir_event *cause)
{
    struct weir_err err;
    decision->instance = leader->instance;
    decision->epoch = leader->epoch;
    decision->cell = leader->env.settings->cell;
    decision->has_ledger_hash = true;
    weir_ledger_hash_format(weir_ledger_hash(leader->ledger), decision->ledger_hash);
    if (weir_ledger_apply(leader->ledger, weir_ledger_offset(leader->ledger) + 1, decision, NULL,
                          NULL, &err) != WEIR_OK) {
        end_by(leader, "a decision contradicts the ledger", &err);
    } else if (send(leader, decision, cause, &err) != WEIR_OK) {
        end_by(leader, "a decision cannot be appended", &err);
    }
}

/* ---- taking over ---- */

static enum weir_code append_takeover(struct leader *leader, struct weir_err *err)
{
    struct weir_ev_decision takeover = {
        .instance = leader->instance,
        .epoch = -1,
        .cell = leader->env.settings->cell,
        .kind = WEIR_EV_DECISION_KIND_TAKEOVER,
        .outcome = WEIR_EV_DECISION_OUTCOME_APPLIED,
        .at_ms = cell_now(leader),
    };
    WEIR_STR_SET(takeover.reason, "takeover");
    weir_metric_add(leader->env.meters->takeovers, 1);
    return send(leader, &takeover, NULL, err);
}

enum weir_code leader_new(const struct leader_env *env, const struct weir_follower *follower,
                          struct leader **ret, struct weir_err *err)
{
    struct leader *leader = weir_xalloc(sizeof(*leader));
    leader->env = *env;
    leader->follower = follower;
    leader->epoch = -1;
    leader->takeover_offset = -1;
    leader->arena = weir_arena_new(1024 * 1024);
    weir_list_init(&leader->in_flight);
    leader->instance = weir_follower_instance(follower);
    if (weir_id_is_nil(&leader->instance)) {
        leader->instance = weir_id_new(weir_clock_wall_ms());
    }
    leader->pumped_boot_ms = weir_clock_boot_ms();
    cell_clock_begin(&leader->clock, weir_ledger_now_ms(weir_follower_ledger(follower)),
                     weir_clock_wall_ms(), leader->pumped_boot_ms);
    const struct weir_bus_producer_config config = {
        .brokers = env->settings->kafka,
        .client_id = "weir-scheduler",
        .kind = WEIR_BUS_DURABLE,
        .delivery_timeout_ms = DELIVERY_TIMEOUT_MS,
        .queue_max_records = QUEUE_MAX_RECORDS,
        .wake = env->wake,
        .wake_ctx = env->wake_ctx,
    };
    enum weir_code code = weir_bus_producer_open(&config, &leader->producer, err);
    if (code == WEIR_OK) {
        code = append_takeover(leader, err);
    }
    if (code != WEIR_OK) {
        leader_free(&leader);
        return code;
    }
    *ret = leader;
    return WEIR_OK;
}

void leader_free(struct leader **leader)
{
    struct leader *self = WEIR_TAKE(*leader);
    if (self == NULL) {
        return;
    }
    leader_end(self, "freed");
    weir_bus_producer_close(&self->producer, 0);
    checkpoint_free(self->checkpoint);
    probe_close(&self->probe);
    inputs_close(&self->inputs);
    core_free(self->core);
    weir_ledger_free(self->ledger);
    weir_arena_free(self->arena);
    WEIR_LIST_FOR(pos, &self->in_flight)
    {
        free(WEIR_CONTAINER(pos, struct append, node));
    }
    free(self);
}

static uint64_t seed_of(const struct weir_id *id)
{
    uint64_t seed = 0;
    for (int i = 8; i < 16; i++) {
        seed = seed << 8 | id->b[i];
    }
    return seed;
}

static enum weir_code open_inputs(struct leader *leader, struct weir_err *err)
{
    const struct scheduler_settings *settings = leader->env.settings;
    int32_t cell = (int32_t)settings->cell;
    enum weir_code code = probe_open(settings->kafka, cell, leader->env.wake, leader->env.wake_ctx,
                                     &leader->probe, err);
    return code == WEIR_OK ? inputs_open(settings->kafka, cell, leader->env.wake,
                                         leader->env.wake_ctx, &leader->inputs, err)
                           : code;
}

/* The follower has just folded our takeover: its ledger is the one to decide on. */
static void take_ledger(struct leader *leader)
{
    const struct scheduler_settings *settings = leader->env.settings;
    struct weir_err err;
    cell_clock_anchor(&leader->clock, leader->takeover_stamp_ms, weir_clock_boot_ms());
    leader->ledger = weir_ledger_copy(weir_follower_ledger(leader->follower));
    struct weir_id seed = weir_id_new(weir_clock_wall_ms());
    struct core_config config = settings_core_config(settings, seed_of(&seed));
    leader->core = core_new(&config, cell_now(leader));
    leader->checkpoint = checkpoint_new(settings->kafka, (int32_t)settings->cell, leader->producer);
    checkpoint_begin(leader->checkpoint, weir_follower_ledger(leader->follower), &leader->instance,
                     leader->epoch);
    leader->checkpoint_mono_ms = weir_clock_mono_ms();
    if (open_inputs(leader, &err) != WEIR_OK) {
        end_by(leader, "inputs cannot be read", &err);
        return;
    }
    leader->phase = PHASE_BOUNDS;
}

void leader_followed(struct leader *leader, const struct weir_follower_decision *read)
{
    bool is_takeover = read->decision->kind == WEIR_EV_DECISION_KIND_TAKEOVER;
    if (is_takeover) {
        leader->takeover_offset = read->offset;
        leader->takeover_stamp_ms = read->timestamp_ms;
    }
    if (is_takeover && leader->epoch >= 0 && read->offset > leader->epoch) {
        end_replaced(leader);
    } else if (leader->phase == PHASE_FOLDING && read->offset == leader->epoch) {
        take_ledger(leader);
    } else if (leader->ledger != NULL) {
        cell_clock_heard(&leader->clock, read->timestamp_ms, weir_clock_boot_ms());
        leader->since_checkpoint++;
    }
}

/* A takeover may be read back before its delivery is reported. */
static void catch_up_with_follower(struct leader *leader)
{
    if (leader->phase != PHASE_FOLDING) {
        return;
    }
    int64_t followed = weir_follower_epoch(leader->follower);
    if (followed > leader->epoch) {
        end_replaced(leader);
    } else if (followed == leader->epoch && leader->takeover_offset == leader->epoch) {
        take_ledger(leader);
    }
}

/* ---- reading inputs ---- */

/* True when the broker has told of every topic. */
static bool know_bounds(struct leader *leader, struct probe_bounds ret[static INPUT_N])
{
    for (enum input_topic topic = 0; topic < INPUT_N; topic++) {
        if (!probe_bounds(leader->probe, topic, &ret[topic])) {
            return false;
        }
    }
    return true;
}

static void follow_config(struct leader *leader)
{
    struct probe_bounds bounds[INPUT_N];
    struct weir_err err;
    if (!know_bounds(leader, bounds)) {
        return;
    }
    if (inputs_follow(leader->inputs, INPUT_CONFIG, bounds[INPUT_CONFIG].first, &err) != WEIR_OK) {
        end_by(leader, "inputs cannot be read", &err);
        return;
    }
    leader->config_end = bounds[INPUT_CONFIG].next;
    leader->config_boot_ms = weir_clock_boot_ms();
    leader->phase = PHASE_CONFIG;
}

/* From the last one decided on, or the first one kept. */
static enum weir_code follow_causes(struct leader *leader, enum input_topic topic,
                                    const struct probe_bounds *bounds, int64_t wanted,
                                    struct weir_err *err)
{
    bool is_kept = wanted >= bounds->first && wanted <= bounds->next;
    return inputs_follow(leader->inputs, topic, is_kept ? wanted : bounds->first, err);
}

static void begin_leading(struct leader *leader)
{
    struct weir_ledger_causes causes = weir_ledger_causes(leader->ledger);
    struct probe_bounds bounds[INPUT_N];
    struct weir_err err;
    if (!know_bounds(leader, bounds)) {
        return;
    }
    if (follow_causes(leader, INPUT_FACTS, &bounds[INPUT_FACTS], causes.facts_next, &err) !=
            WEIR_OK ||
        follow_causes(leader, INPUT_COMMANDS, &bounds[INPUT_COMMANDS], causes.commands_next,
                      &err) != WEIR_OK ||
        inputs_follow(leader->inputs, INPUT_HEARTBEATS, bounds[INPUT_HEARTBEATS].next, &err) !=
            WEIR_OK ||
        inputs_follow(leader->inputs, INPUT_VIEWERS, bounds[INPUT_VIEWERS].next, &err) != WEIR_OK) {
        end_by(leader, "inputs cannot be read", &err);
        return;
    }
    leader->phase = PHASE_LEADING;
    leader->is_due = true;
    char epoch[24];
    snprintf(epoch, sizeof(epoch), "%lld", (long long)leader->epoch);
    weir_log(WEIR_LOG_INFO, "cell: leading", "epoch", epoch, NULL);
}

/*
 * What nobody can read goes to the dead letters. A decision with its offset, where a new leader
 * would read it again: the next one begins behind it.
 */
static void refuse_unreadable(struct leader *leader, const struct input *input)
{
    static const enum weir_ev_decision_kind kinds[INPUT_N] = {
        [INPUT_COMMANDS] = WEIR_EV_DECISION_KIND_COMMAND,
        [INPUT_FACTS] = WEIR_EV_DECISION_KIND_FACT,
        [INPUT_CONFIG] = WEIR_EV_DECISION_KIND_CONFIG,
    };
    bool is_read_once = input->topic == INPUT_HEARTBEATS || input->topic == INPUT_VIEWERS;
    bool is_known = input->topic == INPUT_CONFIG &&
                    input->message.offset < weir_ledger_causes(leader->ledger).config_next;
    if (is_known) {
        return;
    }
    weir_metric_add(leader->env.meters->poisoned, 1);
    dead_letters_put(leader->env.dead_letters, &input->message, &input->why);
    if (is_read_once) {
        return;
    }
    struct weir_ev_decision decision = {
        .kind = kinds[input->topic],
        .has_cause_topic = true,
        .has_cause_offset = true,
        .cause_offset = input->message.offset,
        .outcome = WEIR_EV_DECISION_OUTCOME_REFUSED,
        .at_ms = cell_now(leader),
    };
    WEIR_STR_SET(decision.cause_topic, inputs_topic_name(input->topic));
    WEIR_STR_SET(decision.reason, weir_reason_name(WEIR_REASON_unreadable));
    decide(leader, &decision, NULL);
}

static void take_input(struct leader *leader, const struct input *input)
{
    int64_t boot_ms = weir_clock_boot_ms();
    int64_t now_ms = cell_now(leader);
    core_observe(leader->core, input->event, now_ms);
    if (input->topic == INPUT_CONFIG) {
        leader->is_due = true;
        leader->config_boot_ms = boot_ms;
    }
    if (input->topic != INPUT_COMMANDS && input->topic != INPUT_FACTS) {
        return;
    }
    int64_t began_us = weir_clock_mono_us();
    struct weir_ev_decision decision;
    const struct core_input about = {
        .event = input->event,
        .offset = input->message.offset,
        .age_ms = cell_clock_age(&leader->clock, input->message.timestamp_ms, boot_ms),
    };
    if (core_input(leader->core, leader->ledger, &about, now_ms, leader->arena, &decision)) {
        decide(leader, &decision, input->event);
        leader->is_due = leader->is_due || decision.n_effects > 0;
        weir_metric_observe(leader->env.meters->decide_us, weir_clock_mono_us() - began_us);
    }
}

static void read_inputs(struct leader *leader)
{
    int n = 0;
    bool got = true;
    for (; got && n < INPUTS_MAX && leader->phase != PHASE_OVER &&
           leader->n_in_flight < IN_FLIGHT_MAX;
         n++) {
        weir_arena_reset(leader->arena);
        struct weir_err err;
        struct input input;
        if (inputs_next(leader->inputs, leader->arena, &input, &got, &err) != WEIR_OK) {
            end_by(leader, "inputs cannot be read", &err);
        } else if (got && input.event == NULL) {
            refuse_unreadable(leader, &input);
        } else if (got) {
            take_input(leader, &input);
        }
    }
    if (n == INPUTS_MAX) {
        leader->env.wake(leader->env.wake_ctx);
    }
}

/* ---- what is due ---- */

/* Whether a topic was read as far as it went when the broker was last asked. */
static bool is_read(struct leader *leader, enum input_topic topic, int64_t *ret_asked_boot_ms)
{
    struct probe_bounds bounds;
    if (!probe_bounds(leader->probe, topic, &bounds) ||
        inputs_position(leader->inputs, topic) < bounds.next) {
        return false;
    }
    *ret_asked_boot_ms = bounds.asked_boot_ms;
    return true;
}

static void note_live(struct leader *leader)
{
    int64_t asked_boot_ms;
    if (is_read(leader, INPUT_COMMANDS, &asked_boot_ms)) {
        cell_clock_read(&leader->clock, asked_boot_ms);
    }
    if (is_read(leader, INPUT_HEARTBEATS, &asked_boot_ms)) {
        int64_t age_ms = weir_clock_boot_ms() - asked_boot_ms;
        core_inputs_live(leader->core, cell_now(leader) - age_ms);
    }
}

static void decide_due(struct leader *leader)
{
    int64_t now = weir_clock_mono_ms();
    if (!leader->is_due && now - leader->due_mono_ms < DUE_EVERY_MS) {
        return;
    }
    leader->is_due = false;
    leader->due_mono_ms = now;
    note_live(leader);
    for (int i = 0; leader->phase == PHASE_LEADING && leader->n_in_flight < IN_FLIGHT_MAX; i++) {
        struct weir_ev_decision decision;
        weir_arena_reset(leader->arena);
        if (i >= DUE_MAX) {
            leader->is_due = true;
            leader->env.wake(leader->env.wake_ctx);
            return;
        }
        if (!core_due(leader->core, leader->ledger, cell_now(leader), leader->arena, &decision)) {
            return;
        }
        decide(leader, &decision, NULL);
    }
}

static void keep_checkpoints(struct leader *leader)
{
    const struct scheduler_settings *settings = leader->env.settings;
    int64_t now = weir_clock_mono_ms();
    checkpoint_pump(leader->checkpoint);
    bool is_time = now - leader->checkpoint_mono_ms >= settings->checkpoint_s * 1000;
    if (leader->since_checkpoint >= settings->checkpoint_decisions ||
        (is_time && leader->since_checkpoint > 0)) {
        if (checkpoint_begin(leader->checkpoint, weir_follower_ledger(leader->follower),
                             &leader->instance, leader->epoch)) {
            leader->since_checkpoint = 0;
            leader->checkpoint_mono_ms = now;
        }
    }
    int64_t n = checkpoint_count(leader->checkpoint);
    weir_metric_add(leader->env.meters->checkpoints, n - leader->n_checkpoints);
    leader->n_checkpoints = n;
}

/* ---- the pump ---- */

/* Silence counts only while the broker answers. */
static bool is_config_read(struct leader *leader)
{
    struct probe_bounds newest;
    return inputs_position(leader->inputs, INPUT_CONFIG) >= leader->config_end ||
           (probe_bounds(leader->probe, INPUT_HEARTBEATS, &newest) &&
            newest.asked_boot_ms - leader->config_boot_ms > CONFIG_SILENCE_MS);
}

static void check_health(struct leader *leader)
{
    int64_t boot_ms = weir_clock_boot_ms();
    int64_t stalled_ms = boot_ms - leader->pumped_boot_ms;
    leader->pumped_boot_ms = boot_ms;
    if (stalled_ms > STALL_MS) {
        leader_end(leader, "this process stood still");
    } else if (weir_bus_producer_is_fatal(leader->producer)) {
        leader_end(leader, "the producer gave up");
    } else if (!weir_list_is_empty(&leader->in_flight)) {
        const struct append *oldest = WEIR_CONTAINER(leader->in_flight.next, struct append, node);
        if (weir_clock_mono_ms() - oldest->sent_mono_ms > OVERDUE_MS) {
            leader_end(leader, "the log does not acknowledge decisions");
        }
    }
}

bool leader_pump(struct leader *leader)
{
    check_health(leader);
    if (leader->phase == PHASE_OVER) {
        return false;
    }
    weir_bus_producer_poll(leader->producer, 0);
    catch_up_with_follower(leader);
    if (leader->phase == PHASE_BOUNDS) {
        follow_config(leader);
    }
    if (leader->phase == PHASE_CONFIG || leader->phase == PHASE_LEADING) {
        read_inputs(leader);
        keep_checkpoints(leader);
    }
    if (leader->phase == PHASE_CONFIG && is_config_read(leader)) {
        begin_leading(leader);
    }
    if (leader->phase == PHASE_LEADING) {
        decide_due(leader);
    }
    weir_metric_set(leader->env.meters->in_flight, leader->n_in_flight);
    return leader->phase != PHASE_OVER;
}

int64_t leader_score(struct leader *leader, const struct weir_id *worker_id)
{
    if (leader->phase != PHASE_LEADING) {
        return -1;
    }
    weir_arena_reset(leader->arena);
    return core_score(leader->core, leader->ledger, worker_id, leader->arena);
}

const char *leader_encoders(const struct leader *leader, const struct weir_id *worker_id,
                            char *text)
{
    text[0] = '\0';
    return leader->phase == PHASE_LEADING ? core_encoders(leader->core, worker_id, text) : text;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/core.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/domain/encoder.h"
#include "scheduler/core_rules.h"
#include "scheduler/load.h"

#define SWEEP_EVERY_MS 60000
#define LOOK_EVERY_MS  200

const struct core_config core_defaults = {
    .seed = 1,
    .ceiling_ppm = 800000,
    .warm_ceiling_ppm = 600000,
    .weight_cpu = 400,
    .weight_mem = 150,
    .weight_net = 200,
    .weight_gpu = 250,
    .queue_max = 1000,
    .renditions_max = 6,
    .tap_linger_ms = 10000,
    .suspect_ms = 3000,
    .dead_ms = 5000,
    .hold_ms = 30000,
    .stop_ms = 10000,
    .lost_ms = 10000,
    .replace_pause_ms = 5000,
    .exclusive_ms = 10000,
    .queue_ms = 120000,
    .start_ms = 60000,
    .flap_half_ms = 300000,
    .moves_max = 8,
    .move_ms = 30000,
    .move_pause_ms = 5000,
    .fade_ms = 6000,
};

struct core *core_new(const struct core_config *config, int64_t now_ms)
{
    struct core *core = weir_xalloc(sizeof(*core));
    core->config = *config;
    core->random = config->seed;
    core->seen = observations_new(now_ms);
    core->swept_ms = now_ms;
    core->is_changed = true;
    return core;
}

void core_free(struct core *core)
{
    if (core == NULL) {
        return;
    }
    observations_free(core->seen);
    free(core);
}

void core_observe(struct core *core, const struct weir_event *event, int64_t now_ms)
{
    observations_take(core->seen, event, now_ms);
    if (event->type == WEIR_EV_CONFIG_CAMERA || event->type == WEIR_EV_CONFIG_TENANT) {
        core->is_changed = true;
    }
}

void core_inputs_live(struct core *core, int64_t now_ms)
{
    observations_live(core->seen, now_ms);
}

/*
 * What holds for every command: once, and in time. True when that already settles it. Its two times
 * are by one clock, maybe a wrong one, so only their distance counts, against its age in the log.
 */
static bool settle(struct draft *draft, const struct weir_id *command_id, int64_t life_ms)
{
    draft->decision->kind = WEIR_EV_DECISION_KIND_COMMAND;
    draft->decision->has_command_id = true;
    draft->decision->command_id = *command_id;
    if (weir_ledger_has_command(draft->ledger, command_id)) {
        return draft_noop(draft, WEIR_REASON_duplicate);
    }
    if (draft->age_ms > life_ms) {
        return draft_refuse(draft, WEIR_REASON_expired);
    }
    return false;
}

static bool decide(struct draft *draft, const struct weir_event *event, int64_t offset)
{
    if (event->type == WEIR_EV_COMMAND_START) {
        const struct weir_ev_command_start *command = &event->u.command_start;
        return settle(draft, &command->command_id,
                      command->expires_at_ms - command->issued_at_ms) ||
               admit_start(draft, command);
    }
    if (event->type == WEIR_EV_COMMAND_STOP) {
        const struct weir_ev_command_stop *command = &event->u.command_stop;
        return settle(draft, &command->command_id,
                      command->expires_at_ms - command->issued_at_ms) ||
               stop_decide(draft, command);
    }
    if (event->type == WEIR_EV_COMMAND_DRAIN) {
        const struct weir_ev_command_drain *command = &event->u.command_drain;
        return settle(draft, &command->command_id,
                      command->expires_at_ms - command->issued_at_ms) ||
               drain_decide(draft, command);
    }
    if (event->type == WEIR_EV_COMMAND_IDLE) {
        const struct weir_ev_command_idle *command = &event->u.command_idle;
        return settle(draft, &command->command_id,
                      command->expires_at_ms - command->issued_at_ms) ||
               idle_decide(draft, command);
    }
    draft->decision->kind = WEIR_EV_DECISION_KIND_FACT;
    return facts_decide(draft, event, offset);
}

/* A start as it mostly goes: nothing but the queue follows from it at once. */
static bool is_plain_start(const struct weir_ev_decision_effects *e)
{
    enum weir_stream_state from = WEIR_STREAM_STATE_STOPPED;
    enum weir_stream_state to;
    if (e->entity == WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE) {
        return !e->has_second && strcmp(e->to, "active") == 0;
    }
    if (e->entity != WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM ||
        weir_stream_state_get(e->to, &to) != WEIR_OK ||
        (e->has_from && weir_stream_state_get(e->from, &from) != WEIR_OK)) {
        return false;
    }
    if (to == WEIR_STREAM_STATE_QUEUED) {
        return weir_stream_state_is_final(from);
    }
    bool is_onward = to == WEIR_STREAM_STATE_STARTING || to == WEIR_STREAM_STATE_RUNNING;
    bool was_starting = from == WEIR_STREAM_STATE_PLACED || from == WEIR_STREAM_STATE_STARTING;
    return to == WEIR_STREAM_STATE_PLACED || (is_onward && was_starting);
}

/*
 * A full cell has thousands of rows, and a hundred starts a second: all rows are looked at when
 * something else happened, and from time to time.
 */
static void note_change(struct core *core, const struct weir_ev_decision *decision)
{
    for (size_t i = 0; i < decision->n_effects && !core->is_changed; i++) {
        core->is_changed = !is_plain_start(&decision->effects[i]);
    }
}

bool core_input(struct core *core, const struct weir_ledger *ledger, const struct core_input *input,
                int64_t now_ms, struct weir_arena *arena, struct weir_ev_decision *ret)
{
    struct draft draft;
    draft_init(&draft, core, ledger, now_ms, arena, ret);
    draft.age_ms = input->age_ms;
    ret->has_cause_topic = ret->has_cause_offset = true;
    WEIR_STR_SET(ret->cause_topic, weir_ev_topic(input->event->type));
    ret->cause_offset = input->offset;
    bool is_decided = decide(&draft, input->event, input->offset);
    loads_done(&draft);
    note_change(core, ret);
    return is_decided;
}

static void look_at_all(struct draft *draft)
{
    static void (*const rules[])(struct draft *) = {streams_due, leases_due, drain_due};
    struct core *core = draft->core;
    if (!core->is_changed && draft->now_ms - core->looked_ms < LOOK_EVERY_MS) {
        return;
    }
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && draft_is_empty(draft); i++) {
        rules[i](draft);
    }
    if (draft_is_empty(draft)) {
        core->is_changed = false;
        core->looked_ms = draft->now_ms;
    }
}

bool core_due(struct core *core, const struct weir_ledger *ledger, int64_t now_ms,
              struct weir_arena *arena, struct weir_ev_decision *ret)
{
    static void (*const rules[])(struct draft *) = {liveness_due, look_at_all, queue_due};
    if (now_ms - core->swept_ms >= SWEEP_EVERY_MS) {
        core->swept_ms = now_ms;
        observations_sweep(core->seen, ledger);
    }
    struct draft draft;
    draft_init(&draft, core, ledger, now_ms, arena, ret);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && draft_is_empty(&draft); i++) {
        rules[i](&draft);
    }
    loads_done(&draft);
    note_change(core, ret);
    return !draft_is_empty(&draft);
}

const char *core_encoders(const struct core *core, const struct weir_id *worker_id, char *text)
{
    const struct seen_worker *seen = observations_worker(core->seen, worker_id);
    bool is_told = seen != NULL && seen->has_load;
    return weir_encoders_format(is_told ? seen->encoders : NULL, is_told ? seen->n_encoders : 0,
                                text);
}

int64_t core_score(struct core *core, const struct weir_ledger *ledger,
                   const struct weir_id *worker_id, struct weir_arena *arena)
{
    struct draft draft;
    struct weir_ev_decision unused;
    draft_init(&draft, core, ledger, weir_ledger_now_ms(ledger), arena, &unused);
    const struct worker_load *load = loads_find(loads_of(&draft), worker_id);
    const struct cost none = {.encode_kpx = 0};
    int64_t share_ppm[RESOURCE_N];
    int64_t score = load != NULL && load_fits(&core->config, load, &none, share_ppm)
                        ? load_score(&core->config, load, &none, share_ppm, false) + load->flap_ppm
                        : -1;
    loads_done(&draft);
    return score;
}

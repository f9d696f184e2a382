/* SPDX-License-Identifier: Apache-2.0 */
/* The decision log of a cell, one decision a line and one effect an indented line. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/domain/audit.h"
#include "lib/domain/events.h"
#include "weirctl/command.h"
#include "weirctl/scan.h"

struct show {
    FILE *out;
    int64_t left;
    bool has_object; /* only decisions that touch `object` */
    struct weir_id object;
    struct weir_audit_chain chain; /* judges what is void */
    bool is_begun;
    struct weir_arena *arena; /* of one record */
};

static const char *const kinds[] = {
    [WEIR_EV_DECISION_KIND_TAKEOVER] = "takeover",
    [WEIR_EV_DECISION_KIND_COMMAND] = "command",
    [WEIR_EV_DECISION_KIND_FACT] = "fact",
    [WEIR_EV_DECISION_KIND_HEARTBEAT] = "heartbeat",
    [WEIR_EV_DECISION_KIND_TIMER] = "timer",
    [WEIR_EV_DECISION_KIND_CONFIG] = "config",
    [WEIR_EV_DECISION_KIND_CONTINUATION] = "continuation",
};

static const char *const outcomes[] = {
    [WEIR_EV_DECISION_OUTCOME_APPLIED] = "applied",
    [WEIR_EV_DECISION_OUTCOME_NOOP] = "noop",
    [WEIR_EV_DECISION_OUTCOME_REFUSED] = "refused",
};

static void print_effect(FILE *out, const struct weir_ev_decision_effects *effect)
{
    if (effect->entity == WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM)
        fprintf(out, "      stream %s", WEIR_ID_TEXT(&effect->stream_id));
    else if (effect->entity == WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE)
        fprintf(out, "      lease  %s", WEIR_ID_TEXT(&effect->camera_id));
    else
        fprintf(out, "      worker %s", WEIR_ID_TEXT(&effect->worker_id));
    fprintf(out, "  %s -> %s", effect->has_from ? effect->from : "-", effect->to);
    if (effect->has_generation)
        fprintf(out, "  generation %" PRId64, effect->generation);
    if (effect->has_worker_id && effect->entity != WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER)
        fprintf(out, "  worker %s", WEIR_ID_TEXT(&effect->worker_id));
    fprintf(out, "  %s", effect->reason);
    if (effect->has_detail)
        fprintf(out, " (%s)", effect->detail);
    fprintf(out, "\n");
}

static void print_decision(FILE *out, int64_t offset, const struct weir_event *event,
                           enum weir_audit_verdict verdict)
{
    const struct weir_ev_decision *decision = &event->u.decision;
    char time[WEIR_TIME_TEXT_MAX];
    weir_clock_format_ms(decision->at_ms, time);
    fprintf(out, "%5" PRId64 " %s%s  %s", offset, time, verdict == WEIR_AUDIT_VOID ? "  VOID" : "",
            kinds[decision->kind]);
    if (decision->has_cause_topic && decision->has_cause_offset)
        fprintf(out, " %s@%" PRId64, decision->cause_topic, decision->cause_offset);
    fprintf(out, "  %s: %s\n", outcomes[decision->outcome], decision->reason);
    for (size_t i = 0; i < decision->n_effects; i++)
        print_effect(out, &decision->effects[i]);
}

static bool touches(const struct show *show, const struct weir_ev_decision *decision)
{
    for (size_t i = 0; i < decision->n_effects; i++) {
        const struct weir_ev_decision_effects *effect = &decision->effects[i];
        if ((effect->has_stream_id && weir_id_equal(&effect->stream_id, &show->object)) ||
            (effect->has_camera_id && weir_id_equal(&effect->camera_id, &show->object)) ||
            (effect->has_worker_id && weir_id_equal(&effect->worker_id, &show->object)))
            return true;
    }
    return !show->has_object;
}

static bool show_one(void *ctx, const struct weir_bus_message *message)
{
    struct show *show = ctx;
    struct weir_audit_entry entry;
    struct weir_event event;
    weir_arena_reset(show->arena);
    if (!show->is_begun)
        weir_audit_chain_init(&show->chain, WEIR_TOPIC_DECISIONS, message->partition,
                              message->offset);
    show->is_begun = true;
    if (weir_audit_take(&show->chain, message->offset, message->value, message->value_len,
                        show->arena, &entry, NULL) != WEIR_OK) {
        fprintf(show->out, "%5" PRId64 " GAP: record %" PRId64 " was expected\n", message->offset,
                show->chain.next);
        return false;
    }
    if (entry.verdict == WEIR_AUDIT_UNREADABLE ||
        weir_ev_parse(message->value, message->value_len, show->arena, &event, NULL) != WEIR_OK) {
        fprintf(show->out, "%5" PRId64 " UNREADABLE: %s\n", message->offset,
                entry.parse_error ? entry.parse_error : "");
        return --show->left > 0;
    }
    if (!touches(show, &event.u.decision))
        return true;
    print_decision(show->out, message->offset, &event, entry.verdict);
    return --show->left > 0;
}

enum weir_code ctl_log_show(const struct ctl_settings *settings, FILE *out, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct show show = {.out = out, .left = settings->limit, .arena = arena};
    if (*settings->object) {
        enum weir_code code =
            weir_id_parse(settings->object, strlen(settings->object), &show.object, err);
        if (code != WEIR_OK)
            return weir_fail_in(err, code, "--object");
        show.has_object = true;
    }
    const struct ctl_scan scan = {.topic = WEIR_TOPIC_DECISIONS,
                                  .partition = (int32_t)settings->cell,
                                  .from = settings->offset,
                                  .fn = show_one,
                                  .ctx = &show};
    return ctl_scan(settings, &scan, err);
}

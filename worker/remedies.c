/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done about cameras that are not well (docs/adr/0044): counted, said as facts, shown with
 * the camera. The tap connects anew and leaves UDP; here streams are published anew.
 */
#include "lib/base/str.h"
#include "worker/worker.h"

void remedies_open(struct worker *worker)
{
    for (int i = 0; i < WEIR_REMEDY_N; i++) {
        worker->remedies[i] = weir_metrics_counter(weir_service_metrics(worker->service),
                                                   "weir_worker_camera_remedies_total",
                                                   "What was done about cameras that were not well",
                                                   "remedy", weir_remedy_name((enum weir_remedy)i));
    }
}

static void note(struct worker *worker, struct lease *lease, const struct weir_id *stream_id,
                 enum weir_remedy remedy, const char *reason, int64_t next_in_ms)
{
    struct lease_remedies *is = &lease->remedies;
    is->taken++;
    is->newest = remedy;
    WEIR_STR_SET(is->reason, reason);
    is->at_ms = worker_now_ms();
    is->next_ms = is->at_ms + next_in_ms;
    is->has_stream_id = stream_id != NULL;
    is->stream_id = stream_id ? *stream_id : (struct weir_id){{0}};
    is->due_at_ms = 0;
    if (worker->remedies[remedy]) {
        weir_metric_add(worker->remedies[remedy], 1);
    }
    weir_log(WEIR_LOG_WARN, "camera: something is done about it", "camera_id",
             WEIR_ID_TEXT(&lease->row.camera_id), "what", weir_remedy_name(remedy), "why", reason,
             NULL);
    if (worker->facts && worker->incarnation != WORKER_NOT_JOINED) {
        facts_remedy(worker, lease);
    }
}

void remedies_take(struct worker *worker, const struct weir_ctl_tap_remedy *told)
{
    struct lease *lease = leases_find(worker, &told->camera_id);
    if (lease) {
        note(worker, lease, NULL, told->remedy, told->reason, told->next_in_ms);
    }
}

bool remedies_may_republish(struct worker *worker, struct stream *stream, enum weir_reason reason)
{
    struct lease *lease = leases_find(worker, &stream->row.camera_id);
    int64_t now_ms = worker_now_ms();
    if (!lease || weir_budget_wait_ms(&stream->budget, now_ms) > 0) {
        return false;
    }
    weir_budget_take(&stream->budget, now_ms);
    note(worker, lease, &stream->row.stream_id, WEIR_REMEDY_REPUBLISH, weir_reason_name(reason),
         weir_budget_wait_ms(&stream->budget, now_ms));
    return true;
}

void remedies_fill(const struct lease *lease, struct weir_ctl_camera_status *ret)
{
    const struct lease_remedies *is = &lease->remedies;
    int64_t now_ms = worker_now_ms();
    ret->has_remedies = true;
    ret->remedies = is->taken;
    if (is->taken == 0) {
        return;
    }
    ret->has_remedy = ret->has_remedy_reason = true;
    ret->has_remedy_ms = ret->has_remedy_next_ms = true;
    ret->remedy = is->newest;
    WEIR_STR_SET(ret->remedy_reason, is->reason);
    ret->remedy_ms = now_ms - is->at_ms;
    ret->remedy_next_ms = is->next_ms > now_ms ? is->next_ms - now_ms : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the cameras of this worker are doing: told to the origin, which tells the api when somebody
 * asks; said as facts where the health of a picture changed; counted.
 */
#include "lib/base/str.h"
#include "worker/worker.h"

#define SAY_PAUSE_MS 5000 /* between two facts of a kind about one camera */

void conditions_open(struct worker *worker)
{
    remedies_open(worker);
    worker->clocks_set = weir_metrics_counter(
        weir_service_metrics(worker->service), "weir_worker_clocks_set_total",
        "How often clocks of cameras were set by more than 100 ms", NULL, NULL);
    for (int is_other = 0; is_other < 2; is_other++) {
        worker->sources_lost[is_other] = weir_metrics_counter(
            weir_service_metrics(worker->service), "weir_worker_sources_lost_total",
            "How often a source of a camera could no longer be read, or a further one not at all",
            "source", is_other ? "other" : "main");
    }
    for (int i = 0; i < WEIR_FAULT_N; i++) {
        worker->faults[i] = weir_metrics_counter(
            weir_service_metrics(worker->service), "weir_worker_picture_faults_total",
            "Faults that were found in the pictures of cameras", "fault",
            weir_fault_name((enum weir_fault)i));
    }
}

void conditions_join(const struct weir_ctl_tap_stats_cameras *other,
                     struct weir_ctl_tap_stats_cameras *stats)
{
    stats->cpu_ppm += other->has_cpu_ppm ? other->cpu_ppm : 0;
    stats->mem_bytes += other->has_mem_bytes ? other->mem_bytes : 0;
    stats->faults_seen += other->has_faults_seen ? other->faults_seen : 0;
    if (!other->has_health || !other->has_faults || !stats->has_health || other->faults == 0) {
        return;
    }
    stats->faults |= other->faults;
    if (stats->health == WEIR_PICTURE_HEALTH_HEALTHY) {
        stats->health = WEIR_PICTURE_HEALTH_DEGRADED;
        stats->health_ms = other->has_health_ms ? other->health_ms : 0;
    }
}

void conditions_count_lost(struct worker *worker, bool is_other)
{
    if (worker->sources_lost[is_other]) {
        weir_metric_add(worker->sources_lost[is_other], 1);
    }
}

static enum weir_ctl_camera_status_state state_of(const struct lease *lease)
{
    if (lease->is_up) {
        return WEIR_CTL_CAMERA_STATUS_STATE_UP;
    }
    return lease->is_failing ? WEIR_CTL_CAMERA_STATUS_STATE_FAILING
                             : WEIR_CTL_CAMERA_STATUS_STATE_CONNECTING;
}

void conditions_fill(const struct lease *lease, struct weir_ctl_camera_status *ret)
{
    const struct weir_ctl_tap_stats_cameras *stats = &lease->stats;
    *ret = (struct weir_ctl_camera_status){.tenant_id = lease->row.tenant_id,
                                           .camera_id = lease->row.camera_id,
                                           .state = state_of(lease),
                                           .has_reason = lease->is_failing,
                                           .has_detail = lease->is_failing};
    if (lease->is_failing) {
        WEIR_STR_SET(ret->reason, lease->trouble.reason);
        WEIR_STR_SET(ret->detail, lease->trouble.detail);
    }
    remedies_fill(lease, ret);
    if (!lease->is_given) {
        return;
    }
    ret->ring_ms = lease->ring_ms;
    ret->ring_bytes = lease->ring_bytes;
    /* It may have said it before anything came of it. */
    bool is_told = lease->is_up || lease->info.state == WEIR_CTL_TAP_SOURCE_STATE_CONNECTING;
    ret->has_video_codec = is_told && lease->info.has_video_codec;
    WEIR_STR_SET(ret->video_codec, lease->info.video_codec);
    ret->has_width = is_told && lease->info.has_width;
    ret->width = lease->info.width;
    ret->has_height = is_told && lease->info.has_height;
    ret->height = lease->info.height;
    ret->has_gop_ms = stats->has_gop_ms;
    ret->gop_ms = stats->gop_ms;
    ret->has_bitrate_bps = stats->has_bitrate_bps;
    ret->bitrate_bps = stats->bitrate_bps;
    ret->has_fps_milli = stats->has_fps_milli;
    ret->fps_milli = stats->fps_milli;
    ret->has_gaps = ret->has_reconnects = true;
    ret->gaps = stats->gaps;
    ret->reconnects = stats->reconnects;
    ret->has_cpu_ppm = stats->has_cpu_ppm;
    ret->cpu_ppm = stats->cpu_ppm;
    ret->has_mem_bytes = stats->has_mem_bytes;
    ret->mem_bytes = stats->mem_bytes;
    ret->has_transport = stats->has_transport;
    ret->transport = stats->transport;
    ret->has_health = stats->has_health;
    ret->health = stats->health;
    ret->has_faults = stats->has_faults;
    ret->faults = stats->faults;
    ret->has_health_ms = stats->has_health_ms;
    ret->health_ms = stats->health_ms;
    ret->has_faults_seen = stats->has_faults_seen;
    ret->faults_seen = stats->faults_seen;
}

void conditions_tell(struct worker *worker, const struct lease *lease)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_CAMERA_STATUS};
    conditions_fill(lease, &ctl.u.camera_status);
    child_send(worker->origin, &ctl);
}

bool conditions_take(struct worker *worker, const struct lease *lease,
                     const struct weir_ctl_tap_stats_cameras *now)
{
    const struct weir_ctl_tap_stats_cameras *before = &lease->stats;
    for (int i = 0; i < WEIR_FAULT_N; i++) {
        bool is_new = (now->faults >> i & 1) != 0 && (before->faults >> i & 1) == 0;
        if (is_new && worker->faults[i]) {
            weir_metric_add(worker->faults[i], 1);
        }
        if (is_new && i == WEIR_FAULT_OTHER_SOURCE) {
            conditions_count_lost(worker, true);
        }
    }
    if (now->clock_jumps > before->clock_jumps && worker->clocks_set) {
        weir_metric_add(worker->clocks_set, now->clock_jumps - before->clock_jumps);
    }
    return now->health != before->health || now->faults != before->faults;
}

static void count_health(struct worker *worker)
{
    size_t counts[WEIR_PICTURE_HEALTH_N] = {0};
    void *value;
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        const struct lease *lease = value;
        bool is_known = lease->is_given && lease->stats.has_health;
        counts[is_known ? lease->stats.health : WEIR_PICTURE_HEALTH_DOWN]++;
    }
    struct weir_metrics *metrics = weir_service_metrics(worker->service);
    for (int i = 0; i < WEIR_PICTURE_HEALTH_N; i++) {
        struct weir_metric *gauge = weir_metrics_gauge(
            metrics, "weir_worker_pictures", "Cameras pulled here by the health of their picture",
            "health", weir_picture_health_name((enum weir_picture_health)i));
        weir_metric_set(gauge, (int64_t)counts[i]);
    }
}

/* As a fact, when it is other than what was said last, and that is a while ago. */
static void say_health(struct worker *worker, struct lease *lease)
{
    const struct weir_ctl_tap_stats_cameras *is = &lease->stats;
    bool is_known = lease->is_given && is->has_health &&
                    is->health != WEIR_PICTURE_HEALTH_STARTING &&
                    (is->health != WEIR_PICTURE_HEALTH_DOWN || lease->is_failing) &&
                    worker->incarnation != WORKER_NOT_JOINED;
    bool is_said = lease->has_said_health && !lease->is_health_due &&
                   lease->said_health == is->health && lease->said_faults == is->faults;
    int64_t now_ms = worker_now_ms();
    if (!is_known || is_said ||
        (lease->has_said_health && now_ms - lease->health_said_ms < SAY_PAUSE_MS)) {
        return;
    }
    lease->has_said_health = true;
    lease->is_health_due = false;
    lease->said_health = is->health;
    lease->said_faults = is->faults;
    lease->health_said_ms = now_ms;
    facts_health(worker, lease, is->health, (unsigned)is->faults,
                 lease->is_failing ? lease->trouble.reason : NULL);
}

static void say_remedy(struct worker *worker, struct lease *lease)
{
    struct lease_remedies *is = &lease->remedies;
    if (is->due_at_ms == 0 || worker_now_ms() < is->due_at_ms ||
        worker->incarnation == WORKER_NOT_JOINED) {
        return;
    }
    is->due_at_ms = 0;
    facts_remedy(worker, lease);
}

void conditions_lost(struct worker *worker, const struct weir_id *camera_id, enum weir_ev_type type,
                     int64_t before_us)
{
    struct lease *lease = leases_find(worker, camera_id);
    if (!lease) {
        return;
    }
    if (type == WEIR_EV_FACT_HEALTH) {
        lease->is_health_due = true;
    } else if (type == WEIR_EV_FACT_REMEDY) {
        lease->remedies.due_at_ms = worker_now_ms() + SAY_PAUSE_MS;
    } else if (type == WEIR_EV_FACT_CLOCK) {
        clock_news_lost(&lease->clock_news, before_us);
    }
}

void conditions_end(struct worker *worker, struct lease *lease)
{
    bool is_open = lease->is_health_due ||
                   (lease->has_said_health && lease->said_health != WEIR_PICTURE_HEALTH_HEALTHY);
    lease->has_said_health = lease->is_health_due = false;
    if (is_open && worker->incarnation != WORKER_NOT_JOINED) {
        facts_health(worker, lease, WEIR_PICTURE_HEALTH_DOWN, 0,
                     weir_reason_name(WEIR_REASON_lease_released));
    }
}

/* Needs the offset as it is now, which a tap that has just begun does not know. */
static void say_clock(struct worker *worker, struct lease *lease)
{
    const struct weir_ctl_tap_stats_cameras *is = &lease->stats;
    int64_t before_us;
    if (!lease->is_given || worker->incarnation == WORKER_NOT_JOINED) {
        return;
    }
    clock_news_take(&lease->clock_news, is->clock_jumps, is->clock_before_us);
    if (is->has_clock_offset_us &&
        clock_news_say(&lease->clock_news, worker_now_ms(), &before_us)) {
        facts_clock(worker, lease, before_us);
    }
}

void conditions_say(struct worker *worker, struct lease *lease)
{
    say_health(worker, lease);
    say_clock(worker, lease);
    say_remedy(worker, lease);
}

void conditions_tick(struct worker *worker)
{
    void *value;
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        struct lease *lease = value;
        if (lease->is_wanted && !lease->is_released) {
            conditions_tell(worker, lease);
            conditions_say(worker, lease);
        }
    }
    count_health(worker);
}

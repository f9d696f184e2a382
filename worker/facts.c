/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "worker/worker.h"

#define DELIVERY_TIMEOUT_MS 10000

static void poll_producer(void *ctx)
{
    struct worker *worker = ctx;
    weir_bus_producer_poll(worker->facts, 0);
}

static enum weir_code open_producer(struct worker *worker, struct weir_err *err)
{
    const struct weir_bus_producer_config config = {.brokers = worker->settings->kafka,
                                                    .client_id = "weir-worker-facts",
                                                    .kind = WEIR_BUS_DURABLE,
                                                    .delivery_timeout_ms = DELIVERY_TIMEOUT_MS,
                                                    .wake = waker_wake,
                                                    .wake_ctx = &worker->facts_waker};
    return weir_bus_producer_open(&config, &worker->facts, err);
}

enum weir_code facts_open(struct worker *worker, struct weir_err *err)
{
    waker_init(&worker->facts_waker, worker->loop, poll_producer, worker);
    return open_producer(worker, err);
}

void facts_tend(struct worker *worker)
{
    struct weir_err err = {0};
    if (!weir_bus_producer_is_fatal(worker->facts)) {
        return;
    }
    weir_log(WEIR_LOG_WARN, "producer of facts gave up, opening another", NULL);
    weir_bus_producer_close(&worker->facts, 0);
    if (open_producer(worker, &err) != WEIR_OK) {
        abort(); /* the same settings were accepted before */
    }
}

static void log_lost(const struct weir_bus_delivery *delivery)
{
    static struct weir_log_limit limit;
    if (delivery->code != WEIR_OK && weir_log_allowed(&limit, 5, 10000, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_WARN, "fact may not have reached the log", "why", delivery->detail, NULL);
    }
}

/* Of the worker, a stream or a lease: one that got lost is said again by the plan. */
static void on_delivered(void *ctx, const struct weir_bus_delivery *delivery)
{
    (void)ctx;
    log_lost(delivery);
}

/* WEIR_EINVAL, WEIR_ELIMIT: it cannot be said at all. */
static enum weir_code send(struct worker *worker, struct weir_event *event,
                           weir_bus_delivery_fn *fn, void *ctx)
{
    const char *bytes = NULL;
    size_t len = 0;
    struct weir_err err = {0};
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    event->time_ms = weir_clock_wall_ms();
    event->id = weir_id_new(event->time_ms);
    WEIR_STR_SET(event->source, worker->event_source);
    event->has_partitionkey = true;
    WEIR_STR_SET(event->partitionkey, event->subject);
    enum weir_code code = weir_ev_dump(event, arena, &bytes, &len, &err);
    if (code == WEIR_OK) {
        struct weir_bus_record record = {.topic = WEIR_TOPIC_FACTS,
                                         .partition = (int32_t)worker->settings->cell,
                                         .key = event->subject,
                                         .key_len = strlen(event->subject),
                                         .value = bytes,
                                         .value_len = len};
        code = weir_bus_producer_send(worker->facts, &record, fn, ctx, &err);
    }
    if (code != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "fact cannot be sent", "type", weir_ev_type_name(event->type),
                 "subject", event->subject, "why", err.msg, NULL);
    }
    return code;
}

static struct weir_event about_worker(const struct worker *worker, enum weir_ev_type type)
{
    struct weir_event event = {.type = type};
    WEIR_STR_SET(event.subject, worker->id_text);
    return event;
}

static struct weir_event about(enum weir_ev_type type, const struct weir_id *subject,
                               const struct weir_id *tenant_id)
{
    struct weir_event event = {.type = type, .has_tenantid = true, .tenantid = *tenant_id};
    weir_id_format(subject, event.subject);
    return event;
}

/* Fills the five fields that every fact about a stream has. */
#define FILL_STREAM(fact, worker, stream)                                                          \
    do {                                                                                           \
        (fact).worker_id = (worker)->worker_id;                                                    \
        (fact).incarnation = (worker)->incarnation;                                                \
        (fact).tenant_id = (stream)->row.tenant_id;                                                \
        (fact).stream_id = (stream)->row.stream_id;                                                \
        (fact).generation = (stream)->row.generation;                                              \
    } while (0)

void facts_joined(struct worker *worker)
{
    struct weir_event event = about_worker(worker, WEIR_EV_FACT_JOINED);
    struct weir_ev_fact_joined *fact = &event.u.fact_joined;
    const struct weir_ev_heartbeat_load *load = &worker->load;
    fact->worker_id = worker->worker_id;
    fact->boot_id = worker->boot_id;
    if (worker->settings->origin_url[0]) {
        WEIR_STR_SET(fact->origin_url, worker->settings->origin_url);
    } else {
        const char *listen = worker->settings->origin_listen;
        const char *colon = strrchr(listen, ':');
        snprintf(fact->origin_url, sizeof(fact->origin_url), "http://%.*s:%lld",
                 (int)(colon ? colon - listen : (long)strlen(listen)), listen,
                 (long long)worker->origin_port);
    }
    WEIR_STR_SET(fact->site, worker->settings->site);
    WEIR_STR_SET(fact->version, WEIR_VERSION);
    fact->capacity = (struct weir_capacity){
        .cpu_milli = load->cpu_milli_cap,
        .mem_mib = load->mem_mib_cap,
        .net_kbps = load->net_kbps_cap,
        .gpu_permille = gpu_count(worker->gpu) > 0 ? 1000 : 0,
        .gpu_mem_mib = load->has_gpu_mem_mib_cap ? load->gpu_mem_mib_cap : 0,
    };
    fact->streams_max = worker->settings->streams_max;
    send(worker, &event, on_delivered, worker);
}

void facts_draining(struct worker *worker)
{
    struct weir_event event = about_worker(worker, WEIR_EV_FACT_DRAINING);
    struct weir_ev_fact_draining *fact = &event.u.fact_draining;
    fact->worker_id = worker->worker_id;
    fact->incarnation = worker->incarnation;
    WEIR_STR_SET(fact->reason, weir_reason_name(WEIR_REASON_shutdown));
    send(worker, &event, on_delivered, worker);
}

void facts_left(struct worker *worker, weir_bus_delivery_fn *fn, void *ctx)
{
    struct weir_event event = about_worker(worker, WEIR_EV_FACT_LEFT);
    struct weir_ev_fact_left *fact = &event.u.fact_left;
    fact->worker_id = worker->worker_id;
    fact->incarnation = worker->incarnation;
    WEIR_STR_SET(fact->reason, weir_reason_name(WEIR_REASON_shutdown));
    send(worker, &event, fn, ctx);
}

void facts_starting(struct worker *worker, const struct stream *stream)
{
    struct weir_event event =
        about(WEIR_EV_FACT_STARTING, &stream->row.stream_id, &stream->row.tenant_id);
    FILL_STREAM(event.u.fact_starting, worker, stream);
    send(worker, &event, on_delivered, worker);
}

void facts_started(struct worker *worker, const struct stream *stream, const struct lease *lease)
{
    struct weir_event event =
        about(WEIR_EV_FACT_STARTED, &stream->row.stream_id, &stream->row.tenant_id);
    struct weir_ev_fact_started *fact = &event.u.fact_started;
    const struct weir_ctl_tap_source *info = &lease->info;
    const struct weir_effective *effective = &stream->effective;
    bool is_as_it_is = !stream->has_effective || effective->how == WEIR_RENDITION_HOW_PASSTHROUGH;
    FILL_STREAM(*fact, worker, stream);
    fact->has_effective = stream->has_effective;
    fact->effective = *effective;
    bool is_heard = !effective->has_audio || effective->audio == WEIR_STREAM_AUDIO_AAC ||
                    effective->audio == WEIR_STREAM_AUDIO_OPUS ||
                    effective->audio == WEIR_STREAM_AUDIO_MADE;
    fact->has_audio_codec = is_heard && info->has_audio_codec;
    WEIR_STR_SET(fact->audio_codec, info->audio_codec);
    if (stream->has_effective) {
        WEIR_STR_SET(fact->video_codec, effective->codec);
        fact->width = effective->width;
        fact->height = effective->height;
    } else {
        WEIR_STR_SET(fact->video_codec, info->has_video_codec ? info->video_codec : "avc1");
        fact->width = info->has_width ? info->width : 0;
        fact->height = info->has_height ? info->height : 0;
    }
    if (!is_as_it_is) {
        fact->has_bitrate_bps = true;
        fact->bitrate_bps = effective->bitrate_bps;
    } else if (lease->ring_ms >= 1000) {
        fact->has_bitrate_bps = true;
        fact->bitrate_bps = lease->ring_bytes * 8000 / lease->ring_ms;
    }
    fact->took_ms = worker_now_ms() - stream->seen_at_ms;
    send(worker, &event, on_delivered, worker);
}

void facts_failing(struct worker *worker, const struct stream *stream,
                   const struct trouble *trouble)
{
    struct weir_event event =
        about(WEIR_EV_FACT_FAILING, &stream->row.stream_id, &stream->row.tenant_id);
    struct weir_ev_fact_failing *fact = &event.u.fact_failing;
    FILL_STREAM(*fact, worker, stream);
    WEIR_STR_SET(fact->reason, trouble->reason);
    fact->permanent = trouble->is_permanent;
    fact->has_detail = trouble->detail[0];
    WEIR_STR_SET(fact->detail, trouble->detail);
    fact->has_retry_in_ms = trouble->retry_in_ms > 0;
    fact->retry_in_ms = trouble->retry_in_ms;
    send(worker, &event, on_delivered, worker);
}

void facts_exited(struct worker *worker, const struct stream *stream, enum weir_reason reason)
{
    struct weir_event event =
        about(WEIR_EV_FACT_EXITED, &stream->row.stream_id, &stream->row.tenant_id);
    FILL_STREAM(event.u.fact_exited, worker, stream);
    WEIR_STR_SET(event.u.fact_exited.reason, weir_reason_name(reason));
    send(worker, &event, on_delivered, worker);
}

void facts_still_watched(struct worker *worker, const struct stream *stream, int64_t age_ms)
{
    struct weir_event event =
        about(WEIR_EV_FACT_STILL_WATCHED, &stream->row.stream_id, &stream->row.tenant_id);
    FILL_STREAM(event.u.fact_still_watched, worker, stream);
    event.u.fact_still_watched.last_request_age_ms = age_ms;
    send(worker, &event, on_delivered, worker);
}

void facts_lease_released(struct worker *worker, const struct lease *lease)
{
    struct weir_event event =
        about(WEIR_EV_FACT_LEASE_RELEASED, &lease->row.camera_id, &lease->row.tenant_id);
    struct weir_ev_fact_lease_released *fact = &event.u.fact_lease_released;
    fact->worker_id = worker->worker_id;
    fact->incarnation = worker->incarnation;
    fact->tenant_id = lease->row.tenant_id;
    fact->camera_id = lease->row.camera_id;
    fact->lease_generation = lease->row.lease_generation;
    send(worker, &event, on_delivered, worker);
}

/* What is told of a camera is not told by the plan again: who said it is told that it got lost. */
struct camera_fact {
    struct worker *worker;
    struct weir_id camera_id;
    enum weir_ev_type type;
    int64_t before_us; /* of fact.clock */
};

static void on_camera_delivered(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct camera_fact *fact = ctx;
    log_lost(delivery);
    if (delivery->code != WEIR_OK) {
        conditions_lost(fact->worker, &fact->camera_id, fact->type, fact->before_us);
    }
    free(fact);
}

static void send_of_camera(struct worker *worker, struct weir_event *event,
                           const struct lease *lease, int64_t before_us)
{
    struct camera_fact *fact = weir_xalloc(sizeof(*fact));
    *fact = (struct camera_fact){.worker = worker,
                                 .camera_id = lease->row.camera_id,
                                 .type = event->type,
                                 .before_us = before_us};
    enum weir_code code = send(worker, event, on_camera_delivered, fact);
    if (code == WEIR_OK) {
        return; /* it is in the producer's hands */
    }
    if (code != WEIR_EINVAL && code != WEIR_ELIMIT) {
        conditions_lost(worker, &fact->camera_id, fact->type, before_us);
    }
    free(fact);
}

void facts_health(struct worker *worker, const struct lease *lease, enum weir_picture_health health,
                  unsigned faults, const char *reason)
{
    struct weir_event event =
        about(WEIR_EV_FACT_HEALTH, &lease->row.camera_id, &lease->row.tenant_id);
    struct weir_ev_fact_health *fact = &event.u.fact_health;
    fact->worker_id = worker->worker_id;
    fact->incarnation = worker->incarnation;
    fact->tenant_id = lease->row.tenant_id;
    fact->camera_id = lease->row.camera_id;
    fact->lease_generation = lease->row.lease_generation;
    fact->health = health;
    weir_faults_format(faults, fact->faults);
    fact->has_reason = reason != NULL;
    WEIR_STR_SET(fact->reason, reason ? reason : "");
    send_of_camera(worker, &event, lease, 0);
}

void facts_clock(struct worker *worker, const struct lease *lease, int64_t before_us)
{
    struct weir_event event =
        about(WEIR_EV_FACT_CLOCK, &lease->row.camera_id, &lease->row.tenant_id);
    struct weir_ev_fact_clock *fact = &event.u.fact_clock;
    fact->worker_id = worker->worker_id;
    fact->incarnation = worker->incarnation;
    fact->tenant_id = lease->row.tenant_id;
    fact->camera_id = lease->row.camera_id;
    fact->lease_generation = lease->row.lease_generation;
    fact->offset_before_us = before_us;
    fact->offset_us = lease->stats.clock_offset_us;
    fact->source = lease->stats.has_clock_is_near && lease->stats.clock_is_near
                       ? WEIR_EV_FACT_CLOCK_SOURCE_RTCP_SR
                       : WEIR_EV_FACT_CLOCK_SOURCE_ARRIVAL;
    /* The tap that counted them may be gone. */
    fact->jumps = lease->stats.clock_jumps > 0 ? lease->stats.clock_jumps : 1;
    send_of_camera(worker, &event, lease, before_us);
}

void facts_remedy(struct worker *worker, const struct lease *lease)
{
    struct weir_event event =
        about(WEIR_EV_FACT_REMEDY, &lease->row.camera_id, &lease->row.tenant_id);
    struct weir_ev_fact_remedy *fact = &event.u.fact_remedy;
    const struct lease_remedies *is = &lease->remedies;
    fact->worker_id = worker->worker_id;
    fact->incarnation = worker->incarnation;
    fact->tenant_id = lease->row.tenant_id;
    fact->camera_id = lease->row.camera_id;
    fact->lease_generation = lease->row.lease_generation;
    fact->has_stream_id = is->has_stream_id;
    fact->stream_id = is->stream_id;
    fact->remedy = is->newest;
    WEIR_STR_SET(fact->reason, is->reason);
    fact->taken = is->taken;
    fact->next_in_ms = is->next_ms - is->at_ms;
    send_of_camera(worker, &event, lease, 0);
}

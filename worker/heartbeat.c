/* SPDX-License-Identifier: Apache-2.0 */
/* Once a second: absolute load and everything that runs. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "worker/worker.h"

#define USED_MS 30000 /* what the tap said of a stream is old then */

static enum weir_ev_heartbeat_streams_state state_of(const struct stream *stream)
{
    if (stream->row.state == WEIR_STREAM_STATE_STOPPING) {
        return WEIR_EV_HEARTBEAT_STREAMS_STATE_STOPPING;
    }
    switch (stream->said) {
    case PLAN_SAID_STARTED:
    case PLAN_SAID_WATCHED:
        return WEIR_EV_HEARTBEAT_STREAMS_STATE_RUNNING;
    case PLAN_SAID_FAILING:
        return WEIR_EV_HEARTBEAT_STREAMS_STATE_BACKOFF;
    case PLAN_SAID_NOTHING:
    case PLAN_SAID_STARTING:
    case PLAN_SAID_EXITED:
        break;
    }
    return WEIR_EV_HEARTBEAT_STREAMS_STATE_STARTING;
}

static void fill_streams(const struct worker *worker, int64_t now_ms, struct weir_arena *arena,
                         struct weir_ev_heartbeat *beat)
{
    void *value;
    beat->streams =
        weir_arena_array(arena, weir_map_count(worker->streams) + 1, sizeof(*beat->streams));
    for (size_t at = 0; weir_map_next(worker->streams, &at, NULL, &value);) {
        const struct stream *stream = value;
        bool is_told = stream->used_at_ms != 0 && now_ms - stream->used_at_ms < USED_MS;
        bool has_ended = !stream->is_wanted || stream->said == PLAN_SAID_EXITED;
        if (has_ended || beat->n_streams == WEIR_EV_HEARTBEAT_STREAMS_MAX) {
            continue;
        }
        beat->streams[beat->n_streams++] = (struct weir_ev_heartbeat_streams){
            .stream_id = stream->row.stream_id,
            .tenant_id = stream->row.tenant_id,
            .generation = stream->row.generation,
            .state = state_of(stream),
            .has_last_request_age_ms = stream->has_request,
            .last_request_age_ms = stream->has_request ? now_ms - stream->requested_at_ms : 0,
            .has_cpu_milli = is_told,
            .cpu_milli = is_told ? stream->cpu_milli : 0,
        };
    }
}

static void fill_leases(const struct worker *worker, struct weir_arena *arena,
                        struct weir_ev_heartbeat *beat)
{
    void *value;
    beat->leases =
        weir_arena_array(arena, weir_map_count(worker->leases) + 1, sizeof(*beat->leases));
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        const struct lease *lease = value;
        bool has_ended = !lease->is_wanted || lease->is_released;
        if (has_ended || beat->n_leases == WEIR_EV_HEARTBEAT_LEASES_MAX) {
            continue;
        }
        beat->leases[beat->n_leases++] = (struct weir_ev_heartbeat_leases){
            .camera_id = lease->row.camera_id,
            .tenant_id = lease->row.tenant_id,
            .lease_generation = lease->row.lease_generation,
            .state = lease->is_up        ? WEIR_EV_HEARTBEAT_LEASES_STATE_UP
                     : lease->is_failing ? WEIR_EV_HEARTBEAT_LEASES_STATE_FAILING
                                         : WEIR_EV_HEARTBEAT_LEASES_STATE_CONNECTING,
            .ring_ms = lease->is_given ? lease->ring_ms : 0,
            .ring_bytes = lease->is_given ? lease->ring_bytes : 0,
        };
    }
}

static void fill_encoding(const struct worker *worker, int64_t now_ms, struct weir_arena *arena,
                          struct weir_ev_heartbeat *beat)
{
    beat->encoding.encoders =
        weir_arena_array(arena, WEIR_ENCODER_N, sizeof(*beat->encoding.encoders));
    beat->encoding.n_encoders = encoders_fill(worker->encoders, now_ms, beat->encoding.encoders);
    beat->has_encoding = beat->encoding.n_encoders > 0;
}

void heartbeat_fill(const struct worker *worker, int64_t now_ms, struct weir_arena *arena,
                    struct weir_ev_heartbeat *ret)
{
    *ret = (struct weir_ev_heartbeat){.worker_id = worker->worker_id,
                                      .incarnation = worker->incarnation,
                                      .seq = worker->beat_seq,
                                      .load = worker->load};
    fill_streams(worker, now_ms, arena, ret);
    fill_leases(worker, arena, ret);
    fill_encoding(worker, now_ms, arena, ret);
}

/* A heartbeat on its way. */
struct beat {
    struct worker *worker;
    int64_t sent_boot_ms;
};

static void on_delivered(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct beat *beat = ctx;
    if (delivery->code == WEIR_OK) {
        member_is_heard(beat->worker, beat->sent_boot_ms);
    }
    free(beat);
}

static enum weir_code send_record(struct worker *worker, const struct weir_bus_record *record,
                                  struct weir_err *err)
{
    struct beat *beat = weir_xalloc(sizeof(*beat));
    *beat = (struct beat){.worker = worker, .sent_boot_ms = weir_clock_boot_ms()};
    enum weir_code code = weir_bus_producer_send(worker->beats, record, on_delivered, beat, err);
    if (code != WEIR_OK) {
        free(beat);
    }
    return code;
}

void heartbeat_send(struct worker *worker)
{
    const char *bytes = NULL;
    size_t len = 0;
    struct weir_err err = {0};
    static struct weir_log_limit limit;
    struct weir_event event = {.type = WEIR_EV_HEARTBEAT, .time_ms = weir_clock_wall_ms()};
    if (worker->incarnation == WORKER_NOT_JOINED) {
        return;
    }
    weir_arena_reset(worker->beat_arena);
    worker->beat_seq++;
    heartbeat_fill(worker, worker_now_ms(), worker->beat_arena, &event.u.heartbeat);
    event.u.heartbeat.log_offset = weir_ledger_offset(weir_follower_ledger(worker->follower));
    event.id = weir_id_new(event.time_ms);
    WEIR_STR_SET(event.source, worker->event_source);
    WEIR_STR_SET(event.subject, worker->id_text);
    enum weir_code code = weir_ev_dump(&event, worker->beat_arena, &bytes, &len, &err);
    if (code == WEIR_OK) {
        struct weir_bus_record record = {.topic = WEIR_TOPIC_HEARTBEATS,
                                         .partition = (int32_t)worker->settings->cell,
                                         .key = worker->id_text,
                                         .key_len = strlen(worker->id_text),
                                         .value = bytes,
                                         .value_len = len};
        code = send_record(worker, &record, &err);
    }
    if (code != WEIR_OK && weir_log_allowed(&limit, 1, 10000, worker_now_ms())) {
        weir_log(WEIR_LOG_WARN, "heartbeat cannot be sent", "why", err.msg, NULL);
    }
}

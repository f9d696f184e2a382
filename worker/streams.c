/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: a place in an engine, published by the tap, routed by the origin, ready, stopped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "worker/room.h"
#include "worker/worker.h"

#define PLACE_RETRY_MS    100
#define PUBLISH_FIRST_MS  1000 /* after a publisher failed; doubles each time */
#define PUBLISH_MAX_MS    60000
#define PLAYLIST_WAIT_MS  20000
#define MUXER_TIMEOUT_MS  1000
#define LOOK_PAUSE_MS     400 /* between looks at a folder of segments */
#define ENGINE_PATH_BYTES 129

static struct stream *find(const struct worker *worker, const struct weir_id *stream_id,
                           int64_t generation)
{
    struct stream *stream = weir_map_find(worker->streams, stream_id->b);
    return stream && stream->row.generation == generation ? stream : NULL;
}

static void engine_path(const struct stream *stream, char path[static ENGINE_PATH_BYTES])
{
    snprintf(path, ENGINE_PATH_BYTES, "live/%s/%lld", WEIR_ID_TEXT(&stream->row.stream_id),
             (long long)stream->row.generation);
}

/* ---- what the children are told ---- */

static void send_route(struct worker *worker, const struct stream *stream)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_ORIGIN_ROUTE};
    struct weir_ctl_origin_route *route = &ctl.u.origin_route;
    route->stream_id = stream->row.stream_id;
    route->generation = stream->row.generation;
    WEIR_STR_SET(route->hls_socket, stream->slot->hls_socket);
    engine_path(stream, route->path);
    WEIR_STR_SET(route->cdn_secret, stream->slot->cdn_secret);
    route->seq_base = stream->row.seq_base;
    route->placed_mono_ms = stream->seen_at_ms;
    route->run = stream->run;
    route->variant = worker->variant;
    route->has_muxer = route->has_base = stream->muxer[0] != '\0';
    WEIR_STR_SET(route->muxer, stream->muxer);
    route->base = stream->base;
    child_send(worker->origin, &ctl);
}

static void send_publish(struct worker *worker, const struct stream *stream)
{
    bool has_ceiling = !weir_ceiling_is_none(&stream->ceiling);
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_PUBLISH};
    struct weir_ctl_tap_publish *publish = &ctl.u.tap_publish;
    publish->camera_id = stream->row.camera_id;
    publish->stream_id = stream->row.stream_id;
    publish->generation = stream->row.generation;
    publish->rtsp_port = stream->slot->rtsp_port;
    engine_path(stream, publish->path);
    WEIR_STR_SET(publish->username, stream->slot->username);
    WEIR_STR_SET(publish->password, stream->slot->password);
    WEIR_STR_SET(publish->api_socket, stream->slot->api_socket);
    publish->has_quality = publish->has_fps = true;
    publish->quality = stream->row.quality;
    publish->fps = stream->row.fps;
    publish->has_max_quality = publish->has_max_fps = has_ceiling;
    publish->max_quality = stream->ceiling.quality;
    publish->max_fps = stream->ceiling.fps;
    publish->has_segments = true;
    snprintf(publish->segments, sizeof(publish->segments), "%s/%s", stream->slot->segments,
             publish->path);
    child_send(worker->tap, &ctl);
}

static void send_unpublish(struct worker *worker, const struct stream *stream)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_UNPUBLISH,
                           .u.tap_unpublish = {.stream_id = stream->row.stream_id,
                                               .generation = stream->row.generation}};
    child_send(worker->tap, &ctl);
}

static void send_unroute(struct worker *worker, const struct stream *stream)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_ORIGIN_UNROUTE,
                           .u.origin_unroute = {.stream_id = stream->row.stream_id,
                                                .generation = stream->row.generation}};
    child_send(worker->origin, &ctl);
}

/* ---- in and out of an engine ---- */

static void leave_slot(struct worker *worker, struct stream *stream)
{
    if (stream->slot) {
        slots_give_back(&worker->slots, stream->slot);
    }
    stream->slot = NULL;
    stream->is_publishing = false;
    stream->is_publish_failing = false;
    stream->publish_again_at_ms = 0;
    stream->has_playlist = false;
    stream->is_stuck = false;
    probe_cancel(&stream->muxer_probe);
}

/* As it was told with the camera's address. */
static struct weir_ceiling ceiling_of(const struct worker *worker, const struct stream *stream)
{
    const struct lease *lease = leases_find(worker, &stream->row.camera_id);
    return lease && lease->has_source ? lease->source.ceiling : stream->ceiling;
}

/* Whether it is published as something else by now, because the ceiling was moved. */
static bool is_capped_otherwise(const struct worker *worker, const struct stream *stream)
{
    struct weir_profile is = {stream->row.quality, stream->row.fps};
    struct weir_profile should_be = is;
    struct weir_ceiling ceiling = ceiling_of(worker, stream);
    weir_profile_cap(&is, &stream->ceiling);
    weir_profile_cap(&should_be, &ceiling);
    return is.quality != should_be.quality || is.fps != should_be.fps;
}

static void publish(struct worker *worker, struct stream *stream, int64_t now_ms)
{
    struct slot *slot = slots_pick(&worker->slots);
    if (!slot || !child_is_up(worker->tap)) {
        stream->publish_at_ms = now_ms + PLACE_RETRY_MS;
        stream->no_room_since_ms = stream->no_room_since_ms ? stream->no_room_since_ms : now_ms;
        slots_tend(&worker->slots, now_ms);
        return;
    }
    stream->no_room_since_ms = 0;
    stream->slot = slot;
    stream->ceiling = ceiling_of(worker, stream);
    stream->run = ++worker->last_run;
    stream->published_at_ms = now_ms;
    slots_take(&worker->slots, slot);
    send_route(worker, stream);
    send_publish(worker, stream);
}

static int64_t publish_pause_ms(int failures)
{
    int64_t pause = (int64_t)PUBLISH_FIRST_MS << (failures < 6 ? failures : 6);
    return pause < PUBLISH_MAX_MS ? pause : PUBLISH_MAX_MS;
}

/* A publisher that failed does not come back: makes room for another one. */
static void leave_failed(struct worker *worker, struct stream *stream)
{
    bool is_stuck = stream->is_stuck;
    send_unpublish(worker, stream);
    leave_slot(worker, stream);
    stream->is_publish_failing = !is_stuck; /* until the next one tells otherwise */
}

static void withdraw(struct worker *worker, struct stream *stream)
{
    if (stream->slot) {
        send_unpublish(worker, stream);
        send_unroute(worker, stream);
    }
    leave_slot(worker, stream);
}

static void forget(struct worker *worker, struct stream *stream)
{
    withdraw(worker, stream);
    weir_map_remove(worker->streams, stream->row.stream_id.b);
    free(stream);
}

/* The row as far as it is about this worker; false when it is not. */
static bool own_part(const struct worker *worker, const struct weir_stream_row *row,
                     struct weir_stream_row *ret)
{
    const struct weir_place *second = &row->second;
    *ret = *row;
    if (member_is_mine(worker, &row->worker_id, row->incarnation)) {
        return row->generation != 0;
    }
    if (!member_is_mine(worker, &second->worker_id, second->incarnation)) {
        return false;
    }
    /* It comes here: for this worker it was just placed. */
    ret->state = WEIR_STREAM_STATE_PLACED;
    ret->worker_id = second->worker_id;
    ret->incarnation = second->incarnation;
    ret->lease_generation = second->lease_generation;
    ret->generation = second->generation;
    ret->seq_base = second->seq_base;
    ret->placed_at_ms = second->placed_at_ms;
    ret->effective = (struct weir_effective){.codec = ""};
    return true;
}

/* It moved away from here while it played: viewers still want what this generation made last. */
static bool has_moved_on(const struct stream *stream, const struct weir_stream_row *row)
{
    bool has_played = stream->said == PLAN_SAID_STARTED || stream->said == PLAN_SAID_WATCHED;
    return has_played && row->state == WEIR_STREAM_STATE_RUNNING &&
           row->generation > stream->row.generation;
}

void streams_take_row(struct worker *worker, const struct weir_stream_row *all)
{
    struct weir_stream_row own;
    const struct weir_stream_row *row = &own;
    struct stream *stream = weir_map_find(worker->streams, all->stream_id.b);
    if (!own_part(worker, all, &own)) {
        if (stream) {
            stream->is_wanted = false;
            stream->is_fading = has_moved_on(stream, all);
        }
        return;
    }
    if (stream && stream->row.generation != row->generation) {
        forget(worker, stream);
        stream = NULL;
    }
    if (!stream) {
        stream = weir_xalloc(sizeof(*stream));
        stream->worker = worker;
        stream->seen_at_ms = worker_now_ms();
        stream->down_since_ms = stream->seen_at_ms;
        weir_map_put(worker->streams, row->stream_id.b, stream);
    }
    if (row->state != WEIR_STREAM_STATE_STOPPING) {
        stream->ask = PLAN_ASK_NONE;
    }
    stream->row = *row;
    stream->is_wanted = true;
}

/* ---- what the children tell ---- */

void streams_take_used(struct worker *worker, const struct weir_ctl_tap_used *used)
{
    for (size_t i = 0; i < used->n_streams; i++) {
        struct stream *stream =
            find(worker, &used->streams[i].stream_id, used->streams[i].generation);
        if (stream) {
            stream->cpu_milli = used->streams[i].cpu_milli;
            stream->used_at_ms = worker_now_ms();
        }
    }
}

void streams_take_publish_state(struct worker *worker, const struct weir_ctl_tap_stream *state)
{
    struct stream *stream = find(worker, &state->stream_id, state->generation);
    if (!stream || !stream->slot) {
        return;
    }
    bool is_new_session =
        stream->is_publishing && state->state == WEIR_CTL_TAP_STREAM_STATE_CONNECTING;
    stream->is_publishing = state->state == WEIR_CTL_TAP_STREAM_STATE_PUBLISHING;
    stream->is_publish_failing = state->state == WEIR_CTL_TAP_STREAM_STATE_FAILING;
    stream->publish_again_at_ms = 0;
    if (stream->is_publish_failing) {
        stream->publish_again_at_ms =
            worker_now_ms() + publish_pause_ms(stream->publish_failures++);
    }
    WEIR_STR_SET(stream->publish_detail, state->has_detail ? state->detail : "");
    stream->is_transcode_failing =
        state->has_reason &&
        strcmp(state->reason, weir_reason_name(WEIR_REASON_transcode_failed)) == 0;
    if (state->has_effective) {
        stream->has_effective = true;
        stream->effective = state->effective;
    }
    if (!stream->is_publishing) {
        /* The engine forgets a path whose publisher is gone. */
        stream->has_playlist = false;
        probe_cancel(&stream->muxer_probe);
        if (is_new_session) {
            /* The camera sends another kind of picture: a muxer of its own, with its own init. */
            stream->run = ++worker->last_run;
            send_route(worker, stream);
        }
    } else {
        stream->published_at_ms = worker_now_ms();
        stream->publish_failures = 0;
    }
    worker_pass_soon(worker);
}

void streams_take_activity(struct worker *worker, const struct weir_ctl_origin_activity *activity)
{
    int64_t now_ms = worker_now_ms();
    for (size_t i = 0; i < activity->n_streams; i++) {
        const struct weir_ctl_origin_activity_streams *seen = &activity->streams[i];
        struct stream *stream = find(worker, &seen->stream_id, seen->generation);
        if (stream) {
            stream->has_request = true;
            stream->requested_at_ms = now_ms - seen->last_request_age_ms;
        }
    }
}

void streams_take_numbering(struct worker *worker,
                            const struct weir_ctl_origin_numbering *numbering)
{
    struct stream *stream = find(worker, &numbering->stream_id, numbering->generation);
    if (stream) {
        WEIR_STR_SET(stream->muxer, numbering->muxer);
        stream->base = numbering->base;
    }
}

void streams_take_answer(struct worker *worker, const struct weir_ctl_origin_answer *answer)
{
    struct stream *stream = find(worker, &answer->stream_id, answer->generation);
    if (!stream || stream->ask != PLAN_ASK_SENT || stream->ask_id != answer->ask_id) {
        return;
    }
    stream->ask = PLAN_ASK_ANSWERED;
    if (answer->has_last_request_age_ms) {
        stream->has_request = true;
        stream->requested_at_ms = worker_now_ms() - answer->last_request_age_ms;
    }
    worker_pass_soon(worker);
}

/* A muxer is listed: its first playlist can be had without waiting. */
static void on_muxer(void *ctx, int status)
{
    struct stream *stream = ctx;
    stream->muxer_probe = NULL;
    stream->has_playlist = stream->is_publishing && status == 200;
    worker_pass_soon(stream->worker);
}

static void look_for_playlist(struct worker *worker, struct stream *stream)
{
    char path[ENGINE_PATH_BYTES];
    char target[PROBE_TARGET_MAX];
    engine_path(stream, path);
    if (stream->muxer_probe || !slot_has_playlist(stream->slot, path)) {
        return;
    }
    snprintf(target, sizeof(target), "/v3/hls/muxers/get/%s", path);
    stream->muxer_probe = probe_get(worker->loop, stream->slot->api_socket, target,
                                    MUXER_TIMEOUT_MS, on_muxer, stream);
}

void streams_slot_down(struct worker *worker, struct slot *slot)
{
    void *value;
    for (size_t at = 0; weir_map_next(worker->streams, &at, NULL, &value);) {
        struct stream *stream = value;
        if (stream->slot == slot) {
            send_unpublish(worker, stream);
            leave_slot(worker, stream);
        }
    }
    worker_pass_soon(worker);
}

void streams_tap_started(struct worker *worker)
{
    void *value;
    for (size_t at = 0; weir_map_next(worker->streams, &at, NULL, &value);) {
        leave_slot(worker, value);
    }
}

void streams_origin_started(struct worker *worker)
{
    void *value;
    for (size_t at = 0; weir_map_next(worker->streams, &at, NULL, &value);) {
        struct stream *stream = value;
        if (stream->slot) {
            send_route(worker, stream);
        }
    }
}

/* ---- the pass ---- */

static struct trouble own_trouble(enum weir_reason reason, const char *detail)
{
    struct trouble trouble = {0};
    WEIR_STR_SET(trouble.reason, weir_reason_name(reason));
    WEIR_STR_SET(trouble.detail, detail);
    return trouble;
}

static enum weir_reason stuck_reason(const struct worker *worker, const struct stream *stream)
{
    if (worker->is_full) {
        return WEIR_REASON_segments_full;
    }
    return stream->has_playlist ? WEIR_REASON_playlist_stuck : WEIR_REASON_no_playlist;
}

/* Another source than main is shown as it is: what becomes of main is no matter to it. The tap
 * turns to main when that source fails, and tells. */
static bool is_of_other(const struct stream *stream)
{
    return stream->is_publishing && stream->has_effective &&
           stream->effective.how == WEIR_RENDITION_HOW_PROFILE;
}

/* Source, publisher and place together; the first trouble on the way of a packet counts. */
static enum plan_health judge(const struct worker *worker, const struct stream *stream,
                              const struct lease *lease, int64_t now_ms, struct trouble *trouble)
{
    if (worker->tap_down_since_ms && now_ms - worker->tap_down_since_ms > PLAN_PLACE_WAIT_MS) {
        *trouble = own_trouble(WEIR_REASON_tap_failed, "");
        return PLAN_HEALTH_FAILING;
    }
    if (lease && lease->is_failing && !is_of_other(stream)) {
        *trouble = lease->trouble;
        return PLAN_HEALTH_FAILING;
    }
    if (stream->no_room_since_ms && now_ms - stream->no_room_since_ms > PLAN_PLACE_WAIT_MS) {
        bool has_engine = slots_count(&worker->slots, SLOT_UP) > 0;
        *trouble = own_trouble(worker->is_full ? WEIR_REASON_segments_full
                               : has_engine    ? WEIR_REASON_worker_full
                                               : WEIR_REASON_engine_start_failed,
                               "");
        return PLAN_HEALTH_FAILING;
    }
    if (stream->is_stuck) {
        *trouble = own_trouble(stuck_reason(worker, stream), "");
        return PLAN_HEALTH_FAILING;
    }
    if (stream->is_publish_failing) {
        *trouble = own_trouble(stream->is_transcode_failing ? WEIR_REASON_transcode_failed
                                                            : WEIR_REASON_publish_failed,
                               stream->publish_detail);
        return PLAN_HEALTH_FAILING;
    }
    if (!lease || !stream->is_publishing || !(lease->is_up || is_of_other(stream))) {
        return PLAN_HEALTH_UNKNOWN;
    }
    return PLAN_HEALTH_UP;
}

static struct plan_stream_view view_of(const struct worker *worker, struct stream *stream,
                                       const struct lease *lease, int64_t now_ms,
                                       struct trouble *trouble)
{
    enum plan_health health = judge(worker, stream, lease, now_ms, trouble);
    if (health == PLAN_HEALTH_UP) {
        stream->down_since_ms = now_ms;
    }
    return (struct plan_stream_view){
        .is_wanted = stream->is_wanted,
        .is_fading = stream->is_fading && lease && lease->is_wanted,
        .row_state = stream->row.state,
        .is_idle_stop = strcmp(stream->row.reason, weir_reason_name(WEIR_REASON_idle)) == 0,
        .is_camera_given = lease && lease->is_given,
        .is_published = stream->slot,
        .publish_at_ms = stream->publish_at_ms,
        .health = health,
        .down_since_ms = stream->down_since_ms,
        .is_failure_news = strcmp(stream->said_reason, trouble->reason) != 0,
        .is_permanent = trouble->is_permanent,
        .has_playlist = stream->has_playlist,
        .is_effective_news = stream->has_effective &&
                             !weir_effective_is_same(&stream->effective, &stream->row.effective),
        .said = stream->said,
        .said_at_ms = stream->said_at_ms,
        .ask = stream->ask,
        .asked_at_ms = stream->asked_at_ms,
        .has_request = stream->has_request,
        .request_age_ms = now_ms - stream->requested_at_ms,
    };
}

static void ask(struct worker *worker, struct stream *stream, int64_t now_ms)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_ORIGIN_ASK,
                           .u.origin_ask = {.stream_id = stream->row.stream_id,
                                            .generation = stream->row.generation,
                                            .ask_id = ++worker->next_ask_id}};
    stream->ask = PLAN_ASK_SENT;
    stream->ask_id = worker->next_ask_id;
    stream->asked_at_ms = now_ms;
    child_send(worker->origin, &ctl);
}

static void said(struct stream *stream, enum plan_said what, int64_t now_ms)
{
    stream->said = what;
    stream->said_at_ms = now_ms;
    stream->said_reason[0] = '\0';
}

static void log_step(const struct stream *stream, const char *step, const char *why)
{
    weir_log(WEIR_LOG_INFO, step, "stream_id", WEIR_ID_TEXT(&stream->row.stream_id), "camera_id",
             WEIR_ID_TEXT(&stream->row.camera_id), "why", why, NULL);
}

/* Does one thing; false when there was none to do or the stream is gone. */
static bool step(struct worker *worker, struct stream *stream, int64_t now_ms)
{
    struct trouble trouble = {0};
    const struct lease *lease = leases_find(worker, &stream->row.camera_id);
    struct plan_stream_view view = view_of(worker, stream, lease, now_ms, &trouble);
    switch (plan_stream(&view, now_ms)) {
    case PLAN_STREAM_SAY_STARTING:
        facts_starting(worker, stream);
        said(stream, PLAN_SAID_STARTING, now_ms);
        return true;
    case PLAN_STREAM_PUBLISH:
        publish(worker, stream, now_ms);
        return true;
    case PLAN_STREAM_SAY_STARTED:
        log_step(stream, "stream: playing", "");
        facts_started(worker, stream, lease);
        said(stream, PLAN_SAID_STARTED, now_ms);
        return true;
    case PLAN_STREAM_SAY_FAILING:
        log_step(stream, "stream: failing", trouble.reason);
        facts_failing(worker, stream, &trouble);
        said(stream, PLAN_SAID_FAILING, now_ms);
        WEIR_STR_SET(stream->said_reason, trouble.reason);
        return true;
    case PLAN_STREAM_ASK:
        ask(worker, stream, now_ms);
        return true;
    case PLAN_STREAM_SAY_WATCHED:
        log_step(stream, "stream: still watched, goes on", "");
        facts_still_watched(worker, stream, view.request_age_ms);
        said(stream, PLAN_SAID_WATCHED, now_ms);
        stream->ask = PLAN_ASK_NONE;
        return true;
    case PLAN_STREAM_END:
        log_step(stream, "stream: ended", stream->row.reason);
        withdraw(worker, stream);
        facts_exited(worker, stream, WEIR_REASON_stopped);
        said(stream, PLAN_SAID_EXITED, now_ms);
        return true;
    case PLAN_STREAM_FORGET:
        forget(worker, stream);
        return false;
    case PLAN_STREAM_NOTHING:
        break;
    }
    return false;
}

static int64_t folder_stamp(const struct stream *stream)
{
    char folder[2 * SLOT_PATH_MAX];
    char path[ENGINE_PATH_BYTES];
    struct stat info;
    engine_path(stream, path);
    snprintf(folder, sizeof(folder), "%s/%s", stream->slot->segments, path);
    return stat(folder, &info) == 0 ? info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec : 0;
}

/* An engine that takes packets and makes no segments of them: another try, once there is room. */
static void watch_progress(struct worker *worker, struct stream *stream, int64_t now_ms)
{
    const struct lease *lease = leases_find(worker, &stream->row.camera_id);
    bool has_packets = lease && (lease->is_up || is_of_other(stream));
    if (!stream->slot || !stream->is_publishing || !has_packets) {
        progress_begin(&stream->progress, now_ms);
        return;
    }
    if (now_ms - stream->looked_at_ms < LOOK_PAUSE_MS) {
        return;
    }
    stream->looked_at_ms = now_ms;
    bool has_moved = progress_see(&stream->progress, folder_stamp(stream), now_ms);
    bool is_stuck = progress_is_stuck(&stream->progress, stream->has_playlist, worker->is_full,
                                      lease->gop_ms, now_ms);
    /* What moves without room is an engine that tries in vain. */
    if (!stream->is_stuck || (has_moved && !worker->is_full)) {
        stream->is_stuck = is_stuck;
        stream->stuck_full = is_stuck && worker->is_full;
        stream->publish_again_at_ms = 0;
    }
    if (stream->is_stuck && !worker->is_full && !stream->publish_again_at_ms) {
        stream->publish_again_at_ms = now_ms + (stream->stuck_full ? 0 : PUBLISH_FIRST_MS);
    }
}

struct owner {
    const struct worker *worker;
    const struct slot *slot;
};

static bool has_path(void *ctx, const char *path)
{
    const struct owner *owner = ctx;
    void *value;
    for (size_t at = 0; weir_map_next(owner->worker->streams, &at, NULL, &value);) {
        const struct stream *stream = value;
        char own[ENGINE_PATH_BYTES];
        engine_path(stream, own);
        if (stream->slot == owner->slot && strcmp(own, path) == 0) {
            return true;
        }
    }
    return false;
}

void streams_sweep(struct worker *worker)
{
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        struct owner owner = {worker, worker->slots.slots[i]};
        if (owner.slot && owner.slot->state == SLOT_UP) {
            room_sweep(owner.slot->segments, has_path, &owner);
        }
    }
}

bool streams_pass(struct worker *worker)
{
    void *value;
    bool is_waiting = false;
    int64_t now_ms = worker_now_ms();
    for (size_t at = 0; weir_map_next(worker->streams, &at, NULL, &value);) {
        struct stream *stream = value;
        if (stream->slot && stream->is_publishing && !stream->has_playlist) {
            look_for_playlist(worker, stream);
            is_waiting = is_waiting || now_ms - stream->published_at_ms < PLAYLIST_WAIT_MS;
        }
        watch_progress(worker, stream, now_ms);
        bool is_due = stream->publish_again_at_ms && now_ms >= stream->publish_again_at_ms;
        /* Where there was no room, it is nothing about the camera. */
        if (is_due && stream->is_stuck && !stream->stuck_full) {
            is_due = remedies_may_republish(worker, stream, stuck_reason(worker, stream));
        }
        if (stream->slot && is_due) {
            leave_failed(worker, stream);
        }
        if (stream->slot && is_capped_otherwise(worker, stream)) {
            log_step(stream, "stream: published anew", "its camera's ceiling was moved");
            send_unpublish(worker, stream);
            leave_slot(worker, stream);
        }
        is_waiting = is_waiting || stream->no_room_since_ms;
        while (step(worker, stream, now_ms)) {
        }
    }
    return is_waiting;
}

void streams_drop_all(struct worker *worker)
{
    void *value;
    for (size_t at = 0; weir_map_next(worker->streams, &at, NULL, &value);) {
        forget(worker, value);
    }
}

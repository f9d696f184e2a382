/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/encoder.h"
#include "lib/domain/reach.h"
#include "lib/domain/xcode_engine.h"
#include "worker/files.h"
#include "worker/room.h"

#define PASS_IDLE_MS    500
#define PASS_WAITING_MS 10
#define TICK_MS         1000
#define SWEEP_TICKS     10
#define BEAT_TIMEOUT_MS 3000
#define FLUSH_MS        500
#define LEAVE_MAX_MS    8000
/* Of the tap, under the folder of segments: slots are s0, s1... */
#define SPOOL_DIR "ring"
/* Tap and origin tell something each second. */
#define SILENCE_MAX_MS 3000
#define PATH_BYTES     512
#define GPU_LIBRARY    "libnvidia-ml.so.1"
#define HEARD_MAX      20000 /* some 100 bytes each */
/* In the folder of sockets. */
#define CLIP_SOCKET  "clips.sock"
#define STILL_SOCKET "still.sock"

int64_t worker_now_ms(void)
{
    return weir_clock_mono_ms();
}

void worker_drop_all(struct worker *worker)
{
    streams_drop_all(worker);
    leases_drop_all(worker);
}

/* ---- the pass over everything ---- */

void worker_pass_soon(struct worker *worker)
{
    weir_timer_set(worker->pass, 0);
}

static void on_pass(void *ctx)
{
    struct worker *worker = ctx;
    bool is_waiting = false;
    if (worker->phase == WORKER_LEAVING) {
        return;
    }
    /* While the log is read anew nothing is known to be unwanted. */
    if (worker->is_caught_up) {
        leases_pass(worker);
        is_waiting = streams_pass(worker);
    }
    member_tend(worker);
    if (!weir_timer_is_set(worker->pass)) {
        weir_timer_set(worker->pass, is_waiting ? PASS_WAITING_MS : PASS_IDLE_MS);
    }
}

static void set_gauge(struct worker *worker, const char *name, const char *help, size_t value)
{
    struct weir_metrics *metrics = weir_service_metrics(worker->service);
    weir_metric_set(weir_metrics_gauge(metrics, name, help, NULL, NULL), (int64_t)value);
}

/* A worker without room for segments says that its memory is full, and gets nothing more. */
static void look_for_room(struct worker *worker)
{
    bool was_full = worker->is_full;
    worker->is_full = room_look(worker->settings->segment_dir, was_full) ||
                      room_look(worker->settings->run_dir, was_full);
    if (worker->is_full != was_full) {
        weir_log(worker->is_full ? WEIR_LOG_WARN : WEIR_LOG_INFO,
                 worker->is_full ? "no room is left for segments" : "there is room for segments",
                 "folder", worker->settings->segment_dir, NULL);
        worker_pass_soon(worker);
    }
    if (worker->is_full) {
        worker->load.mem_mib_used = worker->load.mem_mib_cap;
    }
    if (++worker->ticks % SWEEP_TICKS == 0) {
        streams_sweep(worker);
    }
}

static void on_tick(void *ctx)
{
    struct worker *worker = ctx;
    int64_t now_ms = worker_now_ms();
    weir_timer_set(worker->tick, TICK_MS);
    facts_tend(worker);
    load_sample(&worker->load_reader, now_ms, &worker->load);
    gpu_sample(worker->gpu, &worker->load);
    if (!worker->load.has_gpu_permille_used) {
        drm_sample(&worker->drm, getpid(), now_ms, &worker->load);
    }
    look_for_room(worker);
    if (worker->phase != WORKER_LEAVING) {
        slots_tend(&worker->slots, now_ms);
        heartbeat_send(worker);
        member_tell_fence(worker);
        pace_tick(worker);
        sights_tick(worker);
        conditions_tick(worker);
    }
    set_gauge(worker, "weir_worker_streams", "Streams placed here",
              weir_map_count(worker->streams));
    set_gauge(worker, "weir_worker_leases", "Cameras pulled here", weir_map_count(worker->leases));
    set_gauge(worker, "weir_worker_engines", "Engines that are up",
              slots_count(&worker->slots, SLOT_UP));
    set_gauge(worker, "weir_worker_tap_starts", "Times weir-tap was started",
              (size_t)child_starts(worker->tap));
    set_gauge(worker, "weir_worker_origin_starts", "Times weir-origin was started",
              (size_t)child_starts(worker->origin));
    set_gauge(worker, "weir_worker_still_starts", "Times weir-still was started",
              (size_t)child_starts(worker->still));
    set_gauge(worker, "weir_worker_pictures_made", "Pictures that the weir-still of now decoded",
              (size_t)worker->still_stats.decoded);
    set_gauge(worker, "weir_worker_pictures_gone_on",
              "Of them, those that a parked decoder had to decode only the rest of",
              (size_t)worker->still_stats.gone_on);
    set_gauge(worker, "weir_worker_pictures_kept", "Those it had made already",
              (size_t)worker->still_stats.cached);
    set_gauge(worker, "weir_worker_pictures_failed", "Those that no decoder could make",
              (size_t)worker->still_stats.failed);
    set_gauge(worker, "weir_worker_looks", "Looks at cameras that the weir-still of now took",
              (size_t)worker->still_stats.looked);
    set_gauge(worker, "weir_worker_looks_missed", "Those that came to nothing",
              (size_t)worker->still_stats.not_looked);
}

/* ---- the log ---- */

static void take_rows(struct worker *worker)
{
    const struct weir_ledger *ledger = weir_follower_ledger(worker->follower);
    const struct weir_lease_row *lease;
    const struct weir_stream_row *stream;
    for (size_t at = 0; weir_ledger_next_lease(ledger, &at, &lease);) {
        leases_take_row(worker, lease);
    }
    for (size_t at = 0; weir_ledger_next_stream(ledger, &at, &stream);) {
        streams_take_row(worker, stream);
    }
}

static void on_change(void *ctx, const struct weir_ledger_change *change)
{
    struct worker *worker = ctx;
    if (!worker->is_caught_up) {
        return;
    }
    if (change->worker) {
        member_take_row(worker, change->worker);
    } else if (change->lease) {
        leases_take_row(worker, change->lease);
    } else if (change->stream) {
        streams_take_row(worker, change->stream);
    }
    worker_pass_soon(worker);
}

static void on_reset(void *ctx, const char *why)
{
    struct worker *worker = ctx;
    weir_log(WEIR_LOG_INFO, "decision log is read anew, what runs goes on", "why", why, NULL);
    worker->is_caught_up = false;
}

static void on_caught_up(void *ctx)
{
    struct worker *worker = ctx;
    void *value;
    const struct weir_worker_row *row =
        weir_ledger_worker(weir_follower_ledger(worker->follower), &worker->worker_id);
    worker->is_caught_up = true;
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        ((struct lease *)value)->is_wanted = false;
    }
    for (size_t at = 0; weir_map_next(worker->streams, &at, NULL, &value);) {
        ((struct stream *)value)->is_wanted = false;
    }
    if (row) {
        member_take_row(worker, row);
    } else {
        member_is_unknown(worker);
    }
    take_rows(worker);
    worker_pass_soon(worker);
}

/* ---- the children ---- */

static void tell_encoders(void *ctx)
{
    struct worker *worker = ctx;
    struct weir_ctl_tap_encoders_encoders rows[WEIR_ENCODER_N];
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_ENCODERS};
    ctl.u.tap_encoders.encoders = rows;
    ctl.u.tap_encoders.n_encoders = encoders_offer(worker->encoders, rows);
    child_send(worker->tap, &ctl);
}

static void on_tap_start(void *ctx)
{
    struct worker *worker = ctx;
    worker->tap_down_since_ms = 0;
    member_tell_fence(worker);
    pace_tell(worker);
    tell_encoders(worker);
    leases_tap_started(worker);
    streams_tap_started(worker);
    worker_pass_soon(worker);
}

static void on_tap_exit(void *ctx)
{
    struct worker *worker = ctx;
    worker->tap_down_since_ms = worker_now_ms();
    leases_tap_started(worker);
    streams_tap_started(worker);
}

static void on_tap_line(void *ctx, const struct weir_ctl *ctl)
{
    struct worker *worker = ctx;
    if (ctl->type == WEIR_CTL_TAP_SOURCE) {
        leases_take_source_state(worker, &ctl->u.tap_source);
    } else if (ctl->type == WEIR_CTL_TAP_STREAM) {
        streams_take_publish_state(worker, &ctl->u.tap_stream);
    } else if (ctl->type == WEIR_CTL_TAP_REMEDY) {
        remedies_take(worker, &ctl->u.tap_remedy);
    } else if (ctl->type == WEIR_CTL_TAP_ENCODER_FAILED) {
        encoders_failed(worker->encoders, ctl->u.tap_encoder_failed.encoder,
                        ctl->u.tap_encoder_failed.why);
    } else if (ctl->type == WEIR_CTL_TAP_ENCODING) {
        encoders_used(worker->encoders, &ctl->u.tap_encoding);
    } else if (ctl->type == WEIR_CTL_TAP_USED) {
        streams_take_used(worker, &ctl->u.tap_used);
    } else if (ctl->type == WEIR_CTL_TAP_STATS) {
        leases_take_stats(worker, &ctl->u.tap_stats);
    }
}

static void on_origin_start(void *ctx)
{
    streams_origin_started(ctx);
}

static void on_origin_exit(void *ctx)
{
    worker_pass_soon(ctx);
}

/* An origin that comes back must be found where the cell was told it is. */
static void keep_port(struct worker *worker, int64_t port)
{
    const char *listen = worker->settings->origin_listen;
    const char *colon = strrchr(listen, ':');
    size_t host_len = colon ? (size_t)(colon - listen) : strlen(listen);
    worker->origin_port = port;
    worker->origin_env[0] =
        weir_arena_printf(weir_service_arena(worker->service), "WEIR_ORIGIN_LISTEN=%.*s:%lld",
                          (int)host_len, listen, (long long)port);
}

static void on_origin_line(void *ctx, const struct weir_ctl *ctl)
{
    struct worker *worker = ctx;
    if (ctl->type == WEIR_CTL_ORIGIN_LISTENING) {
        if (worker->origin_port != ctl->u.origin_listening.port) {
            keep_port(worker, ctl->u.origin_listening.port);
        }
        worker_pass_soon(worker);
    } else if (ctl->type == WEIR_CTL_ORIGIN_ACTIVITY) {
        streams_take_activity(worker, &ctl->u.origin_activity);
    } else if (ctl->type == WEIR_CTL_ORIGIN_ANSWER) {
        streams_take_answer(worker, &ctl->u.origin_answer);
    } else if (ctl->type == WEIR_CTL_ORIGIN_NUMBERING) {
        streams_take_numbering(worker, &ctl->u.origin_numbering);
    }
}

static void on_still(void *ctx)
{
    (void)ctx; /* it keeps nothing that would have to be said again */
}

static void on_still_line(void *ctx, const struct weir_ctl *ctl)
{
    struct worker *worker = ctx;
    if (ctl->type == WEIR_CTL_STILL_STATS) {
        worker->still_stats = ctl->u.still_stats;
    } else if (ctl->type == WEIR_CTL_STILL_SCENE) {
        sights_take(worker, &ctl->u.still_scene);
    }
}

static void on_slot_up(void *ctx, struct slot *slot)
{
    (void)slot;
    worker_pass_soon(ctx);
}

static void on_slot_down(void *ctx, struct slot *slot)
{
    streams_slot_down(ctx, slot);
}

/* ---- opening ---- */

/* Pictures: the tap has the rings, weir-still makes them, the origin hands them out. */
static void name_still(struct worker *worker, const char *level)
{
    struct weir_arena *arena = weir_service_arena(worker->service);
    const struct worker_settings *settings = worker->settings;
    const char *clips =
        weir_arena_printf(arena, "WEIR_TAP_CLIP_SOCKET=%s/" CLIP_SOCKET, settings->run_dir);
    const char *stills =
        weir_arena_printf(arena, "WEIR_STILL_SOCKET=%s/" STILL_SOCKET, settings->run_dir);
    worker->tap_env[7] = clips;
    worker->origin_env[3] = stills;
    worker->still_env[0] = level;
    worker->still_env[1] = clips;
    worker->still_env[2] = stills;
    worker->still_env[3] =
        weir_arena_printf(arena, "WEIR_STILL_DECODERS=%" PRId64, settings->still_decoders);
    worker->still_env[4] =
        weir_arena_printf(arena, "WEIR_STILL_CACHE_MIB=%" PRId64, settings->still_cache_mib);
    worker->still_env[5] = weir_arena_printf(arena, "WEIR_DECODE=%s", settings->decode);
    worker->still_env[6] =
        weir_arena_printf(arena, "WEIR_STILL_PARK_S=%" PRId64, settings->still_park_s);
}

static void open_children(struct worker *worker)
{
    struct weir_arena *arena = weir_service_arena(worker->service);
    const struct worker_settings *settings = worker->settings;
    const char *level = weir_arena_printf(arena, "WEIR_LOG_LEVEL=%s", settings->log_level);
    worker->tap_env[0] = level;
    worker->tap_env[1] =
        weir_arena_printf(arena, "WEIR_TAP_SPOOL_DIR=%s/" SPOOL_DIR, settings->segment_dir);
    /* Beside those of its streams, cameras linger or are kept warm. */
    worker->tap_env[2] =
        weir_arena_printf(arena, "WEIR_TAP_CAMERAS_MAX=%" PRId64, 2 * settings->streams_max);
    worker->tap_env[3] =
        weir_arena_printf(arena, "WEIR_SERVICE_NETWORKS=%s", settings->service_networks);
    worker->tap_env[4] = weir_arena_printf(arena, "WEIR_SITE_NETWORKS=%s", settings->site_networks);
    worker->tap_env[5] =
        weir_arena_printf(arena, "WEIR_CAMERA_TRIALS_MAX=%" PRId64, settings->camera_trials_max);
    worker->tap_env[6] = weir_arena_printf(arena, "WEIR_CAMERA_TRIALS_PERIOD_S=%" PRId64,
                                           settings->camera_trials_period_s);
    programs_name_engines(worker);
    worker->origin_env[0] =
        weir_arena_printf(arena, "WEIR_ORIGIN_LISTEN=%s", settings->origin_listen);
    worker->origin_env[1] =
        weir_arena_printf(arena, "WEIR_ORIGIN_SECRET_FILE=%s", settings->origin_secret_file);
    worker->origin_env[2] = level;
    name_still(worker, level);
    worker->tap = child_new(&(struct child_config){
        .name = "weir-tap",
        .path = programs_find(worker, settings->tap, "weir-tap"),
        .env = worker->tap_env,
        .loop = worker->loop,
        .silence_max_ms = SILENCE_MAX_MS,
        .on_start = on_tap_start,
        .on_line = on_tap_line,
        .on_exit = on_tap_exit,
        .ctx = worker,
    });
    worker->origin = child_new(&(struct child_config){
        .name = "weir-origin",
        .path = programs_find(worker, settings->origin, "weir-origin"),
        .env = worker->origin_env,
        .loop = worker->loop,
        .silence_max_ms = SILENCE_MAX_MS,
        .on_start = on_origin_start,
        .on_line = on_origin_line,
        .on_exit = on_origin_exit,
        .ctx = worker,
    });
    worker->still = child_new(&(struct child_config){
        .name = "weir-still",
        .path = programs_find(worker, settings->still, "weir-still"),
        .env = worker->still_env,
        .loop = worker->loop,
        .silence_max_ms = SILENCE_MAX_MS,
        .on_start = on_still,
        .on_line = on_still_line,
        .on_exit = on_still,
        .ctx = worker,
    });
}

static enum weir_code open_encoders(struct worker *worker, struct weir_err *err)
{
    const struct worker_settings *settings = worker->settings;
    const struct encoders_config config = {
        .loop = worker->loop,
        .program = programs_find(worker, settings->encprobe, "weir-encprobe"),
        .names = settings->encoders,
        .is_used =
            strcmp(settings->xcode_engine, weir_xcode_engine_name(WEIR_XCODE_ENGINE_LIBAV)) == 0,
        .root = "",
        .timeout_ms = settings->encprobe_s * 1000,
        .suspect_ms = WEIR_ENCODER_SUSPECT_MS,
        .metrics = weir_service_metrics(worker->service),
        .changed = tell_encoders,
        .ctx = worker,
    };
    return encoders_new(&config, &worker->encoders, err);
}

static enum weir_code parse_variant(const char *text, enum weir_ctl_origin_route_variant *ret,
                                    struct weir_err *err)
{
    static const char *const names[] = {"fmp4", "lowLatency", "mpegts"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum weir_ctl_origin_route_variant)i;
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_EINVAL, "WEIR_HLS_VARIANT: '%s' is none of fmp4, lowLatency, mpegts",
                     text);
}

/* For the tap, which would only end over it. */
static enum weir_code check_networks(const char *name, const char *text, struct weir_err *err)
{
    struct weir_networks networks;
    enum weir_code code = weir_networks_parse(text, &networks, err);
    return code == WEIR_OK ? code : weir_fail_in(err, code, "%s", name);
}

static void open_slots(struct worker *worker)
{
    const struct worker_settings *settings = worker->settings;
    struct slot_config config = {.program = settings->mediamtx,
                                 .run_dir = settings->run_dir,
                                 .segment_dir = settings->segment_dir,
                                 .variant = worker->variant,
                                 .mem_max_mib = settings->engine_mem_mib,
                                 .loop = worker->loop,
                                 .on_up = on_slot_up,
                                 .on_down = on_slot_down,
                                 .ctx = worker};
    slots_init(&worker->slots, &config, (size_t)settings->streams_per_slot);
}

static void poll_beats(void *ctx)
{
    struct worker *worker = ctx;
    weir_bus_producer_poll(worker->beats, 0);
}

static enum weir_code open_bus(struct worker *worker, struct weir_err *err)
{
    const struct worker_settings *settings = worker->settings;
    waker_init(&worker->beats_waker, worker->loop, poll_beats, worker);
    struct weir_bus_producer_config beats = {.brokers = settings->kafka,
                                             .client_id = "weir-worker-heartbeats",
                                             .kind = WEIR_BUS_LOSSY,
                                             .delivery_timeout_ms = BEAT_TIMEOUT_MS,
                                             .queue_max_records = 16,
                                             .wake = waker_wake,
                                             .wake_ctx = &worker->beats_waker};
    struct weir_follower_config follower = {.brokers = settings->kafka,
                                            .client_id = "weir-worker-log",
                                            .cell = (int32_t)settings->cell,
                                            .loop = worker->loop,
                                            .on_reset = on_reset,
                                            .on_change = on_change,
                                            .on_caught_up = on_caught_up,
                                            .ctx = worker};
    enum weir_code code = facts_open(worker, err);
    if (code == WEIR_OK) {
        code = weir_bus_producer_open(&beats, &worker->beats, err);
    }
    if (code == WEIR_OK) {
        code = config_open(worker, err);
    }
    if (code == WEIR_OK) {
        code = weir_follower_open(&follower, &worker->follower, err);
    }
    return code;
}

/* What a worker that was killed left behind: slots with segments and sockets, rings of cameras. */
static void clean_folders(const struct worker *worker)
{
    const char *const parents[] = {worker->settings->run_dir, worker->settings->segment_dir};
    const char *const sockets[] = {CLIP_SOCKET, STILL_SOCKET};
    char path[PATH_BYTES];
    struct weir_err err = {0};
    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        for (int slot = 0; slot < SLOTS_MAX; slot++) {
            snprintf(path, sizeof(path), "%s/s%d", parents[i], slot);
            WEIR_IGNORE(files_remove_dir(path, &err), "a slot empties its folders once more");
        }
    }
    for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", worker->settings->run_dir, sockets[i]);
        WEIR_IGNORE(unlink(path), "whoever listens there next replaces it");
    }
    snprintf(path, sizeof(path), "%s/" SPOOL_DIR, worker->settings->segment_dir);
    WEIR_IGNORE(files_remove_dir(path, &err), "the tap replaces what is in it");
}

/* Two processes of one id, or of one folder, would pull the rug from under each other. */
static enum weir_code open_folders(struct worker *worker, struct weir_err *err)
{
    char lock[PATH_BYTES];
    char spool[PATH_BYTES];
    snprintf(lock, sizeof(lock), "%s/lock", worker->settings->run_dir);
    snprintf(spool, sizeof(spool), "%s/" SPOOL_DIR, worker->settings->segment_dir);
    enum weir_code code = files_make_dir(worker->settings->run_dir, err);
    if (code == WEIR_OK) {
        code = files_make_dir(worker->settings->segment_dir, err);
    }
    if (code == WEIR_OK) {
        code = files_lock(lock, err);
    }
    if (code == WEIR_OK) {
        code = files_lock_dir(worker->settings->segment_dir, err);
    }
    if (code == WEIR_OK) {
        clean_folders(worker);
        code = files_make_dir(spool, err);
    }
    return code;
}

static enum weir_code open_identity(struct worker *worker, struct weir_err *err)
{
    const struct worker_settings *settings = worker->settings;
    enum weir_code code =
        weir_id_parse(settings->worker_id, strlen(settings->worker_id), &worker->worker_id, err);
    if (code != WEIR_OK) {
        return weir_fail_in(err, code, "WEIR_WORKER_ID");
    }
    worker->boot_id = weir_id_new(weir_clock_wall_ms());
    worker->incarnation = WORKER_NOT_JOINED;
    worker->pace_ppm = STRAIN_ALL_PPM;
    weir_id_format(&worker->worker_id, worker->id_text);
    snprintf(worker->event_source, sizeof(worker->event_source), "/weir/worker/%s",
             worker->id_text);
    code = parse_variant(settings->hls_variant, &worker->variant, err);
    if (code == WEIR_OK) {
        code = programs_check_engine(worker, err);
    }
    if (code == WEIR_OK) {
        code = weir_seal_parse_ring(settings->seal_private_key, &worker->seal_keys, err);
    }
    if (code == WEIR_OK) {
        code = check_networks("WEIR_SERVICE_NETWORKS", settings->service_networks, err);
    }
    if (code == WEIR_OK) {
        code = check_networks("WEIR_SITE_NETWORKS", settings->site_networks, err);
    }
    return code == WEIR_OK ? open_folders(worker, err) : code;
}

enum weir_code worker_open(struct worker *worker, struct weir_service *service,
                           const struct worker_settings *settings, struct weir_err *err)
{
    *worker = (struct worker){.service = service,
                              .loop = weir_service_loop(service),
                              .settings = settings,
                              .load_reader = {.net_cap_kbps = settings->net_mbps * 1000}};
    enum weir_code code = open_identity(worker, err);
    if (code == WEIR_OK) {
        code = source_cache_open(settings->redis, settings->source_public_keys, settings->cell,
                                 weir_service_metrics(service), &worker->source_cache, err);
    }
    if (code == WEIR_OK) {
        code = open_encoders(worker, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    worker->leases = weir_map_new(sizeof(struct weir_id));
    worker->streams = weir_map_new(sizeof(struct weir_id));
    worker->beat_arena = weir_arena_new(0);
    worker->gpu = gpu_open(GPU_LIBRARY);
    worker->heard = weir_versions_new(HEARD_MAX);
    conditions_open(worker);
    worker->api_calls = calls_new(worker->loop, settings->api_internal_url);
    if (worker->source_cache) {
        calls_look_first(worker->api_calls, source_cache_look, worker->source_cache);
    }
    worker->pass = weir_timer_new(worker->loop, on_pass, worker);
    worker->tick = weir_timer_new(worker->loop, on_tick, worker);
    open_slots(worker);
    open_children(worker);
    code = open_bus(worker, err);
    if (code == WEIR_OK) {
        weir_service_on_drain(service, member_drain, worker,
                              settings->drain_s * 1000 + LEAVE_MAX_MS);
        on_tick(worker);
        worker_pass_soon(worker);
    }
    return code;
}

void worker_close(struct worker *worker)
{
    if (!worker->leases) {
        return;
    }
    weir_follower_close(&worker->follower);
    weir_bus_reader_close(&worker->config);
    worker_drop_all(worker);
    member_farewell(worker);
    weir_bus_producer_close(&worker->facts, FLUSH_MS);
    weir_bus_producer_close(&worker->beats, 0);
    calls_free(worker->api_calls);
    source_cache_close(&worker->source_cache);
    child_free(worker->tap);
    child_free(worker->origin);
    child_free(worker->still);
    slots_done(&worker->slots);
    clean_folders(worker);
    weir_timer_free(&worker->pass);
    weir_timer_free(&worker->tick);
    weir_timer_free(&worker->leave);
    weir_timer_free(&worker->config_again);
    encoders_free(&worker->encoders);
    gpu_close(&worker->gpu);
    weir_map_free(worker->leases);
    weir_map_free(worker->streams);
    weir_versions_free(worker->heard);
    weir_arena_free(worker->beat_arena);
    explicit_bzero(&worker->seal_keys, sizeof(worker->seal_keys));
}

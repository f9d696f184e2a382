/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include "api/cache.h"
#include "api/config.h"
#include "api/fetches.h"
#include "api/health.h"
#include "api/meters.h"
#include "api/outbox.h"
#include "api/play_past.h"
#include "api/playbacks.h"
#include "api/revocations.h"
#include "api/routes.h"
#include "api/sources.h"
#include "api/ticket_quota.h"
#include "api/used_keys.h"
#include "api/viewings.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/domain/still.h"

#define DB_CONNECT_MS     1000
#define DB_STATEMENT_MS   2000 /* a hung Postgres must not hold a start for long */
#define DB_STALL_MS       300
#define KNOWN_CAMERAS_MAX 20000  /* 1 to 3 kB each */
#define HEARD_MAX         100000 /* some 100 bytes each, as the next ones */
#define USED_KEYS_MAX     100000
#define REVOCATIONS_MAX   200000 /* some 150 bytes each */
#define VIEWINGS_MAX      100000 /* some 350 bytes each */
#define PLAYBACKS_MAX     200000 /* some 250 bytes each */
#define TICK_MS           1000
#define SNAPSHOTS_IN_MS   10000
#define FETCHES_HELD_MAX  ((size_t)256 << 20)
#define LIVE_BYTES_MAX    65536
#define BUS_FLUSH_MS      3000
#define DRAIN_EXTRA_MS    5000

/* Pictures: as many of a camera run as weir-still works on (worker/still/door.c). */
static const struct weir_fair_limits fetch_limits = {
    .all = {16, 256}, .tenant = {12, 96}, .camera = {4, 16}};
static const struct weir_fair_limits live_limits = {
    .all = {4, 256}, .tenant = {3, 96}, .camera = {2, 32}};

/* ---- while it runs ---- */

static void on_view_ready(void *ctx, bool is_ready, const char *reason)
{
    struct api *api = ctx;
    weir_service_ready(api->service, "log", is_ready, reason);
    if (is_ready) {
        api_wishes_follow(api->wishes, api_view_commands_next(api->view));
    }
}

static void on_config_ready(void *ctx)
{
    struct api *api = ctx;
    weir_service_ready(api->service, "config", true, "");
}

static void on_camera_changed(void *ctx, const struct weir_id *id, int64_t version, bool is_new)
{
    api_sources_camera_changed(ctx, id, version, is_new);
}

static void on_tenant_changed(void *ctx, const struct weir_id *id, int64_t version, bool is_new)
{
    api_sources_tenant_changed(ctx, id, version, is_new);
}

static void on_tick(void *ctx)
{
    struct api *api = ctx;
    api_activity_tick(api->activity);
    viewings_tick(api->viewings, weir_clock_mono_ms());
    weir_metric_set(weir_metrics_gauge(api->metrics, "weir_api_viewings",
                                       "Parts of viewings that this api heard of lately", NULL,
                                       NULL),
                    (int64_t)viewings_count(api->viewings));
    weir_metric_set(weir_metrics_gauge(api->metrics, "weir_api_playbacks",
                                       "Playbacks that this api was asked for lately", NULL, NULL),
                    (int64_t)playbacks_count(api->playbacks));
    weir_metric_set(weir_metrics_gauge(api->metrics, "weir_api_revocations",
                                       "Revocations that this api knows and that still count", NULL,
                                       NULL),
                    (int64_t)revocations_count(api->revocations));
    weir_timer_set(api->tick, TICK_MS);
}

static void on_drain(void *ctx)
{
    struct api *api = ctx;
    weir_loop_stop(weir_service_loop(api->service));
}

static void on_done(void *ctx, const struct weir_http_request *req, int status, int64_t duration_us,
                    uint64_t body_bytes)
{
    struct api *api = ctx;
    (void)body_bytes;
    api_meters_answered(api->meters, weir_http_route(req), status, duration_us);
    const char text[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                         (char)('0' + status % 10), '\0'};
    weir_log(status >= 500 ? WEIR_LOG_WARN : WEIR_LOG_DEBUG, "request: answered", "request_id",
             weir_http_request_id(req), "method", weir_http_method(req), "route",
             weir_http_route(req), "status", text, NULL);
}

static void on_viewing(void *ctx, const struct weir_ev_audit_viewing *record)
{
    struct api *api = ctx;
    api_access_viewing(api->access, record);
}

/* ---- begin ---- */

static enum weir_code check_secrets(const struct api_settings *settings, struct weir_err *err)
{
    const struct {
        const char *value;
        const char *name;
    } needed[] = {
        {settings->postgres, "WEIR_POSTGRES"},
        {settings->ticket_key, "WEIR_TICKET_KEY"},
        {settings->seal_public_key, "WEIR_SEAL_PUBLIC_KEY"},
        {settings->worker_secret, "WEIR_WORKER_SECRET"},
        {settings->gateway_secret, "WEIR_GATEWAY_SECRET"},
    };
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!needed[i].value[0]) {
            return weir_fail(err, WEIR_EINVAL, "%s or %s_FILE is needed", needed[i].name,
                             needed[i].name);
        }
    }
    return WEIR_OK;
}

static enum weir_code read_reach(struct api *api, struct weir_err *err)
{
    const struct api_settings *settings = api->settings;
    api->reach.allow_local = settings->source_allow_local;
    enum weir_code code =
        weir_networks_parse(settings->default_camera_networks, &api->reach.tenant, err);
    if (code != WEIR_OK) {
        return weir_fail_in(err, code, "WEIR_TENANT_CAMERA_NETWORKS");
    }
    code = weir_networks_parse(settings->service_networks, &api->reach.service, err);
    return code == WEIR_OK ? code : weir_fail_in(err, code, "WEIR_SERVICE_NETWORKS");
}

static enum weir_code open_keys(struct api *api, struct weir_err *err)
{
    const struct api_settings *settings = api->settings;
    struct weir_auth_config auth = {
        .jwks = settings->jwks,
        .ca_file = settings->jwks_ca_file,
        .issuer = settings->jwt_issuer,
        .audience = settings->jwt_audience,
        .hs256_secret = settings->jwt_hs256_secret,
        .allows_anonymous = settings->jwt_anonymous,
        .refresh_ms = settings->jwks_refresh_s * 1000,
        .stale_max_ms = settings->jwks_stale_max_s * 1000,
    };
    enum weir_code code = check_secrets(settings, err);
    if (code == WEIR_OK) {
        code = read_reach(api, err);
    }
    if (code == WEIR_OK) {
        code = weir_ticket_keys_open(settings->ticket_key, settings->ticket_public_keys,
                                     &api->tickets, err);
    }
    if (code == WEIR_OK) {
        code = weir_seal_parse_public(settings->seal_public_key, &api->seal_key, err);
    }
    return code == WEIR_OK ? weir_auth_open(&auth, &api->auth, err) : code;
}

static enum weir_code open_cache(struct api *api, struct weir_err *err)
{
    /* All threads of both listeners, and the one that follows the configuration. */
    size_t connections = 2 * (size_t)api->settings->pool_threads + 1;
    enum weir_code code = api_cache_open(api->settings->redis, connections, &api->cache, err);
    return code == WEIR_OK ? api_sources_open(api, &api->sources, err) : code;
}

static enum weir_code open_stores(struct api *api, struct weir_err *err)
{
    const struct api_settings *settings = api->settings;
    struct weir_db_config db = {
        .url = settings->postgres,
        /* half of a listener's threads at most, and those of the relay, the health check and
         * the configuration: while
         * Postgres hangs, the other half answers what needs none */
        .connections = (unsigned)(settings->pool_threads + 1) / 2 + 3,
        .stall_ms = DB_STALL_MS,
        .connect_ms = DB_CONNECT_MS,
        .statement_ms = DB_STATEMENT_MS,
        .application = "weir-api",
    };
    enum weir_code code = weir_db_open(&db, &api->db, err);
    if (code == WEIR_OK) {
        code = api_bus_open(settings->kafka, settings->command_ack_ms, &api->bus, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    api->access = api_access_new(api->bus, api->metrics);
    api->meters = api_meters_new(api->metrics);
    api->known_cameras = api_known_cameras_new(KNOWN_CAMERAS_MAX, HEARD_MAX);
    api->used_keys = used_keys_new(USED_KEYS_MAX);
    code = open_cache(api, err);
    if (code != WEIR_OK) {
        return code;
    }
    api->activity = api_activity_new(api->bus, (int32_t)settings->cell);
    api->play_past = play_past_new();
    api->revocations = revocations_new(REVOCATIONS_MAX);
    struct ticket_quota_config quota = {.viewer_max = settings->tickets_viewer_max,
                                        .tenant_max = settings->tickets_tenant_max,
                                        .life_ms = settings->ticket_life_s * 1000};
    api->ticket_quota = ticket_quota_new(&quota);
    api->viewings = viewings_new(VIEWINGS_MAX, on_viewing, api);
    struct playbacks_config playbacks = {.viewer_max = settings->playbacks_viewer_max,
                                         .tenant_max = settings->playbacks_tenant_max,
                                         .max = PLAYBACKS_MAX,
                                         .born_mono_ms = weir_clock_mono_ms()};
    api->playbacks = playbacks_new(&playbacks);
    struct ticket_quota_config snapshots = {.viewer_max = settings->snapshots_viewer_max,
                                            .tenant_max = settings->snapshots_tenant_max,
                                            .life_ms = SNAPSHOTS_IN_MS};
    api->snapshot_quota = ticket_quota_new(&snapshots);
    struct fetches_config fetches = {.limits = fetch_limits,
                                     .max_bytes = WEIR_STILL_IMAGE_MAX,
                                     .held_max = FETCHES_HELD_MAX,
                                     .secret = settings->origin_secret};
    api->fetches = fetches_new(&fetches);
    /* How a camera is doing is told while pictures are slow. */
    fetches.limits = live_limits;
    fetches.max_bytes = LIVE_BYTES_MAX;
    api->live = fetches_new(&fetches);
    struct api_outbox_config outbox = {
        .db = api->db, .bus = api->bus, .poll_ms = settings->outbox_poll_ms};
    return api_outbox_open(&outbox, &api->outbox, err);
}

static enum weir_code open_view(struct api *api, struct weir_err *err)
{
    struct api_view_config view = {
        .brokers = api->settings->kafka,
        .cell = (int32_t)api->settings->cell,
        .loop = weir_service_loop(api->service),
        .on_ready = on_view_ready,
        .ctx = api,
    };
    weir_service_ready(api->service, "log", false, "the decision log is not read yet");
    weir_service_ready(api->service, "config", false, "what was revoked is not read yet");
    enum weir_code code = api_view_open(&view, &api->view, err);
    if (code == WEIR_OK) {
        struct api_wishes_config wishes = {.brokers = api->settings->kafka,
                                           .cell = (int32_t)api->settings->cell,
                                           .view = api->view,
                                           .used_keys = api->used_keys};
        code = api_wishes_open(&wishes, &api->wishes, err);
    }
    if (code == WEIR_OK) {
        struct api_config_config config = {.brokers = api->settings->kafka,
                                           .cell = (int32_t)api->settings->cell,
                                           .db = api->db,
                                           .revocations = api->revocations,
                                           .on_camera = on_camera_changed,
                                           .on_tenant = on_tenant_changed,
                                           .on_ready = on_config_ready,
                                           .ctx = api};
        code = api_config_open(&config, &api->config, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    api->health = api_health_new(api->service, api->auth, api->db, api->settings->kafka);
    api->tick = weir_timer_new(weir_service_loop(api->service), on_tick, api);
    weir_timer_set(api->tick, TICK_MS);
    return WEIR_OK;
}

static enum weir_code listen_on(struct api *api, const char *address,
                                const struct weir_http_route *routes, size_t n,
                                struct weir_http_server **ret, struct weir_err *err)
{
    const struct api_settings *settings = api->settings;
    struct weir_http_server_config config = {
        .listen = address,
        .routes = routes,
        .n_routes = n,
        .ctx = api,
        .body_max_bytes = (size_t)settings->body_max_bytes,
        .target_max_bytes = (size_t)settings->target_max_bytes,
        .pool_threads = (unsigned)settings->pool_threads,
        .queue_max = (unsigned)settings->queue_max,
        .connections_max = (unsigned)settings->connections_max,
        .on_done = on_done,
    };
    return weir_http_server_open(&config, ret, err);
}

static enum weir_code open_doors(struct api *api, struct weir_err *err)
{
    size_t n;
    const struct weir_http_route *routes = api_routes_internal(&n);
    enum weir_code code =
        listen_on(api, api->settings->internal_listen, routes, n, &api->internal, err);
    if (code == WEIR_OK) {
        routes = api_routes_public(&n);
        code = listen_on(api, api->settings->api_listen, routes, n, &api->server, err);
    }
    return code;
}

static enum weir_code open_all(struct api *api, struct weir_err *err)
{
    enum weir_code code = open_keys(api, err);
    if (code == WEIR_OK) {
        code = open_stores(api, err);
    }
    if (code == WEIR_OK) {
        code = open_view(api, err);
    }
    return code == WEIR_OK ? open_doors(api, err) : code;
}

/* ---- end: the doors first, then what stands behind them ---- */

static void close_all(struct api *api)
{
    fetches_stop(api->fetches);
    fetches_stop(api->live);
    weir_http_server_close(&api->server, api->settings->drain_ms);
    weir_http_server_close(&api->internal, api->settings->drain_ms);
    weir_timer_free(&api->tick);
    api_health_free(api->health);
    api_config_close(&api->config);
    api_wishes_close(&api->wishes);
    api_view_close(&api->view);
    api_outbox_close(&api->outbox);
    play_past_free(api->play_past);
    ticket_quota_free(api->ticket_quota);
    playbacks_free(api->playbacks);
    ticket_quota_free(api->snapshot_quota);
    fetches_free(api->fetches);
    fetches_free(api->live);
    revocations_free(api->revocations);
    api_activity_free(api->activity);
    viewings_free(api->viewings);
    api_bus_close(&api->bus, BUS_FLUSH_MS);
    api_access_free(api->access);
    api_meters_free(api->meters);
    api_known_cameras_free(api->known_cameras);
    used_keys_free(api->used_keys);
    api_sources_free(api->sources);
    api_cache_close(&api->cache);
    weir_db_close(&api->db);
    weir_auth_close(&api->auth);
    weir_ticket_keys_close(&api->tickets);
}

int api_run(struct weir_service *service, const struct api_settings *settings)
{
    struct api api = {
        .settings = settings, .service = service, .metrics = weir_service_metrics(service)};
    struct weir_err err = {0};
    int exit_code = 0;
    if (open_all(&api, &err) == WEIR_OK) {
        weir_service_on_drain(service, on_drain, &api, settings->drain_ms + DRAIN_EXTRA_MS);
        weir_log(WEIR_LOG_INFO, "api: serves", "listen", settings->api_listen, "internal",
                 settings->internal_listen, NULL);
        weir_loop_run(weir_service_loop(service));
    } else {
        weir_log(WEIR_LOG_ERROR, "api: cannot start", "reason", err.msg, NULL);
        exit_code = 1;
    }
    close_all(&api);
    return exit_code;
}

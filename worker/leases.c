/* SPDX-License-Identifier: Apache-2.0 */
/* Camera leases: address from the api, the camera given to the tap, and taken back. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/str.h"
#include "worker/worker.h"

#define RETRY_FIRST_MS 250
#define RETRY_MAX_MS   10000
#define SEAL_KEYS_MAX  1024 /* bytes of their file, as settings.def says */

struct lease *leases_find(const struct worker *worker, const struct weir_id *camera_id)
{
    return weir_map_find(worker->leases, camera_id->b);
}

static void drop_from_tap(struct worker *worker, struct lease *lease)
{
    if (lease->is_given) {
        struct weir_ctl ctl = {.type = WEIR_CTL_TAP_DROP,
                               .u.tap_drop = {.camera_id = lease->row.camera_id}};
        child_send(worker->tap, &ctl);
    }
    lease->is_given = false;
    lease->is_up = false;
    lease->is_failing = false;
    lease->stats = (struct weir_ctl_tap_stats_cameras){0};
}

static void forget_source(struct lease *lease)
{
    explicit_bzero(&lease->source, sizeof(lease->source));
    lease->has_source = false;
}

static void forget(struct worker *worker, struct lease *lease)
{
    drop_from_tap(worker, lease);
    forget_source(lease);
    weir_map_remove(worker->leases, lease->row.camera_id.b);
    free(lease);
}

/* The row as far as it is about this worker; false when it is not. */
static bool own_part(const struct worker *worker, const struct weir_lease_row *row,
                     struct weir_lease_row *ret)
{
    const struct weir_place *second = &row->second;
    *ret = *row;
    if (member_is_mine(worker, &row->worker_id, row->incarnation)) {
        return true;
    }
    ret->worker_id = second->worker_id;
    ret->incarnation = second->incarnation;
    ret->lease_generation = second->lease_generation;
    return member_is_mine(worker, &second->worker_id, second->incarnation);
}

void leases_take_row(struct worker *worker, const struct weir_lease_row *all)
{
    struct weir_lease_row own;
    const struct weir_lease_row *row = &own;
    struct lease *lease = leases_find(worker, &all->camera_id);
    if (!own_part(worker, all, &own)) {
        if (lease) {
            lease->is_wanted = false;
        }
        return;
    }
    if (!lease) {
        lease = weir_xalloc(sizeof(*lease));
        weir_map_put(worker->leases, row->camera_id.b, lease);
    }
    bool is_new = lease->row.lease_generation != row->lease_generation;
    if (is_new) {
        /* An answer under way is for the older one and will not count. */
        lease->is_fetching = false;
    }
    if (is_new || row->state != WEIR_LEASE_STATE_RELEASING) {
        lease->is_released = false;
    }
    lease->row = *row;
    lease->is_wanted = true;
}

/* ---- the address ---- */

/* The next time it is asked for, longer from time to time; returns the pause, ms. */
static int64_t put_off(struct lease *lease)
{
    int64_t pause = (int64_t)RETRY_FIRST_MS << (lease->attempts < 6 ? lease->attempts : 6);
    pause = pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS;
    lease->attempts++;
    lease->fetch_at_ms = worker_now_ms() + pause;
    return pause;
}

static void fetch_failed(struct lease *lease, enum weir_code code, const char *why)
{
    int64_t pause = put_off(lease);
    weir_log(WEIR_LOG_WARN, "camera: its address cannot be had", "camera_id",
             WEIR_ID_TEXT(&lease->row.camera_id), "code", weir_code_text(code), "why", why, NULL);
    if (!lease->has_source) {
        lease->is_failing = true;
        lease->trouble = (struct trouble){.retry_in_ms = pause};
        WEIR_STR_SET(lease->trouble.reason,
                     weir_reason_name(code == WEIR_EUNSUPPORTED ? WEIR_REASON_source_key_unknown
                                                                : WEIR_REASON_source_unknown));
        WEIR_STR_SET(lease->trouble.detail, why);
    }
}

static struct source_least least_of(const struct worker *worker, const struct lease *lease)
{
    return (struct source_least){
        .camera_version = weir_versions_least(worker->heard, &lease->row.camera_id),
        .tenant_version = weir_versions_least(worker->heard, &lease->row.tenant_id)};
}

/* It was on its way here while the change was heard of. */
static bool is_overtaken(const struct worker *worker, const struct lease *lease,
                         const struct source *source)
{
    struct source_least least = least_of(worker, lease);
    return (source->camera_version > 0 && source->camera_version < least.camera_version) ||
           (source->tenant_version > 0 && source->tenant_version < least.tenant_version);
}

static void take_source(const struct worker *worker, struct lease *lease,
                        const struct source *source)
{
    bool is_other = !lease->has_source || !source_is_same_place(&lease->source, source);
    lease->source = *source;
    lease->has_source = true;
    lease->is_stale = is_overtaken(worker, lease, source);
    if (lease->is_stale) {
        put_off(lease); /* a database that was set back never tells of what was heard */
    } else {
        lease->attempts = 0;
    }
    if (is_other) {
        /* Given once more, it replaces what the tap has. */
        lease->is_given = false;
        lease->is_failing = false;
    }
}

/* A key that was added to the file since. False: there is none. */
static bool read_keys_again(struct worker *worker)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_seal_ring ring;
    struct weir_err err = {0};
    const char *text = NULL;
    enum weir_code code =
        weir_settings_read_again("WEIR_SEAL_PRIVATE_KEY", SEAL_KEYS_MAX, arena, &text, &err);
    if (code == WEIR_OK) {
        code = weir_seal_parse_ring(text, &ring, &err);
        explicit_bzero((char *)(uintptr_t)text, strlen(text));
    }
    if (code != WEIR_OK) {
        weir_logf(WEIR_LOG_DEBUG, "sealing keys: not read again: %s", err.msg);
        return false;
    }
    bool is_other = memcmp(&ring, &worker->seal_keys, sizeof(ring)) != 0;
    worker->seal_keys = ring;
    explicit_bzero(&ring, sizeof(ring));
    return is_other;
}

static enum weir_code read_answer(struct worker *worker, const struct lease *lease,
                                  const struct weir_http_answer *answer, struct source *ret,
                                  struct weir_err *err)
{
    const struct weir_lease_row *row = &lease->row;
    enum weir_code code =
        source_read(answer, &worker->seal_keys, &row->tenant_id, &row->camera_id, ret, err);
    if (code == WEIR_EUNSUPPORTED && read_keys_again(worker)) {
        weir_log(WEIR_LOG_INFO, "sealing keys: read again", NULL);
        code = source_read(answer, &worker->seal_keys, &row->tenant_id, &row->camera_id, ret, err);
    }
    return code;
}

static void take_answer(struct worker *worker, struct lease *lease, const struct call *call,
                        const struct weir_http_answer *answer)
{
    struct source source;
    struct weir_err err = {0};
    enum weir_code code = read_answer(worker, lease, answer, &source, &err);
    if (code == WEIR_OK) {
        take_source(worker, lease, &source);
        explicit_bzero(&source, sizeof(source));
    } else if (call->was_seen) {
        source_cache_count_unusable(worker->source_cache);
        lease->is_cache_unusable = true; /* the next pass asks an api */
    } else {
        fetch_failed(lease, code, err.msg);
    }
}

static void on_source(void *ctx, const struct call *call, const struct weir_http_answer *answer,
                      const struct weir_err *err)
{
    struct worker *worker = ctx;
    struct lease *lease = leases_find(worker, &call->id);
    if (!lease || lease->row.lease_generation != call->number) {
        return;
    }
    lease->is_fetching = false;
    lease->is_cache_unusable = false;
    if (!answer) {
        fetch_failed(lease, err->code, err->msg);
    } else {
        take_answer(worker, lease, call, answer);
    }
    worker_pass_soon(worker);
}

static void fetch(struct worker *worker, struct lease *lease)
{
    struct call call;
    struct source_least least = least_of(worker, lease);
    source_ask(&call, worker->settings->worker_secret, &worker->worker_id, &lease->row.tenant_id,
               &lease->row.camera_id, &least);
    call.fn = on_source;
    call.ctx = worker;
    call.number = lease->row.lease_generation;
    call.may_look = !lease->is_cache_unusable;
    lease->is_fetching = true;
    calls_post(worker->api_calls, &call);
    explicit_bzero(&call, sizeof(call));
}

void leases_all_changed(struct worker *worker)
{
    void *value;
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        struct lease *lease = value;
        lease->is_stale = lease->has_source;
        lease->fetch_at_ms = 0;
    }
    worker_pass_soon(worker);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void leases_config_changed(struct worker *worker, const struct weir_id *camera_id, int64_t version)
{
    struct lease *lease = leases_find(worker, camera_id);
    weir_versions_hear(worker->heard, camera_id, version);
    if (lease && lease->has_source &&
        version > larger(lease->source.version, lease->source.camera_version)) {
        lease->is_stale = true;
        lease->fetch_at_ms = 0;
        worker_pass_soon(worker);
    }
}

void leases_tenant_changed(struct worker *worker, const struct weir_id *tenant_id, int64_t version)
{
    void *value;
    weir_versions_hear(worker->heard, tenant_id, version);
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        struct lease *lease = value;
        if (lease->has_source && weir_id_equal(&lease->row.tenant_id, tenant_id) &&
            version > lease->source.tenant_version) {
            lease->is_stale = true;
            lease->fetch_at_ms = 0;
            worker_pass_soon(worker);
        }
    }
}

/* ---- the tap ---- */

static void give(struct worker *worker, struct lease *lease)
{
    struct source *source = &lease->source;
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_CAMERA};
    struct weir_ctl_tap_camera *camera = &ctl.u.tap_camera;
    camera->tenant_id = lease->row.tenant_id;
    camera->camera_id = lease->row.camera_id;
    WEIR_STR_SET(camera->url, source->url);
    WEIR_STR_SET(camera->networks, source->networks);
    camera->has_username = source->has_username;
    WEIR_STR_SET(camera->username, source->username);
    camera->has_password = source->has_password;
    WEIR_STR_SET(camera->password, source->password);
    camera->has_tls_pin_sha256 = source->has_tls_pin;
    WEIR_STR_SET(camera->tls_pin_sha256, source->tls_pin);
    camera->transport = source->transport;
    camera->ring_ms = worker->settings->ring_s * 1000;
    camera->ring_bytes = worker->settings->ring_mib * 1024 * 1024;
    camera->allow_local = worker->settings->source_allow_local;
    camera->has_exclusive = true;
    camera->exclusive = source->is_exclusive;
    camera->has_audio = true;
    camera->audio = source->has_audio;
    camera->has_encoder_delay_ms = true;
    camera->encoder_delay_ms = source->encoder_delay_ms;
    camera->others = source->others;
    camera->n_others = source->n_others;
    child_send(worker->tap, &ctl);
    explicit_bzero(&ctl, sizeof(ctl));
    lease->is_given = child_is_up(worker->tap);
}

void leases_take_source_state(struct worker *worker, const struct weir_ctl_tap_source *source)
{
    struct lease *lease = leases_find(worker, &source->camera_id);
    if (!lease || !lease->is_given) {
        return;
    }
    if (lease->is_up && source->state == WEIR_CTL_TAP_SOURCE_STATE_FAILING) {
        conditions_count_lost(worker, false);
    }
    lease->info = *source;
    lease->is_up = source->state == WEIR_CTL_TAP_SOURCE_STATE_UP;
    lease->is_failing = source->state == WEIR_CTL_TAP_SOURCE_STATE_FAILING;
    lease->trouble =
        (struct trouble){.is_permanent = source->has_permanent && source->permanent,
                         .retry_in_ms = source->has_retry_in_ms ? source->retry_in_ms : 0};
    WEIR_STR_SET(lease->trouble.reason, source->has_reason
                                            ? source->reason
                                            : weir_reason_name(WEIR_REASON_internal_error));
    WEIR_STR_SET(lease->trouble.detail, source->has_detail ? source->detail : "");
    worker_pass_soon(worker);
}

void leases_take_stats(struct worker *worker, const struct weir_ctl_tap_stats *stats)
{
    for (size_t i = 0; i < stats->n_cameras; i++) {
        struct lease *lease = leases_find(worker, &stats->cameras[i].camera_id);
        if (lease && !stats->cameras[i].has_source) {
            struct weir_ctl_tap_stats_cameras now = stats->cameras[i];
            /* The rows of its other sources follow. */
            for (size_t k = i + 1; k < stats->n_cameras && stats->cameras[k].has_source; k++) {
                conditions_join(&stats->cameras[k], &now);
            }
            sights_join(lease, worker_now_ms(), &now);
            bool is_news = conditions_take(worker, lease, &now);
            lease->stats = now;
            lease->ring_ms = stats->cameras[i].ring_ms;
            lease->ring_bytes = stats->cameras[i].ring_bytes;
            lease->gop_ms = stats->cameras[i].has_gop_ms ? stats->cameras[i].gop_ms : 0;
            if (is_news) {
                conditions_tell(worker, lease);
            }
        }
    }
}

void leases_tap_started(struct worker *worker)
{
    void *value;
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        struct lease *lease = value;
        lease->is_given = false;
        lease->is_up = false;
        lease->stats = (struct weir_ctl_tap_stats_cameras){0};
        lease->is_failing = lease->is_failing && !lease->has_source;
    }
}

/* ---- the pass ---- */

static struct plan_lease_view view_of(const struct lease *lease)
{
    return (struct plan_lease_view){.is_wanted = lease->is_wanted,
                                    .row_state = lease->row.state,
                                    .has_source = lease->has_source,
                                    .is_stale = lease->is_stale,
                                    .is_fetching = lease->is_fetching,
                                    .fetch_at_ms = lease->fetch_at_ms,
                                    .is_given = lease->is_given,
                                    .is_released = lease->is_released,
                                    .said_at_ms = lease->said_at_ms};
}

static void pass_one(struct worker *worker, struct lease *lease, int64_t now_ms)
{
    struct plan_lease_view view = view_of(lease);
    switch (plan_lease(&view, now_ms)) {
    case PLAN_LEASE_FETCH:
        fetch(worker, lease);
        break;
    case PLAN_LEASE_GIVE:
        give(worker, lease);
        break;
    case PLAN_LEASE_RELEASE:
        conditions_end(worker, lease);
        drop_from_tap(worker, lease);
        forget_source(lease);
        facts_lease_released(worker, lease);
        lease->is_released = true;
        lease->said_at_ms = now_ms;
        break;
    case PLAN_LEASE_FORGET:
        forget(worker, lease);
        break;
    case PLAN_LEASE_NOTHING:
        break;
    }
}

void leases_pass(struct worker *worker)
{
    void *value;
    int64_t now_ms = worker_now_ms();
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        pass_one(worker, value, now_ms);
    }
}

void leases_drop_all(struct worker *worker)
{
    void *value;
    for (size_t at = 0; weir_map_next(worker->leases, &at, NULL, &value);) {
        forget(worker, value);
    }
}

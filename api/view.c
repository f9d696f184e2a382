/* SPDX-License-Identifier: Apache-2.0 */
#include "api/view.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/expected.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/domain/stream_state.h"
#include "lib/service/follower.h"

#define RESYNC_MS 300000 /* rows that the ledger forgot leave the copies too */

struct rows {
    struct weir_map *streams; /* id -> malloced copy of the row */
    struct weir_map *leases;
    struct weir_map *workers;
    struct weir_map *n_live; /* struct holder -> malloced size_t: asked at every start */
};

struct watch {
    struct weir_list node;
    struct weir_id stream_id;
    struct weir_http_server *server;
    uint64_t token;
};

struct api_view {
    struct api_view_config config;
    struct weir_follower *follower;
    struct weir_timer *resync;
    bool is_rebuilding; /* loop thread: changes do not count until caught up */

    pthread_mutex_t mutex; /* guards what follows */
    struct rows rows;
    bool is_known;
    struct api_expected *expected;
    struct weir_list watches;
};

/* Whose live streams are counted: a tenant's, or the renditions of one of its cameras. */
struct holder {
    struct weir_id tenant_id;
    struct weir_id camera_id; /* nil: all streams of the tenant */
};

/* ---- copies ---- */

static struct rows rows_new(void)
{
    return (struct rows){
        .streams = weir_map_new(sizeof(struct weir_id)),
        .leases = weir_map_new(sizeof(struct weir_id)),
        .workers = weir_map_new(sizeof(struct weir_id)),
        .n_live = weir_map_new(sizeof(struct holder)),
    };
}

static void map_free_all(struct weir_map *map)
{
    void *value;
    for (size_t at = 0; map && weir_map_next(map, &at, NULL, &value);) {
        free(value);
    }
    weir_map_free(map);
}

static void rows_free(struct rows *rows)
{
    map_free_all(rows->streams);
    map_free_all(rows->leases);
    map_free_all(rows->workers);
    map_free_all(rows->n_live);
}

static void map_copy(struct weir_map *map, const struct weir_id *id, const void *row, size_t size)
{
    void *copy = weir_xalloc(size);
    memcpy(copy, row, size);
    free(weir_map_put(map, id->b, copy));
}

/* One more, or one less. */
static void count_one(const struct rows *rows, const struct holder *holder, bool is_more)
{
    size_t *n = weir_map_find(rows->n_live, holder);
    if (!n) {
        n = weir_xalloc(sizeof(*n));
        weir_map_put(rows->n_live, holder, n);
    }
    *n = is_more ? *n + 1 : *n - 1;
    if (*n == 0) {
        free(weir_map_remove(rows->n_live, holder));
    }
}

static void count_live(const struct rows *rows, const struct weir_stream_row *fresh)
{
    const struct weir_stream_row *old = weir_map_find(rows->streams, fresh->stream_id.b);
    bool was_live = old && weir_stream_state_is_live(old->state);
    bool is_live = weir_stream_state_is_live(fresh->state);
    if (was_live == is_live) {
        return;
    }
    count_one(rows, &(struct holder){.tenant_id = fresh->tenant_id}, is_live);
    if (weir_stream_is_rendition(fresh->quality, fresh->fps)) {
        count_one(rows, &(struct holder){fresh->tenant_id, fresh->camera_id}, is_live);
    }
}

static void put_row(struct rows *rows, const struct weir_ledger_change *change)
{
    if (change->stream) {
        count_live(rows, change->stream);
        map_copy(rows->streams, &change->stream->stream_id, change->stream,
                 sizeof(*change->stream));
    } else if (change->lease && change->lease->state == WEIR_LEASE_STATE_NONE) {
        free(weir_map_remove(rows->leases, change->lease->camera_id.b));
    } else if (change->lease) {
        map_copy(rows->leases, &change->lease->camera_id, change->lease, sizeof(*change->lease));
    } else if (change->worker) {
        map_copy(rows->workers, &change->worker->worker_id, change->worker,
                 sizeof(*change->worker));
    }
}

static struct rows copy_ledger(const struct weir_ledger *ledger)
{
    struct rows rows = rows_new();
    const struct weir_stream_row *stream;
    for (size_t at = 0; weir_ledger_next_stream(ledger, &at, &stream);) {
        put_row(&rows, &(struct weir_ledger_change){.stream = stream});
    }
    const struct weir_lease_row *lease;
    for (size_t at = 0; weir_ledger_next_lease(ledger, &at, &lease);) {
        put_row(&rows, &(struct weir_ledger_change){.lease = lease});
    }
    const struct weir_worker_row *worker;
    for (size_t at = 0; weir_ledger_next_worker(ledger, &at, &worker);) {
        put_row(&rows, &(struct weir_ledger_change){.worker = worker});
    }
    return rows;
}

/* ---- watches; with the mutex held ---- */

static void wake_watches(struct api_view *view, const struct weir_id *stream_id)
{
    WEIR_LIST_FOR(pos, &view->watches)
    {
        struct watch *watch = WEIR_CONTAINER(pos, struct watch, node);
        if (!stream_id || weir_id_equal(&watch->stream_id, stream_id)) {
            weir_http_wake(watch->server, watch->token);
            weir_list_remove(&watch->node);
            free(watch);
        }
    }
}

/* ---- following; on the loop's thread ---- */

static void on_reset(void *ctx, const char *why)
{
    struct api_view *view = ctx;
    view->is_rebuilding = true;
    view->config.on_ready(view->config.ctx, false, why);
}

static void on_change(void *ctx, const struct weir_ledger_change *change)
{
    struct api_view *view = ctx;
    if (view->is_rebuilding) {
        return;
    }
    pthread_mutex_lock(&view->mutex);
    put_row(&view->rows, change);
    if (change->stream) {
        wake_watches(view, &change->stream->stream_id);
    }
    pthread_mutex_unlock(&view->mutex);
}

/* With the mutex held. What was expected and never came is news too. */
static void on_dropped(void *ctx, const struct weir_id *stream_id)
{
    wake_watches(ctx, stream_id);
}

/* With the mutex held. */
static void note_decided(struct api_view *view)
{
    const struct weir_ledger *ledger = weir_follower_ledger(view->follower);
    api_expected_decided(view->expected, weir_ledger_causes(ledger).commands_next, on_dropped,
                         view);
}

/* A command that changes nothing (refused, or a repeat) leaves no row: what was expected of it
 * must not hide the truth any longer. */
static void on_decision(void *ctx, const struct weir_follower_decision *read)
{
    struct api_view *view = ctx;
    if (view->is_rebuilding || !read->decision->has_cause_offset) {
        return;
    }
    pthread_mutex_lock(&view->mutex);
    note_decided(view);
    pthread_mutex_unlock(&view->mutex);
}

static void replace_rows(struct api_view *view)
{
    struct rows fresh = copy_ledger(weir_follower_ledger(view->follower));
    pthread_mutex_lock(&view->mutex);
    struct rows old = view->rows;
    view->rows = fresh;
    view->is_known = true;
    note_decided(view);
    wake_watches(view, NULL);
    pthread_mutex_unlock(&view->mutex);
    rows_free(&old);
}

static void on_caught_up(void *ctx)
{
    struct api_view *view = ctx;
    view->is_rebuilding = false;
    replace_rows(view);
    view->config.on_ready(view->config.ctx, true, "");
}

static void on_resync(void *ctx)
{
    struct api_view *view = ctx;
    if (!view->is_rebuilding) {
        replace_rows(view);
    }
    pthread_mutex_lock(&view->mutex);
    api_expected_drop_late(view->expected, weir_clock_mono_ms());
    pthread_mutex_unlock(&view->mutex);
    weir_timer_set(view->resync, RESYNC_MS);
}

enum weir_code api_view_open(const struct api_view_config *config, struct api_view **ret,
                             struct weir_err *err)
{
    struct api_view *view = weir_xalloc(sizeof(*view));
    view->config = *config;
    view->is_rebuilding = true;
    view->rows = rows_new();
    view->expected = api_expected_new();
    weir_list_init(&view->watches);
    pthread_mutex_init(&view->mutex, NULL);
    struct weir_follower_config follower = {
        .brokers = config->brokers,
        .client_id = "weir-api",
        .cell = config->cell,
        .loop = config->loop,
        .on_reset = on_reset,
        .on_change = on_change,
        .on_decision = on_decision,
        .on_caught_up = on_caught_up,
        .ctx = view,
    };
    enum weir_code code = weir_follower_open(&follower, &view->follower, err);
    if (code != WEIR_OK) {
        api_view_close(&view);
        return code;
    }
    view->resync = weir_timer_new(config->loop, on_resync, view);
    weir_timer_set(view->resync, RESYNC_MS);
    *ret = view;
    return WEIR_OK;
}

void api_view_close(struct api_view **view_ptr)
{
    struct api_view *view = WEIR_TAKE(*view_ptr);
    if (!view) {
        return;
    }
    weir_timer_free(&view->resync);
    weir_follower_close(&view->follower);
    WEIR_LIST_FOR(pos, &view->watches)
    {
        free(WEIR_CONTAINER(pos, struct watch, node));
    }
    rows_free(&view->rows);
    api_expected_free(view->expected);
    pthread_mutex_destroy(&view->mutex);
    free(view);
}

/* ---- reading ---- */

bool api_view_is_known(struct api_view *view)
{
    pthread_mutex_lock(&view->mutex);
    bool is_known = view->is_known;
    pthread_mutex_unlock(&view->mutex);
    return is_known;
}

/* With the mutex held. What readers see: the log's row, or a start of an ended stream that is on
 * its way. */
static const struct weir_stream_row *visible(struct api_view *view, const struct weir_id *stream_id)
{
    const struct weir_stream_row *row = weir_map_find(view->rows.streams, stream_id->b);
    if (row && weir_stream_state_is_live(row->state)) {
        return row;
    }
    const struct weir_stream_row *expected =
        api_expected_find(view->expected, stream_id, weir_clock_mono_ms());
    return expected ? expected : row;
}

bool api_view_stream(struct api_view *view, const struct weir_id *stream_id,
                     struct weir_stream_row *ret)
{
    pthread_mutex_lock(&view->mutex);
    const struct weir_stream_row *row = visible(view, stream_id);
    if (row) {
        *ret = *row;
    }
    pthread_mutex_unlock(&view->mutex);
    return row != NULL;
}

bool api_view_worker(struct api_view *view, const struct weir_id *worker_id,
                     struct weir_worker_row *ret)
{
    pthread_mutex_lock(&view->mutex);
    const struct weir_worker_row *row = weir_map_find(view->rows.workers, worker_id->b);
    if (row) {
        *ret = *row;
    }
    pthread_mutex_unlock(&view->mutex);
    return row != NULL;
}

bool api_view_lease(struct api_view *view, const struct weir_id *camera_id,
                    struct weir_lease_row *ret)
{
    pthread_mutex_lock(&view->mutex);
    const struct weir_lease_row *row = weir_map_find(view->rows.leases, camera_id->b);
    if (row) {
        *ret = *row;
    }
    pthread_mutex_unlock(&view->mutex);
    return row != NULL;
}

void api_view_expect(struct api_view *view, const struct weir_stream_row *row, int64_t offset,
                     int64_t until_mono_ms)
{
    struct weir_stream_row shown = *row;
    pthread_mutex_lock(&view->mutex);
    const struct weir_stream_row *known = weir_map_find(view->rows.streams, row->stream_id.b);
    shown.generation = known ? known->generation : 0;
    shown.version = known ? known->version : -1;
    if (api_expected_put(view->expected, &shown, offset, until_mono_ms)) {
        wake_watches(view, &row->stream_id);
    }
    pthread_mutex_unlock(&view->mutex);
}

int64_t api_view_commands_next(struct api_view *view)
{
    return weir_ledger_causes(weir_follower_ledger(view->follower)).commands_next;
}

static int compare_streams(const void *a, const void *b)
{
    const struct weir_stream_row *left = a;
    const struct weir_stream_row *right = b;
    return weir_id_compare(&left->stream_id, &right->stream_id);
}

static bool is_listed(const struct weir_stream_row *row, const struct weir_id *tenant_id,
                      const struct weir_id *after)
{
    return weir_id_equal(&row->tenant_id, tenant_id) &&
           (!after || weir_id_compare(&row->stream_id, after) > 0);
}

static size_t add(const struct weir_stream_row *row, const struct weir_id *tenant_id,
                  const struct weir_id *after, struct weir_stream_row *list, size_t n)
{
    bool is_wanted = row && is_listed(row, tenant_id, after);
    if (is_wanted) {
        list[n] = *row;
    }
    return n + is_wanted;
}

/* With the mutex held: those of the log, then those that are only expected. */
static size_t collect(struct api_view *view, const struct weir_id *tenant_id,
                      const struct weir_id *after, struct weir_stream_row *list)
{
    size_t n = 0;
    void *value;
    for (size_t at = 0; weir_map_next(view->rows.streams, &at, NULL, &value);) {
        n = add(visible(view, &((struct weir_stream_row *)value)->stream_id), tenant_id, after,
                list, n);
    }
    const struct weir_stream_row *expected;
    for (size_t at = 0; api_expected_next(view->expected, &at, &expected);) {
        if (!weir_map_find(view->rows.streams, expected->stream_id.b)) {
            n = add(visible(view, &expected->stream_id), tenant_id, after, list, n);
        }
    }
    return n;
}

size_t api_view_streams_of(struct api_view *view, const struct weir_id *tenant_id,
                           const struct weir_id *after, size_t max, struct weir_stream_row **ret)
{
    pthread_mutex_lock(&view->mutex);
    size_t most = weir_map_count(view->rows.streams) + api_expected_count(view->expected);
    struct weir_stream_row *list = weir_xarray(most + 1, sizeof(*list));
    size_t n = collect(view, tenant_id, after, list);
    pthread_mutex_unlock(&view->mutex);
    qsort(list, n, sizeof(*list), compare_streams);
    *ret = list;
    return n < max ? n : max;
}

static bool is_held_by(const struct weir_stream_row *row, const struct holder *holder)
{
    return weir_id_equal(&row->tenant_id, &holder->tenant_id) &&
           (weir_id_is_nil(&holder->camera_id) ||
            (weir_id_equal(&row->camera_id, &holder->camera_id) &&
             weir_stream_is_rendition(row->quality, row->fps)));
}

static size_t count_of(struct api_view *view, const struct holder *holder)
{
    pthread_mutex_lock(&view->mutex);
    const size_t *told = weir_map_find(view->rows.n_live, holder);
    size_t n = told ? *told : 0;
    /* What is on its way is little; it counts where it is not in the log as live already. */
    const struct weir_stream_row *row = NULL;
    for (size_t at = 0; api_expected_next(view->expected, &at, &row);) {
        n += row && visible(view, &row->stream_id) == row && is_held_by(row, holder);
    }
    pthread_mutex_unlock(&view->mutex);
    return n;
}

size_t api_view_count_live(struct api_view *view, const struct weir_id *tenant_id)
{
    return count_of(view, &(struct holder){.tenant_id = *tenant_id});
}

size_t api_view_count_renditions(struct api_view *view, const struct weir_id *tenant_id,
                                 const struct weir_id *camera_id)
{
    return count_of(view, &(struct holder){*tenant_id, *camera_id});
}

size_t api_view_workers(struct api_view *view, struct weir_worker_row **ret)
{
    pthread_mutex_lock(&view->mutex);
    struct weir_worker_row *list =
        weir_xarray(weir_map_count(view->rows.workers) + 1, sizeof(*list));
    size_t n = 0;
    void *value;
    for (size_t at = 0; weir_map_next(view->rows.workers, &at, NULL, &value);) {
        list[n++] = *(struct weir_worker_row *)value;
    }
    pthread_mutex_unlock(&view->mutex);
    *ret = list;
    return n;
}

struct api_view_holdings api_view_holdings(struct api_view *view, const struct weir_id *worker_id)
{
    struct api_view_holdings held = {0};
    void *value;
    pthread_mutex_lock(&view->mutex);
    for (size_t at = 0; weir_map_next(view->rows.streams, &at, NULL, &value);) {
        const struct weir_stream_row *row = value;
        held.streams += weir_id_equal(&row->worker_id, worker_id);
        held.coming += weir_id_equal(&row->second.worker_id, worker_id);
    }
    for (size_t at = 0; weir_map_next(view->rows.leases, &at, NULL, &value);) {
        const struct weir_lease_row *row = value;
        held.cameras += weir_id_equal(&row->worker_id, worker_id) ||
                        weir_id_equal(&row->second.worker_id, worker_id);
    }
    pthread_mutex_unlock(&view->mutex);
    return held;
}

/* ---- waiting ---- */

void api_view_watch(struct api_view *view, const struct weir_id *stream_id, int64_t seen_version,
                    struct weir_http_server *server, uint64_t token)
{
    pthread_mutex_lock(&view->mutex);
    const struct weir_stream_row *row = weir_map_find(view->rows.streams, stream_id->b);
    if (row && row->version > seen_version) {
        weir_http_wake(server, token);
    } else {
        struct watch *watch = weir_xalloc(sizeof(*watch));
        watch->stream_id = *stream_id;
        watch->server = server;
        watch->token = token;
        weir_list_push_back(&view->watches, &watch->node);
    }
    pthread_mutex_unlock(&view->mutex);
}

void api_view_unwatch(struct api_view *view, struct weir_http_server *server, uint64_t token)
{
    pthread_mutex_lock(&view->mutex);
    WEIR_LIST_FOR(pos, &view->watches)
    {
        struct watch *watch = WEIR_CONTAINER(pos, struct watch, node);
        if (watch->server == server && watch->token == token) {
            weir_list_remove(&watch->node);
            free(watch);
        }
    }
    pthread_mutex_unlock(&view->mutex);
}

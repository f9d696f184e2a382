/* SPDX-License-Identifier: Apache-2.0 */
#include "api/workers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/command.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/encoder.h"
#include "lib/io/store.h"

/* ---- out ---- */

/* Scores are a view in Redis, which may be away: then a worker has none. */
struct scores {
    struct weir_arena *arena;
    struct weir_store *store;
    int32_t cell;
};

static void scores_open(struct scores *scores, struct api_call *call)
{
    const struct weir_store_config config = {.url = call->api->settings->redis};
    *scores = (struct scores){.arena = call->arena, .cell = (int32_t)call->api->settings->cell};
    if (weir_store_open(&config, &scores->store, NULL) != WEIR_OK) {
        scores->store = NULL;
    }
}

/* Parts per million as text, "null" when not known. */
static const char *score_of(struct scores *scores, const struct weir_id *worker_id)
{
    const char *key = weir_arena_printf(scores->arena, "weir:%d:scores", (int)scores->cell);
    const char *args[] = {"ZSCORE", key, weir_arena_strdup(scores->arena, WEIR_ID_TEXT(worker_id))};
    struct weir_store_value value;
    int64_t score;
    if (!scores->store ||
        weir_store_call(scores->store, args, NULL, 3, scores->arena, &value, NULL) != WEIR_OK ||
        value.type != WEIR_STORE_TEXT ||
        weir_str_to_int(value.text, 0, INT64_MAX, &score, NULL) != WEIR_OK) {
        return "null";
    }
    return value.text;
}

/* A view too; of a worker that has none, or is not known, nothing is there. */
static size_t encoders_of(struct scores *scores, const struct weir_id *worker_id,
                          struct weir_ev_heartbeat_encoding_encoders ret[static WEIR_ENCODER_N])
{
    const char *key = weir_arena_printf(scores->arena, "weir:%d:encoders", (int)scores->cell);
    const char *args[] = {"HGET", key, weir_arena_strdup(scores->arena, WEIR_ID_TEXT(worker_id))};
    struct weir_store_value value;
    bool is_there =
        scores->store &&
        weir_store_call(scores->store, args, NULL, 3, scores->arena, &value, NULL) == WEIR_OK &&
        value.type == WEIR_STORE_TEXT;
    return is_there ? weir_encoders_parse(value.text, ret) : 0;
}

static void write_encoders(struct weir_json_out *out, struct scores *scores,
                           const struct weir_id *worker_id)
{
    struct weir_ev_heartbeat_encoding_encoders rows[WEIR_ENCODER_N];
    size_t n = encoders_of(scores, worker_id, rows);
    weir_json_open(out, "encoders", '[');
    for (size_t i = 0; i < n; i++) {
        weir_json_open(out, NULL, '{');
        weir_json_str(out, "encoder", weir_encoder_name(rows[i].encoder));
        weir_json_str(out, "state", weir_encoder_state_name(rows[i].state));
        weir_json_int(out, "fps_720p", rows[i].fps_720p);
        weir_json_int(out, "fps_1080p", rows[i].fps_1080p);
        weir_json_int(out, "kpx_per_s", rows[i].kpx_per_s);
        weir_json_int(out, "sessions", rows[i].sessions);
        weir_json_int(out, "kpx_per_s_used", rows[i].kpx_per_s_used);
        weir_json_int(out, "sessions_used", rows[i].sessions_used);
        weir_json_close(out, '}');
    }
    weir_json_close(out, ']');
}

static void write_capacity(struct weir_json_out *out, const struct weir_worker_row *row)
{
    weir_json_open(out, "capacity", '{');
    weir_json_int(out, "cpu_milli", row->capacity.cpu_milli);
    weir_json_int(out, "mem_mib", row->capacity.mem_mib);
    weir_json_int(out, "net_kbps", row->capacity.net_kbps);
    weir_json_int(out, "gpu_permille", row->capacity.gpu_permille);
    weir_json_int(out, "gpu_mem_mib", row->capacity.gpu_mem_mib);
    weir_json_int(out, "streams", row->streams_max);
    weir_json_close(out, '}');
}

static void write_worker(struct weir_json_out *out, const struct weir_worker_row *row,
                         const struct api_view_holdings *held, struct scores *scores)
{
    char since[WEIR_TIME_TEXT_MAX];
    weir_clock_format_ms(row->since_ms, since);
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "id", WEIR_ID_TEXT(&row->worker_id));
    weir_json_str(out, "state", weir_worker_state_name(row->state));
    weir_json_str(out, "reason", row->reason[0] ? row->reason : NULL);
    weir_json_int(out, "streams", held->streams);
    weir_json_int(out, "streams_coming", held->coming);
    weir_json_int(out, "cameras", held->cameras);
    weir_json_str(out, "site", row->site);
    weir_json_int(out, "incarnation", row->incarnation);
    weir_json_raw(out, "score_ppm", score_of(scores, &row->worker_id));
    write_capacity(out, row);
    write_encoders(out, scores, &row->worker_id);
    weir_json_str(out, "since", since);
    weir_json_int(out, "version", row->version);
    weir_json_close(out, '}');
}

static int by_id(const void *a, const void *b)
{
    const struct weir_worker_row *x = a;
    const struct weir_worker_row *y = b;
    return weir_id_compare(&x->worker_id, &y->worker_id);
}

static enum weir_code list_workers(struct api_call *call)
{
    struct api_page page;
    struct weir_id after = {{0}};
    enum weir_code code = api_call_page(call, NULL, &page);
    if (code != WEIR_OK) {
        return code;
    }
    if (page.after && weir_id_parse(page.after, strlen(page.after), &after, NULL) != WEIR_OK) {
        return api_call_refuse(call, 422, "bad_cursor", NULL, "cursor is not one we gave");
    }
    struct weir_worker_row *rows WEIR_CLEANUP(weir_freep) = NULL;
    size_t n = api_view_workers(call->api->view, &rows);
    qsort(rows, n, sizeof(*rows), by_id);
    struct scores scores;
    scores_open(&scores, call);
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    weir_json_open(&out, "items", '[');
    int64_t written = 0;
    size_t at = 0;
    for (; at < n && written < page.limit; at++) {
        if (!page.after || weir_id_compare(&rows[at].worker_id, &after) > 0) {
            struct api_view_holdings held = api_view_holdings(call->api->view, &rows[at].worker_id);
            write_worker(&out, &rows[at], &held, &scores);
            written++;
        }
    }
    weir_json_close(&out, ']');
    weir_json_str(&out, "next_cursor",
                  at < n ? api_cursor(call->arena, WEIR_ID_TEXT(&rows[at - 1].worker_id)) : NULL);
    weir_json_close(&out, '}');
    weir_store_close(&scores.store);
    api_call_json(call, 200, &out);
    return WEIR_OK;
}

/* ---- drain ---- */

/* What a request keeps while its command is on its way; in its arena. */
struct wish {
    struct api_sent sent;
    struct weir_id worker_id;
};

/* The worker of the path, if it is there. */
static enum weir_code find_worker(struct api_call *call, struct weir_worker_row *ret)
{
    struct weir_id id;
    if (!api_view_is_known(call->api->view)) {
        return weir_fail(&call->err, WEIR_EUNAVAILABLE, "the decision log is not read yet");
    }
    enum weir_code code = api_call_id(call, "worker_id", &id);
    if (code != WEIR_OK) {
        return code;
    }
    return api_view_worker(call->api->view, &id, ret) ? WEIR_OK : api_call_not_found(call);
}

/* A key names one wish about one worker; the same key for another wish is another command. */
static struct weir_id command_id(const struct api_call *call, const char *key,
                                 const struct weir_id *worker_id, bool is_on)
{
    if (!key) {
        return weir_id_new(weir_clock_wall_ms());
    }
    const char *name = weir_arena_printf(call->arena, "platform|%s|%s|%s", WEIR_ID_TEXT(worker_id),
                                         is_on ? "drain" : "undrain", key);
    return weir_id_v5(&weir_space_command, name, strlen(name));
}

static enum weir_code finish(struct api_call *call, struct wish *wish)
{
    struct weir_worker_row row;
    enum weir_code code = api_command_collect(call, &wish->sent);
    if (code != WEIR_OK) {
        return code;
    }
    if (!api_view_worker(call->api->view, &wish->worker_id, &row)) {
        return api_call_not_found(call);
    }
    struct weir_json_out out = {0};
    struct scores scores;
    scores_open(&scores, call);
    struct api_view_holdings held = api_view_holdings(call->api->view, &row.worker_id);
    write_worker(&out, &row, &held, &scores);
    weir_store_close(&scores.store);
    api_call_json(call, 202, &out);
    return WEIR_OK;
}

static enum weir_code ask(struct api_call *call, bool is_on)
{
    if (call->state) {
        return finish(call, call->state);
    }
    struct weir_worker_row row;
    const char *key = NULL;
    enum weir_code code = find_worker(call, &row);
    if (code == WEIR_OK) {
        code = api_call_key(call, &key);
    }
    if (code != WEIR_OK) {
        return code;
    }
    if (row.state == WEIR_WORKER_STATE_DEAD || row.state == WEIR_WORKER_STATE_LEFT) {
        return api_call_refuse(call, 409, "worker_gone", NULL, "the worker is dead or has left");
    }
    struct wish *wish = weir_arena_alloc(call->arena, sizeof(*wish));
    struct weir_event event = {.type = WEIR_EV_COMMAND_DRAIN};
    struct weir_ev_command_drain *command = &event.u.command_drain;
    wish->worker_id = row.worker_id;
    WEIR_STR_SET(event.subject, WEIR_ID_TEXT(&row.worker_id));
    command->command_id = command_id(call, key, &row.worker_id, is_on);
    command->worker_id = row.worker_id;
    command->is_on = is_on;
    command->issued_at_ms = weir_clock_wall_ms();
    command->expires_at_ms = command->issued_at_ms + call->api->settings->command_life_ms;
    command->has_actor = true;
    WEIR_STR_SET(command->actor, call->actor);
    return api_command_send(call, &event, &row.worker_id, &wish->sent, wish);
}

static enum weir_code drain(struct api_call *call)
{
    return ask(call, true);
}

static enum weir_code undrain(struct api_call *call)
{
    return ask(call, false);
}

/* ---- the routes ---- */

void api_workers_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_ADMIN_OR_PLATFORM, list_workers);
}

void api_workers_drain(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_PLATFORM, drain);
}

void api_workers_undrain(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_PLATFORM, undrain);
}

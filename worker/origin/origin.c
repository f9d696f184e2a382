/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/origin.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/base/map.h"

#define REPORT_MS     1000
#define TICKS_A_CHECK 5 /* reports between two looks at every stream's session */

struct key {
    struct weir_id stream_id;
    int64_t generation;
};

struct origin {
    struct stream_host host;
    struct weir_map *streams; /* struct key to struct stream */
    struct weir_timer *tick;
    unsigned n_ticks;
};

static void on_tick(void *ctx);

struct origin *origin_new(struct weir_loop *loop, const struct stream_limits *limits,
                          origin_say_fn *say, void *ctx)
{
    struct origin *origin = weir_xalloc(sizeof(*origin));
    origin->host = (struct stream_host){
        .loop = loop, .upstream = upstream_new(loop), .limits = limits, .say = say, .ctx = ctx};
    origin->streams = weir_map_new(sizeof(struct key));
    origin->tick = weir_timer_new(loop, on_tick, origin);
    weir_timer_set(origin->tick, REPORT_MS);
    return origin;
}

void origin_free(struct origin *origin)
{
    void *value = NULL;
    if (origin == NULL) {
        return;
    }
    for (size_t at = 0; weir_map_next(origin->streams, &at, NULL, &value);) {
        stream_free(value);
    }
    weir_map_free(origin->streams);
    weir_timer_free(&origin->tick);
    upstream_free(origin->host.upstream);
    free(origin);
}

static struct stream *find(const struct origin *origin, const struct weir_id *stream_id,
                           int64_t generation)
{
    struct key key = {.stream_id = *stream_id, .generation = generation};
    return weir_map_find(origin->streams, &key);
}

/* ---- what weir-worker says ---- */

static bool is_same_engine(const struct weir_ctl_origin_route *a,
                           const struct weir_ctl_origin_route *b)
{
    return a->run == b->run && strcmp(a->hls_socket, b->hls_socket) == 0 &&
           strcmp(a->path, b->path) == 0 && strcmp(a->cdn_secret, b->cdn_secret) == 0;
}

static void route(struct origin *origin, const struct weir_ctl_origin_route *say)
{
    struct stream *stream = find(origin, &say->stream_id, say->generation);
    if (stream != NULL && is_same_engine(stream_route(stream), say)) {
        return;
    }
    if (stream != NULL) {
        stream_reroute(stream, say);
        return;
    }
    if (weir_map_count(origin->streams) >= ORIGIN_STREAMS_MAX) {
        weir_logf(WEIR_LOG_ERROR, "origin: more than %d streams, one is not served",
                  ORIGIN_STREAMS_MAX);
        return;
    }
    struct key key = {.stream_id = say->stream_id, .generation = say->generation};
    stream = stream_new(say, &origin->host);
    weir_map_put(origin->streams, &key, stream);
}

static void unroute(struct origin *origin, const struct weir_ctl_origin_unroute *say)
{
    struct key key = {.stream_id = say->stream_id, .generation = say->generation};
    stream_free(weir_map_remove(origin->streams, &key));
}

static void answer(struct origin *origin, const struct weir_ctl_origin_ask *ask)
{
    const struct stream *stream = find(origin, &ask->stream_id, ask->generation);
    int64_t age_ms = stream != NULL ? stream_request_age_ms(stream) : -1;
    struct weir_ctl ctl = {.type = WEIR_CTL_ORIGIN_ANSWER,
                           .u.origin_answer = {.ask_id = ask->ask_id,
                                               .stream_id = ask->stream_id,
                                               .generation = ask->generation,
                                               .has_last_request_age_ms = age_ms >= 0,
                                               .last_request_age_ms = age_ms >= 0 ? age_ms : 0}};
    origin->host.say(origin->host.ctx, &ctl);
}

void origin_control(struct origin *origin, const struct weir_ctl *ctl)
{
    if (ctl->type == WEIR_CTL_ORIGIN_ROUTE) {
        route(origin, &ctl->u.origin_route);
    } else if (ctl->type == WEIR_CTL_ORIGIN_UNROUTE) {
        unroute(origin, &ctl->u.origin_unroute);
    } else if (ctl->type == WEIR_CTL_ORIGIN_ASK) {
        answer(origin, &ctl->u.origin_ask);
    } else {
        weir_log(WEIR_LOG_WARN, "origin: a line that is not for it", "type",
                 weir_ctl_type_name(ctl->type), NULL);
    }
}

/* ---- what it reports ---- */

struct report {
    struct origin *origin;
    struct weir_ctl_origin_activity_streams rows[WEIR_CTL_ORIGIN_ACTIVITY_STREAMS_MAX];
    size_t n;
};

static void flush(struct report *report)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_ORIGIN_ACTIVITY,
                           .u.origin_activity = {.streams = report->rows, .n_streams = report->n}};
    report->origin->host.say(report->origin->host.ctx, &ctl);
    report->n = 0;
}

static void report_stream(struct report *report, struct stream *stream)
{
    int64_t requests = stream_take_requests(stream);
    if (requests == 0) {
        return;
    }
    const struct weir_ctl_origin_route *is = stream_route(stream);
    report->rows[report->n++] = (struct weir_ctl_origin_activity_streams){
        .stream_id = is->stream_id,
        .generation = is->generation,
        .last_request_age_ms = stream_request_age_ms(stream),
        .requests = requests};
    if (report->n == WEIR_CTL_ORIGIN_ACTIVITY_STREAMS_MAX) {
        flush(report);
    }
}

static void on_tick(void *ctx)
{
    struct origin *origin = ctx;
    struct report report = {.origin = origin};
    void *value = NULL;
    bool is_check = ++origin->n_ticks % TICKS_A_CHECK == 0;
    for (size_t at = 0; weir_map_next(origin->streams, &at, NULL, &value);) {
        report_stream(&report, value);
        if (is_check) {
            stream_tick(value);
        }
    }
    /* Also when there is nothing to tell: the worker takes long silence for a hang. */
    flush(&report);
    weir_timer_set(origin->tick, REPORT_MS);
}

/* ---- what gateways ask ---- */

void origin_ask(struct origin *origin, struct ask *ask)
{
    struct stream *stream = find(origin, &ask->stream_id, ask->generation);
    if (stream == NULL) {
        ask_answer(ask, 404, NULL);
        return;
    }
    stream_ask(stream, ask);
}

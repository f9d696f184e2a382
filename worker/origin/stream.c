/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "worker/origin/continuity.h"

#define INDEX_FILE         "index.m3u8"
#define INDEX_TIMEOUT_MS   10000 /* blocks in the engine until its first segments are there */
#define PLAIN_TIMEOUT_MS   2500  /* less than a gateway waits */
#define KEPT_TIMEOUT_MS    1500  /* there is something to repeat */
#define FAILING_TIMEOUT_MS 1000  /* the engine is away, and there is something to repeat */
#define RELOAD_TIMEOUT_MS  10000
#define MEDIA_TIMEOUT_MS   10000
#define HEAL_PAUSE_MS      1000 /* a 404 this soon after a good index is a 404 */
#define QUIET_MS           10000
#define WATCHED_MS         30000
#define RELOAD_PAUSE_MS    500 /* before a blocking reload is answered by a repeated playlist */
#define RELOADS_MAX        8   /* different ones waiting at once; players of one stream ask alike */
#define KEPT_MAX           8
#define QUERY_MAX          96
#define KEY_MAX            (WEIR_PLAYLIST_NAME_MAX + QUERY_MAX)

/* One request to the engine and who waits for it. */
struct pull {
    struct weir_list node;
    struct stream *stream;
    char file[WEIR_PLAYLIST_NAME_MAX + 1];
    char query[QUERY_MAX]; /* "" or "?..." in the engine's numbers */
    enum weir_playlist_file kind;
    struct weir_list asks;
    struct fetch *fetch;
    struct weir_timer *pause;
    bool is_healing; /* waits for an index */
    bool is_healed;  /* had its second try */
    int64_t end;     /* of the playlist that came, as in struct kept */
};

/* The last good playlist of a name. */
struct kept {
    char file[WEIR_PLAYLIST_NAME_MAX + 1];
    int64_t end; /* one above its last segment; 0 for an index */
    struct blob *body;
};

struct stream {
    struct weir_ctl_origin_route route;
    const struct stream_host *host;
    struct continuity continuity;
    bool is_muxer_unsure; /* the engine changed; no media playlist was read since */
    struct weir_list pulls;
    struct kept kept[KEPT_MAX];
    int64_t failing_since_ms; /* -1: the last playlist was good */
    int64_t index_ok_ms;      /* -1: never */
    int64_t answered_ms;      /* of the engine, any answer; -1: never */
    int64_t request_ms;       /* newest playlist request; -1: none */
    int64_t n_requests;
};

struct stream *stream_new(const struct weir_ctl_origin_route *route, const struct stream_host *host)
{
    struct stream *stream = weir_xalloc(sizeof(*stream));
    stream->route = *route;
    stream->host = host;
    weir_list_init(&stream->pulls);
    continuity_init(&stream->continuity, route->seq_base, route->placed_mono_ms);
    if (route->has_muxer && route->has_base) {
        continuity_resume(&stream->continuity, route->muxer, route->base);
    }
    stream->failing_since_ms = -1;
    stream->index_ok_ms = -1;
    stream->answered_ms = -1;
    stream->request_ms = -1;
    return stream;
}

const struct weir_ctl_origin_route *stream_route(const struct stream *stream)
{
    return &stream->route;
}

int64_t stream_request_age_ms(const struct stream *stream)
{
    return stream->request_ms < 0 ? -1 : weir_clock_mono_ms() - stream->request_ms;
}

int64_t stream_take_requests(struct stream *stream)
{
    int64_t n = stream->n_requests;
    stream->n_requests = 0;
    return n;
}

static bool is_playlist(enum weir_playlist_file kind)
{
    return kind == WEIR_PLAYLIST_FILE_INDEX || kind == WEIR_PLAYLIST_FILE_MEDIA;
}

/* ---- kept playlists ---- */

static struct kept *find_kept(struct stream *stream, const char *file)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (stream->kept[i].body != NULL && strcmp(stream->kept[i].file, file) == 0) {
            return &stream->kept[i];
        }
    }
    return NULL;
}

static void keep(struct pull *pull, struct blob *body)
{
    struct stream *stream = pull->stream;
    struct kept *kept = find_kept(stream, pull->file);
    for (size_t i = 0; kept == NULL && i < KEPT_MAX; i++) {
        kept = stream->kept[i].body == NULL ? &stream->kept[i] : NULL;
    }
    if (kept == NULL || (kept->body != NULL && pull->end < kept->end)) {
        return;
    }
    blob_unref(&kept->body);
    WEIR_STR_SET(kept->file, pull->file);
    kept->end = pull->end;
    kept->body = blob_ref(body);
}

/* ---- answering those who wait ---- */

static void pull_free(struct pull *pull)
{
    weir_list_remove(&pull->node);
    upstream_cancel(&pull->fetch);
    weir_timer_free(&pull->pause);
    free(pull);
}

static void answer_all(struct pull *pull, int status, struct blob *body, int64_t repeat_s)
{
    WEIR_LIST_FOR(pos, &pull->asks)
    {
        struct ask *ask = WEIR_CONTAINER(pos, struct ask, node);
        ask->is_exact = pull->query[0] != '\0' && status == 200 && repeat_s < 0;
        /* One less than is left: a cache counts whole seconds, to the end of the last one. */
        ask->repeat_s = (repeat_s < 0 ? STREAM_REPEAT_MS / 1000 : repeat_s) - 1;
        ask->repeat_s = ask->repeat_s < 0 ? 0 : ask->repeat_s;
        ask_answer(ask, status, body);
    }
    pull_free(pull);
}

static void succeed(struct pull *pull, struct weir_buf *bytes)
{
    struct blob *body WEIR_CLEANUP(blob_unref) = blob_new(bytes);
    if (is_playlist(pull->kind)) {
        pull->stream->failing_since_ms = -1;
        keep(pull, body);
    }
    answer_all(pull, 200, body, -1);
}

/* Milliseconds for which this playlist may still be repeated; 0: no longer, or there is none. */
static int64_t repeat_left_ms(struct pull *pull)
{
    struct stream *stream = pull->stream;
    if (!is_playlist(pull->kind) || find_kept(stream, pull->file) == NULL) {
        return 0;
    }
    int64_t now_ms = weir_clock_mono_ms();
    if (stream->failing_since_ms < 0) {
        stream->failing_since_ms = now_ms;
    }
    int64_t left_ms = STREAM_REPEAT_MS - (now_ms - stream->failing_since_ms);
    return left_ms > 0 ? left_ms : 0;
}

static void repeat(struct pull *pull)
{
    int64_t left_ms = repeat_left_ms(pull);
    struct kept *kept = find_kept(pull->stream, pull->file);
    if (left_ms == 0 || kept == NULL) {
        answer_all(pull, 503, NULL, 0);
        return;
    }
    answer_all(pull, 200, kept->body, left_ms / 1000);
}

static void on_pause(void *ctx)
{
    repeat(ctx);
}

static void pause_then_repeat(struct pull *pull, int64_t delay_ms)
{
    pull->pause = weir_timer_new(pull->stream->host->loop, on_pause, pull);
    weir_timer_set(pull->pause, delay_ms);
}

static void fail(struct pull *pull, int status)
{
    if (repeat_left_ms(pull) == 0) {
        answer_all(pull, status == 404 || status == 401 ? 404 : 503, NULL, 0);
        return;
    }
    if (pull->query[0] == '\0') {
        repeat(pull);
        return;
    }
    /* A player repeats a blocking reload at once: answer it slowly. */
    pause_then_repeat(pull, RELOAD_PAUSE_MS);
}

/* ---- asking the engine ---- */

static void on_fetched(void *ctx, int status, struct weir_buf *body, const struct weir_err *err);

static int64_t timeout_of(const struct pull *pull)
{
    if (pull->kind == WEIR_PLAYLIST_FILE_INDEX) {
        return INDEX_TIMEOUT_MS;
    }
    if (pull->kind != WEIR_PLAYLIST_FILE_MEDIA) {
        return MEDIA_TIMEOUT_MS;
    }
    if (pull->stream->failing_since_ms >= 0) {
        return FAILING_TIMEOUT_MS;
    }
    if (pull->query[0] != '\0') {
        return RELOAD_TIMEOUT_MS;
    }
    return find_kept(pull->stream, pull->file) != NULL ? KEPT_TIMEOUT_MS : PLAIN_TIMEOUT_MS;
}

static void start(struct pull *pull)
{
    struct stream *stream = pull->stream;
    char target[UPSTREAM_TARGET_MAX];
    snprintf(target, sizeof(target), "/%s/%s%s", stream->route.path, pull->file, pull->query);
    size_t max =
        is_playlist(pull->kind) ? WEIR_PLAYLIST_BYTES_MAX : stream->host->limits->media_max_bytes;
    struct upstream_get get = {.socket = stream->route.hls_socket,
                               .target = target,
                               .secret = stream->route.cdn_secret,
                               .max_bytes = max,
                               .timeout_ms = timeout_of(pull),
                               .fn = on_fetched,
                               .ctx = pull};
    pull->fetch = upstream_get(stream->host->upstream, &get);
}

/* Again from the beginning, as if nothing of the engine were known. */
static void start_plain(struct pull *pull)
{
    pull->query[0] = '\0';
    start(pull);
}

static struct pull *pull_new(struct stream *stream, const char *file, const char *query,
                             enum weir_playlist_file kind)
{
    struct pull *pull = weir_xalloc(sizeof(*pull));
    pull->stream = stream;
    WEIR_STR_SET(pull->file, file);
    WEIR_STR_SET(pull->query, query);
    pull->kind = kind;
    weir_list_init(&pull->asks);
    weir_list_push_back(&stream->pulls, &pull->node);
    return pull;
}

static struct pull *find_pull(struct stream *stream, const char *file, const char *query)
{
    WEIR_LIST_FOR(pos, &stream->pulls)
    {
        struct pull *pull = WEIR_CONTAINER(pos, struct pull, node);
        if (strcmp(pull->file, file) == 0 && strcmp(pull->query, query) == 0) {
            return pull;
        }
    }
    return NULL;
}

/* ---- the CDN session ---- */

static void begin_index(struct stream *stream)
{
    if (find_pull(stream, INDEX_FILE, "") == NULL) {
        start(pull_new(stream, INDEX_FILE, "", WEIR_PLAYLIST_FILE_INDEX));
    }
}

static bool wants_heal(const struct pull *pull, int status)
{
    const struct stream *stream = pull->stream;
    bool is_recent =
        stream->index_ok_ms >= 0 && weir_clock_mono_ms() - stream->index_ok_ms < HEAL_PAUSE_MS;
    return pull->kind != WEIR_PLAYLIST_FILE_INDEX && !pull->is_healed &&
           (status == 401 || (status == 404 && !is_recent));
}

static void heal(struct pull *pull)
{
    pull->is_healing = true;
    pull->is_healed = true;
    pull->stream->is_muxer_unsure = true;
    if (repeat_left_ms(pull) > 0) {
        pause_then_repeat(pull, FAILING_TIMEOUT_MS);
    }
    begin_index(pull->stream);
}

/* The index came, or did not: those who waited for it go on. */
static void end_healing(struct stream *stream, bool is_healed)
{
    WEIR_LIST_FOR(pos, &stream->pulls)
    {
        struct pull *pull = WEIR_CONTAINER(pos, struct pull, node);
        if (!pull->is_healing) {
            continue;
        }
        pull->is_healing = false;
        weir_timer_free(&pull->pause);
        if (is_healed) {
            start_plain(pull);
        } else {
            fail(pull, 404);
        }
    }
}

/* ---- what the engine answered ---- */

/* Before the playlist is given out: whoever has seen it relies on it. */
static void say_numbering(const struct stream *stream)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_ORIGIN_NUMBERING};
    ctl.u.origin_numbering = (struct weir_ctl_origin_numbering){
        .stream_id = stream->route.stream_id,
        .generation = stream->route.generation,
        .base = stream->continuity.base,
    };
    WEIR_STR_SET(ctl.u.origin_numbering.muxer, stream->continuity.muxer);
    stream->host->say(stream->host->ctx, &ctl);
}

static void number_playlist(struct stream *stream, const struct weir_playlist *facts,
                            struct weir_playlist_shift *ret)
{
    int64_t base = stream->continuity.base;
    bool is_first = stream->continuity.muxer[0] == '\0';
    *ret = continuity_take(&stream->continuity, facts, weir_clock_mono_ms());
    bool has_muxer = stream->continuity.muxer[0] != '\0';
    if (has_muxer && (is_first || stream->continuity.base != base)) {
        say_numbering(stream);
    }
    stream->is_muxer_unsure = false;
}

static enum weir_code move_playlist(struct pull *pull, const struct weir_buf *body,
                                    struct weir_buf *out, struct weir_err *err)
{
    struct stream *stream = pull->stream;
    struct weir_playlist facts = {0};
    struct weir_playlist_shift shift = {0};
    enum weir_code code = weir_playlist_parse(body->bytes, body->len, &facts, err);
    if (code != WEIR_OK) {
        return code;
    }
    if (facts.is_media != (pull->kind == WEIR_PLAYLIST_FILE_MEDIA)) {
        return weir_fail(err, WEIR_EPARSE, "playlist is of the other kind");
    }
    if (facts.is_media) {
        if (continuity_is_past(&stream->continuity, &facts)) {
            return weir_fail(err, WEIR_ESTALE, "playlist is of the muxer before");
        }
        number_playlist(stream, &facts, &shift);
        pull->end = shift.media_sequence + facts.media_sequence + facts.n_segments;
    }
    return weir_playlist_rewrite(body->bytes, body->len, &shift, out, err);
}

static void log_trouble(const struct stream *stream, const struct weir_err *err)
{
    static struct weir_log_limit limit;
    if (weir_log_allowed(&limit, 5, 10000, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_WARN, "stream: its engine's answer is not used", "stream_id",
                 WEIR_ID_TEXT(&stream->route.stream_id), "why", err->msg, NULL);
    }
}

static void take_playlist(struct pull *pull, struct weir_buf *body)
{
    struct stream *stream = pull->stream;
    struct weir_buf out = {.max = 2 * WEIR_PLAYLIST_BYTES_MAX};
    struct weir_err err = {0};
    bool is_index = pull->kind == WEIR_PLAYLIST_FILE_INDEX;
    bool is_good = move_playlist(pull, body, &out, &err) == WEIR_OK;
    if (is_good) {
        stream->index_ok_ms = is_index ? weir_clock_mono_ms() : stream->index_ok_ms;
        succeed(pull, &out);
    } else {
        log_trouble(stream, &err);
        fail(pull, 503);
    }
    weir_buf_done(&out);
    if (is_index) {
        end_healing(stream, is_good);
    }
}

static void on_fetched(void *ctx, int status, struct weir_buf *body, const struct weir_err *err)
{
    struct pull *pull = ctx;
    struct stream *stream = pull->stream;
    pull->fetch = NULL;
    if (status != 0) {
        stream->answered_ms = weir_clock_mono_ms();
    } else {
        log_trouble(stream, err);
    }
    if (status == 200 && is_playlist(pull->kind)) {
        take_playlist(pull, body);
    } else if (status == 200) {
        succeed(pull, body);
    } else if (wants_heal(pull, status)) {
        heal(pull);
    } else if (status == 400 && pull->query[0] != '\0') {
        start_plain(pull); /* out of the engine's window */
    } else {
        bool is_index = pull->kind == WEIR_PLAYLIST_FILE_INDEX;
        fail(pull, status);
        if (is_index) {
            end_healing(stream, false);
        }
    }
}

/* ---- the outside ---- */

/*
 * The delivery directives in the engine's numbers: none when they are of another muxer. A delta
 * update (_HLS_skip) is never asked for: it cannot be repeated, and a server may ignore the wish
 * (RFC 8216bis, section 6.2.5.1).
 */
static void engine_query(const struct stream *stream, const struct ask *ask, char query[QUERY_MAX])
{
    int64_t msn = ask->msn < 0 ? -1 : continuity_engine_msn(&stream->continuity, ask->msn);
    query[0] = '\0';
    if (ask->kind != WEIR_PLAYLIST_FILE_MEDIA || stream->is_muxer_unsure || msn < 0) {
        return;
    }
    int n = snprintf(query, QUERY_MAX, "?_HLS_msn=%lld", (long long)msn);
    if (ask->part >= 0) {
        snprintf(query + n, QUERY_MAX - (size_t)n, "&_HLS_part=%lld", (long long)ask->part);
    }
}

/* Whoever makes up numbers to wait for gets the playlist as it is, and takes no room of others. */
static void limit_reloads(struct stream *stream, const struct ask *ask, char query[QUERY_MAX])
{
    size_t n = 0;
    if (query[0] == '\0' || find_pull(stream, ask->file, query) != NULL) {
        return;
    }
    WEIR_LIST_FOR(pos, &stream->pulls)
    {
        n += WEIR_CONTAINER(pos, struct pull, node)->query[0] != '\0';
    }
    if (n >= RELOADS_MAX) {
        query[0] = '\0';
    }
}

void stream_ask(struct stream *stream, struct ask *ask)
{
    char query[QUERY_MAX];
    if (is_playlist(ask->kind)) {
        stream->request_ms = weir_clock_mono_ms();
        stream->n_requests++;
    } else if (!continuity_has_file(&stream->continuity, ask->file)) {
        ask_answer(ask, 404, NULL);
        return;
    }
    engine_query(stream, ask, query);
    limit_reloads(stream, ask, query);
    struct pull *pull = find_pull(stream, ask->file, query);
    bool is_new = pull == NULL;
    if (is_new && upstream_active(stream->host->upstream) >= stream->host->limits->fetches_max) {
        ask_answer(ask, 503, NULL);
        return;
    }
    if (is_new) {
        pull = pull_new(stream, ask->file, query, ask->kind);
    }
    weir_list_push_back(&pull->asks, &ask->node);
    if (is_new) {
        start(pull);
    }
}

void stream_reroute(struct stream *stream, const struct weir_ctl_origin_route *route)
{
    stream->route = *route;
    stream->is_muxer_unsure = true;
    stream->index_ok_ms = -1;
    WEIR_LIST_FOR(pos, &stream->pulls)
    {
        struct pull *pull = WEIR_CONTAINER(pos, struct pull, node);
        if (pull->fetch != NULL) {
            upstream_cancel(&pull->fetch);
            start_plain(pull);
        }
    }
}

void stream_tick(struct stream *stream)
{
    int64_t now_ms = weir_clock_mono_ms();
    bool is_watched = stream->request_ms >= 0 && now_ms - stream->request_ms < WATCHED_MS;
    if (is_watched && now_ms - stream->answered_ms >= QUIET_MS) {
        begin_index(stream);
    }
}

void stream_free(struct stream *stream)
{
    if (stream == NULL) {
        return;
    }
    WEIR_LIST_FOR(pos, &stream->pulls)
    {
        answer_all(WEIR_CONTAINER(pos, struct pull, node), 404, NULL, 0);
    }
    for (size_t i = 0; i < KEPT_MAX; i++) {
        blob_unref(&stream->kept[i].body);
    }
    free(stream);
}

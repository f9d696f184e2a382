/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/door.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/domain/json.h"
#include "lib/io/http_server.h"
#include "worker/still/clip.h"
#include "worker/still/question.h"
#include "worker/still/turns.h"

#define POOL_THREADS    16
#define TURN_MS         4000
#define QUEUE_MAX       64
#define CONNECTIONS_MAX 256
#define MAKE_MS         5000 /* for one's turn at a decoder */
#define DRAIN_MS        500

/* Each that is worked on holds a thread while it waits for its moment or a decoder. Two threads are
 * always there for those who come, so that it is decided here who waits. */
static const struct weir_fair_limits turn_limits = {
    .all = {POOL_THREADS - 2, 192}, .tenant = {10, 96}, .camera = {4, 36}};

struct door {
    struct door_config config;
    struct weir_http_server *server;
    struct turns *turns;
    _Atomic int64_t decoded;
    _Atomic int64_t gone_on;
    _Atomic int64_t cached;
    _Atomic int64_t failed;
};

/* ---- answers ---- */

static void write_range(struct weir_json_out *out, const struct weir_ctl_clip_answer *found)
{
    if (found->has_from_us && found->has_to_us) {
        weir_json_int(out, "from_us", found->from_us);
        weir_json_int(out, "to_us", found->to_us);
    }
}

static void refuse(struct weir_http_response *res, const struct still_refusal *why,
                   const struct weir_ctl_clip_answer *found)
{
    struct weir_json_out out = {0};
    size_t len;
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "code", why->code);
    if (found) {
        write_range(&out, found);
    }
    weir_json_close(&out, '}');
    const char *json = weir_json_take(&out, res->arena, &len);
    weir_http_json(res, why->status, json, len);
}

static void refuse_as(struct weir_http_response *res, int status, const char *code)
{
    refuse(res, &(struct still_refusal){status, code}, NULL);
}

/* The line about the picture, and the picture. */
static void answer(struct weir_http_response *res, const struct still_question *question,
                   const struct weir_ctl_clip_answer *found, const struct picture *picture)
{
    struct weir_json_out out = {0};
    size_t len;
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "format", still_format_name(question->format));
    weir_json_int(&out, "frame_us", found->frame_us);
    weir_json_int(&out, "ts", found->ts);
    if (found->has_at_us) {
        weir_json_int(&out, "at_us", found->at_us);
    }
    if (found->has_source) {
        weir_json_str(&out, "source",
                      found->source == WEIR_CTL_CLIP_ANSWER_SOURCE_RTCP_SR ? "rtcp_sr" : "arrival");
    }
    if (found->has_clock_offset_us) {
        weir_json_int(&out, "clock_offset_us", found->clock_offset_us);
    }
    if (found->has_clock_scatter_us) {
        weir_json_int(&out, "clock_scatter_us", found->clock_scatter_us);
    }
    weir_json_int(&out, "width", picture->answer.width);
    weir_json_int(&out, "height", picture->answer.height);
    weir_json_bool(&out, "is_damaged", picture->answer.is_damaged != 0);
    write_range(&out, found);
    weir_json_close(&out, '}');
    const char *json = weir_json_take(&out, res->arena, &len);
    char *body = weir_arena_alloc(res->arena, len + 1 + picture->answer.bytes);
    memcpy(body, json, len);
    body[len] = '\n';
    memcpy(body + len + 1, picture->bytes, picture->answer.bytes);
    res->status = 200;
    res->content_type = "application/octet-stream";
    res->body = body;
    res->body_len = len + 1 + picture->answer.bytes;
}

/* ---- making ---- */

/* A keyframe is decoded out of itself: it leaves what is parked behind a later frame where it is.
 */
static bool is_alone(const struct still_question *question)
{
    return question->ask.mode == WEIR_CTL_CLIP_ASK_MODE_KEYFRAME;
}

/* NULL fills `why`. */
static struct picture *make(struct door *door, const struct still_question *question,
                            struct still_clip *clip, struct still_refusal *why)
{
    struct weir_decode_ask ask = {.magic = WEIR_DECODE_MAGIC,
                                  .codec = (uint32_t)clip->found.codec,
                                  .format = question->format,
                                  .width = question->width,
                                  .quality = question->quality,
                                  .bytes = (uint32_t)clip->found.bytes,
                                  .long_side = question->long_side,
                                  .short_side = question->short_side,
                                  .ts = clip->found.ts,
                                  .n_units = (uint32_t)clip->found.n_units,
                                  .park_ms = is_alone(question) ? 0 : door->config.park_ms};
    struct weir_decode_answer is = {0};
    uint8_t *image WEIR_CLEANUP(weir_freep) = NULL;
    uint8_t *bytes WEIR_CLEANUP(weir_freep) = still_clip_read(clip);
    if (!bytes) {
        *why = (struct still_refusal){503, "busy"};
        return NULL;
    }
    enum weir_code code =
        decoders_make(door->config.decoders, &question->ask.tenant_id, &question->ask.camera_id,
                      &ask, bytes, weir_clock_mono_ms() + MAKE_MS, &is, &image, NULL);
    if (code == WEIR_OK && is.status == WEIR_DECODE_OK) {
        is.is_damaged |= clip->found.has_lost && clip->found.lost; /* kept with it, for links */
        atomic_fetch_add(&door->decoded, 1);
        atomic_fetch_add(&door->gone_on, is.has_gone_on != 0);
        return picture_new(&is, image);
    }
    *why = still_refusal_of(code, (enum weir_decode_status)is.status, clip->found.n_units);
    atomic_fetch_add(&door->failed, code != WEIR_EUNAVAILABLE);
    return NULL;
}

static struct picture_key key_of(const struct still_question *question, int64_t frame_us,
                                 int64_t ts)
{
    return (struct picture_key){.camera_id = question->ask.camera_id,
                                .frame_us = frame_us,
                                .ts = ts,
                                .format = question->format,
                                .width = question->width,
                                .quality = question->quality,
                                .long_side = question->long_side,
                                .short_side = question->short_side};
}

static struct picture *find_or_make(struct door *door, const struct still_question *question,
                                    struct still_clip *clip, struct still_refusal *why)
{
    struct picture_key key = key_of(question, clip->found.frame_us, clip->found.ts);
    struct picture *picture = NULL;
    switch (pictures_begin(door->config.pictures, &key, weir_clock_mono_ms() + MAKE_MS, &picture)) {
    case PICTURES_HERE:
        atomic_fetch_add(&door->cached, 1);
        return picture;
    case PICTURES_MAKE:
        picture = make(door, question, clip, why);
        pictures_end(door->config.pictures, &key, picture);
        return picture;
    case PICTURES_LATE:
        *why = (struct still_refusal){503, "busy"};
        break;
    }
    return NULL;
}

/* ---- questions ---- */

/* False: it is not kept, so the ring is asked. */
static bool answer_kept(struct door *door, struct weir_http_response *res,
                        const struct still_question *question)
{
    struct picture_key key = key_of(question, question->ask.at_us, question->ts);
    struct picture *picture = question->has_ts ? pictures_find(door->config.pictures, &key) : NULL;
    if (!picture) {
        return false;
    }
    struct weir_ctl_clip_answer found = {.frame_us = key.frame_us, .ts = key.ts};
    answer(res, question, &found, picture);
    atomic_fetch_add(&door->cached, 1);
    picture_unref(&picture);
    return true;
}

static const char *value_of(void *ctx, const char *name)
{
    return weir_http_query(ctx, name);
}

static void look(struct door *door, struct weir_http_response *res,
                 const struct still_question *question)
{
    struct still_clip clip;
    struct still_refusal why;
    enum weir_code code = still_clip_open(door->config.clip_socket, &question->ask, &clip, NULL);
    struct picture *picture = NULL;
    if (code != WEIR_OK) {
        refuse_as(res, 503, "busy");
    } else if (still_question_allows(question, &clip.found, &why) &&
               (picture = find_or_make(door, question, &clip, &why))) {
        answer(res, question, &clip.found, picture);
    } else {
        refuse(res, &why, &clip.found);
    }
    picture_unref(&picture);
    still_clip_close(&clip);
}

/* ---- its turn ---- */

/* A question that waits for its turn, in its request's arena. */
struct visit {
    struct door *door;
    struct still_question question;
    struct turn turn;
};

static void wake(void *ctx, uint64_t token)
{
    struct door *door = ctx;
    weir_http_wake(door->server, token);
}

static void end_visit(void *ctx)
{
    struct visit *visit = ctx;
    turns_end(visit->door->turns, &visit->turn);
}

/* However the request ends, its turn does. */
static struct visit *begin_visit(struct door *door, struct weir_http_request *req,
                                 const struct still_question *question)
{
    struct visit *visit = weir_arena_alloc(weir_http_arena(req), sizeof(*visit));
    *visit = (struct visit){.door = door, .question = *question};
    *weir_http_slot(req) = visit;
    weir_http_on_end(req, end_visit, visit);
    return visit;
}

static void work(struct visit *visit, struct weir_http_response *res)
{
    look(visit->door, res, &visit->question);
    turns_end(visit->door->turns, &visit->turn);
}

static void begin(struct door *door, struct weir_http_request *req, struct weir_http_response *res,
                  const struct still_question *question)
{
    struct visit *visit = begin_visit(door, req, question);
    switch (
        turns_ask(door->turns, &visit->turn, &question->ask.tenant_id, &question->ask.camera_id)) {
    case TURNS_NOW:
        work(visit, res);
        break;
    case TURNS_WAIT:
        turns_wait(door->turns, &visit->turn, weir_http_wait(req, weir_clock_mono_ms() + TURN_MS));
        break;
    case TURNS_FULL:
        refuse_as(res, 503, "busy");
        break;
    }
}

static void get_still(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct door *door = ctx;
    struct visit *visit = *weir_http_slot(req);
    struct still_question question;
    struct weir_err err = {0};
    if (visit && turns_has(door->turns, &visit->turn)) {
        work(visit, res);
    } else if (visit) {
        refuse_as(res, 503, "busy");
    } else if (still_question_read(weir_http_param(req, "tenant_id"),
                                   weir_http_param(req, "camera_id"), value_of, req, &question,
                                   &err) != WEIR_OK) {
        weir_http_problem(req, res, &err);
    } else if (!answer_kept(door, res, &question)) {
        begin(door, req, res, &question);
    }
}

static const struct weir_http_route routes[] = {
    {"GET", "/v1/still/{tenant_id}/{camera_id}", get_still, 0},
};

enum weir_code door_open(const struct door_config *config, struct door **ret, struct weir_err *err)
{
    struct door *door = weir_xalloc(sizeof(*door));
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    door->config = *config;
    door->turns = turns_new(&turn_limits, wake, door);
    struct weir_http_server_config server = {
        .listen = weir_arena_printf(arena, "unix:%s", config->socket),
        .routes = routes,
        .n_routes = sizeof(routes) / sizeof(routes[0]),
        .ctx = door,
        .body_max_bytes = 1024,
        .pool_threads = POOL_THREADS,
        .queue_max = QUEUE_MAX,
        .connections_max = CONNECTIONS_MAX};
    enum weir_code code = weir_http_server_open(&server, &door->server, err);
    if (code != WEIR_OK) {
        turns_free(door->turns);
        free(door);
        return code;
    }
    *ret = door;
    return WEIR_OK;
}

void door_close(struct door **door)
{
    struct door *gone = WEIR_TAKE(*door);
    if (gone) {
        weir_http_server_close(&gone->server, DRAIN_MS);
        turns_free(gone->turns);
        free(gone);
    }
}

struct door_counts door_counts(struct door *door)
{
    return (struct door_counts){.decoded = atomic_load(&door->decoded),
                                .gone_on = atomic_load(&door->gone_on),
                                .cached = atomic_load(&door->cached),
                                .failed = atomic_load(&door->failed)};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/snapshot_lapse.h"

#include <inttypes.h>
#include <string.h>

#include "api/snapshot_take.h"
#include "lib/base/clock.h"

#define LIFE_MS 30000

/* Over the runs of one call, in its arena. */
struct lapse {
    struct snapshot_taking taking; /* of the picture that is under way */
    struct snapshot_lapse wish;
    int64_t end_mono_ms;
    int64_t next; /* picture */
    size_t bytes;
    int64_t n; /* of those that are there */
    struct snapshot_taken taken[SNAPSHOT_LAPSE_MAX];
    int64_t at_us[SNAPSHOT_LAPSE_MAX];
};

/* ---- the question ---- */

static enum weir_code read_query(struct api_call *call, struct snapshot_lapse *ret)
{
    struct api_fault fault = {0};
    enum weir_code code = snapshot_check_parameters(call, snapshot_lapse_parameters);
    if (code == WEIR_OK && snapshot_lapse_read(snapshot_parameter, call->req, weir_clock_wall_us(),
                                               ret, &fault) != WEIR_OK) {
        code = api_call_refuse(call, 422, fault.code, NULL, "%s", fault.detail);
    }
    return code;
}

/* ---- the answer ---- */

static void add_part(struct api_call *call, const struct lapse *lapse, size_t i,
                     const char *boundary, struct weir_buf *out)
{
    const struct snapshot_taken *taken = &lapse->taken[i];
    int64_t frame_us = snapshot_number(&taken->about, "frame_us");
    const char *source = weir_json_find_str(&taken->about, "source");
    const char *head = weir_arena_printf(
        call->arena,
        "--%s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nWeir-Requested-Time: %s\r\n"
        "Weir-Frame-Time: %s\r\nWeir-Frame-Error-Ms: %s\r\nWeir-Time-Source: %s\r\n%s\r\n",
        boundary, snapshot_media_type(lapse->wish.query.format), taken->len,
        snapshot_time_text(call, lapse->at_us[i]), snapshot_time_text(call, frame_us),
        snapshot_ms_text(call, frame_us - lapse->at_us[i]), source ? source : "arrival",
        snapshot_is_damaged(&taken->about) ? "Weir-Frame-Damaged: true\r\n" : "");
    weir_buf_add(out, head, strlen(head));
    weir_buf_add(out, taken->image, taken->len);
    weir_buf_add(out, "\r\n", 2);
}

static enum weir_code answer(struct api_call *call, const struct lapse *lapse)
{
    if (lapse->n == 0) {
        return api_call_refuse(call, 409, "no_picture_near", NULL,
                               "the camera has no picture near any of these times");
    }
    const char *boundary =
        weir_arena_printf(call->arena, "weir-%s", weir_http_request_id(call->req));
    struct weir_buf out = {.max = SIZE_MAX};
    for (int64_t i = 0; i < lapse->n; i++) {
        add_part(call, lapse, (size_t)i, boundary, &out);
    }
    const char *end = weir_arena_printf(call->arena, "--%s--\r\n", boundary);
    weir_buf_add(&out, end, strlen(end));
    char *body = weir_arena_alloc(call->arena, out.len);
    memcpy(body, out.bytes, out.len);
    call->res->body = body;
    call->res->body_len = out.len;
    weir_buf_done(&out);
    call->res->status = 200;
    call->res->content_type =
        weir_arena_printf(call->arena, "multipart/mixed; boundary=%s", boundary);
    weir_http_add_header(call->res, "Cache-Control", "private, no-store");
    api_call_note(call, "snapshot.lapse", "camera", &lapse->taking.camera_id,
                  WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED,
                  weir_arena_printf(call->arena, "%" PRId64 " frames from %s on", lapse->n,
                                    snapshot_time_text(call, lapse->wish.from_us)));
    return WEIR_OK;
}

/* ---- one after the other ---- */

static enum weir_code fetch_next(struct api_call *call, struct lapse *lapse)
{
    bool is_late = weir_clock_mono_ms() >= lapse->end_mono_ms;
    if (lapse->next == lapse->wish.n || (is_late && lapse->n > 0)) {
        enum weir_code code = lapse->taking.may(call, &lapse->taking);
        return code == WEIR_OK ? answer(call, lapse) : code;
    }
    if (is_late) {
        return weir_fail(&call->err, WEIR_EUNAVAILABLE, "the pictures took too long");
    }
    enum weir_code code = snapshot_check_quota(call, NULL);
    if (code != WEIR_OK) {
        return code;
    }
    snapshot_lapse_aim(&lapse->wish, lapse->next++, weir_clock_wall_us());
    lapse->taking.query = lapse->wish.query;
    return snapshot_fetch(call, &lapse->taking);
}

static bool is_new(const struct lapse *lapse, const struct snapshot_taken *taken)
{
    return lapse->n == 0 || snapshot_number(&taken->about, "frame_us") !=
                                snapshot_number(&lapse->taken[lapse->n - 1].about, "frame_us");
}

/* A hole is left out; that the ring begins later, or that nothing is there, is said. */
static bool is_hole(struct lapse *lapse, const struct snapshot_taken *taken)
{
    const char *code = weir_json_find_str(&taken->about, "code");
    bool is_near_none = code && strcmp(code, "no_picture_near") == 0;
    if (is_near_none && weir_json_find(&taken->about, "to_us")) {
        snapshot_lapse_miss(&lapse->wish, snapshot_number(&taken->about, "to_us"));
    }
    return is_near_none || (code && strcmp(code, "undecodable") == 0);
}

static enum weir_code take_one(struct api_call *call, struct lapse *lapse)
{
    struct snapshot_taken taken;
    int status = snapshot_collect(call, &lapse->taking, &taken);
    if (status != 200) {
        return is_hole(lapse, &taken) ? WEIR_OK
                                      : snapshot_refuse(call, &lapse->taking, status, &taken);
    }
    if (!is_new(lapse, &taken)) {
        return WEIR_OK;
    }
    lapse->bytes += taken.len;
    if (lapse->bytes > SNAPSHOT_LAPSE_BYTES_MAX) {
        return api_call_refuse(
            call, 422, "out_of_range", NULL,
            "the pictures are larger than 32 MiB: ask for fewer, or smaller ones");
    }
    lapse->at_us[lapse->n] = lapse->taking.query.at_us;
    lapse->taken[lapse->n++] = taken;
    return WEIR_OK;
}

static enum weir_code begin(struct api_call *call, struct lapse *lapse)
{
    struct weir_ceiling ceiling = {0};
    struct api_fault fault = {0};
    lapse->end_mono_ms = weir_clock_mono_ms() + LIFE_MS;
    lapse->taking.may = snapshot_may;
    enum weir_code code = api_call_id(call, "camera_id", &lapse->taking.camera_id);
    if (code == WEIR_OK) {
        code = read_query(call, &lapse->wish);
    }
    if (code == WEIR_OK) {
        code = snapshot_check_camera(call, &lapse->taking.camera_id, &ceiling);
    }
    if (code == WEIR_OK && snapshot_lapse_cap(&lapse->wish, &ceiling, &fault) != WEIR_OK) {
        return api_call_refuse(call, 422, fault.code, NULL, "%s", fault.detail);
    }
    return code;
}

static enum weir_code run(struct api_call *call)
{
    struct lapse *lapse = call->state; /* what snapshot_fetch keeps is its first member */
    enum weir_code code;
    if (lapse && lapse->taking.is_ahead) {
        return snapshot_fetch(call, &lapse->taking);
    }
    if (lapse) {
        code = take_one(call, lapse);
    } else {
        lapse = weir_arena_alloc(call->arena, sizeof(*lapse));
        memset(lapse, 0, sizeof(*lapse));
        code = begin(call, lapse);
    }
    return code == WEIR_OK ? fetch_next(call, lapse) : code;
}

void api_snapshot_lapse_get(void *ctx, struct weir_http_request *req,
                            struct weir_http_response *res)
{
    api_call_run(ctx, req, res, API_GUEST, run);
}

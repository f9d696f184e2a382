/* SPDX-License-Identifier: Apache-2.0 */
#include "api/front_doors.h"

#include <inttypes.h>
#include <string.h>

#include "api/api.h"
#include "api/play.h"
#include "api/playbacks.h"
#include "api/revocations.h"
#include "lib/base/clock.h"
#include "lib/base/sha256.h"
#include "lib/base/str.h"

#define MAX_AGE_MS   30000 /* without news for longer, a door lets nobody new in */
#define DIGEST_BYTES 8
#define OVER_MAX     1000

static void write_keys(const struct weir_ticket_keys *keys, struct weir_json_out *out)
{
    struct weir_ticket_key key;
    char x[WEIR_BASE64URL_LEN(WEIR_TICKET_KEY_BYTES) + 1];
    weir_json_open(out, "ticket_keys", '[');
    for (size_t at = 0; weir_ticket_keys_next(keys, &at, &key);) {
        weir_base64url_encode(key.bytes, sizeof(key.bytes), x);
        weir_json_open(out, NULL, '{');
        weir_json_str(out, "kid", key.id);
        weir_json_str(out, "alg", "EdDSA");
        weir_json_str(out, "x", x);
        weir_json_close(out, '}');
    }
    weir_json_close(out, ']');
}

/* Who plays too much: a login and a stream that doors should not let in. */
static void write_over(const struct api *api, struct weir_arena *arena, struct weir_json_out *out,
                       int64_t mono_ms)
{
    struct playback *over = weir_arena_array(arena, OVER_MAX, sizeof(*over));
    size_t n = playbacks_refused(api->playbacks, mono_ms, OVER_MAX, over);
    weir_json_open(out, "over", '[');
    for (size_t i = 0; i < n; i++) {
        weir_json_open(out, NULL, '{');
        weir_json_str(out, "login", WEIR_ID_TEXT(&over[i].login_id));
        weir_json_str(out, "stream", WEIR_ID_TEXT(&over[i].stream_id));
        weir_json_close(out, '}');
    }
    weir_json_close(out, ']');
}

/* Of two apis one may be restarted with another set of keys, and be as far as the other one. */
static const char *etag_of(struct weir_arena *arena, int64_t revision, const char *content,
                           size_t len)
{
    struct weir_sha256 sha;
    uint8_t hash[WEIR_SHA256_BYTES];
    char digest[2 * DIGEST_BYTES + 1];
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, content, len);
    weir_sha256_done(&sha, hash);
    weir_hex_encode(hash, DIGEST_BYTES, digest);
    return weir_arena_printf(arena, "\"%" PRId64 "-%s\"", revision, digest);
}

void api_front_doors_get(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct api *api = ctx;
    int64_t mono_ms = weir_clock_mono_ms();
    if (!api_play_is_gateway(api, req)) {
        weir_http_problem_at(req, res, 401, "unauthenticated", NULL,
                             "the gateway's secret is missing or wrong");
        return;
    }
    if (!revocations_is_current(api->revocations, mono_ms)) {
        weir_http_problem_at(req, res, 503, "unavailable", NULL,
                             "what was revoked lately is not known at this moment");
        return;
    }
    struct weir_json_out out = {0};
    weir_json_open(&out, NULL, '{');
    write_keys(api->tickets, &out);
    write_over(api, res->arena, &out, mono_ms);
    int64_t revision = revocations_write(api->revocations, &out, "revocations", mono_ms);
    const char *etag = etag_of(res->arena, revision, out.buf.bytes, out.buf.len);
    const char *known = weir_http_header(req, "If-None-Match");
    weir_http_add_header(res, "ETag", etag);
    weir_http_add_header(res, "Cache-Control", "no-store");
    if (known != NULL && strcmp(known, etag) == 0) {
        weir_buf_done(&out.buf);
        res->status = 304;
        return;
    }
    weir_json_int(&out, "revision", revision);
    weir_json_int(&out, "now_ms", weir_clock_wall_ms());
    weir_json_int(&out, "max_age_ms", MAX_AGE_MS);
    weir_json_close(&out, '}');
    size_t len;
    const char *text = weir_json_take(&out, res->arena, &len);
    weir_http_json(res, 200, text, len);
}

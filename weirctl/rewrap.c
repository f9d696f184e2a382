/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seals all cameras' sources again for the key that the api seals for now. Runs where a worker
 * runs, for it opens them; the api, which has the rows, cannot (api/rewrap.h, docs/adr/0031).
 *
 * It walks in pages by the cameras' ids, again and again until a walk finds nothing that it could
 * change; so it may be ended and begun anew at any time, and may run twice at once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/sha256.h"
#include "lib/base/str.h"
#include "lib/domain/id.h"
#include "lib/domain/json.h"
#include "lib/io/http_client.h"
#include "lib/io/seal.h"
#include "weirctl/command.h"

#define ANSWER_MAX  (4 * 1024 * 1024)
#define FIRST       "00000000-0000-0000-0000-000000000000"
#define WALKS_MAX   100
#define SECRET_MAX  320
#define TROUBLE_MAX 20 /* lines of cameras that cannot be sealed again, in a walk */

struct rewrap {
    const struct ctl_settings *settings;
    FILE *out;
    struct weir_http_client *client;
    struct weir_seal_ring ring;
    char secret[SECRET_MAX]; /* the header */
    char after[WEIR_ID_TEXT_MAX];
    int64_t done;
    int64_t changed;  /* by somebody else in the meantime: it is looked at in the next walk */
    int64_t troubles; /* of this walk */
};

/* ---- asking the api ---- */

static enum weir_code call(struct rewrap *rewrap, const char *path, const char *body,
                           struct weir_arena *arena, struct weir_http_answer *ret,
                           struct weir_err *err)
{
    const char *headers[] = {rewrap->secret, "Content-Type: application/json", NULL};
    struct weir_http_call wanted = {
        .method = body ? "POST" : "GET",
        .url = weir_arena_printf(arena, "%s%s", rewrap->settings->api_internal_url, path),
        .headers = headers,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .timeout_ms = rewrap->settings->timeout_ms < 60000 ? rewrap->settings->timeout_ms : 60000,
        .max_bytes = ANSWER_MAX,
    };
    enum weir_code code = weir_http_client_call(rewrap->client, &wanted, arena, ret, err);
    if (code == WEIR_OK && ret->status == 401)
        return weir_fail(err, WEIR_EUNAUTH, "the api does not take WEIR_REWRAP_SECRET");
    if (code == WEIR_OK && ret->status >= 500)
        return weir_fail(err, WEIR_EUNAVAILABLE, "the api answers with status %d", ret->status);
    return code == WEIR_OK ? code : weir_fail_in(err, code, "the api's internal listener");
}

static enum weir_code read_page(struct rewrap *rewrap, struct weir_arena *arena,
                                struct weir_json *ret, struct weir_err *err)
{
    struct weir_http_answer answer;
    const char *path = weir_arena_printf(arena, "/internal/v1/seals?after=%s", rewrap->after);
    enum weir_code code = call(rewrap, path, NULL, arena, &answer, err);
    if (code == WEIR_OK && answer.status != 200)
        return weir_fail(err, WEIR_EINVAL, "the api answers with status %d", answer.status);
    return code == WEIR_OK ? weir_json_parse(answer.body, answer.body_len, arena, ret, err) : code;
}

/* ---- one camera ---- */

static bool is_about(const struct weir_json *inner, const struct weir_json *item, const char *name)
{
    const char *a = weir_json_find_str(inner, name);
    const char *b = weir_json_find_str(item, name);
    return a && b && strcmp(a, b) == 0;
}

/* What is not this camera's own stays as it is: workers refuse it. */
static enum weir_code seal_again(struct rewrap *rewrap, const struct weir_json *item,
                                 const struct weir_seal_private *key, struct weir_arena *arena,
                                 const char **ret, struct weir_err *err)
{
    struct weir_json inner;
    const char *plain = NULL;
    size_t len = 0;
    enum weir_code code =
        weir_unseal(&rewrap->ring, weir_json_find_str(item, "sealed"), arena, &plain, &len, err);
    if (code == WEIR_OK)
        code = weir_json_parse(plain, len, arena, &inner, err);
    if (code == WEIR_OK &&
        (!is_about(&inner, item, "tenant_id") || !is_about(&inner, item, "camera_id")))
        code = weir_fail(err, WEIR_EFORBIDDEN, "it is another camera's");
    if (code == WEIR_OK) {
        struct weir_seal_public to = weir_seal_public_of(key);
        *ret = weir_seal(&to, plain, len, arena);
    }
    if (plain)
        explicit_bzero((char *)(uintptr_t)plain, len);
    return code;
}

static const char *hash_of(const char *text, struct weir_arena *arena)
{
    struct weir_sha256 sha;
    uint8_t hash[WEIR_SHA256_BYTES];
    char *hex = weir_arena_alloc(arena, 2 * sizeof(hash) + 1);
    weir_sha256_init(&sha);
    weir_sha256_add(&sha, text, strlen(text));
    weir_sha256_done(&sha, hash);
    weir_hex_encode(hash, sizeof(hash), hex);
    return hex;
}

static void tell_trouble(struct rewrap *rewrap, const char *camera_id, const char *why)
{
    if (rewrap->troubles++ < TROUBLE_MAX)
        fprintf(rewrap->out, "%s: %s\n", camera_id, why);
}

static enum weir_code put(struct rewrap *rewrap, const char *camera_id, const char *was,
                          const char *sealed, struct weir_arena *arena, struct weir_err *err)
{
    struct weir_json_out out = {0};
    struct weir_http_answer answer;
    size_t len;
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "was", hash_of(was, arena));
    weir_json_str(&out, "sealed", sealed);
    weir_json_close(&out, '}');
    const char *body = weir_json_take(&out, arena, &len);
    const char *path = weir_arena_printf(arena, "/internal/v1/seals/%s", camera_id);
    enum weir_code code = call(rewrap, path, body, arena, &answer, err);
    if (code != WEIR_OK)
        return code;
    switch (answer.status) {
    case 204:
        rewrap->done++;
        return WEIR_OK;
    case 404: /* deleted */
        return WEIR_OK;
    case 412:
        rewrap->changed++;
        return WEIR_OK;
    case 409:
        return weir_fail(
            err, WEIR_ECONFLICT,
            "an api seals for another key than the one before: give all apis the same");
    default:
        return weir_fail(err, WEIR_EINVAL, "the api answers with status %d", answer.status);
    }
}

static enum weir_code take_item(struct rewrap *rewrap, const struct weir_json *item,
                                const struct weir_seal_private *key, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const char *camera_id = weir_json_find_str(item, "camera_id");
    const char *sealed = weir_json_find_str(item, "sealed");
    const char *again = NULL;
    struct weir_err why = {0};
    if (!camera_id || !sealed || !WEIR_STR_SET(rewrap->after, camera_id))
        return weir_fail(err, WEIR_EINVAL, "the api's answer is not as it should be");
    if (seal_again(rewrap, item, key, arena, &again, &why) != WEIR_OK) {
        tell_trouble(rewrap, camera_id, why.msg);
        return WEIR_OK;
    }
    return put(rewrap, camera_id, sealed, again, arena, err);
}

/* ---- all of them ---- */

static const char *name_of(const char *key)
{
    return *key ? key : "(none named)";
}

static int64_t count_of(const struct weir_json *left, const char *key)
{
    for (size_t i = 0; left && i < left->n; i++) {
        const char *name = weir_json_find_str(&left->items[i], "key");
        const struct weir_json *cameras = weir_json_find(&left->items[i], "cameras");
        if (name && cameras && strcmp(name, key) == 0)
            return cameras->integer;
    }
    return 0;
}

static int64_t count_all(const struct weir_json *left)
{
    int64_t all = 0;
    for (size_t i = 0; left && i < left->n; i++) {
        const struct weir_json *cameras = weir_json_find(&left->items[i], "cameras");
        all += cameras ? cameras->integer : 0;
    }
    return all;
}

/* Of each key that may be taken from the workers now, and each that may not. */
static void print_left(const struct rewrap *rewrap, const struct weir_json *left, const char *key)
{
    for (size_t i = 0; i < rewrap->ring.n; i++) {
        const char *id = rewrap->ring.keys[i].id;
        if (strcmp(id, key) != 0)
            fprintf(rewrap->out, "cameras still under key %s: %" PRId64 "\n", id,
                    count_of(left, id));
    }
    for (size_t i = 0; left && i < left->n; i++) {
        const char *id = weir_json_find_str(&left->items[i], "key");
        if (id && !weir_seal_ring_find(&rewrap->ring, id))
            fprintf(rewrap->out, "cameras still under key %s: %" PRId64 "\n", name_of(id),
                    count_of(left, id));
    }
}

static enum weir_code take_page(struct rewrap *rewrap, const struct weir_json *page,
                                const struct weir_seal_private *key, struct weir_err *err)
{
    const struct weir_json *items = weir_json_find(page, "items");
    enum weir_code code = WEIR_OK;
    for (size_t i = 0; code == WEIR_OK && items && i < items->n; i++)
        code = take_item(rewrap, &items->items[i], key, err);
    if (code == WEIR_OK && items && items->n > 0)
        fprintf(rewrap->out, "sealed again: %" PRId64 ", of %" PRId64 " left before this page\n",
                rewrap->done, count_all(weir_json_find(page, "left")));
    fflush(rewrap->out);
    return code;
}

static enum weir_code find_key(const struct rewrap *rewrap, const struct weir_json *page,
                               const struct weir_seal_private **ret, struct weir_err *err)
{
    const char *id = weir_json_find_str(page, "key");
    *ret = id ? weir_seal_ring_find(&rewrap->ring, id) : NULL;
    return *ret ? WEIR_OK
                : weir_fail(err, WEIR_EINVAL,
                            "the api seals for key %s, which is not among the private keys here",
                            id ? id : "?");
}

/* From the first camera to the last. `ret_left`: cameras under other keys when it began. */
static enum weir_code walk(struct rewrap *rewrap, int64_t *ret_left, struct weir_err *err)
{
    bool is_first = true;
    WEIR_STR_SET(rewrap->after, FIRST);
    rewrap->troubles = 0;
    for (;;) {
        struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
        const struct weir_seal_private *key = NULL;
        struct weir_json page;
        enum weir_code code = read_page(rewrap, arena, &page, err);
        if (code == WEIR_OK)
            code = find_key(rewrap, &page, &key, err);
        if (code != WEIR_OK)
            return code;
        const struct weir_json *items = weir_json_find(&page, "items");
        *ret_left = is_first ? count_all(weir_json_find(&page, "left")) : *ret_left;
        is_first = false;
        if (!items || items->n == 0) {
            if (*ret_left == 0)
                print_left(rewrap, weir_json_find(&page, "left"), key->id);
            return WEIR_OK;
        }
        code = take_page(rewrap, &page, key, err);
        if (code != WEIR_OK)
            return code;
    }
}

static enum weir_code run(struct rewrap *rewrap, struct weir_err *err)
{
    int64_t left = 1;
    enum weir_code code = WEIR_OK;
    for (int i = 0; code == WEIR_OK && left > 0 && i < WALKS_MAX; i++) {
        int64_t before = rewrap->done + rewrap->changed;
        code = walk(rewrap, &left, err);
        if (code == WEIR_OK && left > 0 && rewrap->done + rewrap->changed == before)
            break; /* nothing that this one can do anything about */
    }
    if (code == WEIR_OK && left > 0)
        code = weir_fail(err, WEIR_ECONFLICT,
                         "%" PRId64 " cameras are still under other keys: keep those keys", left);
    return code;
}

enum weir_code ctl_rewrap(const struct ctl_settings *settings, FILE *out, struct weir_err *err)
{
    struct rewrap rewrap = {.settings = settings, .out = out};
    if (!*settings->rewrap_secret)
        return weir_fail(err, WEIR_EINVAL, "WEIR_REWRAP_SECRET_FILE is missing");
    enum weir_code code = weir_seal_parse_ring(settings->seal_private_keys, &rewrap.ring, err);
    if (code != WEIR_OK)
        return weir_fail_in(err, code, "WEIR_SEAL_PRIVATE_KEY");
    snprintf(rewrap.secret, sizeof(rewrap.secret), "Authorization: Bearer %s",
             settings->rewrap_secret);
    rewrap.client = weir_http_client_new();
    code = run(&rewrap, err);
    weir_http_client_free(rewrap.client);
    explicit_bzero(&rewrap, sizeof(rewrap));
    return code;
}

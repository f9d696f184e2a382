/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rewrap.h"

#include <string.h>

#include "api/api.h"
#include "api/fields.h"
#include "lib/base/str.h"
#include "lib/domain/json.h"

#define PAGE       "100" /* of some 4 kB at most */
#define HASH_CHARS 64
#define SEALED_MAX 32768

enum { F_WAS, F_SEALED, N_FIELDS };

static const struct api_field fields[N_FIELDS] = {
    [F_WAS] = {"/was", API_STR, .min = HASH_CHARS, .max = HASH_CHARS, .is_required = true},
    [F_SEALED] = {"/sealed", API_STR, .min = 1, .max = SEALED_MAX, .is_required = true},
};

/* Without a secret in the settings nobody is let in. */
static bool is_admitted(const struct api *api, struct weir_http_request *req,
                        struct weir_http_response *res)
{
    const char *header = weir_http_header(req, "Authorization");
    const char *secret = api->settings->rewrap_secret;
    size_t len = strlen(secret);
    if (header && len > 0 && weir_str_starts_with(header, "Bearer ") && strlen(header + 7) == len &&
        weir_str_equal_secret(header + 7, secret, len)) {
        return true;
    }
    weir_http_problem_at(req, res, 401, "unauthenticated", NULL, "the rewrap's secret is needed");
    return false;
}

static enum weir_code begin(struct api *api, struct weir_arena *arena, struct weir_db_tx **tx,
                            struct weir_err *err)
{
    enum weir_code code = weir_db_begin(api->db, NULL, tx, err);
    return code == WEIR_OK ? weir_db_exec(*tx, "SELECT set_config('app.rewrap', 'on', true)", NULL,
                                          0, arena, NULL, err)
                           : code;
}

/* ---- what is left ---- */

static enum weir_code read_page(struct api *api, struct weir_arena *arena, const char *after,
                                struct weir_db_rows **ret_left, struct weir_db_rows **ret_items,
                                struct weir_err *err)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    const char *params[] = {api->seal_key.id, after};
    enum weir_code code = begin(api, arena, &tx, err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx,
                            "SELECT seal_key, count(*) FROM camera WHERE seal_key <> $1"
                            " GROUP BY seal_key ORDER BY seal_key",
                            params, 1, arena, ret_left, err);
    }
    if (code == WEIR_OK) {
        code = weir_db_exec(tx,
                            "SELECT tenant_id, id, convert_from(sealed, 'UTF8') FROM camera"
                            " WHERE seal_key <> $1 AND id > $2 ORDER BY id LIMIT " PAGE,
                            params, 2, arena, ret_items, err);
    }
    return code;
}

static void write_page(struct weir_json_out *out, const char *key, const struct weir_db_rows *left,
                       const struct weir_db_rows *items)
{
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "key", key);
    weir_json_open(out, "left", '[');
    for (size_t i = 0; i < weir_db_count(left); i++) {
        weir_json_open(out, NULL, '{');
        weir_json_str(out, "key", weir_db_text(left, i, 0));
        weir_json_int(out, "cameras", weir_db_int(left, i, 1));
        weir_json_close(out, '}');
    }
    weir_json_close(out, ']');
    weir_json_open(out, "items", '[');
    for (size_t i = 0; i < weir_db_count(items); i++) {
        weir_json_open(out, NULL, '{');
        weir_json_str(out, "tenant_id", weir_db_text(items, i, 0));
        weir_json_str(out, "camera_id", weir_db_text(items, i, 1));
        weir_json_str(out, "sealed", weir_db_text(items, i, 2));
        weir_json_close(out, '}');
    }
    weir_json_close(out, ']');
    weir_json_close(out, '}');
}

void api_rewrap_list(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct api *api = ctx;
    struct weir_arena *arena = weir_http_arena(req);
    struct weir_db_rows *left = NULL;
    struct weir_db_rows *items = NULL;
    struct weir_err err = {0};
    struct weir_id after = {{0}};
    const char *text = weir_http_query(req, "after");
    if (!is_admitted(api, req, res)) {
        return;
    }
    if (text && weir_id_parse(text, strlen(text), &after, NULL) != WEIR_OK) {
        weir_http_problem_at(req, res, 400, "malformed_request", NULL, "after is no UUID");
        return;
    }
    text = weir_arena_strdup(arena, WEIR_ID_TEXT(&after));
    if (read_page(api, arena, text, &left, &items, &err) != WEIR_OK) {
        weir_http_problem(req, res, &err);
        return;
    }
    struct weir_json_out out = {0};
    size_t len;
    write_page(&out, api->seal_key.id, left, items);
    text = weir_json_take(&out, arena, &len);
    weir_http_json(res, 200, text, len);
}

/* ---- one sealed again ---- */

static enum weir_code read_body(struct weir_http_request *req, struct api_value *ret_values,
                                struct weir_err *err)
{
    size_t len;
    const char *bytes = weir_http_body(req, &len);
    struct weir_json json;
    struct api_fault fault = {0};
    enum weir_code code = weir_json_parse(bytes, len, weir_http_arena(req), &json, err);
    if (code == WEIR_OK &&
        api_fields_read(fields, N_FIELDS, &json, ret_values, &fault) != WEIR_OK) {
        code = weir_fail(err, WEIR_EINVAL, "%s %s", fault.pointer, fault.detail);
    }
    return code;
}

/* The row changes only where it still holds what was read: then it is this camera's, whatever
 * happened meanwhile. Its versions and the log stay as they are. */
static enum weir_code replace(struct api *api, struct weir_arena *arena, const char *camera_id,
                              const struct api_value *values, struct weir_err *err)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    const char *params[] = {camera_id, values[F_WAS].str, values[F_SEALED].str};
    enum weir_code code = begin(api, arena, &tx, err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx,
                            "SELECT encode(sha256(sealed), 'hex') = $2 FROM camera WHERE id = $1"
                            " FOR UPDATE",
                            params, 2, arena, &rows, err);
    }
    if (code == WEIR_OK && weir_db_count(rows) == 0) {
        return weir_fail(err, WEIR_ENOTFOUND, "there is no such camera");
    }
    if (code == WEIR_OK && !weir_db_bool(rows, 0, 0)) {
        return weir_fail(err, WEIR_EPRECONDITION, "it was changed meanwhile");
    }
    if (code == WEIR_OK) {
        const char *change[] = {camera_id, values[F_SEALED].str};
        code = weir_db_exec(tx, "UPDATE camera SET sealed = convert_to($2, 'UTF8') WHERE id = $1",
                            change, 2, arena, NULL, err);
    }
    return code == WEIR_OK ? weir_db_commit(&tx, err) : code;
}

void api_rewrap_put(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct api *api = ctx;
    struct api_value values[N_FIELDS];
    struct weir_err err = {0};
    struct weir_id camera_id;
    char key[WEIR_SEAL_ID_MAX];
    const char *text = weir_http_param(req, "camera_id");
    if (!is_admitted(api, req, res)) {
        return;
    }
    if (weir_id_parse(text, strlen(text), &camera_id, &err) != WEIR_OK ||
        read_body(req, values, &err) != WEIR_OK) {
        weir_http_problem(req, res, &err);
        return;
    }
    weir_seal_id_of(values[F_SEALED].str, key);
    if (strcmp(key, api->seal_key.id) != 0) {
        weir_http_problem_at(req, res, 409, "conflict", "/sealed",
                             "it is not sealed for key %s, which this api seals for",
                             api->seal_key.id);
        return;
    }
    struct weir_arena *arena = weir_http_arena(req);
    text = weir_arena_strdup(arena, WEIR_ID_TEXT(&camera_id));
    if (replace(api, arena, text, values, &err) != WEIR_OK) {
        weir_http_problem(req, res, &err);
        return;
    }
    res->status = 204;
}

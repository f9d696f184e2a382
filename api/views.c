/* SPDX-License-Identifier: Apache-2.0 */
#include "api/views.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define AGE_MAX_MS   86400000
#define SINCE_MAX_MS ((int64_t)366 * 86400000)
#define COUNT_MAX    (((int64_t)1 << 53) - 1)

enum {
    TENANT,
    STREAM,
    TICKET,
    AGE,
    VIEWER,
    LOGIN,
    PLAYING,
    PART,
    SINCE,
    SEGMENTS,
    BYTES,
    N_FIELDS,
};

static const struct api_field fields[N_FIELDS] = {
    [TENANT] = {"/tenant", API_ID, .is_required = true},
    [STREAM] = {"/stream", API_ID, .is_required = true},
    [TICKET] = {"/ticket_id", API_ID, .is_required = true},
    [AGE] = {"/age_ms", API_INT, .min = 0, .max = AGE_MAX_MS, .is_required = true},
    [VIEWER] = {"/who/viewer", API_ID, .is_required = true},
    [LOGIN] = {"/who/login", API_ID},
    [PLAYING] = {"/who/is_playing", API_BOOL},
    [PART] = {"/counted/part", API_ID, .is_required = true},
    [SINCE] = {"/counted/since_ms", API_INT, .min = 0, .max = SINCE_MAX_MS, .is_required = true},
    [SEGMENTS] = {"/counted/segments", API_INT, .min = 0, .max = COUNT_MAX, .is_required = true},
    [BYTES] = {"/counted/bytes", API_INT, .min = 0, .max = COUNT_MAX, .is_required = true},
};

static enum weir_code fail(struct api_fault *fault, const char *code, const char *detail)
{
    fault->code = code;
    weir_str_copy(fault->pointer, sizeof(fault->pointer), "/views");
    weir_str_copy(fault->detail, sizeof(fault->detail), detail);
    return WEIR_ESEMANTIC;
}

static enum weir_code read_view(const struct weir_json *json, size_t i, struct view_seen *ret,
                                struct api_fault *fault)
{
    struct api_value values[N_FIELDS];
    struct api_fault inner = {0};
    if (api_fields_read(fields, N_FIELDS, json, values, &inner) != WEIR_OK) {
        *fault = inner;
        snprintf(fault->pointer, sizeof(fault->pointer), "/views/%zu%.100s", i, inner.pointer);
        return WEIR_ESEMANTIC;
    }
    if (values[PART].is_given && !values[VIEWER].is_given) {
        fault->code = "missing_field";
        snprintf(fault->pointer, sizeof(fault->pointer), "/views/%zu/who", i);
        weir_str_copy(fault->detail, sizeof(fault->detail), "is missing");
        return WEIR_ESEMANTIC;
    }
    *ret = (struct view_seen){.tenant_id = values[TENANT].id,
                              .stream_id = values[STREAM].id,
                              .ticket_id = values[TICKET].id,
                              .age_ms = values[AGE].integer,
                              .viewer_id = values[VIEWER].id,
                              .login_id = values[LOGIN].id,
                              .is_playing = values[PLAYING].boolean,
                              .is_counted = values[PART].is_given,
                              .part_id = values[PART].id,
                              .since_ms = values[SINCE].integer > values[AGE].integer
                                              ? values[SINCE].integer
                                              : values[AGE].integer,
                              .segments = values[SEGMENTS].integer,
                              .bytes = values[BYTES].integer};
    return WEIR_OK;
}

enum weir_code views_read(const struct weir_json *json, struct view_seen ret[static VIEWS_MAX],
                          size_t *ret_n, struct api_fault *fault)
{
    const struct weir_json *views = weir_json_find(json, "views");
    if (json->type != WEIR_JSON_OBJ || json->n != 1 || views == NULL ||
        views->type != WEIR_JSON_ARR) {
        return fail(fault, "wrong_type", "one member is wanted: views, an array");
    }
    if (views->n > VIEWS_MAX) {
        return fail(fault, "too_long", "too many views for one report");
    }
    for (size_t i = 0; i < views->n; i++) {
        if (read_view(&views->items[i], i, &ret[i], fault) != WEIR_OK) {
            return WEIR_ESEMANTIC;
        }
    }
    *ret_n = views->n;
    return WEIR_OK;
}

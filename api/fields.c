/* SPDX-License-Identifier: Apache-2.0 */
#include "api/fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/reach.h"

struct reader {
    const struct api_field *fields;
    size_t n;
    struct api_value *values;
    struct api_fault *fault;
};

static enum weir_code fail(struct reader *reader, const char *code, const char *pointer,
                           const char *fmt, ...) WEIR_PRINTF(4, 5);

static enum weir_code fail(struct reader *reader, const char *code, const char *pointer,
                           const char *fmt, ...)
{
    reader->fault->code = code;
    weir_str_copy(reader->fault->pointer, sizeof(reader->fault->pointer), pointer);
    va_list args;
    va_start(args, fmt);
    vsnprintf(reader->fault->detail, sizeof(reader->fault->detail), fmt, args);
    va_end(args);
    return WEIR_ESEMANTIC;
}

/* Appends "/name", with ~ and / escaped as RFC 6901 wants; cut when long. */
static void join_pointer(char out[static API_POINTER_MAX], const char *base, const char *name)
{
    size_t n = (size_t)snprintf(out, API_POINTER_MAX, "%s/", base);
    for (const char *c = name; *c && n < API_POINTER_MAX - 3; c++) {
        if (*c == '~' || *c == '/') {
            out[n++] = '~';
            out[n++] = *c == '~' ? '0' : '1';
        } else {
            out[n++] = *c;
        }
    }
    out[n] = '\0';
}

static bool has_control(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            return true;
        }
    }
    return false;
}

static enum weir_code read_text(struct reader *reader, const struct api_field *field,
                                const struct weir_json *json, struct api_value *ret)
{
    if (json->type != WEIR_JSON_STR) {
        return fail(reader, "wrong_type", field->pointer, "must be a string");
    }
    if ((int64_t)json->len < field->min) {
        return fail(reader, "too_short", field->pointer, "must have at least %" PRId64 " bytes",
                    field->min);
    }
    if ((int64_t)json->len > field->max) {
        return fail(reader, "too_long", field->pointer, "must have at most %" PRId64 " bytes",
                    field->max);
    }
    if (has_control(json->str)) {
        return fail(reader, "bad_characters", field->pointer, "must hold no control characters");
    }
    ret->str = json->str;
    return WEIR_OK;
}

static enum weir_code read_integer(struct reader *reader, const struct api_field *field,
                                   const struct weir_json *json, struct api_value *ret)
{
    if (json->type != WEIR_JSON_INT) {
        return fail(reader, "wrong_type", field->pointer, "must be a whole number");
    }
    if (json->integer < field->min || json->integer > field->max) {
        return fail(reader, "out_of_range", field->pointer, "must be %" PRId64 " to %" PRId64,
                    field->min, field->max);
    }
    ret->integer = json->integer;
    return WEIR_OK;
}

static enum weir_code read_name(struct reader *reader, const struct api_field *field,
                                const struct weir_json *json, struct api_value *ret)
{
    if (json->type != WEIR_JSON_STR) {
        return fail(reader, "wrong_type", field->pointer, "must be a string");
    }
    char list[96] = "";
    for (int i = 0; field->names[i]; i++) {
        if (strcmp(field->names[i], json->str) == 0) {
            ret->str = field->names[i];
            ret->integer = i;
            return WEIR_OK;
        }
        size_t n = strlen(list);
        snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", field->names[i]);
    }
    return fail(reader, "unknown_value", field->pointer, "must be one of %s", list);
}

static enum weir_code read_time(struct reader *reader, const struct api_field *field,
                                const struct weir_json *json, struct api_value *ret)
{
    if (json->type != WEIR_JSON_STR) {
        return fail(reader, "wrong_type", field->pointer, "must be a string");
    }
    return weir_clock_parse_ms(json->str, json->len, &ret->integer, NULL) == WEIR_OK
               ? WEIR_OK
               : fail(reader, "bad_time", field->pointer,
                      "must be an RFC 3339 time with a zone, like 2026-12-04T18:00:00+01:00");
}

static enum weir_code read_labels(struct reader *reader, const struct api_field *field,
                                  const struct weir_json *json, struct api_value *ret)
{
    if (json->type != WEIR_JSON_OBJ) {
        return fail(reader, "wrong_type", field->pointer, "must be an object of strings");
    }
    if ((int64_t)json->n > field->max) {
        return fail(reader, "too_many", field->pointer, "must have at most %" PRId64 " members",
                    field->max);
    }
    for (size_t i = 0; i < json->n; i++) {
        const struct weir_json_member *label = &json->members[i];
        char pointer[API_POINTER_MAX];
        join_pointer(pointer, field->pointer, label->name);
        bool is_named = label->name[0] && strlen(label->name) <= API_LABEL_NAME_MAX;
        if (!is_named || has_control(label->name)) {
            return fail(reader, "bad_name", pointer, "a label's name has 1 to %d plain bytes",
                        API_LABEL_NAME_MAX);
        }
        if (label->value.type != WEIR_JSON_STR || label->value.len > API_LABEL_VALUE_MAX ||
            has_control(label->value.str)) {
            return fail(reader, "bad_label", pointer, "a label is a string of at most %d bytes",
                        API_LABEL_VALUE_MAX);
        }
    }
    ret->json = json;
    return WEIR_OK;
}

static enum weir_code read_networks(struct reader *reader, const struct api_field *field,
                                    const struct weir_json *json, struct api_value *ret)
{
    struct weir_networks networks = {0};
    if (json->type != WEIR_JSON_ARR) {
        return fail(reader, "wrong_type", field->pointer, "must be an array of networks");
    }
    for (size_t i = 0; i < json->n; i++) {
        char pointer[API_POINTER_MAX];
        struct weir_err err = {0};
        snprintf(pointer, sizeof(pointer), "%s/%zu", field->pointer, i);
        if (json->items[i].type != WEIR_JSON_STR) {
            return fail(reader, "wrong_type", pointer, "must be a string");
        }
        enum weir_code code = weir_networks_add(&networks, json->items[i].str, &err);
        if (code == WEIR_ELIMIT) {
            return fail(reader, "too_many", field->pointer, "must have at most %d networks",
                        WEIR_NETWORKS_MAX);
        }
        if (code != WEIR_OK) {
            return fail(reader, "bad_network", pointer,
                        "must be a network like 192.168.0.0/16, or " WEIR_NETWORK_PUBLIC ": %s",
                        err.msg);
        }
    }
    ret->json = json;
    return WEIR_OK;
}

static enum weir_code read_array(struct reader *reader, const struct api_field *field,
                                 const struct weir_json *json, struct api_value *ret)
{
    if (json->type != WEIR_JSON_ARR) {
        return fail(reader, "wrong_type", field->pointer, "must be an array");
    }
    if ((int64_t)json->n < field->min || (int64_t)json->n > field->max) {
        return fail(reader, (int64_t)json->n < field->min ? "too_few" : "too_many", field->pointer,
                    "must have %" PRId64 " to %" PRId64 " members", field->min, field->max);
    }
    ret->json = json;
    return WEIR_OK;
}

static enum weir_code read_value(struct reader *reader, const struct api_field *field,
                                 const struct weir_json *json, struct api_value *ret)
{
    ret->is_given = true;
    ret->is_null = json->type == WEIR_JSON_NULL;
    if (ret->is_null) {
        return field->is_nullable ? WEIR_OK
                                  : fail(reader, "wrong_type", field->pointer, "must not be null");
    }
    switch (field->kind) {
    case API_STR:
        return read_text(reader, field, json, ret);
    case API_INT:
        return read_integer(reader, field, json, ret);
    case API_BOOL:
        ret->boolean = json->boolean;
        return json->type == WEIR_JSON_BOOL
                   ? WEIR_OK
                   : fail(reader, "wrong_type", field->pointer, "must be true or false");
    case API_ENUM:
        return read_name(reader, field, json, ret);
    case API_ID:
        return json->type == WEIR_JSON_STR &&
                       weir_id_parse(json->str, json->len, &ret->id, NULL) == WEIR_OK
                   ? WEIR_OK
                   : fail(reader, "wrong_type", field->pointer, "must be a UUID");
    case API_TIME:
        return read_time(reader, field, json, ret);
    case API_NETWORKS:
        return read_networks(reader, field, json, ret);
    case API_ARRAY:
        return read_array(reader, field, json, ret);
    case API_LABELS:
        break;
    }
    return read_labels(reader, field, json, ret);
}

static bool is_parent(const char *pointer, const char *of)
{
    size_t len = strlen(pointer);
    return strncmp(pointer, of, len) == 0 && of[len] == '/';
}

static enum weir_code read_object(struct reader *reader, const char *base,
                                  const struct weir_json *json);

static enum weir_code read_member(struct reader *reader, const char *pointer,
                                  const struct weir_json *json)
{
    bool is_group = false;
    for (size_t i = 0; i < reader->n; i++) {
        if (strcmp(reader->fields[i].pointer, pointer) == 0) {
            return read_value(reader, &reader->fields[i], json, &reader->values[i]);
        }
        is_group = is_group || is_parent(pointer, reader->fields[i].pointer);
    }
    return is_group ? read_object(reader, pointer, json)
                    : fail(reader, "unknown_field", pointer, "is not known here");
}

static enum weir_code read_object(struct reader *reader, const char *base,
                                  const struct weir_json *json)
{
    if (json->type != WEIR_JSON_OBJ) {
        return fail(reader, "wrong_type", base, "must be an object");
    }
    for (size_t i = 0; i < json->n; i++) {
        char pointer[API_POINTER_MAX];
        join_pointer(pointer, base, json->members[i].name);
        enum weir_code code = read_member(reader, pointer, &json->members[i].value);
        if (code != WEIR_OK) {
            return code;
        }
    }
    return WEIR_OK;
}

/* Whether the object that should hold a field is in the document. */
static bool has_parent(const struct weir_json *json, const char *pointer)
{
    const char *slash = strrchr(pointer, '/');
    if (slash == pointer) {
        return true;
    }
    char parent[API_POINTER_MAX];
    snprintf(parent, sizeof(parent), "%.*s", (int)(slash - pointer - 1), pointer + 1);
    return weir_json_find(json, parent) != NULL;
}

enum weir_code api_fields_read(const struct api_field *fields, size_t n,
                               const struct weir_json *json, struct api_value *ret_values,
                               struct api_fault *fault)
{
    struct reader reader = {fields, n, ret_values, fault};
    memset(ret_values, 0, n * sizeof(*ret_values));
    enum weir_code code = read_object(&reader, "", json);
    for (size_t i = 0; code == WEIR_OK && i < n; i++) {
        if (fields[i].is_required && !ret_values[i].is_given &&
            has_parent(json, fields[i].pointer)) {
            code = fail(&reader, "missing_field", fields[i].pointer, "is missing");
        }
    }
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/codec.h"

#include <inttypes.h>
#include <string.h>

#include <jansson.h>

#define EXACT_DOUBLE 9007199254740992.0 /* 2^53 */

struct reader {
    struct weir_arena *arena;
    struct weir_err *err;
};

static enum weir_code read_object(const struct reader *r, const struct codec_object *object,
                                  const json_t *json, char *base, const struct codec_path *path);

static void json_done(json_t **json)
{
    json_decref(*json);
}

/* jansson would go down 2048 levels; what nests deeper than ours is not even parsed. */
static bool is_too_deep(const char *bytes, size_t len)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > WEIR_EV_DEPTH_MAX) {
                return true;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

static enum weir_code load(const char *bytes, size_t len, size_t max, json_t **ret,
                           struct weir_err *err)
{
    if (len > max) {
        return weir_fail(err, WEIR_ELIMIT, "message of %zu bytes, the limit is %zu", len, max);
    }
    /* jansson takes a NUL after a number for white space. */
    if (len > 0 && memchr(bytes, '\0', len)) {
        return weir_fail(err, WEIR_EPARSE, "malformed JSON: a NUL");
    }
    if (is_too_deep(bytes, len)) {
        return weir_fail(err, WEIR_ELIMIT, "message nests deeper than %d levels",
                         WEIR_EV_DEPTH_MAX);
    }
    json_error_t where;
    json_t *json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &where);
    if (!json) {
        /* jansson's own text quotes the input, which may hold a secret. */
        return weir_fail(err, WEIR_EPARSE, "malformed JSON, or a key twice, at byte %d",
                         where.position);
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return weir_fail(err, WEIR_EPARSE, "message is not a JSON object");
    }
    *ret = json;
    return WEIR_OK;
}

static enum weir_code read_int(const struct reader *r, const struct codec_field *f,
                               const json_t *json, char *at, const struct codec_path *path)
{
    int64_t value;
    double real = json_is_real(json) ? json_real_value(json) : 0;
    /* To JSON Schema 5.0 is an integer. */
    if (json_is_integer(json)) {
        value = json_integer_value(json);
    } else if (json_is_real(json) && real >= -EXACT_DOUBLE && real <= EXACT_DOUBLE &&
               real == (double)(int64_t)real) {
        value = (int64_t)real;
    } else {
        return codec_fail(path, r->err, WEIR_EINVAL, "is not an integer in %" PRId64 "..%" PRId64,
                          f->low, f->high);
    }
    if (value < f->low || value > f->high) {
        return codec_fail(path, r->err, WEIR_EINVAL, "is outside %" PRId64 "..%" PRId64, f->low,
                          f->high);
    }
    memcpy(at, &value, sizeof(value));
    return WEIR_OK;
}

static enum weir_code read_enum(const struct reader *r, const struct codec_field *f,
                                const char *text, size_t len, char *at,
                                const struct codec_path *path)
{
    int value = strlen(text) == len ? codec_find_name(f->names, (int)f->high, text) : -1;
    if (value < 0) {
        char names[240];
        return codec_fail(path, r->err, WEIR_EINVAL, "%s",
                          codec_list_names(f, names, sizeof(names)));
    }
    unsigned member = (unsigned)value;
    memcpy(at, &member, sizeof(member));
    return WEIR_OK;
}

static enum weir_code read_text(const struct reader *r, const struct codec_field *f,
                                const json_t *json, char *at, const struct codec_path *path)
{
    if (!json_is_string(json)) {
        return codec_fail(path, r->err, WEIR_EINVAL, "is not a string");
    }
    const char *text = json_string_value(json);
    size_t len = json_string_length(json);
    if (f->kind == CODEC_ENUM) {
        return read_enum(r, f, text, len, at, path);
    }
    if (f->kind == CODEC_ID) {
        struct weir_id id;
        if (weir_id_parse(text, len, &id, NULL) != WEIR_OK) {
            return codec_fail(path, r->err, WEIR_EINVAL, "is not a UUID of 36 characters");
        }
        memcpy(at, &id, sizeof(id));
        return WEIR_OK;
    }
    if (f->kind == CODEC_TIME) {
        int64_t wall_ms;
        if (!codec_time_parse(text, len, &wall_ms)) {
            return codec_fail(path, r->err, WEIR_EINVAL,
                              "is not a time such as 2026-01-31T23:59:59.999Z");
        }
        memcpy(at, &wall_ms, sizeof(wall_ms));
        return WEIR_OK;
    }
    enum weir_code code = codec_check_text(f, text, len, path, r->err);
    if (code == WEIR_OK) {
        memcpy(at, text, len);
        at[len] = '\0';
    }
    return code;
}

static enum weir_code read_array(const struct reader *r, const struct codec_field *f,
                                 const json_t *json, char *base, const struct codec_path *path)
{
    if (!json_is_array(json)) {
        return codec_fail(path, r->err, WEIR_EINVAL, "is not an array");
    }
    size_t n = json_array_size(json);
    if (n > (size_t)f->high) {
        return codec_fail(path, r->err, WEIR_ELIMIT, "has %zu elements, the limit is %" PRId64, n,
                          f->high);
    }
    char *items = weir_arena_array(r->arena, n, f->sub->size);
    for (size_t i = 0; i < n; i++) {
        struct codec_path item = {.up = path, .index = i};
        enum weir_code code =
            read_object(r, f->sub, json_array_get(json, i), items + i * f->sub->size, &item);
        if (code != WEIR_OK) {
            return code;
        }
    }
    memcpy(base + f->offset, &items, sizeof(items));
    memcpy(base + f->count, &n, sizeof(n));
    return WEIR_OK;
}

static enum weir_code read_field(const struct reader *r, const struct codec_field *f,
                                 const json_t *json, char *base, const struct codec_path *path)
{
    char *at = base + f->offset;
    switch (f->kind) {
    case CODEC_INT:
        return read_int(r, f, json, at, path);
    case CODEC_BOOL:
        if (!json_is_boolean(json)) {
            return codec_fail(path, r->err, WEIR_EINVAL, "is neither true nor false");
        }
        *(bool *)at = json_is_true(json);
        return WEIR_OK;
    case CODEC_OBJ:
        return read_object(r, f->sub, json, at, path);
    case CODEC_ARR:
        return read_array(r, f, json, base, path);
    case CODEC_ID:
    case CODEC_TIME:
    case CODEC_STR:
    case CODEC_ENUM:
        return read_text(r, f, json, at, path);
    }
    return WEIR_EINTERNAL;
}

/* `base` is zeroed storage of object->size bytes. */
static enum weir_code read_object(const struct reader *r, const struct codec_object *object,
                                  const json_t *json, char *base, const struct codec_path *path)
{
    if (!json_is_object(json)) {
        return codec_fail(path, r->err, WEIR_EINVAL, "is not an object");
    }
    for (size_t i = 0; i < object->n_fields; i++) {
        const struct codec_field *f = &object->fields[i];
        struct codec_path here = {.up = path, .name = f->name};
        const json_t *value = json_object_get(json, f->name);
        if (!value && f->has == CODEC_REQUIRED) {
            return codec_fail(&here, r->err, WEIR_EINVAL, "is missing");
        }
        if (!value) {
            continue;
        }
        enum weir_code code = read_field(r, f, value, base, &here);
        if (code != WEIR_OK) {
            return code;
        }
        if (f->has != CODEC_REQUIRED) {
            *(bool *)(base + f->has) = true;
        }
    }
    return WEIR_OK;
}

static enum weir_code check_const(const json_t *json, const char *name, const char *want,
                                  struct weir_err *err)
{
    const char *text = json_string_value(json_object_get(json, name));
    if (!text || strcmp(text, want) != 0) {
        return weir_fail(err, WEIR_EINVAL, "%s is not \"%s\"", name, want);
    }
    return WEIR_OK;
}

static enum weir_code find_type(const json_t *json, const struct codec_type *types, int n_types,
                                int *ret, struct weir_err *err)
{
    const char *name = json_string_value(json_object_get(json, "type"));
    if (!name) {
        return weir_fail(err, WEIR_EINVAL, "type is missing or not a string");
    }
    for (int i = 0; i < n_types; i++) {
        if (strcmp(types[i].name, name) == 0) {
            *ret = i;
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_EUNSUPPORTED, "type is none of those known here");
}

static enum weir_code read_event(const struct reader *r, const json_t *json, struct weir_event *ev)
{
    enum weir_code code = check_const(json, "specversion", "1.0", r->err);
    if (code == WEIR_OK) {
        code = check_const(json, "datacontenttype", "application/json", r->err);
    }
    if (code == WEIR_OK) {
        code = read_object(r, &codec_envelope, json, (char *)ev, NULL);
    }
    int type = 0;
    if (code == WEIR_OK) {
        code = find_type(json, codec_events, WEIR_EV_N, &type, r->err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    struct codec_path path = {.name = "data"};
    ev->type = (enum weir_ev_type)type;
    return read_object(r, codec_events[type].body, json_object_get(json, "data"), (char *)&ev->u,
                       &path);
}

enum weir_code weir_ev_parse(const char *bytes, size_t len, struct weir_arena *arena,
                             struct weir_event *ret, struct weir_err *err)
{
    json_t *json WEIR_CLEANUP(json_done) = NULL;
    enum weir_code code = load(bytes, len, WEIR_EV_BYTES_MAX, &json, err);
    if (code != WEIR_OK) {
        return code;
    }
    struct reader r = {.arena = arena, .err = err};
    struct weir_event *ev = weir_arena_alloc(arena, sizeof(*ev));
    code = read_event(&r, json, ev);
    if (code == WEIR_OK) {
        *ret = *ev;
    }
    return code;
}

enum weir_code weir_ctl_parse(const char *bytes, size_t len, struct weir_arena *arena,
                              struct weir_ctl *ret, struct weir_err *err)
{
    json_t *json WEIR_CLEANUP(json_done) = NULL;
    int type = 0;
    enum weir_code code = load(bytes, len, WEIR_CTL_BYTES_MAX, &json, err);
    if (code == WEIR_OK) {
        code = find_type(json, codec_controls, WEIR_CTL_N, &type, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    struct reader r = {.arena = arena, .err = err};
    struct weir_ctl *ctl = weir_arena_alloc(arena, sizeof(*ctl));
    ctl->type = (enum weir_ctl_type)type;
    code = read_object(&r, codec_controls[type].body, json, (char *)&ctl->u, NULL);
    if (code == WEIR_OK) {
        *ret = *ctl;
    }
    return code;
}

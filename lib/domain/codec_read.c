/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/codec.h"

#include <inttypes.h>
#include <string.h>

#include "lib/domain/json.h"

_Static_assert(WEIR_EV_DEPTH_MAX == WEIR_JSON_DEPTH_MAX, "one limit of depth");

struct reader {
    struct weir_arena *arena;
    struct weir_err *err;
};

static enum weir_code read_object(const struct reader *r, const struct codec_object *object,
                                  const struct weir_json *json, char *base,
                                  const struct codec_path *path);

static enum weir_code load(const char *bytes, size_t len, size_t max, struct weir_arena *arena,
                           struct weir_json *ret, struct weir_err *err)
{
    if (len > max) {
        return weir_fail(err, WEIR_ELIMIT, "message of %zu bytes, the limit is %zu", len, max);
    }
    enum weir_code code = weir_json_parse(bytes, len, arena, ret, err);
    if (code == WEIR_OK && ret->type != WEIR_JSON_OBJ) {
        return weir_fail(err, WEIR_EPARSE, "message is not a JSON object");
    }
    return code;
}

static enum weir_code read_int(const struct reader *r, const struct codec_field *f,
                               const struct weir_json *json, char *at,
                               const struct codec_path *path)
{
    if (json->type != WEIR_JSON_INT) {
        return codec_fail(path, r->err, WEIR_EINVAL, "is not an integer in %" PRId64 "..%" PRId64,
                          f->low, f->high);
    }
    int64_t value = json->integer;
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
                                const struct weir_json *json, char *at,
                                const struct codec_path *path)
{
    if (json->type != WEIR_JSON_STR) {
        return codec_fail(path, r->err, WEIR_EINVAL, "is not a string");
    }
    const char *text = json->str;
    size_t len = json->len;
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
                                 const struct weir_json *json, char *base,
                                 const struct codec_path *path)
{
    if (json->type != WEIR_JSON_ARR) {
        return codec_fail(path, r->err, WEIR_EINVAL, "is not an array");
    }
    size_t n = json->n;
    if (n > (size_t)f->high) {
        return codec_fail(path, r->err, WEIR_ELIMIT, "has %zu elements, the limit is %" PRId64, n,
                          f->high);
    }
    char *items = weir_arena_array(r->arena, n, f->sub->size);
    for (size_t i = 0; i < n; i++) {
        struct codec_path item = {.up = path, .index = i};
        enum weir_code code =
            read_object(r, f->sub, &json->items[i], items + i * f->sub->size, &item);
        if (code != WEIR_OK) {
            return code;
        }
    }
    memcpy(base + f->offset, &items, sizeof(items));
    memcpy(base + f->count, &n, sizeof(n));
    return WEIR_OK;
}

static enum weir_code read_field(const struct reader *r, const struct codec_field *f,
                                 const struct weir_json *json, char *base,
                                 const struct codec_path *path)
{
    char *at = base + f->offset;
    switch (f->kind) {
    case CODEC_INT:
        return read_int(r, f, json, at, path);
    case CODEC_BOOL:
        if (json->type != WEIR_JSON_BOOL) {
            return codec_fail(path, r->err, WEIR_EINVAL, "is neither true nor false");
        }
        *(bool *)at = json->boolean;
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
                                  const struct weir_json *json, char *base,
                                  const struct codec_path *path)
{
    if (!json || json->type != WEIR_JSON_OBJ) {
        return codec_fail(path, r->err, WEIR_EINVAL, "is not an object");
    }
    for (size_t i = 0; i < object->n_fields; i++) {
        const struct codec_field *f = &object->fields[i];
        struct codec_path here = {.up = path, .name = f->name};
        const struct weir_json *value = weir_json_find(json, f->name);
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

static enum weir_code check_const(const struct weir_json *json, const char *name, const char *want,
                                  struct weir_err *err)
{
    const char *text = weir_json_find_str(json, name);
    if (!text || strcmp(text, want) != 0) {
        return weir_fail(err, WEIR_EINVAL, "%s is not \"%s\"", name, want);
    }
    return WEIR_OK;
}

static enum weir_code find_type(const struct weir_json *json, const struct codec_type *types,
                                int n_types, int *ret, struct weir_err *err)
{
    const char *name = weir_json_find_str(json, "type");
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

static enum weir_code read_event(const struct reader *r, const struct weir_json *json,
                                 struct weir_event *ev)
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
    return read_object(r, codec_events[type].body, weir_json_find(json, "data"), (char *)&ev->u,
                       &path);
}

enum weir_code weir_ev_parse(const char *bytes, size_t len, struct weir_arena *arena,
                             struct weir_event *ret, struct weir_err *err)
{
    struct weir_arena *scratch WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_json json;
    enum weir_code code = load(bytes, len, WEIR_EV_BYTES_MAX, scratch, &json, err);
    if (code != WEIR_OK) {
        return code;
    }
    struct reader r = {.arena = arena, .err = err};
    struct weir_event *ev = weir_arena_alloc(arena, sizeof(*ev));
    code = read_event(&r, &json, ev);
    if (code == WEIR_OK) {
        *ret = *ev;
    }
    return code;
}

enum weir_code weir_ctl_parse(const char *bytes, size_t len, struct weir_arena *arena,
                              struct weir_ctl *ret, struct weir_err *err)
{
    struct weir_arena *scratch WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_json json;
    int type = 0;
    enum weir_code code = load(bytes, len, WEIR_CTL_BYTES_MAX, scratch, &json, err);
    if (code == WEIR_OK) {
        code = find_type(&json, codec_controls, WEIR_CTL_N, &type, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    struct reader r = {.arena = arena, .err = err};
    struct weir_ctl *ctl = weir_arena_alloc(arena, sizeof(*ctl));
    ctl->type = (enum weir_ctl_type)type;
    code = read_object(&r, codec_controls[type].body, &json, (char *)&ctl->u, NULL);
    if (code == WEIR_OK) {
        *ret = *ctl;
    }
    return code;
}

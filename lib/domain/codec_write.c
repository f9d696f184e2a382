/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Two walks: the first with `bytes` NULL checks and measures, the second writes. */
struct writer {
    char *bytes;
    size_t len;
    struct weir_err *err;
};

static enum weir_code write_object(struct writer *w, const struct codec_object *object,
                                   const char *base, const struct codec_path *path);

static void put(struct writer *w, const char *bytes, size_t len)
{
    if (w->bytes) {
        memcpy(w->bytes + w->len, bytes, len);
    }
    w->len += len;
}

static void puts_raw(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

/* Control characters never get here: no set of characters has them. */
static void put_quoted(struct writer *w, const char *text, size_t len)
{
    put(w, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            put(w, "\\", 1);
        }
        put(w, text + i, 1);
    }
    put(w, "\"", 1);
}

static enum weir_code write_int(struct writer *w, const struct codec_field *f, const char *at,
                                const struct codec_path *path)
{
    int64_t value;
    memcpy(&value, at, sizeof(value));
    if (value < f->low || value > f->high) {
        return codec_fail(path, w->err, WEIR_EINVAL, "is outside %" PRId64 "..%" PRId64, f->low,
                          f->high);
    }
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    puts_raw(w, text);
    return WEIR_OK;
}

static enum weir_code write_bool(struct writer *w, const char *at)
{
    puts_raw(w, *(const bool *)at ? "true" : "false");
    return WEIR_OK;
}

static enum weir_code write_time(struct writer *w, const char *at, const struct codec_path *path)
{
    int64_t wall_ms;
    memcpy(&wall_ms, at, sizeof(wall_ms));
    if (wall_ms < CODEC_TIME_MIN_MS || wall_ms > CODEC_TIME_MAX_MS) {
        return codec_fail(path, w->err, WEIR_EINVAL, "is outside the years 1 to 9999");
    }
    char text[CODEC_TIME_LEN + 1];
    codec_time_format(wall_ms, text);
    put_quoted(w, text, CODEC_TIME_LEN);
    return WEIR_OK;
}

static enum weir_code write_enum(struct writer *w, const struct codec_field *f, const char *at,
                                 const struct codec_path *path)
{
    unsigned value;
    memcpy(&value, at, sizeof(value));
    if (value >= (uint64_t)f->high) {
        return codec_fail(path, w->err, WEIR_EINVAL, "is member %u of an enum of %" PRId64, value,
                          f->high);
    }
    put_quoted(w, f->names[value], strlen(f->names[value]));
    return WEIR_OK;
}

static enum weir_code write_text(struct writer *w, const struct codec_field *f, const char *at,
                                 const struct codec_path *path)
{
    size_t len = strnlen(at, (size_t)f->high + 1);
    enum weir_code code = codec_check_text(f, at, len, path, w->err);
    if (code == WEIR_OK) {
        put_quoted(w, at, len);
    }
    return code;
}

static enum weir_code write_array(struct writer *w, const struct codec_field *f, const char *base,
                                  const struct codec_path *path)
{
    const char *items;
    size_t n;
    memcpy(&items, base + f->offset, sizeof(items));
    memcpy(&n, base + f->count, sizeof(n));
    if (n > (size_t)f->high) {
        return codec_fail(path, w->err, WEIR_ELIMIT, "has %zu elements, the limit is %" PRId64, n,
                          f->high);
    }
    put(w, "[", 1);
    for (size_t i = 0; i < n; i++) {
        struct codec_path item = {.up = path, .index = i};
        if (i > 0) {
            put(w, ",", 1);
        }
        enum weir_code code = write_object(w, f->sub, items + i * f->sub->size, &item);
        if (code != WEIR_OK) {
            return code;
        }
    }
    put(w, "]", 1);
    return WEIR_OK;
}

static enum weir_code write_value(struct writer *w, const struct codec_field *f, const char *base,
                                  const struct codec_path *path)
{
    const char *at = base + f->offset;
    switch (f->kind) {
    case CODEC_ID:
        put_quoted(w, WEIR_ID_TEXT((const struct weir_id *)at), WEIR_ID_TEXT_MAX - 1);
        return WEIR_OK;
    case CODEC_TIME:
        return write_time(w, at, path);
    case CODEC_STR:
        return write_text(w, f, at, path);
    case CODEC_INT:
        return write_int(w, f, at, path);
    case CODEC_BOOL:
        return write_bool(w, at);
    case CODEC_ENUM:
        return write_enum(w, f, at, path);
    case CODEC_OBJ:
        return write_object(w, f->sub, at, path);
    case CODEC_ARR:
        return write_array(w, f, base, path);
    }
    return WEIR_EINTERNAL;
}

/* "a":1,"b":2 without braces; `more`: something stands before. */
static enum weir_code write_fields(struct writer *w, const struct codec_object *object,
                                   const char *base, const struct codec_path *path, bool more)
{
    for (size_t i = 0; i < object->n_fields; i++) {
        const struct codec_field *f = &object->fields[i];
        if (f->has != CODEC_REQUIRED && !*(const bool *)(base + f->has)) {
            continue;
        }
        struct codec_path here = {.up = path, .name = f->name};
        if (more) {
            put(w, ",", 1);
        }
        more = true;
        put_quoted(w, f->name, strlen(f->name));
        put(w, ":", 1);
        enum weir_code code = write_value(w, f, base, &here);
        if (code != WEIR_OK) {
            return code;
        }
    }
    return WEIR_OK;
}

static enum weir_code write_object(struct writer *w, const struct codec_object *object,
                                   const char *base, const struct codec_path *path)
{
    put(w, "{", 1);
    enum weir_code code = write_fields(w, object, base, path, false);
    put(w, "}", 1);
    return code;
}

static enum weir_code write_event(struct writer *w, const void *message)
{
    const struct weir_event *ev = message;
    struct codec_path path = {.name = "data"};
    puts_raw(w, "{\"specversion\":\"1.0\",\"type\":\"");
    puts_raw(w, codec_events[ev->type].name);
    puts_raw(w, "\",\"datacontenttype\":\"application/json\"");
    enum weir_code code = write_fields(w, &codec_envelope, (const char *)ev, NULL, true);
    if (code != WEIR_OK) {
        return code;
    }
    puts_raw(w, ",\"data\":");
    code = write_object(w, codec_events[ev->type].body, (const char *)&ev->u, &path);
    put(w, "}", 1);
    return code;
}

static enum weir_code write_control(struct writer *w, const void *message)
{
    const struct weir_ctl *ctl = message;
    puts_raw(w, "{\"type\":\"");
    puts_raw(w, codec_controls[ctl->type].name);
    put(w, "\"", 1);
    enum weir_code code =
        write_fields(w, codec_controls[ctl->type].body, (const char *)&ctl->u, NULL, true);
    put(w, "}\n", 2);
    return code;
}

typedef enum weir_code write_fn(struct writer *w, const void *message);

static enum weir_code dump(write_fn *write, const void *message, size_t max,
                           struct weir_arena *arena, const char **ret_bytes, size_t *ret_len,
                           struct weir_err *err)
{
    struct writer w = {.err = err};
    enum weir_code code = write(&w, message);
    if (code != WEIR_OK) {
        return code;
    }
    if (w.len > max) {
        return weir_fail(err, WEIR_ELIMIT, "message of %zu bytes, the limit is %zu", w.len, max);
    }
    w.bytes = weir_arena_alloc(arena, w.len + 1);
    w.len = 0;
    code = write(&w, message);
    if (code == WEIR_OK) {
        *ret_bytes = w.bytes;
        *ret_len = w.len;
    }
    return code;
}

enum weir_code weir_ev_dump(const struct weir_event *ev, struct weir_arena *arena,
                            const char **ret_bytes, size_t *ret_len, struct weir_err *err)
{
    if ((unsigned)ev->type >= WEIR_EV_N) {
        return weir_fail(err, WEIR_EINVAL, "type %u is none of the %d known", (unsigned)ev->type,
                         WEIR_EV_N);
    }
    return dump(write_event, ev, WEIR_EV_BYTES_MAX, arena, ret_bytes, ret_len, err);
}

enum weir_code weir_ctl_dump(const struct weir_ctl *ctl, struct weir_arena *arena,
                             const char **ret_bytes, size_t *ret_len, struct weir_err *err)
{
    if ((unsigned)ctl->type >= WEIR_CTL_N) {
        return weir_fail(err, WEIR_EINVAL, "type %u is none of the %d known", (unsigned)ctl->type,
                         WEIR_CTL_N);
    }
    return dump(write_control, ctl, WEIR_CTL_BYTES_MAX, arena, ret_bytes, ret_len, err);
}

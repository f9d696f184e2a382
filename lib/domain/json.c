/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* ---- reading ---- */

#define EXACT_REAL 9007199254740992.0 /* 2^53: up to here a double holds every integer */

static void convert(const json_t *json, struct weir_arena *arena, struct weir_json *ret);

static void convert_array(const json_t *json, struct weir_arena *arena, struct weir_json *ret)
{
    size_t n = json_array_size(json);
    struct weir_json *items = weir_arena_array(arena, n, sizeof(*items));
    for (size_t i = 0; i < n; i++) {
        convert(json_array_get(json, i), arena, &items[i]);
    }
    *ret = (struct weir_json){.type = WEIR_JSON_ARR, .items = items, .n = n};
}

static void convert_object(json_t *json, struct weir_arena *arena, struct weir_json *ret)
{
    size_t n = json_object_size(json);
    struct weir_json_member *members = weir_arena_array(arena, n, sizeof(*members));
    size_t i = 0;
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        members[i].name = weir_arena_strdup(arena, name);
        convert(value, arena, &members[i].value);
        i++;
    }
    *ret = (struct weir_json){.type = WEIR_JSON_OBJ, .members = members, .n = n};
}

/* JSON Schema, and so the contract, takes 5.0 for an integer. */
static void convert_real(double real, struct weir_json *ret)
{
    bool is_whole = real >= -EXACT_REAL && real <= EXACT_REAL && real == (double)(int64_t)real;
    *ret = (struct weir_json){.type = is_whole ? WEIR_JSON_INT : WEIR_JSON_REAL,
                              .integer = is_whole ? (int64_t)real : 0};
}

static void convert(const json_t *json, struct weir_arena *arena, struct weir_json *ret)
{
    switch (json_typeof(json)) {
    case JSON_ARRAY:
        convert_array(json, arena, ret);
        return;
    case JSON_OBJECT:
        convert_object((json_t *)json, arena, ret);
        return;
    case JSON_STRING:
        *ret = (struct weir_json){.type = WEIR_JSON_STR, .len = json_string_length(json)};
        ret->str = weir_arena_memdup(arena, json_string_value(json), ret->len);
        return;
    case JSON_INTEGER:
        *ret = (struct weir_json){.type = WEIR_JSON_INT, .integer = json_integer_value(json)};
        return;
    case JSON_REAL:
        convert_real(json_real_value(json), ret);
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = (struct weir_json){.type = WEIR_JSON_BOOL, .boolean = json_is_true(json)};
        return;
    case JSON_NULL:
        break;
    }
    *ret = (struct weir_json){.type = WEIR_JSON_NULL};
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
            if (++depth > WEIR_JSON_DEPTH_MAX) {
                return true;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

enum weir_code weir_json_parse(const char *bytes, size_t len, struct weir_arena *arena,
                               struct weir_json *ret, struct weir_err *err)
{
    if (is_too_deep(bytes, len)) {
        return weir_fail(err, WEIR_EPARSE, "JSON is nested deeper than %d", WEIR_JSON_DEPTH_MAX);
    }
    /* jansson takes a NUL after a number for white space. */
    if (len > 0 && memchr(bytes, '\0', len)) {
        return weir_fail(err, WEIR_EPARSE, "not valid JSON: a NUL");
    }
    json_error_t where;
    json_t *json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (!json) {
        /* jansson's own text quotes the input, which may hold a secret. */
        return weir_fail(err, WEIR_EPARSE, "not valid JSON, or a name twice, at line %d, column %d",
                         where.line, where.column);
    }
    convert(json, arena, ret);
    json_decref(json);
    return WEIR_OK;
}

const struct weir_json *weir_json_find(const struct weir_json *json, const char *name)
{
    for (size_t i = 0; json && json->type == WEIR_JSON_OBJ && i < json->n; i++) {
        if (strcmp(json->members[i].name, name) == 0) {
            return &json->members[i].value;
        }
    }
    return NULL;
}

const char *weir_json_find_str(const struct weir_json *json, const char *name)
{
    const struct weir_json *value = weir_json_find(json, name);
    return value && value->type == WEIR_JSON_STR ? value->str : NULL;
}

/* ---- writing ---- */

/* Length of the well-formed UTF-8 sequence at `s` (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t n = 1; n <= 4; n++) {
        if ((s[0] & forms[n - 1].mask) != forms[n - 1].lead) {
            continue;
        }
        uint32_t point = s[0] & (unsigned char)~forms[n - 1].mask;
        for (size_t i = 1; i < n; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                return 0;
            }
            point = point << 6 | (s[i] & 0x3fU);
        }
        bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
        return point < forms[n - 1].least || point > 0x10ffff || is_surrogate ? 0 : n;
    }
    return 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_escaped(struct weir_buf *buf, const char *text)
{
    weir_buf_add(buf, "\"", 1);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = 0;
        while (is_plain(s[n])) {
            n++;
        }
        if (n > 0) {
            weir_buf_add(buf, s, n);
            s += n;
            continue;
        }
        n = utf8_length(s);
        if (n == 0) {
            weir_buf_add(buf, "\\ufffd", 6);
            n = 1;
        } else if (*s == '"' || *s == '\\') {
            char pair[2] = {'\\', (char)*s};
            weir_buf_add(buf, pair, 2);
        } else if (*s < 0x20 || *s == 0x7f) {
            weir_buf_printf(buf, "\\u%04x", *s);
        } else {
            weir_buf_add(buf, s, n);
        }
        s += n;
    }
    weir_buf_add(buf, "\"", 1);
}

static void put_name(struct weir_json_out *out, const char *name)
{
    if (out->needs_comma) {
        weir_buf_add(&out->buf, ",", 1);
    }
    if (name) {
        put_escaped(&out->buf, name);
        weir_buf_add(&out->buf, ":", 1);
    }
    out->needs_comma = true;
}

void weir_json_open(struct weir_json_out *out, const char *name, char bracket)
{
    put_name(out, name);
    weir_buf_add(&out->buf, &bracket, 1);
    out->needs_comma = false;
}

void weir_json_close(struct weir_json_out *out, char bracket)
{
    weir_buf_add(&out->buf, &bracket, 1);
    out->needs_comma = true;
}

void weir_json_str(struct weir_json_out *out, const char *name, const char *value)
{
    if (!value) {
        weir_json_null(out, name);
        return;
    }
    put_name(out, name);
    put_escaped(&out->buf, value);
}

void weir_json_int(struct weir_json_out *out, const char *name, int64_t value)
{
    put_name(out, name);
    weir_buf_printf(&out->buf, "%" PRId64, value);
}

void weir_json_bool(struct weir_json_out *out, const char *name, bool value)
{
    weir_json_raw(out, name, value ? "true" : "false");
}

void weir_json_null(struct weir_json_out *out, const char *name)
{
    weir_json_raw(out, name, "null");
}

void weir_json_raw(struct weir_json_out *out, const char *name, const char *json)
{
    put_name(out, name);
    weir_buf_add(&out->buf, json, strlen(json));
}

const char *weir_json_take(struct weir_json_out *out, struct weir_arena *arena, size_t *ret_len)
{
    char *text = weir_arena_memdup(arena, out->buf.bytes ? out->buf.bytes : "", out->buf.len);
    *ret_len = out->buf.len;
    weir_buf_done(&out->buf);
    out->needs_comma = false;
    return text;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: documents read into an arena, answers of the REST border written into a buffer. Records and
 * control lines have their own codec on top of it (lib/domain/events.h).
 *
 * Reading is strict: UTF-8, no duplicate names, no NUL, nothing after the value, at most
 * WEIR_JSON_DEPTH_MAX nested values.
 *
 *     struct weir_json_out out = {0};
 *     weir_json_open(&out, NULL, '{');
 *     weir_json_str(&out, "name", name);
 *     weir_json_open(&out, "items", '[');
 *     weir_json_int(&out, NULL, 7);
 *     weir_json_close(&out, ']');
 *     weir_json_close(&out, '}');                    {"name":"...","items":[7]}
 *     ... out.buf.bytes, out.buf.len ...; weir_buf_done(&out.buf);
 */
#ifndef WEIR_DOMAIN_JSON_H
#define WEIR_DOMAIN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

#define WEIR_JSON_DEPTH_MAX 16

enum weir_json_type {
    WEIR_JSON_NULL,
    WEIR_JSON_BOOL,
    WEIR_JSON_INT,  /* 5.0 too */
    WEIR_JSON_REAL, /* its value is not kept: nothing here takes fractions */
    WEIR_JSON_STR,
    WEIR_JSON_ARR,
    WEIR_JSON_OBJ,
};

struct weir_json_member;

struct weir_json {
    enum weir_json_type type;
    bool boolean;
    int64_t integer;
    const char *str; /* NUL-terminated, holds no NUL itself */
    size_t len;      /* bytes of str */
    size_t n;        /* items or members */
    const struct weir_json *items;
    const struct weir_json_member *members; /* in order of appearance */
};

struct weir_json_member {
    const char *name;
    struct weir_json value;
};

/* `ret` and all below it live in the arena. WEIR_EPARSE says where; never what the text held. */
WEIR_MUST_USE enum weir_code weir_json_parse(const char *bytes, size_t len,
                                             struct weir_arena *arena, struct weir_json *ret,
                                             struct weir_err *err);

/* A member of an object; NULL when absent or `json` is no object. */
const struct weir_json *weir_json_find(const struct weir_json *json, const char *name);

/* The string of a member, or NULL when absent or no string. */
const char *weir_json_find_str(const struct weir_json *json, const char *name);

/* ---- writing ---- */

struct weir_json_out {
    struct weir_buf buf;
    bool needs_comma;
};

/* `name` NULL: inside an array or at the top. `bracket` is '{' or '['; close with its partner. */
void weir_json_open(struct weir_json_out *out, const char *name, char bracket);
void weir_json_close(struct weir_json_out *out, char bracket);

/* `value` NULL writes null. Bytes that are not UTF-8 become U+FFFD. */
void weir_json_str(struct weir_json_out *out, const char *name, const char *value);
void weir_json_int(struct weir_json_out *out, const char *name, int64_t value);
void weir_json_bool(struct weir_json_out *out, const char *name, bool value);
void weir_json_null(struct weir_json_out *out, const char *name);
/* `json` is a whole JSON value made by trusted code. */
void weir_json_raw(struct weir_json_out *out, const char *name, const char *json);

/* The text so far, moved into the arena; the buffer is freed. */
const char *weir_json_take(struct weir_json_out *out, struct weir_arena *arena, size_t *ret_len);

#endif

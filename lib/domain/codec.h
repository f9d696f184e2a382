/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter behind lib/domain/events.h: generated tables say what a message looks like, and
 * two walks over them read and write it. For events.c and the codec's own files only; everyone
 * else uses weir_ev_* and weir_ctl_*.
 *
 *     codec_text.c    what a string may hold, times, where an error is
 *     codec_read.c    JSON to struct
 *     codec_write.c   struct to JSON
 *
 * A walk carries a `struct codec_path`, a chain on the stack that leads from the field at hand up
 * to the message, so that an error can name "data.effects[3].stream_id" without any allocation.
 */
#ifndef WEIR_DOMAIN_CODEC_H
#define WEIR_DOMAIN_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/domain/events.h"

enum codec_kind {
    CODEC_ID,   /* struct weir_id */
    CODEC_TIME, /* int64_t, Unix ms; RFC 3339 in JSON */
    CODEC_STR,  /* char[high + 1] */
    CODEC_INT,  /* int64_t in [low, high] */
    CODEC_BOOL, /* bool */
    CODEC_ENUM, /* an enum below `high`, named by `names` */
    CODEC_OBJ,  /* a struct described by `sub` */
    CODEC_ARR,  /* pointer to structs described by `sub`, at most `high`; size_t at `count` */
};

/* What the bytes of a string may be. */
enum codec_chars {
    CODEC_TOKEN,  /* printable ASCII without spaces */
    CODEC_SOURCE, /* /weir/ and a token */
    CODEC_TEXT,   /* UTF-8 without control characters */
    CODEC_SNAKE,  /* a lower-case letter, then letters, digits and _ */
    CODEC_HEX,    /* lower-case hex digits */
};

#define CODEC_REQUIRED SIZE_MAX

struct codec_field {
    const char *name;
    enum codec_kind kind;
    enum codec_chars chars;
    size_t offset;            /* of the member */
    size_t has;               /* of its bool has_x, or CODEC_REQUIRED */
    size_t count;             /* arrays: of their size_t n_x */
    int64_t low;              /* smallest value, or bytes */
    int64_t high;             /* largest value, or bytes, elements, number of names */
    const char *const *names; /* enums */
    const struct codec_object *sub;
};

struct codec_object {
    size_t size; /* of the struct */
    const struct codec_field *fields;
    size_t n_fields;
};

struct codec_type {
    const char *name;
    const char *topic; /* NULL for a control message */
    const struct codec_object *body;
};

extern const struct codec_type codec_events[WEIR_EV_N];
extern const struct codec_type codec_controls[WEIR_CTL_N];
extern const struct codec_object codec_envelope;

/* Where a walk is: a field, or with `name` NULL an element of the array above. */
struct codec_path {
    const struct codec_path *up;
    const char *name;
    size_t index;
};

/* weir_fail with the path in front: "data.fps " and the message. `path` may be NULL. */
enum weir_code codec_fail(const struct codec_path *path, struct weir_err *err, enum weir_code code,
                          const char *fmt, ...) WEIR_PRINTF(4, 5);

/* Index of `name`, or -1. */
int codec_find_name(const char *const *names, int n_names, const char *name);

/* "none of: a, b, c" for an error. `text` holds `size` bytes and is cut when that is short. */
const char *codec_list_names(const struct codec_field *field, char *text, size_t size);

/* Holds `len` bytes against the field's length and set of characters. */
WEIR_MUST_USE enum weir_code codec_check_text(const struct codec_field *field, const char *text,
                                              size_t len, const struct codec_path *path,
                                              struct weir_err *err);

#define CODEC_TIME_LEN    24 /* 2026-01-31T23:59:59.999Z */
#define CODEC_TIME_MIN_MS (-62135596800000LL)
#define CODEC_TIME_MAX_MS 253402300799999LL

/* Exactly the form above, years 1 to 9999, no leap second. False otherwise. */
bool codec_time_parse(const char *text, size_t len, int64_t *ret_ms);

/* `wall_ms` in [CODEC_TIME_MIN_MS, CODEC_TIME_MAX_MS]; writes CODEC_TIME_LEN bytes and a NUL. */
void codec_time_format(int64_t wall_ms, char text[static CODEC_TIME_LEN + 1]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request bodies by table: which members a JSON object may have, and what their values may be.
 * Whatever is not in the table is refused, with a pointer (RFC 6901) to it. Pure.
 *
 *     enum { NAME, URL, N_FIELDS };
 *     static const struct api_field fields[N_FIELDS] = {
 *         [NAME] = {"/name", API_STR, .min = 1, .max = 128, .is_required = true},
 *         [URL] = {"/source/url", API_STR, .min = 1, .max = 2048, .is_required = true}};
 *     struct api_value values[N_FIELDS];
 *     code = api_fields_read(fields, N_FIELDS, &json, values, &fault);
 */
#ifndef WEIR_API_FIELDS_H
#define WEIR_API_FIELDS_H

#include "lib/domain/id.h"
#include "lib/domain/json.h"

enum api_field_kind {
    API_STR, /* min..max bytes of UTF-8 without control characters */
    API_INT, /* min..max */
    API_BOOL,
    API_ENUM,     /* one of `names` */
    API_ID,       /* a UUID */
    API_TIME,     /* RFC 3339 with a zone, as lib/base/clock.h reads it */
    API_LABELS,   /* an object of at most `max` short strings */
    API_NETWORKS, /* an array of networks, as lib/domain/reach.h takes them for a tenant */
    API_ARRAY,    /* of min..max values, which the caller reads */
};

struct api_field {
    const char *pointer; /* "/name", or "/source/url" for a member of a member */
    enum api_field_kind kind;
    int64_t min, max;
    const char *const *names; /* ends with NULL */
    bool is_required; /* of a member of a member: when its parent is there, or is required too */
    bool is_nullable;
};

struct api_value {
    bool is_given; /* also when null */
    bool is_null;
    const char *str; /* API_STR, API_ENUM */
    int64_t integer; /* API_INT; index of an API_ENUM; API_TIME: Unix ms */
    bool boolean;
    struct weir_id id;
    const struct weir_json *json; /* API_LABELS, API_NETWORKS, API_ARRAY */
};

#define API_POINTER_MAX     160
#define API_LABEL_NAME_MAX  64
#define API_LABEL_VALUE_MAX 256

/* What was wrong, for problem+json. */
struct api_fault {
    const char *code; /* unknown_field, missing_field, wrong_type, too_long, ...; static */
    char pointer[API_POINTER_MAX];
    char detail[160];
};

/* WEIR_ESEMANTIC with `fault` filled when the document is not what the table says. */
WEIR_MUST_USE enum weir_code api_fields_read(const struct api_field *fields, size_t n,
                                             const struct weir_json *json,
                                             struct api_value *ret_values, struct api_fault *fault);

#endif

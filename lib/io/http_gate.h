/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: refuses requests that two HTTP implementations could read in two ways, before any byte
 * of a body is looked at. Pure: it judges what the HTTP library parsed.
 *
 * The library behind http_server accepts duplicate Content-Length, Transfer-Encoding beside
 * Content-Length, folded headers and more (CWE-444); behind a proxy each of them can smuggle a
 * request. What passes here has: upper-case method, a printable ASCII target that starts with one
 * slash and has no dot segments and no %00, header names that are tokens and values without control
 * bytes (RFC 9110 section 5), exactly one Host, at most one of each header that must not repeat, no
 * Transfer-Encoding (JSON clients send lengths).
 */
#ifndef WEIR_IO_HTTP_GATE_H
#define WEIR_IO_HTTP_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_HTTP_GATE_HEADERS_MAX 64

struct weir_http_field {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

struct weir_http_gate_request {
    const char *method;
    const char *version; /* "HTTP/1.1" */
    const char *target;  /* raw, with query */
    size_t target_max_bytes;
    size_t body_max_bytes;
    bool is_line_broken; /* a header was not one line that ends with CRLF */
    const struct weir_http_field *fields;
    size_t n_fields;
};

struct weir_http_verdict {
    int status;         /* 0: passed; else 4xx, and the connection must be closed */
    const char *code;   /* stable snake_case name; static */
    const char *detail; /* a sentence; static */
    size_t limit;       /* the limit that was passed, 0 when none was */
    int64_t body_bytes; /* Content-Length, 0 when absent */
};

struct weir_http_verdict weir_http_gate(const struct weir_http_gate_request *request);

#endif

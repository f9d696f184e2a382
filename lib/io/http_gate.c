/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_gate.h"

#include <string.h>
#include <strings.h>

#define METHOD_MAX         16
#define CONTENT_LENGTH_MAX 12 /* digits */

static struct weir_http_verdict refuse(int status, const char *code, const char *detail)
{
    return (struct weir_http_verdict){.status = status, .code = code, .detail = detail};
}

static struct weir_http_verdict malformed(const char *detail)
{
    return refuse(400, "malformed_request", detail);
}

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return len > 0;
}

static bool is_method(const char *method)
{
    size_t len = strlen(method);
    return len > 0 && len <= METHOD_MAX && strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == len;
}

/* Whether a path segment is "." or "..", also when percent-encoded. */
static bool is_dot_segment(const char *s, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; dots++) {
        if (s[i] == '.') {
            i += 1;
        } else if (len - i >= 3 && strncasecmp(s + i, "%2e", 3) == 0) {
            i += 3;
        } else {
            return false;
        }
    }
    return dots == 1 || dots == 2;
}

static bool has_dot_segment(const char *target)
{
    size_t path_len = strcspn(target, "?");
    for (size_t at = 1; at <= path_len;) {
        size_t len = strcspn(target + at, "/?");
        if (is_dot_segment(target + at, len)) {
            return true;
        }
        at += len + 1;
    }
    return false;
}

static struct weir_http_verdict judge_target(const struct weir_http_gate_request *request)
{
    const char *target = request->target;
    if (target[0] != '/' || target[1] == '/') {
        return malformed("the target must start with exactly one slash");
    }
    size_t len = strlen(target);
    if (len > request->target_max_bytes) {
        struct weir_http_verdict verdict = refuse(414, "target_too_long", "the target is too long");
        verdict.limit = request->target_max_bytes;
        return verdict;
    }
    for (size_t i = 0; i < len; i++) {
        if (target[i] <= 0x20 || target[i] == 0x7f || target[i] == '#' || target[i] == '\\') {
            return malformed("the target holds a byte that is not allowed");
        }
        if (target[i] == '%' && strncmp(target + i, "%00", 3) == 0) {
            return malformed("the target holds %00");
        }
    }
    if (has_dot_segment(target)) {
        return malformed("the target holds a dot segment");
    }
    return (struct weir_http_verdict){0};
}

static bool is_clean_value(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* The length first, and it is known at compile time: most fields are none of those asked for. */
struct name {
    const char *text;
    size_t len;
};
#define NAME(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static bool is_named(const struct weir_http_field *field, const struct name *name)
{
    return field->name_len == name->len && strncasecmp(field->name, name->text, name->len) == 0;
}

/* Headers that carry one value by definition: a second one is an attack or a bug. */
static const struct name single_names[] = {
    NAME("Host"),
    NAME("Content-Length"),
    NAME("Authorization"),
    NAME("Content-Type"),
    NAME("Expect"),
    NAME("If-Match"),
    NAME("If-None-Match"),
    NAME("Idempotency-Key"),
    NAME("X-Request-Id"),
    NAME("X-Original-URI"),
    NAME("X-Original-Method"),
    NAME("X-Weir-Gateway-Secret"),
    NAME("X-Weir-Worker-Secret"),
};
static const struct name transfer_encoding = NAME("Transfer-Encoding");
static const struct name content_length = NAME("Content-Length");
static const struct name host_name = NAME("Host");
#define N_SINGLE (sizeof(single_names) / sizeof(single_names[0]))

static struct weir_http_verdict judge_fields(const struct weir_http_gate_request *request,
                                             unsigned counts[static N_SINGLE])
{
    if (request->is_line_broken) {
        return malformed("a header is not one line that ends with CRLF");
    }
    if (request->n_fields > WEIR_HTTP_GATE_HEADERS_MAX) {
        struct weir_http_verdict verdict = refuse(431, "too_many_headers", "too many headers");
        verdict.limit = WEIR_HTTP_GATE_HEADERS_MAX;
        return verdict;
    }
    for (size_t i = 0; i < request->n_fields; i++) {
        const struct weir_http_field *field = &request->fields[i];
        if (!is_token(field->name, field->name_len)) {
            return malformed("a header name is not a token");
        }
        if (!is_clean_value(field->value, field->value_len)) {
            return malformed("a header value holds a control byte");
        }
        if (is_named(field, &transfer_encoding)) {
            return refuse(411, "length_required", "send Content-Length, not Transfer-Encoding");
        }
        for (size_t k = 0; k < N_SINGLE; k++) {
            if (is_named(field, &single_names[k]) && ++counts[k] > 1) {
                return malformed("a header that must be single is repeated");
            }
        }
    }
    return (struct weir_http_verdict){0};
}

static const struct weir_http_field *find_field(const struct weir_http_gate_request *request,
                                                const struct name *name)
{
    for (size_t i = 0; i < request->n_fields; i++) {
        if (is_named(&request->fields[i], name)) {
            return &request->fields[i];
        }
    }
    return NULL;
}

static struct weir_http_verdict judge_length(const struct weir_http_gate_request *request)
{
    const struct weir_http_field *field = find_field(request, &content_length);
    struct weir_http_verdict verdict = {0};
    if (!field) {
        return verdict;
    }
    if (field->value_len == 0 || field->value_len > CONTENT_LENGTH_MAX) {
        return malformed("Content-Length is not a decimal number");
    }
    for (size_t i = 0; i < field->value_len; i++) {
        if (field->value[i] < '0' || field->value[i] > '9') {
            return malformed("Content-Length is not a decimal number");
        }
        verdict.body_bytes = verdict.body_bytes * 10 + (field->value[i] - '0');
    }
    if ((uint64_t)verdict.body_bytes > request->body_max_bytes) {
        verdict = refuse(413, "body_too_large", "the body is too large");
        verdict.limit = request->body_max_bytes;
    }
    return verdict;
}

struct weir_http_verdict weir_http_gate(const struct weir_http_gate_request *request)
{
    if (!is_method(request->method)) {
        return malformed("the method is not a word of capital letters");
    }
    if (strcmp(request->version, "HTTP/1.1") != 0 && strcmp(request->version, "HTTP/1.0") != 0) {
        return refuse(505, "version_not_supported", "send HTTP/1.1");
    }
    struct weir_http_verdict verdict = judge_target(request);
    if (verdict.status) {
        return verdict;
    }
    unsigned counts[N_SINGLE] = {0};
    verdict = judge_fields(request, counts);
    if (verdict.status) {
        return verdict;
    }
    const struct weir_http_field *host = find_field(request, &host_name);
    if (!host || host->value_len == 0 || memchr(host->value, ' ', host->value_len) ||
        memchr(host->value, ',', host->value_len)) {
        return malformed("exactly one Host is needed");
    }
    return judge_length(request);
}

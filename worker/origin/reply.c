/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/reply.h"

#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

void reply_init(struct reply *reply, size_t body_max)
{
    *reply = (struct reply){.content_length = -1,
                            .keeps_alive = true,
                            .body = {.max = body_max},
                            .line = {.max = REPLY_LINE_MAX}};
}

void reply_done(struct reply *reply)
{
    weir_buf_done(&reply->body);
    weir_buf_done(&reply->line);
}

static bool has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum weir_code take_status(struct reply *reply, const char *line, size_t len,
                                  struct weir_err *err)
{
    bool is_http = len >= 12 && memcmp(line, "HTTP/1.1 ", 9) == 0 && is_digit(line[9]) &&
                   is_digit(line[10]) && is_digit(line[11]) && (len == 12 || line[12] == ' ');
    int status = is_http ? (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0') : 0;
    if (status < 200 || status > 599) {
        return weir_fail(err, WEIR_EPARSE, "the engine's answer is no HTTP/1.1 response");
    }
    reply->status = status;
    reply->state = REPLY_HEADERS;
    return WEIR_OK;
}

/* The value of header `name` without white space around it; NULL for another header. */
static const char *header_value(char *line, const char *name)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return NULL;
    }
    char *value = line + n + 1;
    value += strspn(value, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        value[--len] = '\0';
    }
    return value;
}

static enum weir_code take_header(struct reply *reply, char *line, struct weir_err *err)
{
    const char *value = header_value(line, "Content-Length");
    if (value != NULL) {
        bool is_number = value[0] != '\0' && strspn(value, "0123456789") == strlen(value);
        if (reply->content_length >= 0 || !is_number ||
            weir_str_to_int(value, 0, INT64_MAX, &reply->content_length, NULL) != WEIR_OK) {
            return weir_fail(err, WEIR_EPARSE, "the engine's answer has a bad Content-Length");
        }
        return WEIR_OK;
    }
    value = header_value(line, "Transfer-Encoding");
    if (value != NULL) {
        if (reply->is_chunked || strcasecmp(value, "chunked") != 0) {
            return weir_fail(err, WEIR_EPARSE, "the engine's answer has a bad Transfer-Encoding");
        }
        reply->is_chunked = true;
        return WEIR_OK;
    }
    value = header_value(line, "Connection");
    if (value != NULL && strcasecmp(value, "close") == 0) {
        reply->keeps_alive = false;
    }
    return WEIR_OK;
}

static enum weir_code begin_body(struct reply *reply, struct weir_err *err)
{
    if (!has_body(reply->status)) {
        reply->is_done = true;
        return WEIR_OK;
    }
    if (reply->is_chunked == (reply->content_length >= 0)) {
        return weir_fail(err, WEIR_EPARSE, "the engine's answer does not say how long it is");
    }
    if (reply->content_length > (int64_t)reply->body.max) {
        return weir_fail(err, WEIR_ELIMIT, "the engine's answer has %lld bytes, the limit is %zu",
                         (long long)reply->content_length, reply->body.max);
    }
    reply->state = reply->is_chunked ? REPLY_CHUNK_SIZE : REPLY_BODY;
    reply->left = reply->is_chunked ? 0 : reply->content_length;
    reply->is_done = !reply->is_chunked && reply->left == 0;
    return WEIR_OK;
}

static int hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum weir_code take_chunk_size(struct reply *reply, const char *line, size_t len,
                                      struct weir_err *err)
{
    int64_t size = 0;
    size_t used = 0;
    for (; used < len && used < 8 && hex_digit(line[used]) >= 0; used++) {
        size = size * 16 + hex_digit(line[used]);
    }
    if (used == 0 || (used < len && line[used] != ';')) {
        return weir_fail(err, WEIR_EPARSE, "the engine's answer has a bad chunk size");
    }
    reply->left = size;
    reply->state = size > 0 ? REPLY_CHUNK : REPLY_TRAILERS;
    reply->n_lines = 0;
    return WEIR_OK;
}

static enum weir_code take_line(struct reply *reply, char *line, size_t len, struct weir_err *err)
{
    if (++reply->n_lines > REPLY_LINES_MAX && reply->state != REPLY_CHUNK_SIZE &&
        reply->state != REPLY_CHUNK_END) {
        return weir_fail(err, WEIR_ELIMIT, "the engine's answer has more than %d header lines",
                         REPLY_LINES_MAX);
    }
    if (reply->state == REPLY_STATUS) {
        return take_status(reply, line, len, err);
    }
    if (reply->state == REPLY_HEADERS) {
        return len == 0 ? begin_body(reply, err) : take_header(reply, line, err);
    }
    if (reply->state == REPLY_CHUNK_SIZE) {
        return take_chunk_size(reply, line, len, err);
    }
    if (reply->state == REPLY_CHUNK_END && len != 0) {
        return weir_fail(err, WEIR_EPARSE, "the engine's answer has a chunk longer than it says");
    }
    if (reply->state == REPLY_CHUNK_END) {
        reply->state = REPLY_CHUNK_SIZE;
    } else if (len == 0) {
        reply->is_done = true;
    }
    return WEIR_OK;
}

/* Takes bytes up to and with a line end; *ret_used says how many. */
static enum weir_code feed_line(struct reply *reply, const char *bytes, size_t len,
                                size_t *ret_used, struct weir_err *err)
{
    const char *end = memchr(bytes, '\n', len);
    size_t n = end != NULL ? (size_t)(end - bytes) : len;
    *ret_used = end != NULL ? n + 1 : n;
    if (memchr(bytes, '\0', n) != NULL) {
        return weir_fail(err, WEIR_EPARSE, "the engine's answer has a NUL in its header");
    }
    if (!weir_buf_add(&reply->line, bytes, n)) {
        return weir_fail(err, WEIR_ELIMIT, "the engine's answer has a line of more than %d bytes",
                         REPLY_LINE_MAX);
    }
    if (end == NULL) {
        return WEIR_OK;
    }
    char *line = reply->line.len > 0 ? reply->line.bytes : (char[1]){""};
    size_t line_len = reply->line.len;
    if (line_len > 0 && line[line_len - 1] == '\r') {
        line[--line_len] = '\0';
    }
    enum weir_code code = take_line(reply, line, line_len, err);
    weir_buf_clear(&reply->line);
    return code;
}

static enum weir_code feed_body(struct reply *reply, const char *bytes, size_t len,
                                size_t *ret_used, struct weir_err *err)
{
    size_t n = (int64_t)len < reply->left ? len : (size_t)reply->left;
    if (!weir_buf_add(&reply->body, bytes, n)) {
        return weir_fail(err, WEIR_ELIMIT, "the engine's answer has more than %zu bytes",
                         reply->body.max);
    }
    reply->left -= (int64_t)n;
    *ret_used = n;
    if (reply->left == 0) {
        reply->is_done = reply->state == REPLY_BODY;
        reply->state = REPLY_CHUNK_END;
    }
    return WEIR_OK;
}

enum weir_code reply_feed(struct reply *reply, const char *bytes, size_t len, struct weir_err *err)
{
    while (len > 0) {
        if (reply->is_done) {
            return weir_fail(err, WEIR_EPARSE, "the engine sent more than its answer");
        }
        bool is_in_body = reply->state == REPLY_BODY || reply->state == REPLY_CHUNK;
        size_t used = 0;
        enum weir_code code = is_in_body ? feed_body(reply, bytes, len, &used, err)
                                         : feed_line(reply, bytes, len, &used, err);
        if (code != WEIR_OK) {
            return code;
        }
        bytes += used;
        len -= used;
    }
    return WEIR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_target.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of an escape at `s`, or -1. Control bytes are never meant well. */
static int escaped_byte(const char *s, size_t len)
{
    if (len < 3) {
        return -1;
    }
    int high = hex_digit(s[1]);
    int low = hex_digit(s[2]);
    int byte = high * 16 + low;
    return high < 0 || low < 0 || byte < 0x20 || byte == 0x7f ? -1 : byte;
}

char *weir_http_percent_decode(const char *text, size_t len, bool plus_is_space,
                               struct weir_arena *arena)
{
    char *out = weir_arena_alloc(arena, len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%') {
            int byte = escaped_byte(text + i, len - i);
            if (byte < 0) {
                return NULL;
            }
            out[n++] = (char)byte;
            i += 2;
        } else {
            out[n++] = text[i] == '+' && plus_is_space ? ' ' : text[i];
        }
    }
    return out;
}

static enum weir_code add_pair(const char *text, size_t len, struct weir_arena *arena,
                               struct weir_http_pair *pairs, size_t *n, struct weir_err *err)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    size_t value_at = equals ? name_len + 1 : len;
    struct weir_http_pair pair = {
        .name = weir_http_percent_decode(text, name_len, true, arena),
        .value = weir_http_percent_decode(text + value_at, len - value_at, true, arena),
    };
    if (!pair.name || !pair.value || !pair.name[0]) {
        return weir_fail(err, WEIR_EPARSE, "the query holds a broken parameter");
    }
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(pairs[i].name, pair.name) == 0) {
            return weir_fail(err, WEIR_EPARSE, "the query repeats a parameter");
        }
    }
    if (*n == WEIR_HTTP_QUERY_MAX) {
        return weir_fail(err, WEIR_ELIMIT, "the query has more than %d parameters",
                         WEIR_HTTP_QUERY_MAX);
    }
    pairs[(*n)++] = pair;
    return WEIR_OK;
}

enum weir_code weir_http_query_split(const char *target, struct weir_arena *arena,
                                     struct weir_http_pair *ret, size_t *ret_n,
                                     struct weir_err *err)
{
    struct weir_http_pair pairs[WEIR_HTTP_QUERY_MAX];
    size_t n = 0;
    const char *at = strchr(target, '?');
    while (at && at[1]) {
        const char *text = at + 1;
        size_t len = strcspn(text, "&");
        enum weir_code code = len ? add_pair(text, len, arena, pairs, &n, err) : WEIR_OK;
        if (code != WEIR_OK) {
            return code;
        }
        at = text[len] ? text + len : NULL;
    }
    if (n) {
        memcpy(ret, pairs, n * sizeof(pairs[0]));
    }
    *ret_n = n;
    return WEIR_OK;
}

/* Adds the parameter `{name}` or `{name...}` whose raw value is given; false if it does not fit. */
static bool add_param(struct weir_http_match *match, const char *name, size_t name_len,
                      const char *raw, size_t raw_len, struct weir_arena *arena)
{
    const char *value = raw_len ? weir_http_percent_decode(raw, raw_len, false, arena) : NULL;
    if (!value || match->n_params == WEIR_HTTP_PARAMS_MAX) {
        return false;
    }
    match->params[match->n_params++] =
        (struct weir_http_pair){weir_arena_memdup(arena, name, name_len), value};
    return true;
}

/* Whether one segment of the pattern matches one of the path. */
static bool match_segment(const char *pattern, size_t pattern_len, const char *path,
                          size_t path_len, struct weir_http_match *match, struct weir_arena *arena)
{
    if (pattern_len >= 2 && pattern[0] == '{') {
        return add_param(match, pattern + 1, pattern_len - 2, path, path_len, arena);
    }
    return pattern_len == path_len && memcmp(pattern, path, path_len) == 0;
}

static bool is_rest(const char *pattern, size_t len)
{
    return len > 5 && pattern[0] == '{' && memcmp(pattern + len - 4, "...}", 4) == 0;
}

static bool match_path(const char *pattern, const char *path, size_t path_len,
                       struct weir_http_match *match, struct weir_arena *arena)
{
    const char *path_end = path + path_len;
    match->n_params = 0;
    while (*pattern == '/' && path < path_end) {
        pattern++;
        path++;
        size_t pattern_len = strcspn(pattern, "/");
        if (is_rest(pattern, pattern_len)) {
            return add_param(match, pattern + 1, pattern_len - 5, path, (size_t)(path_end - path),
                             arena);
        }
        const char *slash = memchr(path, '/', (size_t)(path_end - path));
        size_t segment_len = (size_t)((slash ? slash : path_end) - path);
        if (!match_segment(pattern, pattern_len, path, segment_len, match, arena)) {
            return false;
        }
        pattern += pattern_len;
        path += segment_len;
    }
    return *pattern == '\0' && path == path_end;
}

static bool is_method_of(const struct weir_http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

void weir_http_route_match(const struct weir_http_route *routes, size_t n, const char *method,
                           const char *target, struct weir_arena *arena,
                           struct weir_http_match *ret)
{
    size_t path_len = strcspn(target, "?");
    const char *allow = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!match_path(routes[i].pattern, target, path_len, ret, arena)) {
            continue;
        }
        if (is_method_of(&routes[i], method)) {
            ret->route = &routes[i];
            ret->allow = NULL;
            return;
        }
        allow =
            allow ? weir_arena_printf(arena, "%s, %s", allow, routes[i].method) : routes[i].method;
    }
    ret->route = NULL;
    ret->n_params = 0;
    ret->allow = allow;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What http_server makes of a request: the gate, the routes, the query. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/io/http_gate.h"
#include "lib/io/http_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_handler(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    (void)res;
}

static const struct weir_http_route routes[] = {
    {"GET", "/v1/things/{name}", no_handler, 0},
    {"POST", "/v1/things/{name}/parts/{part}", no_handler, 0},
    {"GET", "/files/{tail...}", no_handler, 0},
    {"GET", "/", no_handler, 0},
};

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* The next line of the input as a string in the arena. */
static char *take_line(const uint8_t **data, size_t *size, struct weir_arena *arena)
{
    const uint8_t *end = memchr(*data, '\n', *size);
    size_t len = end ? (size_t)(end - *data) : *size;
    char *line = weir_arena_memdup(arena, *data, len);
    *data += end ? len + 1 : len;
    *size -= end ? len + 1 : len;
    return line;
}

static void check_target(const char *method, const char *target, struct weir_arena *arena)
{
    struct weir_http_match match;
    struct weir_http_pair query[WEIR_HTTP_QUERY_MAX];
    size_t n = 0;
    weir_http_route_match(routes, 4, method, target, arena, &match);
    for (size_t i = 0; i < match.n_params; i++) {
        must(match.params[i].value[0] != '\0');
        must(strcmp(match.params[i].value, "..") != 0);
    }
    if (weir_http_query_split(target, arena, query, &n, NULL) == WEIR_OK) {
        must(n <= WEIR_HTTP_QUERY_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena *arena = weir_arena_new(0);
    struct weir_http_field fields[WEIR_HTTP_GATE_HEADERS_MAX + 1];
    struct weir_http_gate_request request = {
        .version = "HTTP/1.1", .target_max_bytes = 256, .body_max_bytes = 1000, .fields = fields};
    request.method = take_line(&data, &size, arena);
    request.target = take_line(&data, &size, arena);
    while (size > 0 && request.n_fields < WEIR_HTTP_GATE_HEADERS_MAX + 1) {
        char *line = take_line(&data, &size, arena);
        size_t name_len = strcspn(line, ":");
        size_t value_at = line[name_len] ? name_len + 1 : name_len;
        fields[request.n_fields++] =
            (struct weir_http_field){line, name_len, line + value_at, strlen(line + value_at)};
    }
    struct weir_http_verdict verdict = weir_http_gate(&request);
    if (verdict.status == 0) {
        must(verdict.body_bytes >= 0 && verdict.body_bytes <= 1000);
        must(strlen(request.target) <= 256 && request.target[0] == '/');
        check_target(request.method, request.target, arena);
    }
    weir_arena_free(arena);
    return 0;
}

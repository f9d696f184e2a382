/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target of a request: path segments and query values, percent-decoded once (RFC 3986). Pure.
 * And the table of routes that a path is matched with.
 */
#ifndef WEIR_IO_HTTP_TARGET_H
#define WEIR_IO_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/io/http_server.h"

#define WEIR_HTTP_PARAMS_MAX 8
#define WEIR_HTTP_QUERY_MAX  16

struct weir_http_pair {
    const char *name;
    const char *value;
};

/*
 * Decodes `len` bytes into the arena. NULL for a broken escape or one that gives a control byte.
 * `plus_is_space` is for queries.
 */
char *weir_http_percent_decode(const char *text, size_t len, bool plus_is_space,
                               struct weir_arena *arena);

/*
 * Splits the query of `target` into decoded pairs; a name without "=" has the value "".
 * WEIR_EPARSE: broken escape, empty or repeated name. WEIR_ELIMIT: more than WEIR_HTTP_QUERY_MAX.
 */
WEIR_MUST_USE enum weir_code weir_http_query_split(const char *target, struct weir_arena *arena,
                                                   struct weir_http_pair *ret, size_t *ret_n,
                                                   struct weir_err *err);

struct weir_http_match {
    const struct weir_http_route *route; /* NULL: none has this path and method */
    struct weir_http_pair params[WEIR_HTTP_PARAMS_MAX];
    size_t n_params;
    const char *allow; /* methods of the path when only the method did not match, else NULL */
};

/*
 * Finds the first route that matches path and method; HEAD is answered by GET's route. Parameters
 * are decoded into the arena; one that does not decode, or is empty, does not match.
 */
void weir_http_route_match(const struct weir_http_route *routes, size_t n, const char *method,
                           const char *target, struct weir_arena *arena,
                           struct weir_http_match *ret);

#endif

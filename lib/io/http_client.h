/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests by libcurl: blocking calls with a deadline and a size limit, over TCP or a unix
 * socket. No redirects, no proxies, http and https only, certificates checked. Each client belongs
 * to one thread and keeps its connections.
 */
#ifndef WEIR_IO_HTTP_CLIENT_H
#define WEIR_IO_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct weir_http_client;

struct weir_http_call {
    const char *method; /* NULL: GET */
    const char *url;
    const char *unix_socket;    /* path, or NULL for TCP */
    const char *ca_file;        /* authorities to trust for https, PEM; NULL: the system's */
    const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
    const void *body;
    size_t body_len;
    int64_t timeout_ms; /* whole call, 1..60000 */
    size_t max_bytes;   /* of the answer's body; larger is WEIR_ELIMIT */
};

struct weir_http_answer {
    int status;
    const char *body; /* NUL-terminated, in the arena */
    size_t body_len;
    const char *content_type;  /* "" when absent; in the arena */
    const char *etag;          /* "" when absent */
    const char *cache_control; /* "" when absent */
    const char *location;      /* "" when absent */
};

struct weir_http_client *weir_http_client_new(void);
void weir_http_client_free(struct weir_http_client *client);

/* WEIR_OK for any HTTP status; WEIR_EUNAVAILABLE (refused, reset), WEIR_ETIMEOUT, WEIR_ELIMIT. */
WEIR_MUST_USE enum weir_code
weir_http_client_call(struct weir_http_client *client, const struct weir_http_call *call,
                      struct weir_arena *arena, struct weir_http_answer *ret, struct weir_err *err);

#endif

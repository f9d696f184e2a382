/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one HTTP/1.1 response (RFC 9112) as its bytes come in: what an origin needs of the engine's
 * answers, which is the status and the body. Headers that frame the body are understood strictly;
 * the others are passed over, so nothing of an engine's headers can reach a viewer.
 *
 *     struct reply reply;
 *     reply_init(&reply, max_body_bytes);
 *     while (!reply.is_done && (n = read(fd, bytes, sizeof(bytes))) > 0)
 *         reply_feed(&reply, bytes, n, err);
 *     reply_done(&reply);
 *
 * Pure: no I/O, every size bounded. A body needs Content-Length or chunked coding: one that ends
 * with the connection is refused, because it could have been cut short unseen.
 */
#ifndef WEIR_WORKER_ORIGIN_REPLY_H
#define WEIR_WORKER_ORIGIN_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define REPLY_LINE_MAX  4096
#define REPLY_LINES_MAX 64 /* header lines, and trailer lines */

enum reply_state {
    REPLY_STATUS,
    REPLY_HEADERS,
    REPLY_BODY, /* `left` bytes of it */
    REPLY_CHUNK_SIZE,
    REPLY_CHUNK, /* `left` bytes of it */
    REPLY_CHUNK_END,
    REPLY_TRAILERS,
};

struct reply {
    int status; /* 0 until the first line is read */
    bool is_done;
    bool keeps_alive;     /* the connection may be used again, once is_done */
    struct weir_buf body; /* what came so far */

    enum reply_state state;
    struct weir_buf line;
    size_t n_lines;
    int64_t content_length; /* -1: not said */
    bool is_chunked;
    int64_t left;
};

/* `body_max` > 0: bytes of the longest body taken. */
void reply_init(struct reply *reply, size_t body_max);
void reply_done(struct reply *reply);

/*
 * Takes the next bytes. WEIR_EPARSE: not HTTP, or more bytes than the response has (requests are
 * never pipelined here). WEIR_ELIMIT: a body over body_max, a line or a number of lines too large.
 * After an error the reply is good for reply_done only.
 */
WEIR_MUST_USE enum weir_code reply_feed(struct reply *reply, const char *bytes, size_t len,
                                        struct weir_err *err);

#endif

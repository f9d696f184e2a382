/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a viewer's request is answered with, by the state of its stream (DESIGN section 6). Pure.
 *
 * A stream that somebody can have seen playing is the origin's business, also while it fails: the
 * origin repeats its last playlist for a moment. The rest is answered by the api itself:
 *
 *     asked for                  queued .. starting, backoff       playing    ended
 *     a playlist, no generation  held, then 503 "stream_starting"  302        410 "stream_..."
 *     a playlist, another one    503 at once (backoff: 302)        302        410
 *     media                      404 (another's), 503 (this one's) 404        404
 *
 * At once, because the one who asks for another generation has just watched it: the gateway repeats
 * what that name last led to, a playlist or a redirect, for as long as it may when it hears 503.
 * Once it may no more it asks again and says so (docs/adr/0013). Then he is held, too, for a
 * shorter time, since players give up at the third 503: three held ones are more than ten seconds.
 *
 * An api can be behind: cut off from the log, it would lead viewers back to a worker that lost the
 * stream and does not know it. It sees that by the generations that others name, and then leads
 * nobody anywhere but to those (docs/adr/0019).
 */
#ifndef WEIR_API_PLAY_RULES_H
#define WEIR_API_PLAY_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/ledger.h"

#define PLAY_HOLD_MS  10000
#define PLAY_AGAIN_MS 4000 /* of one who watched; below what the CDN waits for a playlist */

/* Whether requests for the current generation belong to its worker's origin. */
bool play_is_at_origin(const struct weir_stream_row *row);

enum play_verdict {
    PLAY_REDIRECT,  /* to `generation` */
    PLAY_HOLD,      /* ask again when the stream changed, until is_held_out */
    PLAY_NOT_YET,   /* 503, `code` */
    PLAY_NOT_FOUND, /* 404, `code` */
    PLAY_GONE,      /* 410, `code` */
};

struct play_answer {
    enum play_verdict verdict;
    int64_t generation; /* the current one */
    const char *code;   /* stable name for clients; static */
};

struct play_question {
    const struct weir_stream_row *row; /* NULL: no such stream */
    bool is_log_known;                 /* false: no row means nothing yet */
    bool is_playlist;
    int64_t generation;  /* asked for; 0: none */
    int64_t known;       /* newest generation that the gateway was told of; 0: none */
    bool is_known_there; /* and it was told a way to it */
    bool is_last_resort; /* the gateway has nothing that it could repeat */
    bool is_held_out;    /* play_hold_ms are over, or too many wait already */
};

/* How long a request may be held at most. */
int64_t play_hold_ms(const struct play_question *question);

/* Whether the row (NULL: none) is older than what the gateway was told before. */
bool play_is_behind(const struct weir_stream_row *row, int64_t known);

/* For what did not go to an origin. */
struct play_answer play_answer(const struct play_question *question);

/* What the gateway names: "/live/<ticket>/<stream_id>/..." */
struct play_target {
    const char *ticket; /* into the text */
    size_t ticket_len;
    struct weir_id stream_id;
};

/* WEIR_EPARSE for anything else. The message holds nothing of the text, which has a secret in it.
 */
WEIR_MUST_USE enum weir_code play_target_parse(const char *text, struct play_target *ret,
                                               struct weir_err *err);

/* The host:port of an origin's URL ("http://host:port"); false for another kind of URL. */
bool play_upstream(const char *origin_url, char *ret, size_t size);

#endif

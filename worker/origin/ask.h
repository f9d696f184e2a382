/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One viewer-side request on its way from the door (an HTTP thread) to the loop and back.
 *
 * The door fills in the question and hands the ask to the loop; from then on only the loop writes
 * to it, until ask_answer. The door reads the answer after ask_is_answered said true. Both hold a
 * reference: a door that waited long enough lets go, and the loop's later answer reaches nobody.
 */
#ifndef WEIR_WORKER_ORIGIN_ASK_H
#define WEIR_WORKER_ORIGIN_ASK_H

#include <stdatomic.h>

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/domain/id.h"
#include "lib/domain/playlist.h"
#include "lib/io/http_server.h"

/* Bytes that several asks are answered with. Never changed once shared. */
struct blob {
    _Atomic int refs;
    struct weir_buf bytes;
};

/* Takes the bytes over; `bytes` is empty afterwards. */
struct blob *blob_new(struct weir_buf *bytes);
struct blob *blob_ref(struct blob *blob);
void blob_unref(struct blob **blob); /* sets NULL; NULL is fine */

#define ASK_STILL_MAX 512

struct ask {
    /* the question */
    struct weir_id stream_id;
    int64_t generation;
    char file[WEIR_PLAYLIST_NAME_MAX + 1];
    enum weir_playlist_file kind; /* not NONE */
    int64_t msn;                  /* _HLS_msn, -1: not asked */
    int64_t part;                 /* _HLS_part, -1: not asked */
    char still[ASK_STILL_MAX];    /* instead of all that: what weir-still is asked; else "" */
    struct weir_id camera_id;     /* about it; or, without that: how it is doing; else nil */
    struct weir_id tenant_id;     /* whose it is */

    /* the answer */
    int status; /* 200, 404 or 503; of a picture as weir-still says */
    struct blob *body;
    bool is_exact;    /* a blocking reload that was answered by what it asked for */
    int64_t repeat_s; /* how long a playlist may be repeated when the stream is away */

    /* between the two threads */
    _Atomic int refs;
    _Atomic bool is_answered;
    struct weir_http_server *server;
    uint64_t token;        /* what to wake */
    void *ctx;             /* the loop side's */
    struct weir_list node; /* where it waits on the loop */
};

struct ask *ask_new(void);
void ask_unref(struct ask **ask); /* sets NULL; NULL is fine */

/* Loop: writes the answer, wakes the door and lets go. `body` is not taken over; may be NULL. */
void ask_answer(struct ask *ask, int status, struct blob *body);

/* Door: whether the answer is there to read. */
bool ask_is_answered(const struct ask *ask);

#endif

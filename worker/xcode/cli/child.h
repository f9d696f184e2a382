/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ffmpeg and what connects it: units go in, what becomes of them comes back by its descriptors.
 * Nothing here blocks, but for its start and its end.
 */
#ifndef WEIR_WORKER_XCODE_CLI_CHILD_H
#define WEIR_WORKER_XCODE_CLI_CHILD_H

#include "lib/base/buf.h"
#include "lib/io/process.h"
#include "worker/xcode/cli/graph.h"

#define CHILD_WORDS_MAX 300 /* of its last words */

/* One pipe from it. */
struct child_out {
    int fd; /* -1: it is at its end */
    struct weir_buf bytes;
};

struct child_rendition {
    struct child_out stream; /* Annex B */
    struct child_out lines;
};

struct child {
    struct weir_process process;
    int in_fd; /* -1: nothing more goes in */
    struct weir_buf unsent;
    struct child_out meter;
    struct child_rendition renditions[WEIR_XCODE_RENDITIONS_MAX];
    size_t n;
    char words[CHILD_WORDS_MAX + 1]; /* the last it said, printable */
};

/* How it is started: `self` shuts itself in and becomes `program` (main.c). Both absolute. */
struct child_programs {
    const char *self;
    const char *program;
};

/* The arguments as of graph_arguments and graph_ivf_head. */
WEIR_MUST_USE enum weir_code child_start(const struct child_programs *programs,
                                         enum weir_xcode_codec codec, bool is_fields,
                                         const struct graph_rendition *renditions, size_t n,
                                         struct child *ret, struct weir_err *err);

/* Queues a unit (Annex B, or an image). */
void child_give(struct child *child, int64_t ts, const uint8_t *bytes, size_t len);

/* Writes as much as goes in. False when it takes no more. */
bool child_flush(struct child *child);

/* It has read all that it was given. */
bool child_has_read_all(const struct child *child);

/* What comes in is at its end once all is written; it works off what it has, and ends. */
void child_finish(struct child *child);

/* Reads what is there of `out`. False when that is more than it may be. */
bool child_read(struct child_out *out);

/* Reads what it has to say. */
void child_listen(struct child *child);

/* It told all, and told it whole. */
bool child_is_at_end(const struct child *child);

/* Kills it, if it is there. `child` is {0} after that. */
void child_done(struct child *child);

#endif

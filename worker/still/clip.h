/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the tap for a clip. What was found comes first; the records are read only if they are
 * wanted, for a picture that is there already needs none.
 */
#ifndef WEIR_WORKER_STILL_CLIP_H
#define WEIR_WORKER_STILL_CLIP_H

#include "lib/base/err.h"
#include "lib/domain/events.h"

struct still_clip {
    int fd; /* -1: none */
    struct weir_ctl_clip_answer found;
    int64_t deadline_mono_ms;
};

/* Waits for the tap's word. WEIR_EUNAVAILABLE when there is no tap or it does not answer. End it
 * with still_clip_close, also after a failure. */
WEIR_MUST_USE enum weir_code still_clip_open(const char *socket_path,
                                             const struct weir_ctl_clip_ask *ask,
                                             struct still_clip *ret, struct weir_err *err);
/* The same over a connection that is there; it is `ret`'s from now on. */
WEIR_MUST_USE enum weir_code still_clip_begin(int fd, const struct weir_ctl_clip_ask *ask,
                                              struct still_clip *ret, struct weir_err *err);
/* `found.bytes` records, malloced; NULL when they do not come. With status ok, once. */
uint8_t *still_clip_read(struct still_clip *clip);
void still_clip_close(struct still_clip *clip);

#endif

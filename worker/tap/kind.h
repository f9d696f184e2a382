/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of what kind the pictures are that a ring began with, and when another kind is one to start over
 * for: it needs a new init segment, which players get with a new session of the engine. An encoder
 * that changes its mind all the time is followed each TAP_KIND_PAUSE_MS, if it is of another kind
 * then; in between its pictures carry their sets. Pure; `now_ms` is monotonic.
 */
#ifndef WEIR_WORKER_TAP_KIND_H
#define WEIR_WORKER_TAP_KIND_H

#include "worker/tap/media.h"

#define TAP_KIND_PAUSE_MS 10000

/* Zeroed storage is ready: nothing began. */
struct tap_kind {
    struct tap_param sps;
    struct tap_param vps;
    bool has_over;
    int64_t over_ms; /* when it last started over */
};

bool tap_param_is_same(const struct tap_param *a, const struct tap_param *b);
/* Pictures with these are of one kind. */
bool tap_kind_is_same(const struct tap_params *a, const struct tap_params *b);

/* The ring begins with these. */
void tap_kind_begin(struct tap_kind *kind, const struct tap_params *params);

/* All starts over now, with these. */
void tap_kind_start_over(struct tap_kind *kind, const struct tap_params *params, int64_t now_ms);

/* Whether it is time to start over for these, with which pictures come now. */
bool tap_kind_is_due(const struct tap_kind *kind, const struct tap_params *params, int64_t now_ms);

#endif

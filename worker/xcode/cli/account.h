/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which units of the camera are worked off (DONE of lib/domain/xcode.h), where all that is seen of
 * the decoder is a time for each picture that comes out of it.
 *
 * A picture of time T says that every unit up to T is decoded, or lost: pictures come in their
 * order. What of it renditions keep is known here, for it is the same rule (fit.h) that ffmpeg was
 * given; a unit is worked off when these came too. Pure: time is an argument.
 *
 * Units behind the newest picture are with a decoder that puts pictures in order, are damaged, or
 * are not reached yet. Who has read them all and has shown no sign of life for ACCOUNT_PATIENCE_MS
 * waits for more of them, so these are let go; who hangs does not read what comes next, and nothing
 * is let go.
 */
#ifndef WEIR_WORKER_XCODE_CLI_ACCOUNT_H
#define WEIR_WORKER_XCODE_CLI_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/xcode.h"
#include "worker/xcode/fit.h"

#define ACCOUNT_UNITS_MAX   64
#define ACCOUNT_PATIENCE_MS 500
#define ACCOUNT_BEGIN_MS    2000 /* the same before the first sign of life */

struct account_picture {
    int64_t ts;
    uint32_t owed; /* a bit for each rendition that it did not come from yet */
};

/* {0} at first. */
struct account {
    int64_t units[ACCOUNT_UNITS_MAX]; /* their times, in the order they were given */
    size_t n_units;
    struct account_picture pictures[ACCOUNT_UNITS_MAX]; /* in the order of time */
    size_t n_pictures;
    bool is_alive;       /* something came of it */
    int64_t life_ms;     /* when that was last, or the first unit was given */
    uint32_t renditions; /* a bit for each that is made */
    uint32_t fps_milli[WEIR_XCODE_RENDITIONS_MAX];
    struct fit_pace paces[WEIR_XCODE_RENDITIONS_MAX];
    int64_t after_ts[WEIR_XCODE_RENDITIONS_MAX];
    int64_t
        made_ts[WEIR_XCODE_RENDITIONS_MAX]; /* of the newest unit; it may be before its picture */
};

/* A rendition that is made from now on, of pictures behind `after_ts` (INT64_MIN: of all). */
void account_add(struct account *account, uint32_t rendition, uint32_t fps_milli, int64_t after_ts);

/* Whether any rendition keeps a picture of that time, the next one that comes. */
bool account_wants(const struct account *account, int64_t ts);

/* No further unit may be given. */
bool account_is_full(const struct account *account);

/* A unit goes to the decoder. */
void account_give(struct account *account, int64_t ts, int64_t now_ms);

/* A picture came out of it. */
void account_picture(struct account *account, int64_t ts, int64_t now_ms);

/* A unit of a rendition came, before or behind the picture that it was made from. */
void account_made(struct account *account, uint32_t rendition, int64_t ts, int64_t now_ms);

/* How many units became worked off since the last call. */
size_t account_settle(struct account *account);

/* It has not read all yet. */
void account_unread(struct account *account, int64_t now_ms);

/* Lets go all that wait, as of a decoder that has ended; how many these are. */
size_t account_let_go(struct account *account);

/* How long until who has read all is taken to wait for more, ms; -1 when no unit waits. */
int64_t account_patience_ms(const struct account *account, int64_t now_ms);

#endif

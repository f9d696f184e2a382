/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of which of a camera's sources a rendition is made, and how: the cheapest way that meets what was
 * asked for. Pure. Source: docs/adr/0042-several-sources.md.
 *
 *     main as it is       where it meets the request, or nothing lower was asked for
 *     another as it is    the one with the fewest bits of those that meet it
 *     keyframes alone     of main, else of another
 *     transcode           of main
 *
 * Another source meets a request when it is no more than its tier allows, and no less than main
 * would give in it: a picture of that tier, as many frames as were asked for.
 */
#ifndef WEIR_WORKER_TAP_PICK_H
#define WEIR_WORKER_TAP_PICK_H

#include "worker/tap/choice.h"

#define TAP_PICK_MAIN    0
#define TAP_PICK_WHY_MAX 97 /* bytes with the end */

enum tap_offer_state {
    TAP_OFFER_UNKNOWN, /* was not measured lately: `facts` are what was declared, 0 elsewhere */
    TAP_OFFER_KNOWN,   /* `facts` were measured */
    TAP_OFFER_BROKEN,  /* could not be read, a moment ago */
};

/* One of the sources beside main. */
struct tap_offer {
    const char *name; /* at most 16 bytes */
    enum tap_offer_state state;
    bool is_young; /* known for so short a time that its rates may yet turn out otherwise */
    struct tap_facts facts;
};

struct tap_pick {
    bool is_made; /* false: something is not known yet */
    int source;   /* TAP_PICK_MAIN, or 1 + index of the offer; not made: read this one to know */
    struct tap_choice choice;
    char why[TAP_PICK_WHY_MAX]; /* for people, in place of choice.why */
};

/* `main` as far as it was measured; `n` may be 0. */
void tap_pick(const struct tap_facts *main, const struct tap_offer *offers, size_t n,
              const struct weir_profile *profile, struct tap_pick *ret);

#endif

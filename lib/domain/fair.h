/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is served next, where few can be served at once: places of cameras, which belong to tenants.
 *
 * A camera and a tenant have only so many places that run, however many are free, so that slow ones
 * leave room for others at any time. Of those who wait the next is one of the tenant with the
 * fewest that run, of its cameras the one with the fewest, of that the one who came first. Who
 * comes when too many of his camera, of his tenant, or of all are there is told so at once.
 *
 *     if (weir_fair_ask(fair, &place, &tenant_id, &camera_id) == WEIR_FAIR_OK) ...   it waits
 *     while ((place = weir_fair_next(fair))) ...                                     it runs
 *     weir_fair_end(fair, place);               then weir_fair_next: another one may run now
 *
 * Pure, and not locked: threads that share one take a mutex of their own.
 */
#ifndef WEIR_DOMAIN_FAIR_H
#define WEIR_DOMAIN_FAIR_H

#include <stddef.h>

#include "lib/base/list.h"
#include "lib/domain/id.h"

struct weir_fair;
struct weir_fair_share;

struct weir_fair_limit {
    size_t running; /* at once; at least 1 */
    size_t here;    /* that run and that wait; at least `running` */
};

struct weir_fair_limits {
    struct weir_fair_limit all;
    struct weir_fair_limit tenant; /* one's share of that */
    struct weir_fair_limit camera; /* one's share of that, likewise */
};

/* Of the caller, who keeps it from weir_fair_ask to weir_fair_end; zeroed at first. */
struct weir_fair_place {
    struct weir_list node; /* among those who wait */
    enum { WEIR_FAIR_NONE, WEIR_FAIR_WAITS, WEIR_FAIR_RUNS } state;
    struct weir_fair_share *tenant;
    struct weir_fair_share *camera;
};

struct weir_fair *weir_fair_new(const struct weir_fair_limits *limits);
void weir_fair_free(struct weir_fair *fair); /* all places have ended; NULL is fine */

enum weir_fair_verdict {
    WEIR_FAIR_OK,
    WEIR_FAIR_CAMERA_FULL,
    WEIR_FAIR_TENANT_FULL,
    WEIR_FAIR_FULL,
};

/* OK: it waits, until weir_fair_next returns it. Else it is as it was. */
enum weir_fair_verdict weir_fair_ask(struct weir_fair *fair, struct weir_fair_place *place,
                                     const struct weir_id *tenant_id,
                                     const struct weir_id *camera_id);

/* The next one that may run, which runs from now on; NULL: there is none now. */
struct weir_fair_place *weir_fair_next(struct weir_fair *fair);

/* It ran, or waits no more. One that ended already is fine. */
void weir_fair_end(struct weir_fair *fair, struct weir_fair_place *place);

#endif

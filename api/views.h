/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What front doors report of who watches: the body of POST /internal/v1/views. Pure.
 *
 *     {"views":[{"tenant":"<id>","stream":"<id>","ticket_id":"<id>","age_ms":1200,
 *                "who":{"viewer":"<id>","login":"<id>","is_playing":true},
 *                "counted":{"part":"<id>","since_ms":61200,"segments":60,"bytes":12345678}}]}
 *
 * `age_ms` is how long ago, when the report was sent, the viewer last asked: no clock of another
 * machine is believed. No generation: viewers choose what stands in their URLs. `who` has a login
 * where the door asks to be told who plays too much (api/playbacks.h), and `is_playing` once it let
 * him play for a while. `counted` is there once something was sent to him: all of it since
 * `since_ms` ago, when the door made up the part's id. So a report may come twice, and one that
 * gets lost is made good by the next.
 */
#ifndef WEIR_API_VIEWS_H
#define WEIR_API_VIEWS_H

#include "api/fields.h"

#define VIEWS_MAX        256   /* of one report */
#define VIEWS_AGE_MAX_MS 30000 /* older ones say nothing about now */

struct view_seen {
    struct weir_id tenant_id;
    struct weir_id stream_id;
    struct weir_id ticket_id;
    int64_t age_ms;
    struct weir_id viewer_id; /* nil when it was not said who */
    struct weir_id login_id;  /* nil when not given */
    bool is_playing;
    bool is_counted; /* the rest is there */
    struct weir_id part_id;
    int64_t since_ms; /* >= age_ms */
    int64_t segments;
    int64_t bytes;
};

/*
 * `ret`  room for VIEWS_MAX; `*ret_n` of them are set, on success only.
 *
 * WEIR_ESEMANTIC with `fault` filled when the document is anything else, or holds more.
 */
WEIR_MUST_USE enum weir_code views_read(const struct weir_json *json,
                                        struct view_seen ret[static VIEWS_MAX], size_t *ret_n,
                                        struct api_fault *fault);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the CDN reports of who watches: the body of POST /internal/v1/views. Pure.
 *
 *     {"views":[{"tenant":"<id>","stream":"<id>","ticket_id":"<id>","age_ms":1200}]}
 *
 * `age_ms` is how long ago, when the report was sent, the viewer last asked: no clock of another
 * machine is believed. No generation: viewers choose what stands in their URLs.
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

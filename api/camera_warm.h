/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a camera warm: its field `warm`, or the label weir.warm with the value "true", so that
 * whoever marks cameras by labels needs nothing else. Either is enough, and taking one away leaves
 * the other. Docs: docs/adr/0037-warm-cameras.md.
 */
#ifndef WEIR_API_CAMERA_WARM_H
#define WEIR_API_CAMERA_WARM_H

#include "api/call.h"

#define CAMERA_WARM_LABEL "weir.warm"

/* Of a row of `camera`: by its label; never NULL. */
#define CAMERA_WARM_LABEL_SQL "coalesce(labels->>'" CAMERA_WARM_LABEL "' = 'true', false)"

/* `labels`: as api/fields.h reads API_LABELS. */
bool camera_warm_by_label(const struct weir_json *labels);

/* One more camera that is pulled day and night: 429 above the tenant's limit. The caller holds the
 * tenant's lock. `pointer`: what asked for it. */
WEIR_MUST_USE enum weir_code camera_warm_check_quota(struct api_call *call, struct weir_db_tx *tx,
                                                     const char *pointer);

#endif

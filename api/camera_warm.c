/* SPDX-License-Identifier: Apache-2.0 */
#include "api/camera_warm.h"

#include <inttypes.h>
#include <string.h>

bool camera_warm_by_label(const struct weir_json *labels)
{
    for (size_t i = 0; i < labels->n; i++) {
        if (strcmp(labels->members[i].name, CAMERA_WARM_LABEL) == 0) {
            return strcmp(labels->members[i].value.str, "true") == 0;
        }
    }
    return false;
}

enum weir_code camera_warm_check_quota(struct api_call *call, struct weir_db_tx *tx,
                                       const char *pointer)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code =
        weir_db_exec(tx,
                     "SELECT max_warm_cameras, (SELECT count(*) FROM camera WHERE warm"
                     " OR " CAMERA_WARM_LABEL_SQL ") FROM tenant",
                     NULL, 0, call->arena, &rows, &call->err);
    if (code == WEIR_OK && weir_db_count(rows) > 0 &&
        weir_db_int(rows, 0, 1) >= weir_db_int(rows, 0, 0)) {
        return api_call_refuse(call, 429, "quota_exceeded", pointer,
                               "the tenant's limit is %" PRId64 " warm cameras",
                               weir_db_int(rows, 0, 0));
    }
    return code;
}

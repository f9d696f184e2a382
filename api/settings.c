/* SPDX-License-Identifier: Apache-2.0 */
#include "api/settings.h"

#include <stddef.h>

/* The order of these includes matters. */
/* clang-format off */
static const struct weir_setting rows[] = {
#define WEIR_SETTINGS_STRUCT struct api_settings
#include "lib/service/settings_rows.h"
#include "lib/service/settings_common.def"
#include "api/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const struct weir_service_spec api_spec = {
    .name = "weir-api",
    .what = "Serves the REST API, and tells gateways and workers what they may have.",
    .rows = rows,
    .n_rows = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct api_settings),
    .admin_listen_offset = offsetof(struct api_settings, admin_listen),
    .log_level_offset = offsetof(struct api_settings, log_level),
};

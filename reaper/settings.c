/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/settings.h"

#include <stddef.h>

/* The order of these includes matters. */
/* clang-format off */
static const struct weir_setting rows[] = {
#define WEIR_SETTINGS_STRUCT struct reaper_settings
#include "lib/service/settings_rows.h"
#include "lib/service/settings_common.def"
#include "reaper/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const struct weir_service_spec reaper_spec = {
    .name = "weir-reaper",
    .what = "Proposes to stop the streams that nobody watches.",
    .rows = rows,
    .n_rows = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct reaper_settings),
    .admin_listen_offset = offsetof(struct reaper_settings, admin_listen),
    .log_level_offset = offsetof(struct reaper_settings, log_level),
};

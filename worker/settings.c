/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/settings.h"

#include <stddef.h>

/* The order of these includes matters. */
/* clang-format off */
static const struct weir_setting rows[] = {
#define WEIR_SETTINGS_STRUCT struct worker_settings
#include "lib/service/settings_rows.h"
#include "lib/service/settings_common.def"
#include "worker/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const struct weir_service_spec worker_spec = {
    .name = "weir-worker",
    .what = "Runs camera taps, media engines and the origin of one machine.",
    .rows = rows,
    .n_rows = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct worker_settings),
    .admin_listen_offset = offsetof(struct worker_settings, admin_listen),
    .log_level_offset = offsetof(struct worker_settings, log_level),
};

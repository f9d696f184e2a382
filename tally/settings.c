/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/settings.h"

#include <stddef.h>

/* The order of these includes matters. */
/* clang-format off */
static const struct weir_setting rows[] = {
#define WEIR_SETTINGS_STRUCT struct tally_settings
#include "lib/service/settings_rows.h"
#include "tally/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const struct weir_service_spec tally_spec = {
    .name = "weir-tally",
    .what = "Counts what a gateway sends to whom, and tells the apis.",
    .rows = rows,
    .n_rows = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct tally_settings),
    .admin_listen_offset = offsetof(struct tally_settings, admin_listen),
    .log_level_offset = offsetof(struct tally_settings, log_level),
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/settings.h"

#include <stddef.h>

/* The order of these includes matters. */
/* clang-format off */
const struct weir_setting tap_setting_rows[] = {
#define WEIR_SETTINGS_STRUCT struct tap_settings
#include "lib/service/settings_rows.h"
#include "worker/tap/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const size_t tap_n_setting_rows = sizeof(tap_setting_rows) / sizeof(tap_setting_rows[0]);

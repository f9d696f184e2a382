/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/settings.h"

/* clang-format off */
const struct weir_setting origin_setting_rows[] = {
#define WEIR_SETTINGS_STRUCT struct origin_settings
#include "lib/service/settings_rows.h"
#include "worker/origin/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const size_t origin_n_setting_rows = sizeof(origin_setting_rows) / sizeof(origin_setting_rows[0]);

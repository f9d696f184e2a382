/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/settings.h"

/* clang-format off */
const struct weir_setting still_setting_rows[] = {
#define WEIR_SETTINGS_STRUCT struct still_settings
#include "lib/service/settings_rows.h"
#include "worker/still/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const size_t still_n_setting_rows = sizeof(still_setting_rows) / sizeof(still_setting_rows[0]);

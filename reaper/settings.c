/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/settings.h"

const struct weir_setting reaper_setting_rows[] = {
/* clang-format off */
#define WEIR_SETTINGS_STRUCT struct reaper_settings
#include "lib/service/settings_rows.h"
#include "lib/service/settings_common.def"
#include "reaper/settings.def"
#include "lib/service/settings_end.h"
    /* clang-format on */
};

const size_t reaper_n_setting_rows = sizeof(reaper_setting_rows) / sizeof(reaper_setting_rows[0]);

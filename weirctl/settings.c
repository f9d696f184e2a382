/* SPDX-License-Identifier: Apache-2.0 */
#include "weirctl/settings.h"

const struct weir_setting ctl_setting_rows[] = {
/* clang-format off */
#define WEIR_SETTINGS_STRUCT struct ctl_settings
#include "lib/service/settings_rows.h"
#include "weirctl/settings.def"
#include "lib/service/settings_end.h"
    /* clang-format on */
};

const size_t ctl_n_setting_rows = sizeof(ctl_setting_rows) / sizeof(ctl_setting_rows[0]);

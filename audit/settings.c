/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/settings.h"

const struct weir_setting audit_setting_rows[] = {
/* clang-format off */
#define WEIR_SETTINGS_STRUCT struct audit_settings
#include "lib/service/settings_rows.h"
#include "lib/service/settings_common.def"
#include "audit/settings.def"
#include "lib/service/settings_end.h"
    /* clang-format on */
};

const size_t audit_n_setting_rows = sizeof(audit_setting_rows) / sizeof(audit_setting_rows[0]);

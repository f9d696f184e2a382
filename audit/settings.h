/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of weir-audit. */
#ifndef AUDIT_SETTINGS_H
#define AUDIT_SETTINGS_H

#include "lib/service/settings.h"

struct audit_settings {
/* clang-format off */
#include "lib/service/settings_fields.h"
#include "lib/service/settings_common.def"
#include "audit/settings.def"
#include "lib/service/settings_end.h"
    /* clang-format on */
};

extern const struct weir_setting audit_setting_rows[];
extern const size_t audit_n_setting_rows;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of weirctl; every command takes the ones it needs. */
#ifndef WEIRCTL_SETTINGS_H
#define WEIRCTL_SETTINGS_H

#include "lib/service/settings.h"

struct ctl_settings {
/* clang-format off */
#include "lib/service/settings_fields.h"
#include "weirctl/settings.def"
#include "lib/service/settings_end.h"
    /* clang-format on */
};

extern const struct weir_setting ctl_setting_rows[];
extern const size_t ctl_n_setting_rows;

#endif

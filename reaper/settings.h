/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of weir-reaper. */
#ifndef REAPER_SETTINGS_H
#define REAPER_SETTINGS_H

#include "lib/service/settings.h"

struct reaper_settings {
/* clang-format off */
#include "lib/service/settings_fields.h"
#include "lib/service/settings_common.def"
#include "reaper/settings.def"
#include "lib/service/settings_end.h"
    /* clang-format on */
};

extern const struct weir_setting reaper_setting_rows[];
extern const size_t reaper_n_setting_rows;

#endif

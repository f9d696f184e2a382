/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of weir-origin; the table is settings.def. */
#ifndef WEIR_WORKER_ORIGIN_SETTINGS_H
#define WEIR_WORKER_ORIGIN_SETTINGS_H

#include "lib/service/settings.h"

/* clang-format off */
struct origin_settings {
#include "lib/service/settings_fields.h"
#include "worker/origin/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

extern const struct weir_setting origin_setting_rows[];
extern const size_t origin_n_setting_rows;

#endif

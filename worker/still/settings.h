/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of weir-still; the table is settings.def. */
#ifndef WEIR_WORKER_STILL_SETTINGS_H
#define WEIR_WORKER_STILL_SETTINGS_H

#include "lib/service/settings.h"

/* clang-format off */
struct still_settings {
#include "lib/service/settings_fields.h"
#include "worker/still/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

extern const struct weir_setting still_setting_rows[];
extern const size_t still_n_setting_rows;

#endif

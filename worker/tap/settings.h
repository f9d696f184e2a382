/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-tap can be told: worker/tap/settings.def as a struct. */
#ifndef WEIR_WORKER_TAP_SETTINGS_H
#define WEIR_WORKER_TAP_SETTINGS_H

#include "lib/domain/reach.h"
#include "lib/service/settings.h"
#include "worker/tap/engines.h"

/* The order of these includes matters. */
/* clang-format off */
struct tap_settings {
#include "lib/service/settings_fields.h"
#include "worker/tap/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

extern const struct weir_setting tap_setting_rows[];
extern const size_t tap_n_setting_rows;

/* The networks of the settings. WEIR_EINVAL, WEIR_ELIMIT name the setting. */
WEIR_MUST_USE enum weir_code tap_settings_reach(const struct tap_settings *settings,
                                                struct weir_reach *ret, struct weir_err *err);

/* The programs that make renditions; `ret` keeps strings of `settings`. WEIR_EINVAL and what
 * weir_process_find says name the setting. */
WEIR_MUST_USE enum weir_code tap_settings_engines(const struct tap_settings *settings,
                                                  struct tap_engines *ret, struct weir_err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-reaper can be told: reaper/settings.def as a struct. */
#ifndef REAPER_SETTINGS_H
#define REAPER_SETTINGS_H

#include "lib/service/service.h"
#include "lib/service/settings.h"

/* The order of these includes matters. */
/* clang-format off */
struct reaper_settings {
#include "lib/service/settings_fields.h"
#include "lib/service/settings_common.def"
#include "reaper/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

extern const struct weir_service_spec reaper_spec;

#endif

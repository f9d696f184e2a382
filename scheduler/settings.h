/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-scheduler can be told: scheduler/settings.def as a struct. */
#ifndef SCHEDULER_SETTINGS_H
#define SCHEDULER_SETTINGS_H

#include "lib/service/service.h"
#include "lib/service/settings.h"
#include "scheduler/core.h"

/* The order of these includes matters. */
/* clang-format off */
struct scheduler_settings {
#include "lib/service/settings_fields.h"
#include "lib/service/settings_common.def"
#include "scheduler/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

extern const struct weir_service_spec scheduler_spec;

/* The core's part of the settings; `seed` for its choices. */
struct core_config settings_core_config(const struct scheduler_settings *settings, uint64_t seed);

#endif

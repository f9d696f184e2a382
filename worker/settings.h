/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-worker can be told: worker/settings.def as a struct. */
#ifndef WEIR_WORKER_SETTINGS_H
#define WEIR_WORKER_SETTINGS_H

#include "lib/service/service.h"
#include "lib/service/settings.h"

/* The order of these includes matters. */
/* clang-format off */
struct worker_settings {
#include "lib/service/settings_fields.h"
#include "lib/service/settings_common.def"
#include "worker/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

extern const struct weir_service_spec worker_spec;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-api can be told: api/settings.def as a struct. */
#ifndef WEIR_API_SETTINGS_H
#define WEIR_API_SETTINGS_H

#include "lib/service/service.h"
#include "lib/service/settings.h"

/* The order of these includes matters. */
/* clang-format off */
struct api_settings {
#include "lib/service/settings_fields.h"
#include "lib/service/settings_common.def"
#include "api/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

extern const struct weir_service_spec api_spec;

#endif

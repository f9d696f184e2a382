/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-tally can be told: tally/settings.def as a struct. It knows no cell and no Kafka. */
#ifndef TALLY_SETTINGS_H
#define TALLY_SETTINGS_H

#include "lib/service/service.h"
#include "lib/service/settings.h"

/* The order of these includes matters. */
/* clang-format off */
struct tally_settings {
#include "lib/service/settings_fields.h"
#include "tally/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

extern const struct weir_service_spec tally_spec;

#endif

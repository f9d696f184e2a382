/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two descriptions of a camera's further sources (docs/adr/0042) say the same. Pure. */
#ifndef WEIR_DOMAIN_OTHER_SOURCE_H
#define WEIR_DOMAIN_OTHER_SOURCE_H

#include "lib/domain/events.h"

/* Both may be absent; who has none is only like another that has none. */
bool weir_is_same_text(bool has_a, const char *a, bool has_b, const char *b);

bool weir_other_source_is_same(const struct weir_ctl_tap_camera_others *a,
                               const struct weir_ctl_tap_camera_others *b);

#endif

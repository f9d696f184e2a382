/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon beside a gateway: takes its lines, counts, and lets a reporter tell the apis. A line
 * that gets lost is a count too few, never a playback.
 */
#ifndef TALLY_TALLY_H
#define TALLY_TALLY_H

#include "tally/settings.h"

struct tally;

/* On the loop of `service`, which outlives it, as `settings` do. */
WEIR_MUST_USE enum weir_code tally_open(struct weir_service *service,
                                        const struct tally_settings *settings, struct tally **ret,
                                        struct weir_err *err);

/* Takes what has come, and tells it; sets NULL. */
void tally_close(struct tally **tally);

#endif

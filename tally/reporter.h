/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the apis what is counted: a thread that asks for a report now and then and posts it, to the
 * api that answered last, else to the next. */
#ifndef TALLY_REPORTER_H
#define TALLY_REPORTER_H

#include "tally/settings.h"
#include "tally/table.h"

struct tally_reporter;

/* Takes over `table`. `service` and `settings` outlive it. */
WEIR_MUST_USE enum weir_code tally_reporter_open(struct weir_service *service,
                                                 const struct tally_settings *settings,
                                                 struct tally_table *table,
                                                 struct tally_reporter **ret, struct weir_err *err);

/* Tells the rest, and ends the thread; sets NULL. */
void tally_reporter_close(struct tally_reporter **reporter);

/* Counts one line, from any thread. False when there is no room. */
bool tally_reporter_note(struct tally_reporter *reporter, const struct tally_line *line);

#endif

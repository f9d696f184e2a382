/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks. Rules of the domain never read one: they take `now_ms` as an argument.
 *
 * mono  CLOCK_MONOTONIC: silence, deadlines.
 * boot  CLOCK_BOOTTIME: also counts while the machine sleeps; cell time (DESIGN "Time").
 * wall  CLOCK_REALTIME, Unix time: what people and other machines read; may jump.
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

int64_t weir_clock_mono_ms(void);
int64_t weir_clock_mono_us(void);
int64_t weir_clock_boot_ms(void);
int64_t weir_clock_wall_ms(void);
int64_t weir_clock_wall_us(void);

/*
 * Waits for a signal of `cond`, with `mutex` held, while the mono clock is before `until_ms`.
 * False: it is not any more. As with pthread_cond_wait, true may come without a signal. Needs no
 * condition with a clock of its own, and no step of the wall clock matters.
 */
bool weir_clock_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms);

#define WEIR_TIME_TEXT_MAX 32

/* Writes RFC 3339 UTC with milliseconds ("2026-11-22T18:17:55.123Z") into `text`. */
void weir_clock_format_ms(int64_t wall_ms, char text[static WEIR_TIME_TEXT_MAX]);

/*
 * Reads an RFC 3339 date-time (section 5.6; fraction cut to ms; offset applied; leap second 60
 * read as 59). Years 1970 to 9999. Returns WEIR_EPARSE on anything else.
 */
WEIR_MUST_USE enum weir_code weir_clock_parse_ms(const char *text, size_t len, int64_t *ret_wall_ms,
                                                 struct weir_err *err);

#endif

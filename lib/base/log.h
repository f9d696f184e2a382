/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a daemon: one JSON object a line on stderr.
 *
 *     weir_log(WEIR_LOG_WARN, "camera 0191..: source lost",
 *              "reason", reason, "camera_id", id, NULL);
 *
 * gives {"ts":"...","level":"warn","daemon":"weir-worker","msg":"...","reason":"...",...}.
 * The message starts with the object it is about. Keys and values are strings; the list ends with
 * NULL. Values are escaped and cut at 1024 bytes. Thread-safe, one write(2) a line. Library code
 * never logs above debug. Secrets are never passed here.
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

enum weir_log_level { WEIR_LOG_DEBUG, WEIR_LOG_INFO, WEIR_LOG_WARN, WEIR_LOG_ERROR };

/* `daemon` is kept, not copied. Lines under `level` are dropped. */
void weir_log_init(const char *daemon, enum weir_log_level level);

WEIR_MUST_USE enum weir_code weir_log_level_parse(const char *text, enum weir_log_level *ret,
                                                  struct weir_err *err);

void weir_log(enum weir_log_level level, const char *msg, ...) __attribute__((sentinel));

/* Same with a printf message and no fields. */
void weir_logf(enum weir_log_level level, const char *fmt, ...) WEIR_PRINTF(2, 3);

/*
 * Rate limit for a line inside a loop: true at most `burst` times every `period_ms`. `limit` is
 * static storage, zeroed; one thread. Dropped lines are counted in `limit->dropped`.
 */
struct weir_log_limit {
    int64_t window_start_mono_ms;
    unsigned used;
    uint64_t dropped;
};
bool weir_log_allowed(struct weir_log_limit *limit, unsigned burst, int64_t period_ms,
                      int64_t now_mono_ms);

#endif

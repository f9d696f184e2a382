/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a tenant from sweeping a network: of addresses (with their ports) where nothing has spoken
 * RTSP to the tenant, only so many may be tried in a while. One that spoke is the tenant's camera
 * and costs nothing any more; one that was tried and did not speak may be tried again, which tells
 * nothing new. Safe on any thread; time is an argument.
 *
 *     tap_trials_enter(trials, &tenant_id, addr, now, &is_known, &wait_ms)
 *         TAP_TRIALS_GO     connect, tap_trials_confirm when it speaks, then tap_trials_leave
 *         TAP_TRIALS_WAIT   others of the tenant are being tried: ask again in a moment
 *         TAP_TRIALS_FULL   too many did not speak: not before wait_ms
 */
#ifndef WEIR_WORKER_TAP_TRIALS_H
#define WEIR_WORKER_TAP_TRIALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/domain/id.h"

#define TAP_TRIALS_KNOWN_MS (24 * 3600 * (int64_t)1000) /* since it spoke last */

enum tap_trials_verdict { TAP_TRIALS_GO, TAP_TRIALS_WAIT, TAP_TRIALS_FULL };

struct tap_trials;

/* At most `most` such addresses of a tenant in any `period_ms`; both > 0. */
struct tap_trials *tap_trials_new(int most, int64_t period_ms);
void tap_trials_free(struct tap_trials *trials); /* NULL is fine */

/* `ret_is_known`: it spoke before. `ret_wait_ms` is set with TAP_TRIALS_FULL only. */
enum tap_trials_verdict tap_trials_enter(struct tap_trials *trials, const struct weir_id *tenant_id,
                                         const struct sockaddr *addr, int64_t now_mono_ms,
                                         bool *ret_is_known, int64_t *ret_wait_ms);

/* RTSP came; said as soon as it did, since a camera may play for days. */
void tap_trials_confirm(struct tap_trials *trials, const struct weir_id *tenant_id,
                        const struct sockaddr *addr, int64_t now_mono_ms);

/* Once for each TAP_TRIALS_GO. */
void tap_trials_leave(struct tap_trials *trials, const struct weir_id *tenant_id,
                      const struct sockaddr *addr, bool has_spoken, int64_t now_mono_ms);

#endif

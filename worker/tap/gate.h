/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may connect now: a few a second to one host (200 at once make an NVR refuse half), and not
 * too many at once altogether. A quarter of the places is kept for cameras that have not just
 * failed, so that dead ones never hold up the others. Pure but for its memory.
 */
#ifndef WEIR_WORKER_TAP_GATE_H
#define WEIR_WORKER_TAP_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct tap_gate;

struct tap_gate *tap_gate_new(unsigned at_once, int per_host_per_s);
void tap_gate_free(struct tap_gate *gate); /* NULL is fine */

/*
 * 0: connect now, and leave later; else how long to wait before asking again, ms. `host` is the
 * authority of the URL, `has_failed` when the last attempt did.
 */
int64_t tap_gate_enter(struct tap_gate *gate, const char *host, bool has_failed,
                       int64_t now_mono_ms);

/* The attempt is over, one way or the other. */
void tap_gate_leave(struct tap_gate *gate);

#endif

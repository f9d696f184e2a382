/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was measured of a camera is believed when it stays so: for decisions that viewers notice.
 * Pure; `now_ms` is monotonic and the same in all calls.
 */
#ifndef WEIR_WORKER_TAP_STEADY_H
#define WEIR_WORKER_TAP_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#define TAP_STEADY_MS 5000

/* Zeroed storage is ready. */
struct tap_steady {
    bool is_off;
    int64_t value; /* measured first, of those that are alike */
    int64_t since_ms;
};

/* Whether `measured` lies more than a fifth off `is`, and has been the same, within a tenth, for
 * TAP_STEADY_MS. True again TAP_STEADY_MS later, where `is` is not moved. Both are > 0. */
bool tap_steady_moved(struct tap_steady *steady, int64_t is, int64_t measured, int64_t now_ms);

/* Whether `is_so` for TAP_STEADY_MS without a break. */
bool tap_steady_lasts(struct tap_steady *steady, bool is_so, int64_t now_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a partition from an offset to where it ends now. */
#ifndef WEIRCTL_SCAN_H
#define WEIRCTL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/io/bus.h"
#include "weirctl/settings.h"

/* Takes one message; false ends the scan. */
typedef bool ctl_scan_fn(void *ctx, const struct weir_bus_message *message);

struct ctl_scan {
    const char *topic;
    int32_t partition;
    int64_t from; /* -1: the oldest record kept */
    ctl_scan_fn *fn;
    void *ctx;
};

/* WEIR_EGONE when `from` is not kept, WEIR_ETIMEOUT when records stop coming before the end. */
WEIR_MUST_USE enum weir_code ctl_scan(const struct ctl_settings *settings,
                                      const struct ctl_scan *scan, struct weir_err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How loaded this machine is, in absolute numbers, within the limits of the cgroup (v1 or v2) the
 * worker runs in. Without a limit the whole machine counts; with one, only the cgroup's own use.
 *
 *     struct load_reader reader = {.root = ""};
 *     load_sample(&reader, now_ms, &load);        rates are over the time since the last sample
 *
 * Every file may be missing: what cannot be read is 0 or absent, never an error. `root` is put
 * before every path, so that tests bring their own /proc and /sys.
 */
#ifndef WEIR_WORKER_LOAD_H
#define WEIR_WORKER_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/events.h"

#define LOAD_ROOT_MAX 256

struct load_reader {
    char root[LOAD_ROOT_MAX]; /* "" in earnest */
    int64_t net_cap_kbps;     /* from the settings; 0: ask the network cards */
    /* of the last sample: */
    bool has_last;
    int64_t last_ms;
    int64_t last_cpu_us;
    int64_t last_tx_bytes;
};

/* `now_ms` monotonic. Used CPU and network are 0 in the first sample. GPU fields are not touched.
 */
void load_sample(struct load_reader *reader, int64_t now_ms, struct weir_ev_heartbeat_load *ret);

#endif

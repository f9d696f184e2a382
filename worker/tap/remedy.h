/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done about packets that get lost on their way: a camera that is read by UDP and loses
 * them for TAP_REMEDY_LOSSY_MS is read by TCP instead, which its viewers see as one reconnect. So
 * it stays for an hour at least, and UDP is tried again when the camera connects anew after that;
 * each time that it was in vain the hour doubles, up to a day. A camera that does not do TCP goes
 * back to UDP and is left there as long. Pure: `now_ms` is monotonic.
 */
#ifndef WEIR_WORKER_TAP_REMEDY_H
#define WEIR_WORKER_TAP_REMEDY_H

#include <stdbool.h>
#include <stdint.h>

#define TAP_REMEDY_LOSSY_MS 5000 /* beside the ten seconds after which loss is a fault */
#define TAP_REMEDY_HOLD_MS  3600000
#define TAP_REMEDY_MOST_MS  86400000

/* Of one camera; zeroed storage is ready. */
struct tap_remedy {
    int64_t lossy_since_ms; /* 0: not lossy */
    int64_t until_ms;       /* nothing is changed before */
    int64_t hold_ms;        /* the newest */
    bool is_tcp;            /* until then */
};

/* Whether a connection that is made now is by TCP, though the camera is meant to be read by UDP. */
bool tap_remedy_is_tcp(const struct tap_remedy *remedy, int64_t now_ms);

/* The camera is being read; `is_udp`: by UDP. True: connect anew, now. */
bool tap_remedy_judge(struct tap_remedy *remedy, bool is_udp, bool is_lossy, int64_t now_ms);

/* It did not come up by TCP. */
void tap_remedy_failed(struct tap_remedy *remedy, int64_t now_ms);

#endif

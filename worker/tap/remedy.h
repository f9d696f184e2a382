/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done about a camera that is read and is not well: a source that is silent, sends no
 * keyframes or no video is connected to anew, within a budget (lib/domain/budget.h). Once that is
 * spent, the connection is kept as long as the budget says: what comes back by itself is there at
 * once, and what does not is no worse off.
 *
 * And what is done about packets that get lost on their way: a camera that is read by UDP and loses
 * them for TAP_REMEDY_LOSSY_MS is read by TCP instead, which its viewers see as one reconnect. So
 * it stays for an hour at least, and UDP is tried again when the camera connects anew after that;
 * each time that it was in vain the hour doubles, up to a day, until UDP loses nothing for as long.
 * A camera that does not do TCP goes back to UDP and is left there as long. It must have answered,
 * and not come up, TAP_REMEDY_REFUSALS times in a row for that: it may not have got over the
 * connection before yet, and one that does not answer says nothing of TCP. Where TCP was seen to
 * work, ever so many more: it may be starting. That costs budget too. Pure: `now_ms` is monotonic.
 */
#ifndef WEIR_WORKER_TAP_REMEDY_H
#define WEIR_WORKER_TAP_REMEDY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/budget.h"
#include "lib/domain/reason.h"

#define TAP_REMEDY_LOSSY_MS 5000 /* beside the ten seconds after which loss is a fault */
#define TAP_REMEDY_HOLD_MS  3600000
#define TAP_REMEDY_MOST_MS  86400000

#define TAP_REMEDY_REFUSALS        3
#define TAP_REMEDY_REFUSALS_PROVED 10

/* Of one camera; zeroed storage is ready. */
struct tap_remedy {
    int64_t lossy_since_ms; /* 0: not lossy */
    int64_t until_ms;       /* nothing is changed before */
    int64_t hold_ms;        /* the newest */
    bool is_tcp;            /* until then */
    bool is_proved;         /* that it does TCP */
    int refusals;           /* of TCP, in a row */
    int64_t clean_ms;       /* of UDP without loss, since that was last judged otherwise */
    int64_t judged_ms;
    struct weir_budget budget;
    bool is_withheld; /* it is not well, and nothing may be done about it yet */
};

/* Whether a connection that is made now is by TCP, though the camera is meant to be read by UDP. */
bool tap_remedy_is_tcp(const struct tap_remedy *remedy, int64_t now_ms);

/* The camera is being read; `is_udp`: by UDP. True: connect anew, now. */
bool tap_remedy_judge(struct tap_remedy *remedy, bool is_udp, bool is_lossy, int64_t now_ms);

/* It came up by TCP, or did not and that speaks against TCP. */
void tap_remedy_proved(struct tap_remedy *remedy);
void tap_remedy_refused(struct tap_remedy *remedy, int64_t now_ms);

/* Whether an attempt that ended so before the camera played speaks against the way it was made.
 * `has_answered`: the camera spoke RTSP in it. */
bool tap_remedy_is_refusal(enum weir_reason reason, bool has_answered);

/* Whether a connection that played and ended so was ended by us, to get a better one. */
bool tap_remedy_is_for(enum weir_reason reason);

/* One is due. Returns how long to wait for it, and counts it as done then. */
int64_t tap_remedy_take(struct tap_remedy *remedy, int64_t now_ms);

/* Something must be told: that nothing may be done (is_withheld), or that it is over. `is_unwell`:
 * for longer than is put up with. */
bool tap_remedy_withhold(struct tap_remedy *remedy, bool is_unwell, int64_t now_ms);

#endif

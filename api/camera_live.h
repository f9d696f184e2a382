/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is true of a camera at this moment: its lease, as the decision log has it, and how it is
 * doing and what it takes, as its worker says when it is asked. The worker's answer is waited for
 * without a thread and not for long; without one there is only the lease.
 */
#ifndef WEIR_API_CAMERA_LIVE_H
#define WEIR_API_CAMERA_LIVE_H

#include "api/call.h"

/* What a URL of a worker's origin begins with: "host:port". */
#define CAMERA_LIVE_UPSTREAM_MAX 256

/* Over the runs of one call, in its arena. */
struct camera_live {
    bool has_lease;
    struct weir_lease_row lease;
    struct fetch *fetch; /* NULL: nobody was asked */
};

/* The lease of a camera of the caller's tenant; false when there is none. */
bool camera_live_lease(struct api_call *call, const struct weir_id *camera_id,
                       struct weir_lease_row *ret);

/* Where the origin of that lease's worker listens; false when its life is over. */
bool camera_live_upstream(struct api_call *call, const struct weir_lease_row *lease,
                          char ret[static CAMERA_LIVE_UPSTREAM_MAX]);

/* Asks the worker of ret->lease. True: this run of the call ends without an answer, the next one
 * may write. */
bool camera_live_ask(struct api_call *call, struct camera_live *live);

/* What it answered, at the next run; false: nothing. */
bool camera_live_read(struct api_call *call, const struct camera_live *live,
                      struct weir_ctl_camera_status *ret);

/* Writes "lease" and "live", null where there is nothing. */
void camera_live_write(struct api_call *call, const struct camera_live *live,
                       struct weir_json_out *out);

#endif

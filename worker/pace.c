/* SPDX-License-Identifier: Apache-2.0 */
/* Tells weir-tap with how many of their frames renditions are made; strain.h has the rule. */
#include <stdio.h>

#include "lib/base/log.h"
#include "worker/worker.h"

void pace_tell(struct worker *worker)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_TAP_PACE, .u.tap_pace = {.fps_ppm = worker->pace_ppm}};
    child_send(worker->tap, &ctl);
}

void pace_tick(struct worker *worker)
{
    const struct weir_ev_heartbeat_load *load = &worker->load;
    int64_t psi_ppm = load->has_psi_cpu_avg10_ppm ? load->psi_cpu_avg10_ppm : 0;
    int64_t ppm = strain_judge(&worker->strain, psi_ppm, worker->settings->thin_at_pct * 10000,
                               worker_now_ms());
    if (ppm == worker->pace_ppm) {
        return;
    }
    bool is_less = ppm < worker->pace_ppm;
    char percent[24];
    snprintf(percent, sizeof(percent), "%d", (int)(ppm / 10000));
    weir_log(is_less ? WEIR_LOG_WARN : WEIR_LOG_INFO,
             is_less ? "processor is short, renditions get fewer frames"
                     : "processor is there again, renditions get more frames",
             "percent", percent, NULL);
    worker->pace_ppm = ppm;
    pace_tell(worker);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/settings.h"

#include <stddef.h>

/* The order of these includes matters. */
/* clang-format off */
static const struct weir_setting rows[] = {
#define WEIR_SETTINGS_STRUCT struct scheduler_settings
#include "lib/service/settings_rows.h"
#include "lib/service/settings_common.def"
#include "scheduler/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const struct weir_service_spec scheduler_spec = {
    .name = "weir-scheduler",
    .what = "Decides which stream runs where; one leads a cell, others stand by.",
    .rows = rows,
    .n_rows = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct scheduler_settings),
    .admin_listen_offset = offsetof(struct scheduler_settings, admin_listen),
    .log_level_offset = offsetof(struct scheduler_settings, log_level),
};

struct core_config settings_core_config(const struct scheduler_settings *settings, uint64_t seed)
{
    struct core_config config = core_defaults;
    config.seed = seed;
    config.ceiling_ppm = settings->ceiling_ppm;
    config.warm_ceiling_ppm = settings->warm_ceiling_ppm;
    config.weight_cpu = settings->weight_cpu;
    config.weight_mem = settings->weight_mem;
    config.weight_net = settings->weight_net;
    config.weight_gpu = settings->weight_gpu;
    config.queue_max = settings->queue_max;
    config.renditions_max = settings->renditions_max;
    config.tap_linger_ms = settings->tap_linger_s * 1000;
    config.suspect_ms = settings->suspect_ms;
    config.dead_ms =
        settings->dead_ms > settings->suspect_ms ? settings->dead_ms : settings->suspect_ms + 1;
    config.hold_ms = settings->hold_ms;
    config.stop_ms = settings->stop_ms;
    config.queue_ms = settings->queue_s * 1000;
    config.flap_half_ms = settings->flap_half_s * 1000;
    config.start_ms = settings->start_s * 1000;
    config.moves_max = settings->drain_moves;
    config.move_ms = settings->drain_move_ms;
    config.fade_ms = settings->drain_fade_ms;
    config.lost_ms = settings->lost_ms;
    return config;
}

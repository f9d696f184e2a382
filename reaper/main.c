/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "reaper/reaper.h"

int main(int argc, char **argv)
{
    const struct weir_service_spec spec = {
        .name = "weir-reaper",
        .what = "proposes to stop streams that nobody watches",
        .rows = reaper_setting_rows,
        .n_rows = reaper_n_setting_rows,
        .settings_size = sizeof(struct reaper_settings),
        .admin_listen_offset = offsetof(struct reaper_settings, admin_listen),
        .log_level_offset = offsetof(struct reaper_settings, log_level),
    };
    struct reaper_settings settings;
    struct weir_service *service = NULL;
    int exit_code = weir_service_start(&spec, argc, argv, &settings, &service);
    if (exit_code < 0) {
        exit_code = reaper_run(service, &settings);
    }
    weir_service_end(&service);
    return exit_code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-reaper: proposes to stop the streams that nobody watches. Any number may run in a cell.
 */
#include "lib/base/log.h"
#include "reaper/reaper.h"

static int run(struct weir_service *service, const struct reaper_settings *settings)
{
    struct reaper *reaper = NULL;
    struct weir_err err = {0};
    if (reaper_open(service, settings, &reaper, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "reaper cannot start", "reason", err.msg, NULL);
        return 2;
    }
    weir_loop_run(weir_service_loop(service));
    reaper_close(&reaper);
    return 0;
}

int main(int argc, char **argv)
{
    struct reaper_settings settings;
    struct weir_service *service = NULL;
    int exit_code = weir_service_start(&reaper_spec, argc, argv, &settings, &service);
    if (exit_code < 0)
        exit_code = run(service, &settings);
    weir_service_end(&service);
    return exit_code;
}

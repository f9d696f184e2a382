/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"
#include "scheduler/shell.h"

static int run(struct weir_service *service, const struct scheduler_settings *settings)
{
    struct weir_err err;
    struct shell *shell = NULL;
    if (shell_open(settings, service, &shell, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "scheduler: cannot start", "error", err.msg, NULL);
        return 1;
    }
    weir_loop_run(weir_service_loop(service));
    shell_close(&shell);
    return 0;
}

int main(int argc, char **argv)
{
    struct scheduler_settings settings;
    struct weir_service *service = NULL;
    int exit_code = weir_service_start(&scheduler_spec, argc, argv, &settings, &service);
    if (exit_code < 0) {
        exit_code = run(service, &settings);
    }
    weir_service_end(&service);
    return exit_code;
}

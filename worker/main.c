/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-worker: one on each media machine. Follows the decision log, keeps weir-tap, weir-origin and
 * the media engines running, and reports what it sees. Its children die with it.
 */
#include "lib/base/log.h"
#include "worker/settings.h"
#include "worker/worker.h"

static int run(struct weir_service *service, const struct worker_settings *settings)
{
    static struct worker worker;
    struct weir_err err = {0};
    int exit_code = 1;
    if (worker_open(&worker, service, settings, &err) == WEIR_OK) {
        weir_loop_run(weir_service_loop(service));
        exit_code = worker.exit_code;
    } else {
        weir_log(WEIR_LOG_ERROR, "weir-worker cannot start", "why", err.msg, NULL);
    }
    worker_close(&worker);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct worker_settings settings;
    struct weir_service *service = NULL;
    int exit_code = weir_service_start(&worker_spec, argc, argv, &settings, &service);
    if (exit_code < 0) {
        exit_code = run(service, &settings);
    }
    weir_service_end(&service);
    return exit_code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The skeleton of a daemon: every main is the same shape.
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct api_settings settings;
 *         struct weir_service *service = NULL;
 *         int exit_code = weir_service_start(&api_spec, argc, argv, &settings, &service);
 *         if (exit_code < 0) {
 *             exit_code = api_run(service, &settings);      ... weir_loop_run(weir_service_loop())
 *         }
 *         weir_service_end(&service);
 *         return exit_code;
 *     }
 *
 * It reads settings (--help, --version), starts the log, the loop and the admin listener with
 * /livez (the loop ticks), /readyz (it does, all checks pass, not draining) and /metrics, and turns
 * SIGTERM and SIGINT into `on_drain` and then weir_loop_stop. sd_notify READY, STOPPING and
 * WATCHDOG are sent when NOTIFY_SOCKET is there.
 */
#ifndef WEIR_SERVICE_SERVICE_H
#define WEIR_SERVICE_SERVICE_H

#include "lib/base/arena.h"
#include "lib/service/loop.h"
#include "lib/service/metrics.h"
#include "lib/service/settings.h"

struct weir_service;

struct weir_service_spec {
    const char *name; /* "weir-api" */
    const char *what; /* one sentence for --help */
    const struct weir_setting *rows;
    size_t n_rows;
    size_t settings_size;
    /* Offsets in the settings struct of the common ones. */
    size_t admin_listen_offset;
    size_t log_level_offset;
};

/*
 * Returns -1 to go on, else the exit code to end with (0 after --help, 2 for a bad setting, 1 for
 * a port that cannot be had; the reason is on stderr).
 */
int weir_service_start(const struct weir_service_spec *spec, int argc, char **argv,
                       void *ret_settings, struct weir_service **ret);
void weir_service_end(struct weir_service **service);

struct weir_loop *weir_service_loop(struct weir_service *service);
struct weir_arena *weir_service_arena(struct weir_service *service); /* lives as long as it */
struct weir_metrics *weir_service_metrics(struct weir_service *service);
int weir_service_admin_port(const struct weir_service *service);

/* Called on the loop at the first SIGTERM or SIGINT; it must end in weir_loop_stop (NULL: stop at
 * once). A second signal, or `deadline_ms` after the first, stops the loop anyway. */
void weir_service_on_drain(struct weir_service *service, weir_loop_fn *fn, void *ctx,
                           int64_t deadline_ms);

/*
 * A named condition of readiness: name all of them (false) before the loop runs. Nothing is ready
 * before that, whoever asks; then READY is told to the service manager when all are met. The last
 * reason is shown by /readyz. Any thread. `name` is kept, not copied.
 */
void weir_service_ready(struct weir_service *service, const char *name, bool is_ready,
                        const char *reason);

#endif

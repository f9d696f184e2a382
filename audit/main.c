/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "audit/settings.h"
#include "audit/sink.h"
#include "lib/base/log.h"

/* After a gap in a log; see audit/sink.h. */
#define EXIT_HALTED 3

#define DRAIN_MS 10000

static int run(struct weir_service *service, const struct audit_settings *settings)
{
    struct audit_sink *sink = NULL;
    struct weir_err err = {0};
    if (audit_sink_open(service, settings, &sink, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "audit cannot start", "reason", err.msg, NULL);
        return 2;
    }
    weir_service_on_drain(service, NULL, NULL, DRAIN_MS);
    weir_loop_run(weir_service_loop(service));
    int exit_code = audit_sink_is_halted(sink) ? EXIT_HALTED : 0;
    audit_sink_close(&sink);
    return exit_code;
}

int main(int argc, char **argv)
{
    const struct weir_service_spec spec = {
        .name = "weir-audit",
        .what = "Stores every decision and every access, once, in a chain that shows tampering.",
        .rows = audit_setting_rows,
        .n_rows = audit_n_setting_rows,
        .settings_size = sizeof(struct audit_settings),
        .admin_listen_offset = offsetof(struct audit_settings, admin_listen),
        .log_level_offset = offsetof(struct audit_settings, log_level),
    };
    struct audit_settings settings;
    struct weir_service *service = NULL;
    int exit_code = weir_service_start(&spec, argc, argv, &settings, &service);
    if (exit_code < 0)
        exit_code = run(service, &settings);
    weir_service_end(&service);
    return exit_code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* weir-tally: counts what the gateway beside it sends to whom. One for each gateway. */
#include "lib/base/log.h"
#include "tally/tally.h"

static int run(struct weir_service *service, const struct tally_settings *settings)
{
    struct tally *tally = NULL;
    struct weir_err err = {0};
    if (tally_open(service, settings, &tally, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "tally cannot start", "reason", err.msg, NULL);
        return 2;
    }
    weir_loop_run(weir_service_loop(service));
    tally_close(&tally);
    return 0;
}

int main(int argc, char **argv)
{
    struct tally_settings settings;
    struct weir_service *service = NULL;
    int exit_code = weir_service_start(&tally_spec, argc, argv, &settings, &service);
    if (exit_code < 0)
        exit_code = run(service, &settings);
    weir_service_end(&service);
    return exit_code;
}

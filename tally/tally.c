/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/tally.h"

#include <stdlib.h>
#include <unistd.h>

#include "tally/line.h"
#include "tally/reporter.h"
#include "tally/socket.h"

#define LINES_MAX 1024 /* before the loop does something else */

struct tally {
    struct weir_service *service;
    const struct tally_settings *settings;
    struct tally_reporter *reporter;
    int fd;
    uint32_t dropped; /* by the kernel, as told last */
    struct weir_metric *taken;
    struct weir_metric *refused;
    struct weir_metric *full;
    struct weir_metric *lost;
};

static void make_metrics(struct tally *tally)
{
    struct weir_metrics *metrics = weir_service_metrics(tally->service);
    const char *name = "weir_tally_lines_total";
    const char *help = "Lines of the gateway: taken; refused (malformed, or not its secret);"
                       " full (too many viewings); lost (the socket had no room)";
    tally->taken = weir_metrics_counter(metrics, name, help, "outcome", "taken");
    tally->refused = weir_metrics_counter(metrics, name, help, "outcome", "refused");
    tally->full = weir_metrics_counter(metrics, name, help, "outcome", "full");
    tally->lost = weir_metrics_counter(metrics, name, help, "outcome", "lost");
}

static void take(struct tally *tally, const char *text, size_t len)
{
    struct tally_line line;
    if (!tally_line_read(text, len, tally->settings->tally_secret, &line)) {
        weir_metric_add(tally->refused, 1);
    } else if (!tally_reporter_note(tally->reporter, &line)) {
        weir_metric_add(tally->full, 1);
    } else {
        weir_metric_add(tally->taken, 1);
    }
}

static void on_lines(void *ctx, unsigned events)
{
    struct tally *tally = ctx;
    (void)events;
    char text[TALLY_LINE_MAX + 1]; /* one that is longer shows */
    for (int i = 0; i < LINES_MAX; i++) {
        uint32_t dropped = tally->dropped;
        ssize_t n = tally_socket_read(tally->fd, text, sizeof(text), &dropped);
        if (n < 0) {
            return;
        }
        weir_metric_add(tally->lost, (uint32_t)(dropped - tally->dropped));
        tally->dropped = dropped;
        take(tally, text, (size_t)n);
    }
}

static enum weir_code check_secrets(const struct tally_settings *settings, struct weir_err *err)
{
    if (!*settings->gateway_secret) {
        return weir_fail(err, WEIR_EINVAL,
                         "WEIR_GATEWAY_SECRET or WEIR_GATEWAY_SECRET_FILE is needed");
    }
    return *settings->tally_secret
               ? WEIR_OK
               : weir_fail(err, WEIR_EINVAL,
                           "WEIR_TALLY_SECRET or WEIR_TALLY_SECRET_FILE is needed");
}

enum weir_code tally_open(struct weir_service *service, const struct tally_settings *settings,
                          struct tally **ret, struct weir_err *err)
{
    struct tally *tally = weir_xalloc(sizeof(*tally));
    *tally = (struct tally){.service = service, .settings = settings, .fd = -1};
    make_metrics(tally);
    enum weir_code code = check_secrets(settings, err);
    if (code == WEIR_OK) {
        code = tally_socket_open(settings->tally_listen, &tally->fd, err);
    }
    if (code == WEIR_OK) {
        struct tally_table *table = tally_table_new((size_t)settings->parts_max);
        code = tally_reporter_open(service, settings, table, &tally->reporter, err);
    }
    if (code != WEIR_OK) {
        tally_close(&tally);
        return code;
    }
    weir_loop_watch(weir_service_loop(service), tally->fd, WEIR_LOOP_IN, on_lines, tally);
    weir_service_ready(service, "socket", true, NULL);
    *ret = tally;
    return WEIR_OK;
}

void tally_close(struct tally **tally_ptr)
{
    struct tally *tally = WEIR_TAKE(*tally_ptr);
    if (!tally) {
        return;
    }
    if (tally->reporter) {
        weir_loop_unwatch(weir_service_loop(tally->service), tally->fd);
        on_lines(tally, WEIR_LOOP_IN);
    }
    tally_reporter_close(&tally->reporter);
    if (tally->fd >= 0) {
        close(tally->fd);
    }
    free(tally);
}

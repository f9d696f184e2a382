/* SPDX-License-Identifier: Apache-2.0 */
#include "weirctl/scan.h"

#include <inttypes.h>

static enum weir_code read_to(struct weir_bus_reader *reader, const struct ctl_settings *settings,
                              const struct ctl_scan *scan, int64_t end, struct weir_err *err)
{
    for (;;) {
        struct weir_bus_message message;
        bool got = false;
        enum weir_code code =
            weir_bus_reader_poll(reader, (int)settings->timeout_ms, &message, &got, err);
        if (code != WEIR_OK)
            return code;
        if (!got)
            return weir_fail(err, WEIR_ETIMEOUT, "%s/%" PRId32 ": no record came before %" PRId64,
                             scan->topic, scan->partition, end);
        if (message.offset >= end || !scan->fn(scan->ctx, &message) || message.offset + 1 >= end)
            return WEIR_OK;
    }
}

enum weir_code ctl_scan(const struct ctl_settings *settings, const struct ctl_scan *scan,
                        struct weir_err *err)
{
    const struct weir_bus_reader_config config = {.brokers = settings->kafka,
                                                  .client_id = "weirctl"};
    struct weir_bus_reader *reader WEIR_CLEANUP(weir_bus_reader_close) = NULL;
    int64_t first = 0;
    int64_t end = 0;
    enum weir_code code = weir_bus_reader_open(&config, &reader, err);
    if (code == WEIR_OK)
        code = weir_bus_reader_bounds(reader, scan->topic, scan->partition,
                                      (int)settings->timeout_ms, &first, &end, err);
    if (code != WEIR_OK)
        return code;
    int64_t from = scan->from < 0 ? first : scan->from;
    if (from < first)
        return weir_fail(err, WEIR_EGONE, "%s/%" PRId32 ": the oldest record kept is %" PRId64,
                         scan->topic, scan->partition, first);
    if (from >= end)
        return WEIR_OK;
    code = weir_bus_reader_assign(reader, scan->topic, scan->partition, from, err);
    return code == WEIR_OK ? read_to(reader, settings, scan, end, err) : code;
}

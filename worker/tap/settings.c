/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/settings.h"

#include <stddef.h>

#include "lib/io/process.h"

/* The order of these includes matters. */
/* clang-format off */
const struct weir_setting tap_setting_rows[] = {
#define WEIR_SETTINGS_STRUCT struct tap_settings
#include "lib/service/settings_rows.h"
#include "worker/tap/settings.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

const size_t tap_n_setting_rows = sizeof(tap_setting_rows) / sizeof(tap_setting_rows[0]);

enum weir_code tap_settings_reach(const struct tap_settings *settings, struct weir_reach *ret,
                                  struct weir_err *err)
{
    struct weir_reach reach = {0};
    enum weir_code code = weir_networks_parse(settings->service_networks, &reach.service, err);
    if (code != WEIR_OK)
        return weir_fail_in(err, code, "WEIR_SERVICE_NETWORKS");
    code = weir_networks_parse(settings->site_networks, &reach.site, err);
    if (code != WEIR_OK)
        return weir_fail_in(err, code, "WEIR_SITE_NETWORKS");
    *ret = reach;
    return WEIR_OK;
}

enum weir_code tap_settings_engines(const struct tap_settings *settings, struct tap_engines *ret,
                                    struct weir_err *err)
{
    struct weir_err none;
    struct tap_engines engines = {
        .all = {[WEIR_XCODE_ENGINE_LIBAV] = {settings->xcode[0] != '\0', settings->xcode, NULL},
                [WEIR_XCODE_ENGINE_FFMPEG] = {true, settings->xcode_ffmpeg, settings->ffmpeg}}};
    enum weir_code code = weir_xcode_engine_parse(settings->xcode_engine, &engines.first, err);
    if (code != WEIR_OK)
        return weir_fail_in(err, code, "WEIR_XCODE_ENGINE");
    if (engines.first == WEIR_XCODE_ENGINE_FFMPEG &&
        (code = weir_process_find(settings->ffmpeg, err)) != WEIR_OK)
        return weir_fail_in(err, code, "WEIR_FFMPEG, which WEIR_XCODE_ENGINE=ffmpeg needs");
    engines.all[WEIR_XCODE_ENGINE_FFMPEG].is_there =
        weir_process_find(settings->ffmpeg, &none) == WEIR_OK &&
        weir_process_find(settings->xcode_ffmpeg, &none) == WEIR_OK;
    *ret = engines;
    return WEIR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/settings.h"

#include <stddef.h>

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

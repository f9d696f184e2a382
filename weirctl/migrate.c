/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/db.h"
#include "weirctl/command.h"

enum weir_code ctl_migrate(const struct ctl_settings *settings, FILE *out, struct weir_err *err)
{
    if (!*settings->postgres)
        return weir_fail(err, WEIR_EINVAL, "WEIR_POSTGRES is missing");
    size_t applied = 0;
    enum weir_code code = weir_db_migrate(settings->postgres, settings->migrations, &applied, err);
    if (code != WEIR_OK)
        return code;
    fprintf(out, "%zu migration%s applied\n", applied, applied == 1 ? "" : "s");
    return WEIR_OK;
}

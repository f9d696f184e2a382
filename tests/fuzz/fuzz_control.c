/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is read as a control line can be written, and reads back as the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/domain/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_ctl *ctl = weir_arena_alloc(arena, sizeof(*ctl));
    const char *once;
    const char *twice;
    size_t n_once;
    size_t n_twice;
    struct weir_err err = {0};
    if (weir_ctl_parse((const char *)data, size, arena, ctl, &err) != WEIR_OK) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    enum weir_code code = weir_ctl_dump(ctl, arena, &once, &n_once, NULL);
    if (code == WEIR_ELIMIT) {
        return 0; /* 1e9 becomes 1000000000 */
    }
    if (code != WEIR_OK || weir_ctl_parse(once, n_once, arena, ctl, NULL) != WEIR_OK ||
        weir_ctl_dump(ctl, arena, &twice, &n_twice, NULL) != WEIR_OK || n_once != n_twice ||
        memcmp(once, twice, n_once) != 0) {
        abort();
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/reason.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    const char *sentence;
} reasons[] = {
#define WEIR_REASON(name, sentence) {#name, sentence},
#include "lib/domain/reason.def"
#undef WEIR_REASON
};

const char *weir_reason_name(enum weir_reason reason)
{
    return reasons[reason].name;
}

const char *weir_reason_sentence(const char *name)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(reasons[i].name, name) == 0) {
            return reasons[i].sentence;
        }
    }
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A playback path as a gateway names it, and an origin's URL as a worker says it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/play_rules.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > TEXT_MAX) {
        return 0;
    }
    char *text = calloc(1, size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    struct play_target target = {0};
    struct weir_err err = {0};
    if (play_target_parse(text, &target, &err) == WEIR_OK &&
        (target.ticket_len == 0 || memchr(target.ticket, '/', target.ticket_len) != NULL)) {
        abort();
    }
    char upstream[64];
    if (play_upstream(text, upstream, sizeof(upstream)) && strpbrk(upstream, "/?# \r\n@") != NULL) {
        abort();
    }
    free(text);
    return 0;
}

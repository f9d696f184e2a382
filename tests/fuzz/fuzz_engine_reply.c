/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte says in what pieces the rest arrives; the outcome must not depend on it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/origin/reply.h"

#define BODY_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum weir_code feed(struct reply *reply, const char *bytes, size_t len, size_t step)
{
    reply_init(reply, BODY_MAX);
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        enum weir_code code = reply_feed(reply, bytes + at, n, NULL);
        if (code != WEIR_OK) {
            return code;
        }
    }
    return WEIR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct reply whole;
    struct reply pieces;
    const char *bytes = (const char *)data + 1;
    enum weir_code a = feed(&whole, bytes, size - 1, size);
    enum weir_code b = feed(&pieces, bytes, size - 1, (size_t)data[0] + 1);
    bool is_same =
        (a == WEIR_OK) == (b == WEIR_OK) &&
        (a != WEIR_OK || (whole.is_done == pieces.is_done && whole.status == pieces.status &&
                          whole.body.len == pieces.body.len &&
                          (whole.body.len == 0 ||
                           memcmp(whole.body.bytes, pieces.body.bytes, whole.body.len) == 0)));
    if (!is_same) {
        abort();
    }
    reply_done(&whole);
    reply_done(&pieces);
    return 0;
}

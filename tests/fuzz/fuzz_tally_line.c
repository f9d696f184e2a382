/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram that anybody on the machine may send: whatever is taken holds the secret and is
 * counted within bounds. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tally/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char secret[] = "5ecret";
    struct tally_line line = {0};
    if (!tally_line_read((const char *)data, size, secret, &line)) {
        return 0;
    }
    if (size > TALLY_LINE_MAX || memmem(data, size, secret, strlen(secret)) == NULL ||
        line.bytes < 0 || line.bytes > 999999999999999) {
        abort();
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What an ffmpeg that decodes bytes of a camera tells of what it made, and parameter sets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/domain/xcode.h"
#include "worker/xcode/cli/account.h"
#include "worker/xcode/cli/fields.h"
#include "worker/xcode/cli/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* Each line a picture, and a unit of one rendition or the other. */
static void read_lines(const char *text, size_t size)
{
    struct account account = {0};
    size_t given = 0;
    size_t done = 0;
    account_add(&account, 0, 25000, INT64_MIN);
    account_add(&account, 15, 5000, 900000);
    for (size_t at = 0; at <= size;) {
        struct lines_packet packet = {0};
        size_t used = 0;
        enum lines_item item = lines_next(text + at, size - at, &packet, &used);
        if (item == LINES_MORE || item == LINES_BROKEN)
            break;
        must(used > 0 && used <= size - at);
        at += used;
        if (item == LINES_SKIP)
            continue;
        must(packet.len <= WEIR_XCODE_UNIT_MAX);
        given += account_is_full(&account) ? 0 : 1;
        account_give(&account, packet.pts, 0);
        account_picture(&account, packet.pts, 0);
        account_made(&account, packet.len % 2 ? 0 : 15, packet.pts, 0);
        done += account_settle(&account);
        must(done <= given);
    }
    must(done + account_let_go(&account) == given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_lines((const char *)data, size);
    (void)fields_may_be(data, size);
    return 0;
}

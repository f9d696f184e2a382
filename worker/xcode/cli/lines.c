/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/lines.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/domain/xcode.h"

#define TIME_BASE "1/90000"

/* Of those about the stream only its time base matters. */
static bool is_known_head(const char *line)
{
    char base[32];
    return sscanf(line, "#tb %*u: %31s", base) != 1 || strcmp(base, TIME_BASE) == 0;
}

static bool read_packet(const char *line, struct lines_packet *ret)
{
    int64_t pts;
    uint64_t len;
    /* A missing pts is "NOPTS", so it is none here. Widths keep numbers far from the ends of their
     * types, so that they can be reckoned with. */
    if (sscanf(line, "0,%*20[ 0-9A-Z-],%18" SCNd64 ",%*20[ 0-9],%12" SCNu64 ",", &pts, &len) != 2 ||
        len > WEIR_XCODE_UNIT_MAX) {
        return false;
    }
    *ret = (struct lines_packet){pts, (size_t)len};
    return true;
}

enum lines_item lines_next(const char *text, size_t len, struct lines_packet *ret, size_t *ret_used)
{
    char line[LINES_LEN_MAX + 1];
    const char *end =
        len > 0 ? memchr(text, '\n', len < LINES_LEN_MAX ? len : LINES_LEN_MAX) : NULL;
    if (end == NULL) {
        return len < LINES_LEN_MAX ? LINES_MORE : LINES_BROKEN;
    }
    size_t n = (size_t)(end - text);
    memcpy(line, text, n);
    line[n] = '\0';
    *ret_used = n + 1;
    if (line[0] == '#') {
        return is_known_head(line) ? LINES_SKIP : LINES_BROKEN;
    }
    return read_packet(line, ret) ? LINES_PACKET : LINES_BROKEN;
}

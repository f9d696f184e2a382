/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/units.h"

#include <stdlib.h>
#include <string.h>

#include "lib/domain/xcode.h"

enum { NAL_KEY = 5, NAL_SEI = 6, NAL_DELIMITER = 9 };

static const uint8_t start_code[4] = {0, 0, 0, 1};

void units_done(struct units *units)
{
    free(units->bytes);
    *units = (struct units){0};
}

static size_t length_at(const uint8_t *unit)
{
    return (size_t)unit[0] << 24 | (size_t)unit[1] << 16 | (size_t)unit[2] << 8 | (size_t)unit[3];
}

bool units_have_key(const uint8_t *unit, size_t len)
{
    for (size_t at = 0; len - at > 4 && length_at(unit + at) <= len - at - 4;) {
        if ((unit[at + 4] & 0x1f) == NAL_KEY) {
            return true;
        }
        at += 4 + length_at(unit + at);
    }
    return false;
}

bool units_to_stream(uint8_t *unit, size_t len)
{
    size_t at = 0;
    while (len - at >= 4) {
        size_t nal = length_at(unit + at);
        if (nal > len - at - 4) {
            return false;
        }
        memcpy(unit + at, start_code, sizeof(start_code));
        at += 4 + nal;
    }
    return at == len;
}

static bool add(struct units *units, const uint8_t *nal, size_t len)
{
    size_t need = units->len + 4 + len;
    if (need > WEIR_XCODE_UNIT_MAX) {
        return false;
    }
    if (need > units->cap) {
        size_t cap = need * 2;
        uint8_t *bytes = realloc(units->bytes, cap);
        if (!bytes) {
            return false;
        }
        units->bytes = bytes;
        units->cap = cap;
    }
    uint8_t *to = units->bytes + units->len;
    to[0] = (uint8_t)(len >> 24);
    to[1] = (uint8_t)(len >> 16);
    to[2] = (uint8_t)(len >> 8);
    to[3] = (uint8_t)len;
    memcpy(to + 4, nal, len);
    units->len = need;
    return true;
}

/* Where the next start code begins, from `at` on; `len` when there is none. */
static size_t find_start(const uint8_t *stream, size_t len, size_t at)
{
    for (; len - at >= 3; at++) {
        if (stream[at] == 0 && stream[at + 1] == 0 && stream[at + 2] == 1) {
            return at;
        }
    }
    return len;
}

bool units_from_stream(struct units *ret, const uint8_t *stream, size_t len)
{
    ret->len = 0;
    for (size_t start = find_start(stream, len, 0); start < len;) {
        size_t at = start + 3;
        start = find_start(stream, len, at);
        size_t end = start;
        /* Zeros before a start code belong to no NAL unit, and none ends in a zero. */
        while (end > at && stream[end - 1] == 0) {
            end--;
        }
        if (end == at) {
            continue;
        }
        uint8_t type = stream[at] & 0x1f;
        if (type != NAL_SEI && type != NAL_DELIMITER && !add(ret, stream + at, end - at)) {
            return false;
        }
    }
    return ret->len > 0;
}

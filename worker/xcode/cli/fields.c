/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/fields.h"

enum { NAL_SPS = 7, HEADER = 1, SET_MAX = 1024, LISTS = 8, LISTS_444 = 12, CHROMA_444 = 3 };

/* Bits of a parameter set, emulation prevention left out; behind its end there are ones, which end
 * whatever is read. */
struct cursor {
    const uint8_t *nal;
    size_t len;
    size_t at; /* of the byte */
    unsigned bit;
    unsigned zeros; /* bytes of zero before it */
    bool is_past;
};

static void next_byte(struct cursor *c)
{
    c->zeros = c->nal[c->at] == 0 ? c->zeros + 1 : 0;
    c->at++;
    if (c->zeros >= 2 && c->at < c->len && c->nal[c->at] == 3) {
        c->zeros = 0;
        c->at++;
    }
}

static unsigned flag(struct cursor *c)
{
    if (c->at >= c->len) {
        c->is_past = true;
        return 1;
    }
    unsigned value = c->nal[c->at] >> (7 - c->bit) & 1U;
    c->bit = (c->bit + 1) % 8;
    if (c->bit == 0) {
        next_byte(c);
    }
    return value;
}

/* ue(v), section 9.1; whoever has more than 31 zeros in front is damaged. */
static uint32_t number(struct cursor *c)
{
    unsigned n = 0;
    while (n < 32 && flag(c) == 0) {
        n++;
    }
    if (n == 32) {
        c->is_past = true;
        return 0;
    }
    uint32_t value = 1;
    for (unsigned i = 0; i < n; i++) {
        value = value << 1 | flag(c);
    }
    return value - 1;
}

/* section 7.3.2.1.1.1: as many numbers as there are, until one says that the rest is as before. */
static void pass_list(struct cursor *c, unsigned size)
{
    uint32_t scale = 8;
    for (unsigned i = 0; i < size && scale != 0 && !c->is_past; i++) {
        uint32_t code = number(c);
        /* se(v) modulo 256. */
        scale = (scale + (code % 2 ? code / 2 + 1 : 0U - code / 2)) & 0xff;
    }
}

static bool has_chroma(unsigned profile)
{
    static const uint8_t those[] = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135};
    bool is_one = false;
    for (size_t i = 0; i < sizeof(those); i++) {
        is_one = is_one || those[i] == profile;
    }
    return is_one;
}

static void pass_chroma(struct cursor *c)
{
    uint32_t format = number(c);
    if (format == CHROMA_444) {
        flag(c);
    }
    number(c);
    number(c);
    flag(c);
    unsigned n = flag(c) == 0 ? 0 : format == CHROMA_444 ? LISTS_444 : LISTS;
    for (unsigned i = 0; i < n && !c->is_past; i++) {
        if (flag(c) != 0) {
            pass_list(c, i < 6 ? 16 : 64);
        }
    }
}

static void pass_order(struct cursor *c)
{
    uint32_t type = number(c);
    if (type == 0) {
        number(c);
    }
    if (type != 1) {
        return;
    }
    flag(c);
    number(c);
    number(c);
    uint32_t n = number(c);
    for (uint32_t i = 0; i < n && i < 256 && !c->is_past; i++) {
        number(c);
    }
}

static bool read_set(const uint8_t *nal, size_t len)
{
    if (len < HEADER + 4 || len > SET_MAX) {
        return false;
    }
    struct cursor c = {.nal = nal, .len = len, .at = HEADER + 3};
    number(&c);
    if (has_chroma(nal[HEADER])) {
        pass_chroma(&c);
    }
    number(&c);
    pass_order(&c);
    number(&c);
    flag(&c);
    number(&c);
    number(&c);
    return flag(&c) == 0 && !c.is_past;
}

bool fields_may_be(const uint8_t *unit, size_t len)
{
    for (size_t at = 0; len - at > 4;) {
        size_t nal = (size_t)unit[at] << 24 | (size_t)unit[at + 1] << 16 |
                     (size_t)unit[at + 2] << 8 | (size_t)unit[at + 3];
        at += 4;
        if (nal == 0 || nal > len - at) {
            return false;
        }
        if ((unit[at] & 0x1f) == NAL_SPS) {
            return read_set(unit + at, nal);
        }
        at += nal;
    }
    return false;
}

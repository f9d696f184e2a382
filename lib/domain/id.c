/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/id.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/str.h"

const struct weir_id weir_space_stream = {{0x5d, 0x0e, 0x5b, 0x1c, 0x0c, 0x1a, 0x4d, 0x5e, 0x9a,
                                           0x52, 0x77, 0x65, 0x69, 0x72, 0x00, 0x01}};
const struct weir_id weir_space_command = {{0x5d, 0x0e, 0x5b, 0x1c, 0x0c, 0x1a, 0x4d, 0x5e, 0x9a,
                                            0x52, 0x77, 0x65, 0x69, 0x72, 0x00, 0x02}};
const struct weir_id weir_space_viewer = {{0x5d, 0x0e, 0x5b, 0x1c, 0x0c, 0x1a, 0x4d, 0x5e, 0x9a,
                                           0x52, 0x77, 0x65, 0x69, 0x72, 0x00, 0x03}};
const struct weir_id weir_space_login = {{0x5d, 0x0e, 0x5b, 0x1c, 0x0c, 0x1a, 0x4d, 0x5e, 0x9a,
                                          0x52, 0x77, 0x65, 0x69, 0x72, 0x00, 0x04}};
const struct weir_id weir_space_membership = {{0x5d, 0x0e, 0x5b, 0x1c, 0x0c, 0x1a, 0x4d, 0x5e, 0x9a,
                                               0x52, 0x77, 0x65, 0x69, 0x72, 0x00, 0x05}};
const struct weir_id weir_space_picture = {{0x5d, 0x0e, 0x5b, 0x1c, 0x0c, 0x1a, 0x4d, 0x5e, 0x9a,
                                            0x52, 0x77, 0x65, 0x69, 0x72, 0x00, 0x06}};

enum weir_code weir_id_parse(const char *text, size_t len, struct weir_id *ret,
                             struct weir_err *err)
{
    static const size_t group[] = {8, 4, 4, 4, 12};
    char hex[32];
    size_t pos = 0;
    size_t n = 0;
    bool ok = len == WEIR_ID_TEXT_MAX - 1;
    for (size_t g = 0; ok && g < 5; g++) {
        if (g > 0) {
            ok = text[pos++] == '-';
        }
        memcpy(hex + n, text + pos, group[g]);
        n += group[g];
        pos += group[g];
    }
    struct weir_id id;
    if (!ok || !weir_hex_decode(hex, sizeof(hex), id.b, sizeof(id.b))) {
        return weir_fail(err, WEIR_EPARSE,
                         "not a UUID such as 018f3c6e-0000-7000-8000-000000000000");
    }
    *ret = id;
    return WEIR_OK;
}

const char *weir_id_format(const struct weir_id *id, char text[static WEIR_ID_TEXT_MAX])
{
    char hex[33];
    weir_hex_encode(id->b, sizeof(id->b), hex);
    memcpy(text, hex, 8);
    memcpy(text + 9, hex + 8, 4);
    memcpy(text + 14, hex + 12, 4);
    memcpy(text + 19, hex + 16, 4);
    memcpy(text + 24, hex + 20, 12);
    text[8] = text[13] = text[18] = text[23] = '-';
    text[36] = '\0';
    return text;
}

bool weir_id_equal(const struct weir_id *a, const struct weir_id *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int weir_id_compare(const struct weir_id *a, const struct weir_id *b)
{
    return memcmp(a->b, b->b, sizeof(a->b));
}

bool weir_id_is_nil(const struct weir_id *id)
{
    static const struct weir_id nil;
    return weir_id_equal(id, &nil);
}

static void stamp(struct weir_id *id, uint8_t version)
{
    id->b[6] = (uint8_t)((id->b[6] & 0x0f) | version << 4);
    id->b[8] = (uint8_t)((id->b[8] & 0x3f) | 0x80);
}

struct weir_id weir_id_v7(int64_t wall_ms, const uint8_t random[static 10])
{
    struct weir_id id;
    for (int i = 0; i < 6; i++) {
        id.b[i] = (uint8_t)(wall_ms >> (40 - 8 * i));
    }
    memcpy(id.b + 6, random, 10);
    stamp(&id, 7);
    return id;
}

#define RANDOM_BYTES 10

struct weir_id weir_id_new(int64_t wall_ms)
{
    /* One call for many ids; up to 256 bytes it is never cut short (getrandom(2)). */
    static _Thread_local uint8_t pool[25 * RANDOM_BYTES];
    static _Thread_local size_t n_left;
    if (n_left == 0) {
        if (getrandom(pool, sizeof(pool), 0) != (ssize_t)sizeof(pool)) {
            abort();
        }
        n_left = sizeof(pool);
    }
    n_left -= RANDOM_BYTES;
    return weir_id_v7(wall_ms, pool + n_left);
}

struct sha1 {
    uint32_t h[5];
    uint8_t block[64];
    size_t used;
    uint64_t total;
};

static uint32_t rotl(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

/* FIPS 180-4 section 6.1.2. SHA-1 is here only because version 5 ids are made of it. */
static void sha1_block(struct sha1 *s)
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++) {
        const uint8_t *p = s->block + 4 * i;
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 80; i++) {
        w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
    uint32_t a = s->h[0];
    uint32_t b = s->h[1];
    uint32_t c = s->h[2];
    uint32_t d = s->h[3];
    uint32_t e = s->h[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (b & c) | (~b & d)
                     : i < 40 ? b ^ c ^ d
                     : i < 60 ? (b & c) | (b & d) | (c & d)
                              : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t t = rotl(a, 5) + f + e + k + w[i];
        e = d;
        d = c;
        c = rotl(b, 30);
        b = a;
        a = t;
    }
    s->h[0] += a;
    s->h[1] += b;
    s->h[2] += c;
    s->h[3] += d;
    s->h[4] += e;
}

static void sha1_add(struct sha1 *s, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    s->total += len;
    for (size_t i = 0; i < len; i++) {
        s->block[s->used++] = p[i];
        if (s->used == sizeof(s->block)) {
            sha1_block(s);
            s->used = 0;
        }
    }
}

static void sha1_finish(struct sha1 *s, uint8_t out[static 20])
{
    uint64_t bits = s->total * 8;
    static const uint8_t pad[64] = {0x80};
    size_t n = s->used < 56 ? 56 - s->used : 120 - s->used;
    sha1_add(s, pad, n);
    uint8_t length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    sha1_add(s, length, sizeof(length));
    for (int i = 0; i < 20; i++) {
        out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
    }
}

struct weir_id weir_id_v5(const struct weir_id *space, const void *name, size_t len)
{
    struct sha1 s = {.h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
    uint8_t digest[20];
    sha1_add(&s, space->b, sizeof(space->b));
    sha1_add(&s, name, len);
    sha1_finish(&s, digest);
    struct weir_id id;
    memcpy(id.b, digest, sizeof(id.b));
    stamp(&id, 5);
    return id;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Moving pictures of a real encoder, as the records of a clip (lib/domain/still.h). */
#ifndef TESTS_UNIT_WORKER_DECODE_FILM_H
#define TESTS_UNIT_WORKER_DECODE_FILM_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/domain/still.h"

#define FILM_FRAMES 75
#define FILM_GOP    25
#define FILM_STEP   3600 /* ticks of 1/90000 s between two frames */

struct film_record {
    size_t at;  /* in `bytes` */
    size_t end; /* behind it */
    int64_t ts;
    bool is_key;
};

/* In decoding order. */
struct film {
    enum weir_still_codec codec;
    uint8_t *bytes; /* owned: film_done */
    size_t len;
    size_t n;
    struct film_record records[FILM_FRAMES];
};

struct film_kind {
    enum weir_still_codec codec;
    int width; /* of 16:9 */
    int bframes;
    const char *options; /* x264-params or x265-params, besides */
    int seed;            /* another picture for each */
};

void film_shoot(const struct film_kind *kind, struct film *ret);
void film_done(struct film *film);

/* The clip of record `last`: from its keyframe on. */
const uint8_t *film_clip(const struct film *film, size_t last, size_t *ret_len);

/* As if the network had lost record `i`. */
void film_lose(struct film *film, size_t i);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures that were made a moment ago, and those that are being made: who asks for the same one
 * waits for it instead of having it made again. The frame is the key, never the time that was asked
 * for, so nothing here goes stale. Any thread.
 *
 *     switch (pictures_begin(pictures, &key, deadline, &picture)) {
 *     case PICTURES_HERE: ... picture_unref(&picture);
 *     case PICTURES_MAKE: ... pictures_end(pictures, &key, picture or NULL);
 *     case PICTURES_LATE: ...
 *     }
 */
#ifndef WEIR_WORKER_STILL_PICTURES_H
#define WEIR_WORKER_STILL_PICTURES_H

#include <stdatomic.h>

#include "lib/domain/id.h"
#include "lib/domain/still.h"

struct picture_key {
    struct weir_id camera_id;
    int64_t frame_us;
    int64_t ts;
    uint32_t format;
    uint32_t width;
    uint32_t quality;
    uint32_t long_side;
    uint32_t short_side;
    uint32_t reserved; /* 0 */
};

struct picture {
    _Atomic int refs;
    struct weir_decode_answer answer;
    uint8_t bytes[];
};

/* Copies the image; one reference. */
struct picture *picture_new(const struct weir_decode_answer *answer, const uint8_t *image);
void picture_unref(struct picture **picture); /* sets NULL; NULL is fine */

struct pictures;

/* Keeps the newest ones, up to `max_bytes` together. */
struct pictures *pictures_new(size_t max_bytes);
void pictures_free(struct pictures *pictures); /* NULL is fine */

enum pictures_verdict {
    PICTURES_HERE, /* `ret` is it, with a reference for the caller */
    PICTURES_MAKE, /* the caller makes it, and says so with pictures_end */
    PICTURES_LATE, /* another one did not come to an end in time */
};

enum pictures_verdict pictures_begin(struct pictures *pictures, const struct picture_key *key,
                                     int64_t deadline_mono_ms, struct picture **ret);

/* One that is there, with a reference for the caller; NULL: it is not, or not yet. */
struct picture *pictures_find(struct pictures *pictures, const struct picture_key *key);

/* NULL: it could not be made; the next one who waits tries. The reference stays the caller's. */
void pictures_end(struct pictures *pictures, const struct picture_key *key,
                  struct picture *picture);

#endif

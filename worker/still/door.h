/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP side, on a unix socket that only weir-origin reaches: see question.h for what is asked.
 *
 * Every answer opens with a line of JSON about the picture, or about why there is none; behind the
 * line of a 200 comes the image. 404 camera_not_here; 409 no_picture_yet, no_picture_near,
 * group_too_large, undecodable, picture_too_large; 410 outside_ring; 503 busy.
 */
#ifndef WEIR_WORKER_STILL_DOOR_H
#define WEIR_WORKER_STILL_DOOR_H

#include "lib/base/err.h"
#include "worker/still/decoders.h"
#include "worker/still/pictures.h"

struct door;

struct door_config {
    const char *socket; /* path */
    const char *clip_socket;
    struct decoders *decoders;
    struct pictures *pictures;
    uint32_t park_ms; /* 0..WEIR_PARK_MS_MAX; see struct weir_decode_ask */
};

struct door_counts {
    int64_t decoded;
    int64_t gone_on; /* of them */
    int64_t cached;
    int64_t failed;
};

WEIR_MUST_USE enum weir_code door_open(const struct door_config *config, struct door **ret,
                                       struct weir_err *err);
void door_close(struct door **door); /* waits for what is being made; sets NULL */

struct door_counts door_counts(struct door *door);

#endif

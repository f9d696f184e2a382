/* SPDX-License-Identifier: Apache-2.0 */
/* What a camera sees, its sensor and its encoder, on a fake clock: small grey pictures for scripts
 * of hours. */
#ifndef TESTS_UNIT_WORKER_STAGE_H
#define TESTS_UNIT_WORKER_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/still.h"

enum view { VIEW_ROOM, VIEW_ROAD, VIEW_HAND, VIEW_NOTHING, VIEW_BALL };

/* What the camera shows. */
struct show {
    enum view view;
    int light;    /* per cent of the room's brightness */
    int noise;    /* of the sensor, levels */
    int rain;     /* streaks, thousandths of all pixels */
    int turn;     /* the camera looks that many pixels further to the right */
    int coarse;   /* the encoder's steps, levels, at most; it is never the same for long */
    bool is_held; /* the sensor's picture stands still */
    bool has_clock;
};

/* `show`, `now_ms` and `dice` are the script's. */
struct stage {
    struct show show;
    int64_t now_ms;
    uint32_t dice;
    uint8_t held[WEIR_LUMA_BYTES]; /* what the sensor gave last */
    uint8_t now[WEIR_LUMA_BYTES];  /* what is left of it in the picture */
};

uint32_t stage_roll(struct stage *stage);

/* Takes a picture, unless it is held, and encodes it. */
void stage_shoot(struct stage *stage);

#endif

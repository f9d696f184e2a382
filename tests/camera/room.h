/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture as a camera gives it: an empty room (--picture=room), with the noise of a sensor in it.
 * And what is left of a picture under the faults black and covered.
 */
#ifndef TESTS_CAMERA_ROOM_H
#define TESTS_CAMERA_ROOM_H

#include <stddef.h>
#include <stdint.h>

struct room_plane {
    uint8_t *luma;
    size_t stride; /* bytes a row */
    int width, height;
};

void room_draw(const struct room_plane *plane);
void room_draw_black(const struct room_plane *plane);
void room_draw_covered(const struct room_plane *plane);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Smaller pictures by whole numbers: each sample becomes the mean of the area that it covers, which
 * is what libswscale's SWS_AREA means, too, rounded once at the end. Cameras and renditions nearly
 * always have such sizes (1920 to 1280, 3840 to 640), and a kernel for each ratio takes a quarter
 * of the time that libswscale takes with its table of weights for every sample. Pure.
 */
#ifndef WEIR_WORKER_XCODE_SHRINK_H
#define WEIR_WORKER_XCODE_SHRINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHRINK_WIDTH_MAX 8192

/* What becomes of the levels 0..255 of full range: those of ITU-R BT.601 and BT.709, 16..235 of
 * luma and 16..240 of chroma. */
enum shrink_levels { SHRINK_AS_THEY_ARE, SHRINK_FULL_LUMA, SHRINK_FULL_CHROMA };

/* One plane of a picture with 8 bits a sample. */
struct shrink_plane {
    uint8_t *bytes;   /* of the first line */
    ptrdiff_t stride; /* bytes from one line to the next */
    int width;        /* samples, 1..SHRINK_WIDTH_MAX */
    int height;
};

/*
 * Whether a plane of `from` samples becomes one of `to` here: in both directions by exactly 4:3,
 * 3:2, 2:1, 3:1, 4:1, 6:1 or 8:1, whichever each has.
 */
bool shrink_is_known(int from_width, int from_height, int to_width, int to_height);

/*
 * Whether each sample covers whole ones, in both directions. The mean of means is then the mean, so
 * that it makes no difference whether a picture is drawn from the camera's or from a smaller one.
 */
bool shrink_is_whole(int from_width, int from_height, int to_width, int to_height);

/* Fills `to` with `from`, which it does not touch; shrink_is_known of their sizes. */
void shrink_plane(const struct shrink_plane *from, const struct shrink_plane *to,
                  enum shrink_levels levels);

#endif

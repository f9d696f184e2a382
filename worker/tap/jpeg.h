/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cameras that send Motion JPEG: each picture is one image by itself (ITU-T T.81), so each unit is
 * a key unit. A unit is the image as it is. In the place of a sequence parameter set stands the
 * image's frame header (SOF, section B.2.2), which says what kind of picture follows. All of these
 * bytes come from a camera and may be anything.
 */
#ifndef WEIR_WORKER_TAP_JPEG_H
#define WEIR_WORKER_TAP_JPEG_H

#include "worker/tap/assembler.h"

/* Keeps the frame header of an image that can be decoded; true when that changed `sof`. */
bool tap_jpeg_take_header(struct tap_param *sof, const uint8_t *image, size_t len);

/* False when the header is damaged or tells no size. */
bool tap_jpeg_size(const struct tap_param *sof, int *ret_width, int *ret_height);

/*
 * The unit of a whole image, for the caller to free; NULL when it is none. Counted in `as`, which
 * is of TAP_CODEC_MJPEG and keeps nothing of it but its frame header.
 */
struct tap_unit *tap_jpeg_unit(struct tap_assembler *as, int64_t pts, int64_t camera_us,
                               int64_t arrival_mono_us, const uint8_t *image, size_t len);

#endif

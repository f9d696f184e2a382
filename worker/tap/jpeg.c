/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/jpeg.h"

#include <string.h>

#include "lib/base/arena.h"

/* Markers, table B.1 of ITU-T T.81. */
enum { SOF0 = 0xc0, SOF2 = 0xc2, SOI = 0xd8, EOI = 0xd9, SOS = 0xda, FILL = 0xff };

#define SOF_BYTES 8 /* up to the number of components */

static size_t word(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* The segment of the first marker from `first` to `last`, without the marker; 0: it does not come
 * before the picture itself. */
static size_t find_segment(const uint8_t *image, size_t len, int first, int last, size_t *ret_len)
{
    for (size_t at = 2; len - at >= 4 && image[at] == 0xff;) {
        uint8_t marker = image[at + 1];
        if (marker == FILL) {
            at++;
            continue;
        }
        size_t n = word(image + at + 2);
        if (marker == SOS || marker == EOI || marker == SOI || n < 2 || n > len - at - 2)
            return 0;
        if (marker >= first && marker <= last) {
            *ret_len = n;
            return at + 2;
        }
        at += 2 + n;
    }
    return 0;
}

static bool is_image(const uint8_t *image, size_t len)
{
    return len > 4 && image[0] == 0xff && image[1] == SOI;
}

bool tap_jpeg_take_header(struct tap_param *sof, const uint8_t *image, size_t len)
{
    size_t n = 0;
    /* Baseline, extended, progressive; of 8 bit. Nobody's decoder knows the others. */
    size_t at = is_image(image, len) ? find_segment(image, len, SOF0, SOF2, &n) : 0;
    if (at == 0 || n < SOF_BYTES || n > TAP_PARAM_MAX || image[at + 2] != 8)
        return false;
    if (sof->len == n && memcmp(sof->bytes, image + at, n) == 0)
        return false;
    sof->len = n;
    memcpy(sof->bytes, image + at, n);
    return true;
}

bool tap_jpeg_size(const struct tap_param *sof, int *ret_width, int *ret_height)
{
    if (sof->len < SOF_BYTES)
        return false;
    int height = (int)word(sof->bytes + 3);
    int width = (int)word(sof->bytes + 5);
    if (width == 0 || height == 0)
        return false;
    *ret_width = width;
    *ret_height = height;
    return true;
}

struct tap_unit *tap_jpeg_unit(struct tap_assembler *as, int64_t pts, int64_t camera_us,
                               int64_t arrival_mono_us, const uint8_t *image, size_t len)
{
    struct tap_param sof = {0};
    int width;
    int height;
    as->nals++;
    if (pts == TAP_NO_TIME || len > TAP_UNIT_MAX || !tap_jpeg_take_header(&sof, image, len) ||
        !tap_jpeg_size(&sof, &width, &height)) {
        as->broken++;
        return NULL;
    }
    as->params.sps = sof;
    as->is_started = true;
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + len);
    unit->track = TAP_VIDEO;
    unit->is_key = true;
    unit->pts = pts;
    unit->camera_us = camera_us;
    unit->arrival_mono_us = arrival_mono_us;
    unit->len = len;
    memcpy(unit->bytes, image, len);
    return unit;
}

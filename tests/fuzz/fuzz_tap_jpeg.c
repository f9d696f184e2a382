/* SPDX-License-Identifier: Apache-2.0 */
/* What a camera sends as images of Motion JPEG: the unit that becomes of it, and its size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/tap/jpeg.h"
#include "worker/tap/nal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tap_assembler as;
    int width = 0;
    int height = 0;
    tap_assembler_init(&as, TAP_CODEC_MJPEG, data, size < 200 ? size : 200);
    struct tap_unit *unit = tap_jpeg_unit(&as, 90, TAP_NO_TIME, 0, data, size);
    must((unit != NULL) == (as.broken == 0));
    if (unit != NULL) {
        must(unit->is_key && unit->len == size && memcmp(unit->bytes, data, size) == 0);
        must(tap_nal_picture_size(TAP_CODEC_MJPEG, &as.params.sps, &width, &height));
        must(width > 0 && width <= 65535 && height > 0 && height <= 65535);
        /* It is not taken for NAL units. */
        size_t at = 0;
        size_t len = 0;
        const uint8_t *nal;
        while (tap_nal_next_in_unit(unit->bytes, unit->len, &at, &nal, &len))
            must(nal + len <= unit->bytes + unit->len);
    }
    free(unit);
    tap_assembler_done(&as);
    return 0;
}

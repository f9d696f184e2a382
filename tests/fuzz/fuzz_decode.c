/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a decoder gets of a camera: a clip, up to a frame of it, and that frame as a file. The first
 * byte chooses codec, format (or brightness alone) and whether the last or the first frame is
 * meant; then the records.
 */
#include <libavutil/mem.h>
#include <stdlib.h>
#include <string.h>

#include "worker/decode/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define WIDTH 64
/* A picture of more is refused here, so that no run is about memory. */
#define ALLOCATION_MAX (8U << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    av_max_alloc(ALLOCATION_MAX);
    return 0;
}

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The time of the first record, or of the last one that is whole. */
static int64_t time_of(const uint8_t *clip, size_t len, bool is_first)
{
    struct weir_clip_unit head = {0};
    for (size_t at = 0; len - at >= sizeof(head);) {
        memcpy(&head, clip + at, sizeof(head));
        at += sizeof(head);
        if (is_first || head.len > len - at)
            break;
        at += head.len;
    }
    return head.ts;
}

static void make(const struct frame_picture *picture, enum weir_still_format format)
{
    struct image image;
    must(picture->rgb != NULL && picture->width >= 1 && picture->width <= WIDTH);
    must(picture->height >= 1 && picture->height <= 2 * WIDTH &&
         (picture->height <= WIDTH / 2 || picture->width <= WIDTH / 2));
    if (image_make(picture, format, 50, &image))
        must(image.len > 0 && image.len <= WEIR_STILL_IMAGE_MAX);
    free(image.bytes);
}

static void look(enum weir_still_codec codec, uint8_t *clip, size_t len, int64_t ts)
{
    bool is_damaged;
    uint8_t *luma;
    enum weir_decode_status status = frame_luma(codec, clip, len, ts, &is_damaged, &luma);
    must(status <= WEIR_DECODE_FAILED && (status == WEIR_DECODE_OK) == (luma != NULL));
    free(luma);
}

static void show(enum weir_still_codec codec, enum weir_still_format format, uint8_t *clip,
                 size_t len, int64_t ts)
{
    const struct frame_limits limits = {WIDTH, 2 * WIDTH, WIDTH / 2};
    struct frame_picture picture;
    enum weir_decode_status status = frame_decode(codec, clip, len, ts, &limits, &picture);
    must(status <= WEIR_DECODE_FAILED);
    if (status == WEIR_DECODE_OK)
        make(&picture, format);
    frame_picture_done(&picture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    enum weir_still_codec codec = (data[0] & 16) != 0  ? WEIR_STILL_MJPEG
                                  : (data[0] & 1) != 0 ? WEIR_STILL_H265
                                                       : WEIR_STILL_H264;
    enum weir_still_format format = (data[0] & 2) != 0 ? WEIR_STILL_PNG : WEIR_STILL_JPEG;
    size_t len = size - 1;
    int64_t ts = time_of(data + 1, len, (data[0] & 4) != 0);
    uint8_t *clip = malloc(len + 1);
    must(clip != NULL);
    memcpy(clip, data + 1, len);
    if ((data[0] & 8) != 0)
        look(codec, clip, len, ts);
    else
        show(codec, format, clip, len, ts);
    free(clip);
    return 0;
}

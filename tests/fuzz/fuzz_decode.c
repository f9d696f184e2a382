/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a decoder gets of a camera: a clip, up to a frame of it, and that frame as a file. The first
 * byte chooses codec, format (or brightness alone) and whether the last or the first frame is
 * meant; then the records. What comes before half of them is asked for first, by a decoder that may
 * be parked.
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

/* Where the record in the middle ends. */
static size_t half_of(const uint8_t *clip, size_t len)
{
    struct weir_clip_unit head;
    size_t at = 0;
    while (at < len / 2 && len - at >= sizeof(head)) {
        memcpy(&head, clip + at, sizeof(head));
        if (head.len > len - at - sizeof(head))
            break;
        at += sizeof(head) + head.len;
    }
    return at;
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

static void look(const struct frame_wish *wish)
{
    bool is_damaged;
    uint8_t *luma;
    enum weir_decode_status status = frame_luma(wish, &is_damaged, &luma);
    must(status <= WEIR_DECODE_FAILED && (status == WEIR_DECODE_OK) == (luma != NULL));
    free(luma);
}

/* The first half of the records is asked for before, so that the decoder may be gone on with. */
static void show(const struct frame_wish *wish, enum weir_still_format format)
{
    const struct frame_limits limits = {WIDTH, 2 * WIDTH, WIDTH / 2};
    struct frame_wish before = *wish;
    struct frame_picture picture;
    struct course *parked = NULL;
    before.len = half_of(wish->clip, wish->len);
    before.ts = time_of(wish->clip, before.len, false);
    must(frame_decode(&before, &limits, &parked, &picture) <= WEIR_DECODE_FAILED);
    must(picture.is_parked == (parked != NULL));
    frame_picture_done(&picture);
    enum weir_decode_status status = frame_decode(wish, &limits, &parked, &picture);
    must(status <= WEIR_DECODE_FAILED);
    if (status == WEIR_DECODE_OK)
        make(&picture, format);
    frame_picture_done(&picture);
    course_free(&parked);
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
    const struct frame_wish wish = {codec, data + 1, size - 1,
                                    time_of(data + 1, size - 1, (data[0] & 4) != 0)};
    if ((data[0] & 8) != 0)
        look(&wish);
    else
        show(&wish, format);
    return 0;
}

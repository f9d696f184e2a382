/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/jpeg.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "tests/unit/check.h"
#include "worker/tap/choice.h"

/* The begin of an image of 640x360, as cameras send them. */
static const uint8_t image[] = {
    0xff, 0xd8,                                                      /* start */
    0xff, 0xe0, 0,    7,  'J', 'F', 'I',  'F',  0,                   /* of whom it is */
    0xff, 0xff, 0xdb, 0,  4,   1,   2,                               /* fill, quantization */
    0xff, 0xc0, 0,    11, 8,   1,   0x68, 2,    0x80, 1, 1, 0x11, 0, /* the frame header */
    0xff, 0xda, 0,    2,  9,   9,   0xff, 0xd9,
};
enum { HEADER_AT = 18, HEADER_BYTES = 11 };

static void the_frame_header_tells_the_size(void **state)
{
    (void)state;
    struct tap_param sof = {0};
    int width;
    int height;
    assert_false(tap_jpeg_size(&sof, &width, &height));
    assert_true(tap_jpeg_take_header(&sof, image, sizeof(image)));
    assert_int_equal(sof.len, HEADER_BYTES);
    assert_memory_equal(sof.bytes, image + HEADER_AT + 2, HEADER_BYTES);
    assert_true(tap_jpeg_size(&sof, &width, &height));
    assert_int_equal(width, 640);
    assert_int_equal(height, 360);
    /* The same one again is no news. */
    assert_false(tap_jpeg_take_header(&sof, image, sizeof(image)));
    assert_true(tap_nal_picture_size(TAP_CODEC_MJPEG, &sof, &width, &height));
}

static void what_is_no_image_has_no_header(void **state)
{
    (void)state;
    for (size_t len = 0; len < HEADER_AT + 2 + HEADER_BYTES; len++) {
        struct tap_param sof = {0};
        /* Of this size, so that the sanitizer sees what is read behind it. */
        uint8_t *part = weir_xalloc(len > 0 ? len : 1);
        memcpy(part, image, len);
        assert_false(tap_jpeg_take_header(&sof, part, len));
        free(part);
    }
    static const struct {
        size_t at;
        uint8_t byte;
    } wrong[] = {
        {1, 0xd9},             /* it does not begin */
        {3, 0xda},             /* the picture itself comes first */
        {5, 1},                /* a segment of less than its own length */
        {HEADER_AT, 0},        /* no marker */
        {HEADER_AT + 1, 0xc9}, /* arithmetic coding */
        {HEADER_AT + 3, 200},  /* longer than all there is */
        {HEADER_AT + 4, 12},   /* bits a sample */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct tap_param sof = {0};
        uint8_t copy[sizeof(image)];
        memcpy(copy, image, sizeof(image));
        copy[wrong[i].at] = wrong[i].byte;
        assert_false(tap_jpeg_take_header(&sof, copy, sizeof(copy)));
    }
}

static void an_image_is_a_key_unit(void **state)
{
    (void)state;
    struct tap_assembler as;
    tap_assembler_init(&as, TAP_CODEC_MJPEG, NULL, 0);
    assert_null(tap_jpeg_unit(&as, 900, TAP_NO_TIME, 7, image + 1, sizeof(image) - 1));
    assert_null(tap_jpeg_unit(&as, TAP_NO_TIME, TAP_NO_TIME, 7, image, sizeof(image)));
    uint8_t flat[sizeof(image)];
    memcpy(flat, image, sizeof(image));
    flat[HEADER_AT + 5] = flat[HEADER_AT + 6] = 0;
    assert_null(tap_jpeg_unit(&as, 900, TAP_NO_TIME, 7, flat, sizeof(flat)));
    assert_false(as.is_started);
    struct tap_unit *unit = tap_jpeg_unit(&as, 900, 5, 7, image, sizeof(image));
    assert_non_null(unit);
    assert_true(unit->is_key && unit->track == TAP_VIDEO);
    assert_int_equal(unit->pts, 900);
    assert_int_equal(unit->camera_us, 5);
    assert_int_equal(unit->arrival_mono_us, 7);
    assert_int_equal(unit->len, sizeof(image));
    assert_memory_equal(unit->bytes, image, sizeof(image));
    assert_true(tap_params_are_complete(&as.params, TAP_CODEC_MJPEG));
    assert_int_equal(as.nals, 4);
    assert_int_equal(as.broken, 3);
    struct tap_format format = {.video = TAP_CODEC_MJPEG, .params = as.params};
    assert_non_null(strstr(tap_choice_bar(&format), "MJPEG"));
    free(unit);
    tap_assembler_done(&as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_frame_header_tells_the_size),
        cmocka_unit_test(what_is_no_image_has_no_header),
        cmocka_unit_test(an_image_is_a_key_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/scaler.h"

#include <libavutil/frame.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
#include <stdlib.h>

#include "tests/unit/check.h"

static AVFrame *frame_new(int format, int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    frame->format = format;
    frame->width = width;
    frame->height = height;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    return frame;
}

static void size_of(const AVFrame *frame, int plane, int *ret_width, int *ret_height)
{
    int shift_x = 0;
    int shift_y = 0;
    if (plane > 0)
        (void)av_pix_fmt_get_chroma_sub_sample(frame->format, &shift_x, &shift_y);
    *ret_width = frame->width >> shift_x;
    *ret_height = frame->height >> shift_y;
}

/* Slopes that do not depend on how many samples show them, so pictures of all sizes compare. */
static int slope(int plane, double across, double down)
{
    static const double by[3][3] = {{20, 180, 50}, {60, 20, 120}, {200, -150, 30}};
    return (int)(by[plane][0] + by[plane][1] * across + by[plane][2] * down);
}

static void draw(AVFrame *frame)
{
    for (int plane = 0; plane < 3; plane++) {
        int width;
        int height;
        size_of(frame, plane, &width, &height);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++)
                frame->data[plane][y * frame->linesize[plane] + x] =
                    (uint8_t)slope(plane, (x + 0.5) / width, (y + 0.5) / height);
        }
    }
}

/* Limited range has 219 levels of luma and 224 of chroma. */
static int as_television(int plane, int level)
{
    return plane == 0 ? 16 + level * 219 / 255 : 128 + (level - 128) * 224 / 255;
}

static void assert_drawn(const AVFrame *frame, bool was_full)
{
    for (int plane = 0; plane < 3; plane++) {
        int width;
        int height;
        size_of(frame, plane, &width, &height);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int meant = slope(plane, (x + 0.5) / width, (y + 0.5) / height);
                meant = was_full ? as_television(plane, meant) : meant;
                int is = frame->data[plane][y * frame->linesize[plane] + x];
                if (abs(is - meant) > 3)
                    fail_msg("plane %d at %d,%d: %d and not %d", plane, x, y, is, meant);
            }
        }
    }
}

/* Draws all formats from one size to another. */
static void check(int width, int height, int to_width, int to_height, bool is_by_library)
{
    static const struct {
        int format;
        bool is_full;
    } formats[] = {{AV_PIX_FMT_YUV420P, false}, {AV_PIX_FMT_YUVJ420P, true},
                   {AV_PIX_FMT_YUV422P, false}, {AV_PIX_FMT_YUVJ422P, true},
                   {AV_PIX_FMT_YUV444P, false}, {AV_PIX_FMT_YUVJ444P, true}};
    struct scaler scaler = {0};
    AVFrame *to = frame_new(AV_PIX_FMT_YUV420P, to_width, to_height);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        AVFrame *from = frame_new(formats[i].format, width, height);
        draw(from);
        assert_true(scaler_draw(&scaler, from, AVCOL_SPC_BT709, to));
        assert_int_equal(scaler.library != NULL, is_by_library);
        assert_drawn(to, formats[i].is_full);
        av_frame_free(&from);
    }
    scaler_done(&scaler);
    assert_null(scaler.library);
    av_frame_free(&to);
}

static void pictures_are_the_same_whoever_draws_them(void **state)
{
    (void)state;
    check(576, 432, 288, 216, false);
    check(576, 432, 192, 144, false);
    check(576, 432, 286, 214, true);
    check(576, 432, 400, 144, true);
}

static void one_size_may_follow_another(void **state)
{
    (void)state;
    struct scaler scaler = {0};
    AVFrame *to = frame_new(AV_PIX_FMT_YUV420P, 192, 144);
    static const int widths[] = {576, 504, 576, 192, 384};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        AVFrame *from = frame_new(AV_PIX_FMT_YUV420P, widths[i], widths[i] * 3 / 4);
        draw(from);
        assert_true(scaler_draw(&scaler, from, AVCOL_SPC_BT709, to));
        assert_drawn(to, false);
        av_frame_free(&from);
    }
    scaler_done(&scaler);
    av_frame_free(&to);
}

/* A range may be said beside a format that does not. */
static void range_is_what_the_frame_says(void **state)
{
    (void)state;
    struct scaler scaler = {0};
    AVFrame *to = frame_new(AV_PIX_FMT_YUV420P, 192, 144);
    AVFrame *from = frame_new(AV_PIX_FMT_YUV420P, 384, 288);
    draw(from);
    for (int is_full = 0; is_full < 2; is_full++) {
        from->color_range = is_full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
        assert_true(scaler_draw(&scaler, from, AVCOL_SPC_BT709, to));
        assert_drawn(to, is_full == 1);
    }
    scaler_done(&scaler);
    av_frame_free(&from);
    av_frame_free(&to);
}

static void more_bits_are_left_to_the_library(void **state)
{
    (void)state;
    struct scaler scaler = {0};
    AVFrame *to = frame_new(AV_PIX_FMT_YUV420P, 192, 144);
    AVFrame *from = frame_new(AV_PIX_FMT_YUV420P10, 384, 288);
    for (int plane = 0; plane < 3; plane++) {
        for (int y = 0; y < (plane == 0 ? 288 : 144); y++) {
            uint16_t *line = (uint16_t *)(void *)(from->data[plane] + y * from->linesize[plane]);
            for (int x = 0; x < (plane == 0 ? 384 : 192); x++)
                line[x] = 400;
        }
    }
    assert_true(scaler_draw(&scaler, from, AVCOL_SPC_BT709, to));
    assert_non_null(scaler.library);
    assert_in_range(to->data[0][50 * to->linesize[0] + 50], 99, 101);
    scaler_done(&scaler);
    av_frame_free(&from);
    av_frame_free(&to);
}

static void a_smaller_picture_serves_where_nothing_is_lost(void **state)
{
    (void)state;
    AVFrame *camera = frame_new(AV_PIX_FMT_YUV420P, 576, 432);
    AVFrame *medium = frame_new(AV_PIX_FMT_YUV420P, 384, 288);
    AVFrame *low = frame_new(AV_PIX_FMT_YUV420P, 192, 144);
    AVFrame *odd = frame_new(AV_PIX_FMT_YUV420P, 288, 216);
    AVFrame *least = frame_new(AV_PIX_FMT_YUV420P, 96, 72);
    const AVFrame *alone[] = {camera, NULL};
    const AVFrame *some[] = {camera, medium, NULL};
    const AVFrame *all[] = {camera, medium, odd, low, NULL};
    assert_ptr_equal(scaler_choose(alone, low), camera);
    assert_ptr_equal(scaler_choose(some, low), medium);
    assert_ptr_equal(scaler_choose(some, odd), camera);
    assert_ptr_equal(scaler_choose(some, medium), camera);
    assert_ptr_equal(scaler_choose(all, least), low);
    /* And what comes of it is what it is. */
    struct scaler scaler = {0};
    draw(camera);
    assert_true(scaler_draw(&scaler, camera, AVCOL_SPC_BT709, medium));
    assert_true(scaler_draw(&scaler, medium, AVCOL_SPC_BT709, low));
    assert_drawn(low, false);
    scaler_done(&scaler);
    av_frame_free(&camera);
    av_frame_free(&medium);
    av_frame_free(&low);
    av_frame_free(&odd);
    av_frame_free(&least);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_the_same_whoever_draws_them),
        cmocka_unit_test(one_size_may_follow_another),
        cmocka_unit_test(range_is_what_the_frame_says),
        cmocka_unit_test(more_bits_are_left_to_the_library),
        cmocka_unit_test(a_smaller_picture_serves_where_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

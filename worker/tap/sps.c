/* SPDX-License-Identifier: Apache-2.0 */
/* Picture size: sections 7.3.2.1.1 of ITU-T H.264 and 7.3.2.2 of ITU-T H.265. */
#include "worker/tap/jpeg.h"
#include "worker/tap/nal.h"

/* Reads bits; after the end it gives zeros and remembers that. */
struct bits {
    uint8_t bytes[TAP_PARAM_MAX]; /* without emulation prevention */
    size_t n_bits;
    size_t at;
    bool is_over;
};

static void bits_init(struct bits *bits, const uint8_t *nal, size_t len, size_t header)
{
    size_t n = 0;
    int zeros = 0;
    for (size_t i = header; i < len; i++) {
        if (zeros >= 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = nal[i] == 0 ? zeros + 1 : 0;
        bits->bytes[n++] = nal[i];
    }
    bits->n_bits = n * 8;
    bits->at = 0;
    bits->is_over = false;
}

static uint32_t take(struct bits *bits, unsigned n)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t bit = 0;
        if (bits->at < bits->n_bits)
            bit = bits->bytes[bits->at / 8] >> (7 - bits->at % 8) & 1U;
        else
            bits->is_over = true;
        bits->at++;
        value = value << 1 | bit;
    }
    return value;
}

static void skip(struct bits *bits, size_t n)
{
    bits->at += n;
    bits->is_over = bits->is_over || bits->at > bits->n_bits;
}

/* Exp-Golomb, section 9.1 of H.264. */
static uint32_t take_ue(struct bits *bits)
{
    unsigned zeros = 0;
    while (take(bits, 1) == 0) {
        if (++zeros > 31 || bits->is_over) {
            bits->is_over = true;
            return 0;
        }
    }
    return ((uint32_t)1 << zeros) - 1 + take(bits, zeros);
}

static void skip_scaling_list(struct bits *bits, int size)
{
    int32_t last = 8;
    int32_t next = 8;
    for (int i = 0; i < size && !bits->is_over; i++) {
        if (next != 0) {
            uint32_t code = take_ue(bits);
            int32_t delta = (int32_t)(code / 2 + (code & 1));
            delta = code & 1 ? delta : -delta;
            if (delta < -128 || delta > 127) {
                bits->is_over = true;
                return;
            }
            next = (last + delta + 256) % 256;
        }
        last = next == 0 ? last : next;
    }
}

static bool has_chroma_fields(uint32_t profile)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44,  83, 86,
                                       118, 128, 138, 139, 134, 135};
    for (size_t i = 0; i < sizeof(profiles); i++) {
        if (profiles[i] == profile)
            return true;
    }
    return false;
}

/* The fields of the high profiles; returns chroma_format_idc. */
static uint32_t chroma_h264(struct bits *bits, bool *ret_is_deep)
{
    uint32_t chroma = take_ue(bits);
    if (chroma == 3)
        skip(bits, 1);
    uint32_t luma_over_8 = take_ue(bits);
    uint32_t chroma_over_8 = take_ue(bits);
    *ret_is_deep = luma_over_8 > 0 || chroma_over_8 > 0;
    skip(bits, 1);
    if (take(bits, 1) == 1) {
        for (int i = 0; i < (chroma == 3 ? 12 : 8); i++) {
            if (take(bits, 1) == 1)
                skip_scaling_list(bits, i < 6 ? 16 : 64);
        }
    }
    return chroma;
}

struct window {
    uint32_t left;
    uint32_t right;
    uint32_t top;
    uint32_t bottom;
};

/* Both standards: a flag, then four offsets in chroma samples. */
static struct window take_window(struct bits *bits)
{
    struct window w = {0};
    if (take(bits, 1) == 1) {
        w.left = take_ue(bits);
        w.right = take_ue(bits);
        w.top = take_ue(bits);
        w.bottom = take_ue(bits);
    }
    return w;
}

static bool finish(const struct bits *bits, uint64_t width, uint64_t height,
                   const struct window *window, uint64_t unit_x, uint64_t unit_y, int *ret_width,
                   int *ret_height)
{
    uint64_t cut_x = ((uint64_t)window->left + window->right) * unit_x;
    uint64_t cut_y = ((uint64_t)window->top + window->bottom) * unit_y;
    if (bits->is_over || cut_x >= width || cut_y >= height || width - cut_x > 65535 ||
        height - cut_y > 65535)
        return false;
    *ret_width = (int)(width - cut_x);
    *ret_height = (int)(height - cut_y);
    return true;
}

static bool size_h264(struct bits *bits, int *ret_width, int *ret_height,
                      enum tap_picture *ret_picture)
{
    bool is_deep = false;
    uint32_t profile = take(bits, 8);
    skip(bits, 16);
    take_ue(bits); /* id */
    uint32_t chroma = has_chroma_fields(profile) ? chroma_h264(bits, &is_deep) : 1;
    take_ue(bits); /* frame number length */
    uint32_t order_type = take_ue(bits);
    if (order_type == 0) {
        take_ue(bits);
    } else if (order_type == 1) {
        skip(bits, 1);
        take_ue(bits);
        take_ue(bits);
        uint32_t n = take_ue(bits);
        for (uint32_t i = 0; i < n && !bits->is_over; i++)
            take_ue(bits);
    }
    take_ue(bits); /* reference frames */
    skip(bits, 1);
    uint64_t width = ((uint64_t)take_ue(bits) + 1) * 16;
    uint64_t height = ((uint64_t)take_ue(bits) + 1) * 16;
    uint32_t is_frames_only = take(bits, 1);
    if (is_frames_only == 0)
        skip(bits, 1);
    skip(bits, 1);
    *ret_picture = chroma != 1 || is_deep ? TAP_PICTURE_DEEP
                   : is_frames_only == 0  ? TAP_PICTURE_INTERLACED
                                          : TAP_PICTURE_PLAIN;
    height *= 2 - is_frames_only;
    struct window window = take_window(bits);
    uint64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
    uint64_t unit_y = (chroma == 1 ? 2U : 1U) * (2 - is_frames_only);
    return finish(bits, width, height, &window, unit_x, unit_y, ret_width, ret_height);
}

/* profile_tier_level, section 7.3.3 of H.265. */
static void skip_profile(struct bits *bits, uint32_t sub_layers)
{
    skip(bits, 88 + 8);
    bool has_profile[8] = {false};
    bool has_level[8] = {false};
    for (uint32_t i = 0; i < sub_layers; i++) {
        has_profile[i] = take(bits, 1) == 1;
        has_level[i] = take(bits, 1) == 1;
    }
    if (sub_layers > 0)
        skip(bits, (size_t)2 * (8 - sub_layers));
    for (uint32_t i = 0; i < sub_layers; i++)
        skip(bits, (has_profile[i] ? 88U : 0U) + (has_level[i] ? 8U : 0U));
}

static bool size_h265(struct bits *bits, int *ret_width, int *ret_height,
                      enum tap_picture *ret_picture)
{
    skip(bits, 4);
    uint32_t sub_layers = take(bits, 3);
    skip(bits, 1);
    skip_profile(bits, sub_layers);
    take_ue(bits); /* id */
    uint32_t chroma = take_ue(bits);
    if (chroma == 3)
        skip(bits, 1);
    uint64_t width = take_ue(bits);
    uint64_t height = take_ue(bits);
    struct window window = take_window(bits);
    uint64_t unit_x = chroma == 1 || chroma == 2 ? 2 : 1;
    uint64_t unit_y = chroma == 1 ? 2 : 1;
    bool is_good = finish(bits, width, height, &window, unit_x, unit_y, ret_width, ret_height);
    uint32_t luma_over_8 = take_ue(bits);
    uint32_t chroma_over_8 = take_ue(bits);
    *ret_picture = bits->is_over                                           ? TAP_PICTURE_UNKNOWN
                   : chroma == 1 && luma_over_8 <= 2 && chroma_over_8 <= 2 ? TAP_PICTURE_PLAIN
                                                                           : TAP_PICTURE_DEEP;
    return is_good;
}

static bool read_sps(enum tap_codec codec, const struct tap_param *sps, int *ret_width,
                     int *ret_height, enum tap_picture *ret_picture)
{
    size_t header = codec == TAP_CODEC_H265 ? 2 : 1;
    *ret_picture = TAP_PICTURE_PLAIN;
    if (codec == TAP_CODEC_MJPEG)
        return tap_jpeg_size(sps, ret_width, ret_height);
    if (sps->len <= header)
        return false;
    struct bits bits;
    bits_init(&bits, sps->bytes, sps->len, header);
    return codec == TAP_CODEC_H265 ? size_h265(&bits, ret_width, ret_height, ret_picture)
                                   : size_h264(&bits, ret_width, ret_height, ret_picture);
}

bool tap_nal_picture_size(enum tap_codec codec, const struct tap_param *sps, int *ret_width,
                          int *ret_height)
{
    enum tap_picture picture;
    return read_sps(codec, sps, ret_width, ret_height, &picture);
}

enum tap_picture tap_nal_picture(enum tap_codec codec, const struct tap_param *sps)
{
    int width;
    int height;
    enum tap_picture picture;
    return read_sps(codec, sps, &width, &height, &picture) ? picture : TAP_PICTURE_UNKNOWN;
}

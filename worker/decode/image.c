/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/decode/image.h"

#include <avif/avif.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#define WEBP_METHOD 2 /* of 0 (quick) to 6: 0.1 s for 1080p */
#define AVIF_SPEED  9 /* of 0 to 10 (quick) */

/* All libraries allocate for themselves; what leaves here is malloced. */
static bool take(const void *bytes, size_t len, struct image *ret)
{
    ret->bytes = len > 0 && len <= WEIR_STILL_IMAGE_MAX ? malloc(len) : NULL;
    if (!ret->bytes) {
        return false;
    }
    memcpy(ret->bytes, bytes, len);
    ret->len = len;
    return true;
}

static bool make_jpeg(const struct frame_picture *picture, unsigned quality, struct image *ret)
{
    unsigned char *bytes = NULL;
    unsigned long len = 0;
    tjhandle handle = tjInitCompress();
    bool is_good =
        handle && tjCompress2(handle, picture->rgb, (int)picture->width, 0, (int)picture->height,
                              TJPF_RGB, &bytes, &len, TJSAMP_420, (int)quality, 0) == 0;
    is_good = is_good && take(bytes, len, ret);
    tjFree(bytes);
    if (handle) {
        tjDestroy(handle);
    }
    return is_good;
}

static bool make_png(const struct frame_picture *picture, struct image *ret)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = picture->width,
                       .height = picture->height,
                       .format = PNG_FORMAT_RGB,
                       .flags = PNG_IMAGE_FLAG_FAST};
    png_alloc_size_t len = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *bytes = malloc(len);
    bool is_good =
        bytes && png_image_write_to_memory(&image, bytes, &len, 0, picture->rgb, 0, NULL);
    is_good = is_good && take(bytes, len, ret);
    png_image_free(&image);
    free(bytes);
    return is_good;
}

static bool make_webp(const struct frame_picture *picture, unsigned quality, struct image *ret)
{
    WebPConfig config;
    WebPPicture source;
    WebPMemoryWriter writer;
    if (!WebPConfigPreset(&config, WEBP_PRESET_PHOTO, (float)quality) ||
        !WebPPictureInit(&source)) {
        return false;
    }
    config.method = WEBP_METHOD;
    source.use_argb = 0;
    source.width = (int)picture->width;
    source.height = (int)picture->height;
    WebPMemoryWriterInit(&writer);
    source.writer = WebPMemoryWrite;
    source.custom_ptr = &writer;
    bool is_good = WebPPictureImportRGB(&source, picture->rgb, 3 * (int)picture->width) &&
                   WebPEncode(&config, &source) && take(writer.mem, writer.size, ret);
    WebPPictureFree(&source);
    WebPMemoryWriterClear(&writer);
    return is_good;
}

/* libavif of Debian 12 has quantizers, 0 (best) to 63. */
static int quantizer_of(unsigned quality)
{
    return (int)((100 - quality) * AVIF_QUANTIZER_WORST_QUALITY / 100);
}

static bool make_avif(const struct frame_picture *picture, unsigned quality, struct image *ret)
{
    avifRWData bytes = AVIF_DATA_EMPTY;
    avifRGBImage rgb;
    avifEncoder *encoder = avifEncoderCreate();
    avifImage *image =
        avifImageCreate(picture->width, picture->height, 8, AVIF_PIXEL_FORMAT_YUV420);
    bool is_good = encoder && image;
    if (is_good) {
        encoder->maxThreads = 1;
        encoder->speed = AVIF_SPEED;
        encoder->minQuantizer = quantizer_of(quality);
        encoder->maxQuantizer = quantizer_of(quality);
        avifRGBImageSetDefaults(&rgb, image);
        rgb.format = AVIF_RGB_FORMAT_RGB;
        rgb.pixels = picture->rgb;
        rgb.rowBytes = 3 * picture->width;
        is_good = avifImageRGBToYUV(image, &rgb) == AVIF_RESULT_OK &&
                  avifEncoderWrite(encoder, image, &bytes) == AVIF_RESULT_OK &&
                  take(bytes.data, bytes.size, ret);
    }
    avifRWDataFree(&bytes);
    if (image) {
        avifImageDestroy(image);
    }
    if (encoder) {
        avifEncoderDestroy(encoder);
    }
    return is_good;
}

bool image_make(const struct frame_picture *picture, enum weir_still_format format,
                unsigned quality, struct image *ret)
{
    *ret = (struct image){0};
    switch (format) {
    case WEIR_STILL_JPEG:
        return make_jpeg(picture, quality, ret);
    case WEIR_STILL_PNG:
        return make_png(picture, ret);
    case WEIR_STILL_WEBP:
        return make_webp(picture, quality, ret);
    case WEIR_STILL_AVIF:
        return make_avif(picture, quality, ret);
    case WEIR_STILL_LUMA:
        break; /* no file: frame.h */
    }
    return false;
}

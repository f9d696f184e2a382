/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/nal.h"

#include <string.h>

static enum tap_nal_kind kind_h264(uint8_t header)
{
    switch (header & 0x1f) {
    case 5:
        return TAP_NAL_KEY;
    case 7:
        return TAP_NAL_SPS;
    case 8:
        return TAP_NAL_PPS;
    case 9:  /* access unit delimiter */
    case 10: /* end of sequence */
    case 11: /* end of stream */
    case 12: /* filler */
        return TAP_NAL_USELESS;
    case 0:
        return TAP_NAL_BROKEN;
    default:
        return (header & 0x1f) < 24 ? TAP_NAL_OTHER : TAP_NAL_BROKEN;
    }
}

static enum tap_nal_kind kind_h265(const uint8_t *nal)
{
    int type = (nal[0] >> 1) & 0x3f;
    if ((nal[1] & 7) == 0) /* nuh_temporal_id_plus1 */
        return TAP_NAL_BROKEN;
    if (type >= 16 && type <= 21)
        return TAP_NAL_KEY;
    if (type == 32)
        return TAP_NAL_VPS;
    if (type == 33)
        return TAP_NAL_SPS;
    if (type == 34)
        return TAP_NAL_PPS;
    if (type >= 35 && type <= 38) /* delimiter, end of sequence, end of stream, filler */
        return TAP_NAL_USELESS;
    return type < 48 ? TAP_NAL_OTHER : TAP_NAL_BROKEN;
}

enum tap_nal_kind tap_nal_kind(enum tap_codec codec, const uint8_t *nal, size_t len)
{
    if (len < 1 || (codec == TAP_CODEC_H265 && len < 3) || (nal[0] & 0x80) != 0)
        return TAP_NAL_BROKEN;
    return codec == TAP_CODEC_H265 ? kind_h265(nal) : kind_h264(nal[0]);
}

/* Where the next 00 00 01 begins, or `len`. */
static size_t find_start(const uint8_t *stream, size_t len, size_t at)
{
    const uint8_t *one;
    for (size_t from = at + 2; from < len; from = (size_t)(one - stream) + 1) {
        one = memchr(stream + from, 1, len - from);
        if (one == NULL)
            break;
        if (one[-1] == 0 && one[-2] == 0)
            return (size_t)(one - stream) - 2;
    }
    return len;
}

bool tap_nal_next(const uint8_t *stream, size_t len, size_t *at, const uint8_t **ret_nal,
                  size_t *ret_len)
{
    size_t start = find_start(stream, len, *at);
    while (start < len) {
        size_t from = start + 3;
        size_t next = find_start(stream, len, from);
        size_t end = next;
        while (end > from && stream[end - 1] == 0)
            end--;
        if (end > from) {
            *at = next;
            *ret_nal = stream + from;
            *ret_len = end - from;
            return true;
        }
        start = next;
    }
    *at = len;
    return false;
}

bool tap_nal_next_in_unit(const uint8_t *unit, size_t len, size_t *at, const uint8_t **ret_nal,
                          size_t *ret_len)
{
    if (len - *at < 4)
        return false;
    const uint8_t *p = unit + *at;
    size_t n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (n > len - *at - 4)
        return false;
    *ret_nal = p + 4;
    *ret_len = n;
    *at += 4 + n;
    return true;
}

bool tap_params_take(struct tap_params *params, enum tap_codec codec, const uint8_t *nal,
                     size_t len)
{
    enum tap_nal_kind kind = tap_nal_kind(codec, nal, len);
    struct tap_param *param = kind == TAP_NAL_SPS   ? &params->sps
                              : kind == TAP_NAL_PPS ? &params->pps
                              : kind == TAP_NAL_VPS ? &params->vps
                                                    : NULL;
    if (param == NULL || len > TAP_PARAM_MAX)
        return false;
    if (param->len == len && memcmp(param->bytes, nal, len) == 0)
        return false;
    memcpy(param->bytes, nal, len);
    param->len = len;
    return true;
}

bool tap_params_are_complete(const struct tap_params *params, enum tap_codec codec)
{
    if (codec == TAP_CODEC_MJPEG)
        return params->sps.len > 0;
    return params->sps.len > 0 && params->pps.len > 0 &&
           (codec != TAP_CODEC_H265 || params->vps.len > 0);
}

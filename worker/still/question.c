/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/question.h"

#include <string.h>

#include "lib/base/str.h"

#define US_MAX     ((int64_t)1 << 53)
#define MANY_UNITS 250 /* a decoder that takes too long over so many does so again */

static const char *const modes[] = {"exact", "keyframe", "latest"};
static const char *const formats[] = {"jpeg", "png", "webp", "avif"};

const char *still_format_name(enum weir_still_format format)
{
    return formats[format];
}

static enum weir_code read_name(const char *what, const char *text, const char *const *names, int n,
                                int *ret, struct weir_err *err)
{
    for (*ret = 0; text && *ret < n; ++*ret) {
        if (strcmp(text, names[*ret]) == 0) {
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_EINVAL, "%s: none that is known", what);
}

struct number {
    const char *name;
    int64_t min;
    int64_t max;
    bool is_optional; /* 0 then */
};

enum { N_AT, N_TOLERANCE, N_WAIT, N_WIDTH, N_QUALITY, N_LONG, N_SHORT, N_NOW, N_NUMBERS };

static const struct number numbers[N_NUMBERS] = {
    [N_AT] = {"at_us", 0, US_MAX},
    [N_TOLERANCE] = {"tolerance_us", 0, US_MAX},
    [N_WAIT] = {"wait_ms", 0, STILL_WAIT_MAX_MS},
    [N_WIDTH] = {"width", 0, WEIR_STILL_SIDE_MAX},
    [N_QUALITY] = {"quality", 1, 100},
    [N_LONG] = {"long_side", 0, WEIR_STILL_SIDE_MAX, true},
    [N_SHORT] = {"short_side", 0, WEIR_STILL_SIDE_MAX, true},
    [N_NOW] = {"is_now", 0, 1, true},
};

enum weir_code still_question_read(const char *tenant_id, const char *camera_id,
                                   still_value_fn *value, void *ctx, struct still_question *ret,
                                   struct weir_err *err)
{
    int64_t read[N_NUMBERS];
    int mode = 0;
    int format = 0;
    *ret = (struct still_question){0};
    enum weir_code code = weir_id_parse(tenant_id, strlen(tenant_id), &ret->ask.tenant_id, err);
    if (code == WEIR_OK) {
        code = weir_id_parse(camera_id, strlen(camera_id), &ret->ask.camera_id, err);
    }
    for (int i = 0; code == WEIR_OK && i < N_NUMBERS; i++) {
        const char *text = value(ctx, numbers[i].name);
        read[i] = 0;
        if (!text && numbers[i].is_optional) {
            continue;
        }
        code = weir_str_to_int(text ? text : "", numbers[i].min, numbers[i].max, &read[i], err);
        code = code == WEIR_OK ? code : weir_fail_in(err, code, "%s", numbers[i].name);
    }
    const char *ts = value(ctx, "ts");
    if (code == WEIR_OK && ts) {
        ret->has_ts = true;
        code = weir_str_to_int(ts, -US_MAX, US_MAX, &ret->ts, err);
    }
    if (code == WEIR_OK) {
        code = read_name("mode", value(ctx, "mode"), modes, 3, &mode, err);
    }
    if (code == WEIR_OK) {
        code = read_name("format", value(ctx, "format"), formats, WEIR_STILL_FORMATS, &format, err);
    }
    if (code == WEIR_OK) {
        ret->ask.mode = (enum weir_ctl_clip_ask_mode)mode;
        ret->ask.at_us = read[N_AT];
        ret->ask.wait_ms = read[N_WAIT];
        ret->ask.has_is_now = true;
        ret->ask.is_now = read[N_NOW] == 1;
        ret->tolerance_us = read[N_TOLERANCE];
        ret->format = (enum weir_still_format)format;
        ret->width = (uint32_t)read[N_WIDTH];
        ret->quality = (uint32_t)read[N_QUALITY];
        ret->long_side = (uint32_t)read[N_LONG];
        ret->short_side = (uint32_t)read[N_SHORT];
    }
    return code;
}

bool still_question_allows(const struct still_question *question,
                           const struct weir_ctl_clip_answer *found, struct still_refusal *ret)
{
    static const struct still_refusal refusals[] = {
        [WEIR_CTL_CLIP_ANSWER_STATUS_UNKNOWN] = {404, "camera_not_here"},
        [WEIR_CTL_CLIP_ANSWER_STATUS_EMPTY] = {409, "no_picture_yet"},
        [WEIR_CTL_CLIP_ANSWER_STATUS_PAST] = {410, "outside_ring"},
        [WEIR_CTL_CLIP_ANSWER_STATUS_TOO_LONG] = {409, "group_too_large"},
    };
    if (found->status != WEIR_CTL_CLIP_ANSWER_STATUS_OK) {
        *ret = refusals[found->status];
        return false;
    }
    int64_t at_us = found->has_at_us ? found->at_us : question->ask.at_us;
    int64_t off_us = found->frame_us - at_us;
    if (off_us > question->tolerance_us || off_us < -question->tolerance_us) {
        *ret = (struct still_refusal){409, "no_picture_near"};
        return false;
    }
    return true;
}

struct still_refusal still_refusal_of(enum weir_code code, enum weir_decode_status status,
                                      int64_t n_units)
{
    static const struct still_refusal undecodable = {409, "undecodable"};
    static const struct still_refusal too_large = {409, "picture_too_large"};
    if (code == WEIR_OK) {
        return status == WEIR_DECODE_TOO_LARGE || status == WEIR_DECODE_FAILED ? too_large
                                                                               : undecodable;
    }
    if (code == WEIR_ETIMEOUT && n_units >= MANY_UNITS) {
        return (struct still_refusal){409, "group_too_large"};
    }
    return code == WEIR_EIO ? undecodable : (struct still_refusal){503, "busy"};
}

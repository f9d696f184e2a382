/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/encoders.h"

#include "lib/domain/encoder.h"

void tap_encoders_set(struct tap_encoders *encoders, const struct weir_ctl_tap_encoders *told)
{
    for (int i = 0; i < WEIR_ENCODER_N; i++)
        encoders->of[i].is_there = false;
    for (size_t i = 0; i < told->n_encoders; i++) {
        struct tap_encoder *encoder = &encoders->of[told->encoders[i].encoder];
        encoder->is_there = true;
        encoder->kpx = told->encoders[i].kpx_per_s;
        encoder->sessions = told->encoders[i].sessions;
    }
    /* News of another engine may cross with what is told of this one's failure. */
    for (int i = 0; i < WEIR_ENCODER_N; i++)
        encoders->of[i].is_failed = encoders->of[i].is_failed && encoders->of[i].is_there;
}

static bool has_room(const struct tap_encoder *encoder, int64_t kpx)
{
    return encoder->is_there && !encoder->is_failed && encoder->kpx_used + kpx <= encoder->kpx &&
           encoder->sessions_used < encoder->sessions;
}

static int64_t at_most(int64_t side, int most)
{
    return side > 0 && side < most ? side : most;
}

/* Of the picture inside the box, which lies as the picture does. */
static int64_t need_kpx(const struct tap_choice *choice, int width, int height)
{
    int64_t long_side = at_most(width > height ? width : height, choice->long_side);
    int64_t short_side = at_most(width > height ? height : width, choice->short_side);
    return weir_encoder_need_kpx(long_side, short_side, choice->fps_milli);
}

void tap_encoders_assign(struct tap_encoders *encoders, uint32_t only, int width, int height,
                         struct tap_rendition *rendition)
{
    int64_t kpx = need_kpx(&rendition->choice, width, height);
    for (uint32_t i = 0; i < WEIR_ENCODER_N && rendition->encoder == WEIR_XCODE_SOFTWARE; i++) {
        struct tap_encoder *encoder = &encoders->of[i];
        if ((only != TAP_XCODE_ANY && only != 1 + i) || !has_room(encoder, kpx))
            continue;
        encoder->kpx_used += kpx;
        encoder->sessions_used++;
        rendition->encoder = 1 + i;
        rendition->encoder_kpx = kpx;
    }
}

void tap_encoders_follow(struct tap_encoders *encoders, int width, int height,
                         struct tap_rendition *rendition)
{
    if (rendition->encoder == WEIR_XCODE_SOFTWARE)
        return;
    int64_t kpx = need_kpx(&rendition->choice, width, height);
    encoders->of[rendition->encoder - 1].kpx_used += kpx - rendition->encoder_kpx;
    rendition->encoder_kpx = kpx;
}

void tap_encoders_release(struct tap_encoders *encoders, struct tap_rendition *rendition)
{
    if (rendition->encoder == WEIR_XCODE_SOFTWARE)
        return;
    struct tap_encoder *encoder = &encoders->of[rendition->encoder - 1];
    encoder->kpx_used -= rendition->encoder_kpx;
    encoder->sessions_used--;
    rendition->encoder = WEIR_XCODE_SOFTWARE;
    rendition->encoder_kpx = 0;
}

enum weir_encoder tap_encoders_fail(struct tap_encoders *encoders, struct tap_rendition *rendition)
{
    enum weir_encoder id = (enum weir_encoder)(rendition->encoder - 1);
    /* One that is not named is suspect already; once it is, it was found good since. */
    encoders->of[id].is_failed = encoders->of[id].is_there;
    tap_encoders_release(encoders, rendition);
    rendition->has_fallen = true;
    rendition->fallen = id;
    return id;
}

size_t tap_encoders_used(const struct tap_encoders *encoders,
                         struct weir_ctl_tap_encoding_encoders ret[static WEIR_ENCODER_N])
{
    size_t n = 0;
    for (int i = 0; i < WEIR_ENCODER_N; i++) {
        const struct tap_encoder *encoder = &encoders->of[i];
        if (encoder->is_there || encoder->sessions_used > 0)
            ret[n++] = (struct weir_ctl_tap_encoding_encoders){.encoder = (enum weir_encoder)i,
                                                               .kpx_per_s = encoder->kpx_used,
                                                               .sessions = encoder->sessions_used};
    }
    return n;
}

const char *tap_encoders_fault_text(enum weir_xcode_fault fault)
{
    switch (fault) {
    case WEIR_XCODE_FAULT_OPEN:
        return "it cannot be opened";
    case WEIR_XCODE_FAULT_ENCODE:
        return "it failed while it encoded";
    case WEIR_XCODE_FAULT_SILENT:
        return "it took frames and made nothing of them";
    case WEIR_XCODE_FAULT_KEY:
        return "it made no keyframe where one was asked for";
    case WEIR_XCODE_FAULT_PICTURE:
        return "it made another picture";
    case WEIR_XCODE_FAULT_HUNG:
        return "it hung";
    case WEIR_XCODE_FAULT_ENDED:
        break;
    }
    return "its driver ended the process";
}

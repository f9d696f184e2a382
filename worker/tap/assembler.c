/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/assembler.h"

#include <string.h>

#include "lib/base/arena.h"
#include "worker/tap/nal.h"

#define KEPT_BYTES 16384
#define PLACES     16

/* What cannot be is left out; so is a sequence that has no picture size. */
static enum tap_nal_kind judge(const struct tap_assembler *as, const uint8_t *nal, size_t len)
{
    struct tap_params sets = {0};
    int width;
    int height;
    enum tap_nal_kind kind = tap_nal_kind(as->codec, nal, len);
    if (kind != TAP_NAL_SPS)
        return kind;
    bool is_good = tap_params_take(&sets, as->codec, nal, len) &&
                   tap_nal_picture_size(as->codec, &sets.sps, &width, &height);
    return is_good ? kind : TAP_NAL_BROKEN;
}

static bool is_kept(enum tap_nal_kind kind)
{
    return kind != TAP_NAL_USELESS && kind != TAP_NAL_BROKEN;
}

static void take_params(struct tap_assembler *as, const uint8_t *stream, size_t len)
{
    const uint8_t *nal;
    size_t n;
    for (size_t at = 0; tap_nal_next(stream, len, &at, &nal, &n);) {
        if (is_kept(judge(as, nal, n)))
            tap_params_take(&as->params, as->codec, nal, n);
    }
}

void tap_assembler_init(struct tap_assembler *as, enum tap_codec codec, const uint8_t *extradata,
                        size_t len)
{
    *as = (struct tap_assembler){.codec = codec, .pts = TAP_NO_TIME, .buf = {.max = TAP_UNIT_MAX}};
    take_params(as, extradata, len);
}

void tap_assembler_done(struct tap_assembler *as)
{
    weir_buf_done(&as->buf);
}

/* What a keyframe took is given back: most of the time it would lie idle. */
static void clear(struct tap_assembler *as)
{
    weir_buf_clear(&as->buf);
    if (as->buf.cap > KEPT_BYTES)
        weir_buf_done(&as->buf);
}

static size_t put_nal(uint8_t *to, const uint8_t *nal, size_t len)
{
    to[0] = (uint8_t)(len >> 24);
    to[1] = (uint8_t)(len >> 16);
    to[2] = (uint8_t)(len >> 8);
    to[3] = (uint8_t)len;
    memcpy(to + 4, nal, len);
    return 4 + len;
}

static size_t put_param(uint8_t *to, const struct tap_param *param)
{
    return param->len > 0 ? put_nal(to, param->bytes, param->len) : 0;
}

struct place {
    uint32_t at;
    uint32_t len;
};

/* What a unit holds; one walk before it is written. */
struct survey {
    size_t out_bytes;
    bool is_key;
    bool has_sps;
    bool has_slices;
    struct place kept[PLACES]; /* the first NAL units that are written */
    size_t n_kept;
    size_t end; /* of what `kept` was taken from */
};

static void note_place(struct survey *s, size_t at, size_t len, size_t end)
{
    if (s->n_kept == PLACES)
        return;
    s->kept[s->n_kept++] = (struct place){(uint32_t)at, (uint32_t)len};
    s->end = end;
}

static struct survey survey_unit(struct tap_assembler *as, const uint8_t *stream, size_t len)
{
    struct survey s = {0};
    const uint8_t *nal;
    size_t n;
    for (size_t at = 0; tap_nal_next(stream, len, &at, &nal, &n);) {
        enum tap_nal_kind kind = judge(as, nal, n);
        as->nals++;
        as->broken += kind == TAP_NAL_BROKEN ? 1 : 0;
        if (!is_kept(kind))
            continue;
        tap_params_take(&as->params, as->codec, nal, n);
        note_place(&s, (size_t)(nal - stream), n, at);
        s.out_bytes += 4 + n;
        s.is_key = s.is_key || kind == TAP_NAL_KEY;
        s.has_sps = s.has_sps || kind == TAP_NAL_SPS;
        s.has_slices = s.has_slices || kind == TAP_NAL_KEY || kind == TAP_NAL_OTHER;
    }
    return s;
}

static struct tap_unit *write_unit(const struct tap_assembler *as, const struct survey *s)
{
    bool adds_params = s->is_key && !s->has_sps;
    const struct tap_params *params = &as->params;
    size_t room = s->out_bytes;
    if (adds_params)
        room += 3 * 4 + params->vps.len + params->sps.len + params->pps.len;
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + room);
    size_t len = 0;
    if (adds_params) {
        len += put_param(unit->bytes + len, &params->vps);
        len += put_param(unit->bytes + len, &params->sps);
        len += put_param(unit->bytes + len, &params->pps);
    }
    const uint8_t *stream = (const uint8_t *)as->buf.bytes;
    const uint8_t *nal;
    size_t n;
    for (size_t i = 0; i < s->n_kept; i++)
        len += put_nal(unit->bytes + len, stream + s->kept[i].at, s->kept[i].len);
    /* Hardly ever are there more. */
    for (size_t at = s->end;
         s->n_kept == PLACES && tap_nal_next(stream, as->buf.len, &at, &nal, &n);) {
        if (is_kept(judge(as, nal, n)))
            len += put_nal(unit->bytes + len, nal, n);
    }
    unit->track = TAP_VIDEO;
    unit->is_key = s->is_key;
    unit->pts = as->pts;
    unit->camera_us = as->camera_us;
    unit->arrival_mono_us = as->arrival_mono_us;
    unit->len = len;
    return unit;
}

struct tap_unit *tap_assembler_flush(struct tap_assembler *as)
{
    struct tap_unit *unit = NULL;
    uint64_t broken = as->broken;
    if (as->is_skipping) {
        as->broken++;
    } else if (as->buf.len > 0 && as->pts != TAP_NO_TIME) {
        struct survey s = survey_unit(as, (const uint8_t *)as->buf.bytes, as->buf.len);
        bool can_start = s.is_key && tap_params_are_complete(&as->params, as->codec);
        if (s.has_slices && (as->is_started || can_start)) {
            as->is_started = true;
            unit = write_unit(as, &s);
        }
    }
    bool is_thrown = unit == NULL && as->is_started && as->broken > broken;
    if (unit != NULL)
        unit->has_gap = as->has_hole;
    as->has_hole = is_thrown || (as->has_hole && unit == NULL);
    clear(as);
    as->is_skipping = false;
    return unit;
}

struct tap_unit *tap_assembler_add(struct tap_assembler *as, int64_t pts, int64_t camera_us,
                                   int64_t arrival_mono_us, const uint8_t *bytes, size_t len)
{
    struct tap_unit *ended = NULL;
    if (pts != TAP_NO_TIME && pts != as->pts) {
        ended = tap_assembler_flush(as);
        as->pts = pts;
        as->camera_us = camera_us;
        as->arrival_mono_us = arrival_mono_us;
    }
    if (!as->is_skipping && !weir_buf_add(&as->buf, bytes, len)) {
        clear(as);
        as->is_skipping = true;
    }
    return ended;
}

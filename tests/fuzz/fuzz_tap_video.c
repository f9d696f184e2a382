/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a camera sends as video, on its whole way: fragments, units, parameter sets, the line of
 * time, the ring, packets. The first byte chooses the codec, then each fragment has a byte of
 * time and one of length.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/tap/assembler.h"
#include "worker/tap/nal.h"
#include "worker/tap/outlet.h"
#include "worker/tap/ring.h"
#include "worker/tap/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct way {
    enum tap_codec codec;
    struct tap_assembler as;
    struct tap_timeline line;
    struct tap_ring ring;
    struct tap_outlet outlet;
    struct weir_buf out;
};

/* Interleaved frames, one behind the other, none too long. */
static void check_out(const struct weir_buf *out)
{
    const uint8_t *p = (const uint8_t *)out->bytes;
    size_t at = 0;
    while (at < out->len) {
        must(p[at] == '$' && out->len - at >= 16);
        size_t len = (size_t)p[at + 2] << 8 | p[at + 3];
        must(len <= 12 + TAP_RTP_PAYLOAD_MAX);
        at += 4 + len;
    }
    must(at == out->len);
}

static void go(struct way *way, struct tap_unit *unit)
{
    if (unit == NULL)
        return;
    must(!unit->is_key || tap_params_are_complete(&way->as.params, way->codec));
    if (!tap_timeline_map(&way->line, unit, TAP_VIDEO_RATE)) {
        free(unit);
        return;
    }
    unit->capture_us = tap_ticks_to_us(unit->ts, TAP_VIDEO_RATE);
    must(llabs(unit->ts) < INT64_C(1) << 60);
    if (!tap_ring_push(&way->ring, unit))
        return;
    must(tap_ring_find(&way->ring, way->ring.first)->is_key);
    must(way->ring.bytes <= way->ring.max_bytes);
    weir_buf_clear(&way->out);
    tap_outlet_unit(&way->outlet, tap_ring_find(&way->ring, way->ring.end - 1), 0, &way->out);
    check_out(&way->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t random_start[6] = {1, 2, 3, 4, 5, 6};
    struct way way = {.codec = size > 0 && (data[0] & 1) != 0 ? TAP_CODEC_H265 : TAP_CODEC_H264};
    struct tap_format format = {.video = way.codec};
    int64_t pts = 0;
    tap_assembler_init(&way.as, way.codec, data, size < 200 ? size : 200);
    tap_timeline_init(&way.line);
    tap_ring_init(&way.ring, 1000, 100000);
    tap_outlet_init(&way.outlet, &format, random_start, 0);
    for (size_t at = 1; at + 2 <= size;) {
        pts += ((int64_t)data[at] - 64) * 900 * (data[at] == 255 ? 1000 : 1);
        size_t len = data[at + 1] == 255 ? 4000 : data[at + 1];
        at += 2;
        len = len < size - at ? len : size - at;
        go(&way, tap_assembler_add(&way.as, pts, TAP_NO_TIME, pts, data + at, len));
        at += len;
    }
    go(&way, tap_assembler_flush(&way.as));
    tap_assembler_done(&way.as);
    tap_ring_done(&way.ring);
    weir_buf_done(&way.out);
    return 0;
}

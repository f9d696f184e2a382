/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/rtp.h"

#include <string.h>

#include "worker/tap/nal.h"

#define FRAME_BYTES    4 /* '$', channel, length */
#define HEADER_BYTES   12
#define NTP_UNIX_S     INT64_C(2208988800) /* 1900 to 1970 */
#define AU_HEADER_BITS 16

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value);
}

/* One packet: `prefix` and `body` together are the payload, at most TAP_RTP_PAYLOAD_MAX. */
struct payload {
    const uint8_t *prefix;
    size_t prefix_len;
    const uint8_t *body;
    size_t body_len;
    bool is_last;
};

static void put_packet(struct tap_rtp *rtp, int64_t ts, const struct payload *p,
                       struct weir_buf *out)
{
    uint8_t head[FRAME_BYTES + HEADER_BYTES];
    size_t len = p->prefix_len + p->body_len;
    head[0] = '$';
    head[1] = rtp->channel;
    put16(head + 2, (uint32_t)(HEADER_BYTES + len));
    head[4] = 0x80;
    head[5] = (uint8_t)(rtp->payload_type | (p->is_last ? 0x80 : 0));
    put16(head + 6, rtp->seq++);
    put32(head + 8, (uint32_t)ts + rtp->offset);
    put32(head + 12, rtp->ssrc);
    weir_buf_add(out, head, sizeof(head));
    weir_buf_add(out, p->prefix, p->prefix_len);
    weir_buf_add(out, p->body, p->body_len);
    rtp->packets++;
    rtp->octets += (uint32_t)len;
}

/* Cuts one NAL unit into FU packets. `header` bytes of it are repeated in another form. */
static void put_fragments(struct tap_rtp *rtp, enum tap_codec codec, int64_t ts, const uint8_t *nal,
                          size_t len, bool is_last, struct weir_buf *out)
{
    uint8_t prefix[3];
    size_t header = codec == TAP_CODEC_H265 ? 2 : 1;
    uint8_t type;
    if (codec == TAP_CODEC_H265) {
        prefix[0] = (uint8_t)((nal[0] & 0x81) | 49 << 1);
        prefix[1] = nal[1];
        type = (nal[0] >> 1) & 0x3f;
    } else {
        prefix[0] = (uint8_t)((nal[0] & 0xe0) | 28);
        type = nal[0] & 0x1f;
    }
    size_t room = TAP_RTP_PAYLOAD_MAX - header - 1;
    for (size_t at = header; at < len; at += room) {
        size_t n = len - at < room ? len - at : room;
        bool ends = at + n == len;
        prefix[header] = (uint8_t)(type | (at == header ? 0x80 : 0) | (ends ? 0x40 : 0));
        struct payload p = {prefix, header + 1, nal + at, n, ends && is_last};
        put_packet(rtp, ts, &p, out);
    }
}

static void put_nal(struct tap_rtp *rtp, enum tap_codec codec, int64_t ts, const uint8_t *nal,
                    size_t len, bool is_last, struct weir_buf *out)
{
    if (len > TAP_RTP_PAYLOAD_MAX) {
        put_fragments(rtp, codec, ts, nal, len, is_last, out);
    } else {
        struct payload p = {NULL, 0, nal, len, is_last};
        put_packet(rtp, ts, &p, out);
    }
}

void tap_rtp_nal(struct tap_rtp *rtp, enum tap_codec codec, int64_t ts, const uint8_t *nal,
                 size_t len, struct weir_buf *out)
{
    put_nal(rtp, codec, ts, nal, len, false, out);
}

static void put_video(struct tap_rtp *rtp, enum tap_codec codec, const struct tap_unit *unit,
                      struct weir_buf *out)
{
    const uint8_t *nal;
    size_t len;
    for (size_t at = 0; tap_nal_next_in_unit(unit->bytes, unit->len, &at, &nal, &len);) {
        const uint8_t *after;
        size_t after_len;
        size_t peek = at;
        bool is_last = !tap_nal_next_in_unit(unit->bytes, unit->len, &peek, &after, &after_len);
        put_nal(rtp, codec, unit->ts, nal, len, is_last, out);
    }
}

/* One access unit a packet, or cut into several: each then says the size of the whole. */
static void put_aac(struct tap_rtp *rtp, const struct tap_unit *unit, struct weir_buf *out)
{
    uint8_t prefix[4];
    if (unit->len > 0x1fff) /* 13 bits of size */
        return;
    put16(prefix, AU_HEADER_BITS);
    put16(prefix + 2, (uint32_t)unit->len << 3);
    size_t room = TAP_RTP_PAYLOAD_MAX - sizeof(prefix);
    for (size_t at = 0; at < unit->len; at += room) {
        size_t n = unit->len - at < room ? unit->len - at : room;
        struct payload p = {prefix, sizeof(prefix), unit->bytes + at, n, at + n == unit->len};
        put_packet(rtp, unit->ts, &p, out);
    }
}

void tap_rtp_unit(struct tap_rtp *rtp, enum tap_codec codec, const struct tap_unit *unit,
                  struct weir_buf *out)
{
    if (codec == TAP_CODEC_AAC) {
        put_aac(rtp, unit, out);
    } else if (codec == TAP_CODEC_OPUS) {
        /* RFC 7587 allows no cutting; real packets stay under 1275 bytes a frame. */
        struct payload p = {NULL, 0, unit->bytes, unit->len, false};
        if (unit->len > 0 && unit->len <= TAP_RTP_PAYLOAD_MAX)
            put_packet(rtp, unit->ts, &p, out);
    } else {
        put_video(rtp, codec, unit, out);
    }
}

void tap_rtp_bare(struct tap_rtp *rtp, int64_t ts, const uint8_t *bytes, size_t len,
                  struct weir_buf *out)
{
    struct payload p = {NULL, 0, bytes, len, false};
    put_packet(rtp, ts, &p, out);
}

void tap_rtp_report(const struct tap_rtp *rtp, int64_t ts, int64_t wall_us, struct weir_buf *out)
{
    uint8_t report[FRAME_BYTES + 28];
    report[0] = '$';
    report[1] = (uint8_t)(rtp->channel + 1);
    put16(report + 2, 28);
    report[4] = 0x80;
    report[5] = 200; /* SR */
    put16(report + 6, 6);
    put32(report + 8, rtp->ssrc);
    put32(report + 12, (uint32_t)(wall_us / 1000000 + NTP_UNIX_S));
    put32(report + 16, (uint32_t)(((uint64_t)(wall_us % 1000000) << 32) / 1000000));
    put32(report + 20, (uint32_t)ts + rtp->offset);
    put32(report + 24, rtp->packets);
    put32(report + 28, rtp->octets);
    weir_buf_add(out, report, sizeof(report));
}

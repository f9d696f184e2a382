/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes RTP packets and RTCP sender reports in the interleaved framing of RTSP over TCP (RFC 2326
 * section 10.12): '$', channel, length, packet.
 *
 * H.264 by RFC 6184 (single NAL units and FU-A), H.265 by RFC 7798, AAC by RFC 3640 (AAC-hbr),
 * Opus by RFC 7587. Payloads are at most TAP_RTP_PAYLOAD_MAX bytes. Timestamps are presentation
 * times, packets go in decoding order, the last one of a unit carries the marker.
 */
#ifndef WEIR_WORKER_TAP_RTP_H
#define WEIR_WORKER_TAP_RTP_H

#include "lib/base/buf.h"
#include "worker/tap/media.h"

#define TAP_RTP_PAYLOAD_MAX 1400

/* One track of one session. */
struct tap_rtp {
    uint8_t channel; /* interleaved; its RTCP is channel + 1 */
    uint8_t payload_type;
    uint16_t seq; /* of the next packet */
    uint32_t ssrc;
    uint32_t offset; /* added to unit->ts */
    uint32_t packets;
    uint32_t octets; /* of payloads */
};

/* Adds the packets of a unit. `out` has no ceiling or enough room. Damaged units add less. */
void tap_rtp_unit(struct tap_rtp *rtp, enum tap_codec codec, const struct tap_unit *unit,
                  struct weir_buf *out);

/* Adds one NAL unit as a unit of its own (no marker): parameter sets ahead of time. */
void tap_rtp_nal(struct tap_rtp *rtp, enum tap_codec codec, int64_t ts, const uint8_t *nal,
                 size_t len, struct weir_buf *out);

/* Adds one packet of `len` <= TAP_RTP_PAYLOAD_MAX bytes as they are, without a marker. */
void tap_rtp_bare(struct tap_rtp *rtp, int64_t ts, const uint8_t *bytes, size_t len,
                  struct weir_buf *out);

/* Adds a sender report that says: `ts` was captured at `wall_us`. RFC 3550 section 6.4.1. */
void tap_rtp_report(const struct tap_rtp *rtp, int64_t ts, int64_t wall_us, struct weir_buf *out);

#endif

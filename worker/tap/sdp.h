/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the session description (RFC 8866) that the publisher announces: one video track, and an
 * audio track where the camera has one that is passed on.
 */
#ifndef WEIR_WORKER_TAP_SDP_H
#define WEIR_WORKER_TAP_SDP_H

#include "lib/base/buf.h"
#include "worker/tap/media.h"

#define TAP_SDP_VIDEO_TYPE 96 /* RTP payload types */
#define TAP_SDP_AUDIO_TYPE 97

/* `format` has complete parameter sets. Track n answers to "trackID=n". */
void tap_sdp_write(const struct tap_format *format, struct weir_buf *out);

/* RFC 4648 section 4, with padding. Also for Authorization: Basic. */
void tap_base64_write(const void *bytes, size_t len, struct weir_buf *out);

#endif

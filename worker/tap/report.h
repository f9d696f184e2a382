/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-worker is told at each change: tap.source and tap.stream. */
#ifndef WEIR_WORKER_TAP_REPORT_H
#define WEIR_WORKER_TAP_REPORT_H

#include "worker/tap/control.h"
#include "worker/tap/publisher.h"
#include "worker/tap/reader.h"

/* The name of RFC 6381 where there is one ("avc1", "mp4a"); "" of none. */
const char *tap_report_codec(enum tap_codec codec);

void tap_report_connecting(struct tap_control *control, const struct weir_id *camera_id);

/* It connects still, and said what it will send. */
void tap_report_described(struct tap_control *control, const struct weir_id *camera_id,
                          const struct tap_format *format, int width, int height);

/* `width` and `height` 0: not known. */
void tap_report_up(struct tap_control *control, const struct weir_id *camera_id,
                   const struct tap_format *format, int width, int height);

void tap_report_failing(struct tap_control *control, const struct weir_id *camera_id,
                        const struct tap_failure *failure, int64_t retry_in_ms);

/* An engine failed a rendition of the camera. */
void tap_report_encoder_failed(struct tap_control *control, const struct weir_id *camera_id,
                               enum weir_encoder encoder, const char *why);

/* `effective` NULL: not while it is publishing. */
void tap_report_stream(struct tap_control *control, const struct weir_ctl_tap_publish *spec,
                       enum tap_publisher_state state, enum weir_reason reason, const char *detail,
                       const struct weir_effective *effective);

/* `reason`: a name as of an enum weir_reason or a fault. */
void tap_report_remedy(struct tap_control *control, const struct weir_id *camera_id,
                       enum weir_remedy remedy, const char *reason, int64_t next_in_ms);

#endif

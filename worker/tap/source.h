/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one camera by libavformat, which is named in source.c and nowhere else. Blocks until the
 * camera fails or the reader is cancelled.
 *
 * Nothing is probed: codecs and parameter sets come from the session description and from the
 * stream. Nothing is parsed either (AVFMT_FLAG_NOPARSE): the parsers of libavcodec would hand the
 * clock of one frame to the next one, so assembler.c puts units together.
 */
#ifndef WEIR_WORKER_TAP_SOURCE_H
#define WEIR_WORKER_TAP_SOURCE_H

#include "worker/tap/reader.h"

#define TAP_SOURCE_CONNECT_MS 5000 /* SYN to established */
#define TAP_SOURCE_STALL_MS   5000 /* no packet */

/* Once, before any other call: libavformat's own output goes nowhere (it holds URLs). */
void tap_source_init(void);

/* `ret` is always set; it says nothing when the reader was cancelled. */
void tap_source_run(struct tap_reader *reader, const struct tap_reader_spec *spec,
                    struct tap_failure *ret);

#endif

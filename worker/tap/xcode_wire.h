/* SPDX-License-Identifier: Apache-2.0 */
/* What a weir-xcode says, which decodes bytes of a camera and may say anything. Pure. */
#ifndef WEIR_WORKER_TAP_XCODE_WIRE_H
#define WEIR_WORKER_TAP_XCODE_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/domain/xcode.h"

enum tap_xcode_item {
    TAP_XCODE_MORE,
    TAP_XCODE_UNIT,
    TAP_XCODE_DONE,
    TAP_XCODE_SOUND_UNIT,
    TAP_XCODE_SOUND_NONE,
    TAP_XCODE_ENTER,
    TAP_XCODE_LEAVE,
    TAP_XCODE_FELL_BACK,
    TAP_XCODE_BROKEN,
};

/*
 * The first message in `bytes`. MORE: it is not whole yet. UNIT: `ret_head`'s rendition is below
 * WEIR_XCODE_RENDITIONS_MAX, and `*ret_unit` points at `ret_head->len` bytes of NAL units behind
 * their lengths, none of them empty. SOUND_UNIT: that many bytes, at least one and at most
 * WEIR_XCODE_SOUND_MADE_MAX, which nobody looked into. FELL_BACK: `ret_head`'s codec is an enum
 * weir_xcode_fault. `*ret_used` bytes belong to the message.
 */
enum tap_xcode_item tap_xcode_next(const char *bytes, size_t len, struct weir_xcode_head *ret_head,
                                   const uint8_t **ret_unit, size_t *ret_used);

#endif

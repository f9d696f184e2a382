/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/xcode_wire.h"

#include <string.h>

/* NAL units behind their lengths, and nothing else. */
static bool is_unit(const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    while (len - at > 4) {
        size_t nal = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 |
                     (size_t)bytes[at + 2] << 8 | (size_t)bytes[at + 3];
        if (nal == 0 || nal > len - at - 4)
            return false;
        at += 4 + nal;
    }
    return len > 0 && at == len;
}

/* BROKEN: the tap is not told that. */
static enum tap_xcode_item item_of(uint32_t kind)
{
    switch (kind) {
    case WEIR_XCODE_UNIT:
        return TAP_XCODE_UNIT;
    case WEIR_XCODE_DONE:
        return TAP_XCODE_DONE;
    case WEIR_XCODE_SOUND_UNIT:
        return TAP_XCODE_SOUND_UNIT;
    case WEIR_XCODE_SOUND_NONE:
        return TAP_XCODE_SOUND_NONE;
    case WEIR_XCODE_ENTER:
        return TAP_XCODE_ENTER;
    case WEIR_XCODE_LEAVE:
        return TAP_XCODE_LEAVE;
    case WEIR_XCODE_FELL_BACK:
        return TAP_XCODE_FELL_BACK;
    default:
        return TAP_XCODE_BROKEN;
    }
}

static bool is_head(const struct weir_xcode_head *head)
{
    if (head->magic != WEIR_XCODE_MAGIC || head->rendition >= WEIR_XCODE_RENDITIONS_MAX)
        return false;
    switch (item_of(head->kind)) {
    case TAP_XCODE_UNIT:
        return head->len <= WEIR_XCODE_UNIT_MAX;
    case TAP_XCODE_SOUND_UNIT:
        return head->len > 0 && head->len <= WEIR_XCODE_SOUND_MADE_MAX;
    case TAP_XCODE_FELL_BACK:
        return head->len == 0 && head->codec < WEIR_XCODE_FAULT_N;
    case TAP_XCODE_DONE:
    case TAP_XCODE_SOUND_NONE:
    case TAP_XCODE_ENTER:
    case TAP_XCODE_LEAVE:
        return head->len == 0;
    case TAP_XCODE_MORE:
    case TAP_XCODE_BROKEN:
        break;
    }
    return false;
}

enum tap_xcode_item tap_xcode_next(const char *bytes, size_t len, struct weir_xcode_head *ret_head,
                                   const uint8_t **ret_unit, size_t *ret_used)
{
    if (len < sizeof(*ret_head))
        return TAP_XCODE_MORE;
    memcpy(ret_head, bytes, sizeof(*ret_head));
    if (!is_head(ret_head))
        return TAP_XCODE_BROKEN;
    if (len - sizeof(*ret_head) < ret_head->len)
        return TAP_XCODE_MORE;
    *ret_unit = (const uint8_t *)bytes + sizeof(*ret_head);
    *ret_used = sizeof(*ret_head) + ret_head->len;
    if (ret_head->kind != WEIR_XCODE_UNIT)
        return item_of(ret_head->kind);
    return is_unit(*ret_unit, ret_head->len) ? TAP_XCODE_UNIT : TAP_XCODE_BROKEN;
}

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

static bool is_head(const struct weir_xcode_head *head)
{
    bool is_known = head->kind == WEIR_XCODE_UNIT || head->kind == WEIR_XCODE_DONE;
    return head->magic == WEIR_XCODE_MAGIC && is_known &&
           head->rendition < WEIR_XCODE_RENDITIONS_MAX && head->len <= WEIR_XCODE_UNIT_MAX &&
           (head->kind == WEIR_XCODE_UNIT || head->len == 0);
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
    if (ret_head->kind == WEIR_XCODE_DONE)
        return TAP_XCODE_DONE;
    return is_unit(*ret_unit, ret_head->len) ? TAP_XCODE_UNIT : TAP_XCODE_BROKEN;
}

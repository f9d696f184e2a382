/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/xcode_watch.h"

void tap_xcode_watch_begin(struct tap_xcode_watch *watch, bool is_hard, int64_t now_mono_ms)
{
    *watch = (struct tap_xcode_watch){
        .is_opening = is_hard, .is_inside = is_hard, .sign_mono_ms = now_mono_ms};
}

void tap_xcode_watch_give(struct tap_xcode_watch *watch, bool is_key, int64_t now_mono_ms)
{
    if (watch->on_the_way++ == 0)
        watch->sign_mono_ms = now_mono_ms;
    watch->keys = watch->keys << 1 | is_key;
}

bool tap_xcode_watch_take(struct tap_xcode_watch *watch, enum tap_xcode_item item,
                          int64_t now_mono_ms)
{
    bool is_done = item == TAP_XCODE_DONE;
    bool has_opened = watch->is_opening;
    watch->is_opening = false;
    watch->is_inside = item == TAP_XCODE_ENTER;
    if (is_done && watch->on_the_way == 0)
        return false;
    watch->on_the_way -= is_done;
    watch->has_done_key = is_done && (watch->keys >> watch->on_the_way & 1) != 0;
    /* Units waited while it opened, whose time begins when it has. */
    if (has_opened || is_done || item == TAP_XCODE_ENTER)
        watch->sign_mono_ms = now_mono_ms;
    return true;
}

bool tap_xcode_watch_is_hung(const struct tap_xcode_watch *watch, int64_t now_mono_ms)
{
    int64_t most_ms = watch->is_opening ? TAP_XCODE_OPENING_MS : TAP_XCODE_HANG_MS;
    return watch->on_the_way > 0 && now_mono_ms - watch->sign_mono_ms > most_ms;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/engines.h"

void tap_engine_begin(struct tap_engine_turn *turn, const struct tap_engines *engines)
{
    *turn = (struct tap_engine_turn){.now = engines->first};
}

static enum weir_xcode_engine other(enum weir_xcode_engine engine)
{
    return engine == WEIR_XCODE_ENGINE_LIBAV ? WEIR_XCODE_ENGINE_FFMPEG : WEIR_XCODE_ENGINE_LIBAV;
}

bool tap_engine_broke(struct tap_engine_turn *turn, const struct tap_engines *engines,
                      bool has_made, int64_t now_mono_ms)
{
    turn->failures = has_made ? 0 : turn->failures + 1;
    if (turn->failures < TAP_ENGINE_FAILURES || !engines->all[other(turn->now)].is_there)
        return false;
    turn->now = other(turn->now);
    turn->failures = 0;
    turn->back_mono_ms = turn->now == engines->first ? 0 : now_mono_ms + TAP_ENGINE_BACK_MS;
    return true;
}

bool tap_engine_is_hard(const struct tap_engine_turn *turn, const struct tap_engines *engines)
{
    return engines->first == WEIR_XCODE_ENGINE_LIBAV && turn->now == WEIR_XCODE_ENGINE_LIBAV;
}

bool tap_engine_is_back(struct tap_engine_turn *turn, const struct tap_engines *engines,
                        int64_t now_mono_ms)
{
    if (turn->back_mono_ms == 0 || now_mono_ms < turn->back_mono_ms)
        return false;
    tap_engine_begin(turn, engines);
    return true;
}

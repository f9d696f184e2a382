/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/stream_state.h"

#include <assert.h>

#define BIT(state) (1U << WEIR_STREAM_STATE_##state)

#define FINAL (BIT(STOPPED) | BIT(REJECTED) | BIT(EXPIRED) | BIT(CANCELLED) | BIT(FAILED))
#define PLACED                                                                                     \
    (BIT(PLACED) | BIT(STARTING) | BIT(RUNNING) | BIT(BACKOFF) | BIT(SUSPECT) | BIT(MIGRATING) |   \
     BIT(PREEMPTING) | BIT(STOPPING))

/* What may follow each state. Every placed state may go back to the queue: its worker can die. */
static const unsigned followers[WEIR_STREAM_STATE_N] = {
    [WEIR_STREAM_STATE_QUEUED] =
        BIT(PLACED) | BIT(STOPPED) | BIT(REJECTED) | BIT(EXPIRED) | BIT(CANCELLED) | BIT(FAILED),
    [WEIR_STREAM_STATE_PLACED] = BIT(STARTING) | BIT(RUNNING) | BIT(BACKOFF) | BIT(STOPPING) |
                                 BIT(QUEUED) | BIT(FAILED) | BIT(STOPPED),
    [WEIR_STREAM_STATE_STARTING] =
        BIT(RUNNING) | BIT(BACKOFF) | BIT(STOPPING) | BIT(QUEUED) | BIT(FAILED) | BIT(STOPPED),
    /* To itself when what it really is becomes known, or changes. */
    [WEIR_STREAM_STATE_RUNNING] = BIT(RUNNING) | BIT(BACKOFF) | BIT(SUSPECT) | BIT(MIGRATING) |
                                  BIT(PREEMPTING) | BIT(STOPPING) | BIT(QUEUED) | BIT(FAILED) |
                                  BIT(STOPPED),
    [WEIR_STREAM_STATE_BACKOFF] = BIT(BACKOFF) | BIT(STARTING) | BIT(RUNNING) | BIT(STOPPING) |
                                  BIT(QUEUED) | BIT(FAILED) | BIT(STOPPED),
    [WEIR_STREAM_STATE_SUSPECT] = BIT(RUNNING) | BIT(BACKOFF) | BIT(MIGRATING) | BIT(STOPPING) |
                                  BIT(QUEUED) | BIT(FAILED) | BIT(STOPPED),
    /* Back to starting where the worker that still served it is gone: the new one is all there is.
     */
    [WEIR_STREAM_STATE_MIGRATING] =
        BIT(RUNNING) | BIT(STARTING) | BIT(STOPPING) | BIT(QUEUED) | BIT(FAILED) | BIT(STOPPED),
    [WEIR_STREAM_STATE_PREEMPTING] = BIT(QUEUED) | BIT(STOPPING) | BIT(STOPPED),
    [WEIR_STREAM_STATE_STOPPING] = BIT(STOPPING) | BIT(RUNNING) | BIT(STOPPED) | BIT(QUEUED),
    [WEIR_STREAM_STATE_STOPPED] = BIT(QUEUED),
    [WEIR_STREAM_STATE_REJECTED] = BIT(QUEUED),
    [WEIR_STREAM_STATE_EXPIRED] = BIT(QUEUED),
    [WEIR_STREAM_STATE_CANCELLED] = BIT(QUEUED),
    [WEIR_STREAM_STATE_FAILED] = BIT(QUEUED),
};

static bool is_in(unsigned set, enum weir_stream_state state)
{
    assert((unsigned)state < WEIR_STREAM_STATE_N);
    return ((set >> (unsigned)state) & 1U) != 0;
}

bool weir_stream_state_is_legal(enum weir_stream_state from, enum weir_stream_state to)
{
    assert((unsigned)from < WEIR_STREAM_STATE_N);
    return is_in(followers[from], to);
}

bool weir_stream_state_is_placed(enum weir_stream_state state)
{
    return is_in(PLACED, state);
}

bool weir_stream_state_is_live(enum weir_stream_state state)
{
    return is_in((PLACED | BIT(QUEUED)) & ~(BIT(STOPPING) | BIT(PREEMPTING)), state);
}

bool weir_stream_state_is_final(enum weir_stream_state state)
{
    return is_in(FINAL, state);
}

bool weir_stream_is_rendition(enum weir_quality quality, int64_t fps)
{
    return quality != WEIR_QUALITY_SOURCE || fps != 0;
}

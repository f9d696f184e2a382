/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/progress.h"

void progress_begin(struct progress *progress, int64_t now_ms)
{
    progress->moved_at_ms = now_ms;
}

bool progress_see(struct progress *progress, int64_t stamp, int64_t now_ms)
{
    if (stamp == progress->stamp) {
        return false;
    }
    progress->stamp = stamp;
    progress->moved_at_ms = now_ms;
    return true;
}

bool progress_is_stuck(const struct progress *progress, bool has_playlist, bool is_full,
                       int64_t gop_ms, int64_t now_ms)
{
    int64_t most_ms = has_playlist ? PROGRESS_MOVES_MS : PROGRESS_FIRST_MS;
    if (is_full) {
        most_ms = has_playlist ? PROGRESS_FULL_MS : PROGRESS_FULL_FIRST_MS;
    }
    return now_ms - progress->moved_at_ms > most_ms + 3 * gop_ms;
}

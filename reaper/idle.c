/* SPDX-License-Identifier: Apache-2.0 */
#include "reaper/idle.h"

static void move_active(struct reaper_idle *idle, int64_t at_ms)
{
    if (at_ms <= idle->active_ms)
        return;
    idle->active_ms = at_ms;
    idle->proposals = 0;
}

void reaper_idle_begin(struct reaper_idle *idle, int64_t now_ms)
{
    *idle = (struct reaper_idle){.active_ms = now_ms};
}

void reaper_idle_heard(struct reaper_idle *idle, int64_t age_ms, int64_t written_ms, int64_t now_ms)
{
    int64_t since_ms = idle->is_heard ? idle->heard_ms : idle->active_ms;
    bool is_after_gap = now_ms - since_ms > REAPER_GAP_MS ||
                        (idle->is_heard && written_ms - idle->written_ms > REAPER_GAP_MS);
    idle->heard_ms = now_ms;
    idle->written_ms = written_ms;
    idle->is_heard = true;
    if (is_after_gap)
        move_active(idle, now_ms);
    else if (age_ms >= 0)
        move_active(idle, now_ms - age_ms);
}

void reaper_idle_watched(struct reaper_idle *idle, int64_t now_ms)
{
    move_active(idle, now_ms);
}

static int64_t pause_ms(unsigned proposals)
{
    int64_t pause = REAPER_AGAIN_MS;
    for (unsigned i = 1; i < proposals && pause < REAPER_AGAIN_MAX_MS; i++)
        pause *= 2;
    return pause < REAPER_AGAIN_MAX_MS ? pause : REAPER_AGAIN_MAX_MS;
}

bool reaper_idle_is_due(const struct reaper_idle *idle, int64_t timeout_ms, int64_t now_ms)
{
    if (!idle->is_heard || now_ms - idle->heard_ms > REAPER_GAP_MS)
        return false;
    if (now_ms - idle->active_ms < timeout_ms)
        return false;
    return idle->proposals == 0 || now_ms - idle->proposed_ms >= pause_ms(idle->proposals);
}

void reaper_idle_proposed(struct reaper_idle *idle, int64_t now_ms)
{
    idle->proposed_ms = now_ms;
    idle->proposals++;
}

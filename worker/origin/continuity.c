/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/continuity.h"

#include <string.h>

#include "lib/base/str.h"

#define SEGMENTS_PER_S 4

void continuity_init(struct continuity *continuity, int64_t seq_base, int64_t placed_at_ms)
{
    *continuity = (struct continuity){
        .seq_base = seq_base,
        .placed_at_ms = placed_at_ms,
        .base = seq_base,
    };
}

void continuity_resume(struct continuity *continuity, const char *muxer, int64_t base)
{
    WEIR_STR_SET(continuity->muxer, muxer);
    continuity->base = base;
}

static int64_t computed_base(const struct continuity *continuity, int64_t now_ms)
{
    int64_t age_ms = now_ms - continuity->placed_at_ms;
    int64_t age_s = age_ms > 0 ? (age_ms + 999) / 1000 : 0;
    return continuity->seq_base + SEGMENTS_PER_S * age_s;
}

/* One number stays free: a player may have had parts of the segment after the last one listed. */
static int64_t next_base(const struct continuity *continuity, int64_t now_ms)
{
    if (continuity->muxer[0] == '\0') {
        return continuity->seq_base;
    }
    int64_t base = continuity->end > 0 ? continuity->end + 1 : computed_base(continuity, now_ms);
    return base > continuity->base ? base : continuity->base + 1;
}

static void begin_muxer(struct continuity *continuity, const char *muxer, int64_t now_ms)
{
    continuity->base = next_base(continuity, now_ms);
    memcpy(continuity->past_muxer, continuity->muxer, sizeof(continuity->past_muxer));
    WEIR_STR_SET(continuity->muxer, muxer);
}

bool continuity_is_past(const struct continuity *continuity, const struct weir_playlist *playlist)
{
    return playlist->muxer[0] != '\0' && strcmp(playlist->muxer, continuity->past_muxer) == 0;
}

struct weir_playlist_shift continuity_take(struct continuity *continuity,
                                           const struct weir_playlist *playlist, int64_t now_ms)
{
    if (playlist->muxer[0] != '\0' && strcmp(playlist->muxer, continuity->muxer) != 0) {
        begin_muxer(continuity, playlist->muxer, now_ms);
    }
    int64_t end = continuity->base + playlist->media_sequence + playlist->n_segments;
    if (end > continuity->end) {
        continuity->end = end;
    }
    return (struct weir_playlist_shift){.media_sequence = continuity->base,
                                        .discontinuity_sequence = continuity->base};
}

int64_t continuity_engine_msn(const struct continuity *continuity, int64_t msn)
{
    bool is_known = continuity->muxer[0] != '\0' && msn >= continuity->base;
    return is_known ? msn - continuity->base : -1;
}

bool continuity_has_file(const struct continuity *continuity, const char *name)
{
    size_t n = strlen(continuity->muxer);
    return n == 0 || (strncmp(name, continuity->muxer, n) == 0 && name[n] == '_');
}

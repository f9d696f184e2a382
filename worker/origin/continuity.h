/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is added to an engine's sequence numbers, so that a player never sees them go backwards
 * (DESIGN section 5, "origin").
 *
 * An engine counts from 0 each time its muxer begins. Behind one generation of a stream muxers come
 * and go: the engine is killed, a slot is replaced, the publisher reconnects. Every muxer gets a
 * base of its own, and bases rise: the first one has exactly the generation's `seq_base`; every
 * later one begins above all that this origin gave out. An origin that knows no number of this
 * generation, since it was restarted when the muxer was too, computes
 *
 *     seq_base + 4 x seconds since the placement
 *
 * which is above all that went before, because segments are never shorter than 0.25 s. What is
 * remembered comes first: it is exact, and lower, so that the next placement, which only knows the
 * ledger's time, is the further ahead of it.
 *
 * A base is told to weir-worker before it is used, and an origin that takes over resumes with it:
 * players of a muxer that lives on see the same numbers as before.
 *
 * The base is also the discontinuity sequence: it rises exactly when the muxer changes.
 *
 * Pure: the caller brings a clock that never goes back, and the placement's time on it.
 */
#ifndef WEIR_WORKER_ORIGIN_CONTINUITY_H
#define WEIR_WORKER_ORIGIN_CONTINUITY_H

#include "lib/domain/playlist.h"

struct continuity {
    int64_t seq_base;
    int64_t placed_at_ms;
    int64_t base; /* of `muxer` */
    int64_t end;  /* one above the highest number this origin gave out; 0: none was */
    char muxer[WEIR_PLAYLIST_NAME_MAX + 1]; /* "" while none was seen */
    char past_muxer[WEIR_PLAYLIST_NAME_MAX + 1];
};

/* Nothing of this generation was given out yet. */
void continuity_init(struct continuity *continuity, int64_t seq_base, int64_t placed_at_ms);

/* An earlier origin gave out this muxer's playlists, moved by this base. */
void continuity_resume(struct continuity *continuity, const char *muxer, int64_t base);

/* A playlist of the muxer before: it was on its way while the new one began, and is not taken. */
bool continuity_is_past(const struct continuity *continuity, const struct weir_playlist *playlist);

/*
 * Takes a media playlist that was just read from the engine and says by how much it must be moved.
 * A playlist that names no muxer belongs to the current one.
 */
struct weir_playlist_shift continuity_take(struct continuity *continuity,
                                           const struct weir_playlist *playlist, int64_t now_ms);

/*
 * A player's _HLS_msn in the engine's numbers; -1 when it is of an earlier muxer, or of none: then
 * the answer is the playlist as it is now.
 */
int64_t continuity_engine_msn(const struct continuity *continuity, int64_t msn);

/* Whether a media file can be there: it is the current muxer's, or no muxer is known yet. */
bool continuity_has_file(const struct continuity *continuity, const char *name);

#endif

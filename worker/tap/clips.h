/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives clips of the rings to weir-still: a unix socket, one question a connection.
 *
 * The question is one line (clip.ask), the answer one line (clip.answer) and, with status ok, the
 * records of lib/domain/still.h; then the connection is closed. A question for a moment that is not
 * captured yet waits, as long as it says. At most TAP_CLIPS_MAX connections; the next one waits in
 * the socket's backlog. Now is now by the camera's own clock, where its frames have their times
 * from it. A clip is copied out of its ring, so copies have a ceiling: one that would
 * pass it waits for others to be taken up. Nothing here blocks.
 */
#ifndef WEIR_WORKER_TAP_CLIPS_H
#define WEIR_WORKER_TAP_CLIPS_H

#include "lib/domain/events.h"
#include "lib/service/loop.h"
#include "worker/tap/clip.h"

#define TAP_CLIPS_MAX 32

struct tap_clips;

/* A camera as far as clips are concerned; valid during the call. */
struct tap_clips_camera {
    const struct tap_ring *ring;
    enum tap_codec codec;
    bool has_clock_offset;
    int64_t clock_offset_us;
    bool has_clock_scatter;
    int64_t clock_scatter_us;
    int64_t now_shift_us; /* tap_clock_now_shift */
};

/* False when no such camera of that tenant is read here. */
typedef bool tap_clips_find_fn(void *ctx, const struct weir_id *tenant_id,
                               const struct weir_id *camera_id, struct tap_clips_camera *ret);

/* Listens on `path`, replacing a socket that is there. Copies take `max_bytes` together, or one of
 * them is alone. WEIR_EUNAVAILABLE when it cannot. */
WEIR_MUST_USE enum weir_code tap_clips_open(struct weir_loop *loop, const char *path,
                                            size_t max_bytes, tap_clips_find_fn *find, void *ctx,
                                            struct tap_clips **ret, struct weir_err *err);
/* Of the copies that are being sent. */
size_t tap_clips_bytes(const struct tap_clips *clips);
void tap_clips_close(struct tap_clips **clips); /* sets NULL; NULL is fine */

#endif

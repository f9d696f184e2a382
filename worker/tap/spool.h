/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last groups of pictures of a published camera in files on tmpfs, so that the next tap has
 * them when this one is killed: it publishes them at once, while it still connects to the camera.
 *
 *     spool = tap_spool_open(dir, &camera_id);
 *     if (tap_spool_load(spool, now_us, &format, &ring)) ...  what the tap before left
 *     tap_spool_add(spool, &format, unit);                    each unit, in order
 *     tap_spool_close(&spool, true);                          the camera is left: files go too
 *
 * A camera has TAP_SPOOL_FILES files that are written in turn, one group each: the format, then the
 * units as they lie in memory. They are read by the same program only, from a folder that nobody
 * else can enter; a file that is cut off or of another build counts as far as it makes sense. What
 * cannot be written (no room) is left out: the spool is a help, never a need.
 */
#ifndef WEIR_WORKER_TAP_SPOOL_H
#define WEIR_WORKER_TAP_SPOOL_H

#include "lib/domain/id.h"
#include "worker/tap/ring.h"

#define TAP_SPOOL_FILES    5
#define TAP_SPOOL_FILE_MAX (4 * 1024 * 1024) /* bytes; a longer group is left out */
#define TAP_SPOOL_OLD_US   30000000          /* what is older helps no viewer */

struct tap_spool;

/* `dir` exists, or is "" for no spool (NULL, which every call takes). */
struct tap_spool *tap_spool_open(const char *dir, const struct weir_id *camera_id);

/* Frees; `removes`: the files too. Sets NULL. */
void tap_spool_close(struct tap_spool **spool, bool removes);

/* Reads the newest groups without a hole between them into an empty ring. False: nothing useful. */
bool tap_spool_load(struct tap_spool *spool, int64_t now_wall_us, struct tap_format *ret_format,
                    struct tap_ring *ring);

void tap_spool_add(struct tap_spool *spool, const struct tap_format *format,
                   const struct tap_unit *unit);

/* What its files hold, about. */
size_t tap_spool_bytes(const struct tap_spool *spool);

/* What was kept is of another kind than what comes. */
void tap_spool_clear(struct tap_spool *spool);

/* Removes the files of cameras that `keeps` does not name. */
void tap_spool_sweep(const char *dir, bool (*keeps)(void *ctx, const struct weir_id *camera_id),
                     void *ctx);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits until the engine has an HLS muxer for a path: packets sent earlier would be lost to HLS
 * (the first group of pictures, mostly).
 *
 * The muxer is there when the engine has made its segment folder and answers GET
 * /v3/hls/muxers/get/<path> with 200, 1-2 ms after RECORD. The folder comes first for a reason: a
 * muxer that is asked about while it still joins its path can lock the engine up for good (the
 * HLS server waits for the muxer, the muxer for the path manager, the path manager for the HLS
 * server; seen with v1.21.0). The folder is made after that. The folder of a muxer before it, whose
 * publisher was another process maybe, may still be there: it is told apart by its inode, noted
 * before the session begins.
 */
#ifndef WEIR_WORKER_TAP_MUXER_H
#define WEIR_WORKER_TAP_MUXER_H

#include <sys/types.h>

#include "lib/service/loop.h"

#define TAP_MUXER_WAIT_MS 5000
#define TAP_MUXER_PAST_MS 1000 /* so long a folder that was there before is not believed */

struct tap_muxer;

/* The inode of what lies at `segments`; 0: nothing does. */
ino_t tap_muxer_folder(const char *segments);

/* `done` is called once, not from inside this call: true when the muxer is there, false after
 * TAP_MUXER_WAIT_MS. `segments`: the folder, "" to ask at once; `past`: what tap_muxer_folder said
 * before the session was begun. Texts are copied. */
struct tap_muxer *tap_muxer_await(struct weir_loop *loop, const char *socket_path, const char *path,
                                  const char *segments, ino_t past,
                                  void (*done)(void *ctx, bool is_there), void *ctx);

/* Before or after `done`. Sets NULL; NULL is fine. */
void tap_muxer_free(struct tap_muxer **muxer);

#endif

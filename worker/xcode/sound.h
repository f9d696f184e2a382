/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sound of one camera: decodes G.711 or G.726, brings it to one channel at WEIR_XCODE_SOUND_HZ,
 * encodes AAC-LC.
 *
 * What is made lies on the camera's times: samples that are missing become silence, those that are
 * too many are dropped, and a clock that runs a little apart is followed by stretching. Where times
 * jump, it begins anew.
 */
#ifndef WEIR_WORKER_XCODE_SOUND_H
#define WEIR_WORKER_XCODE_SOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/xcode.h"

#define SOUND_JUMP_TICKS 90000 /* off what was expected by more than this, 1/90000 s */

struct sound;

/* An access unit; valid during the call. False: it cannot be handed on, all is over. */
typedef bool sound_unit_fn(void *ctx, int64_t ts, const uint8_t *bytes, size_t len);

/* NULL: it makes no sense, or cannot be made here. */
struct sound *sound_new(const struct weir_xcode_sound *spec);
void sound_free(struct sound **sound); /* sets NULL; NULL is fine */

/*
 * Takes one packet; `bytes` are followed by DECODER_PADDING readable ones. What cannot be decoded
 * is left out. False: the encoder broke, or `fn` said so.
 */
bool sound_take(struct sound *sound, const uint8_t *bytes, size_t len, int64_t ts,
                sound_unit_fn *fn, void *ctx);

#endif

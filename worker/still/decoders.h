/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoders: so many processes at most, each taken by one thread at a time.
 *
 * One is always up. Others that nobody used for DECODERS_REST_MS rest, as no process at all, until
 * somebody has to wait for a decoder, or takes one that is parked for another camera. So each that
 * is up is used or ends: one that hangs is found.
 *
 * One that ends, hangs or talks nonsense is killed and replaced; after DECODERS_LIFE pictures too,
 * so that nothing that a camera's bytes did to it lasts. Processes are started and ended on the
 * loop's thread alone (lib/io/process.h).
 *
 * One that made a picture may stay parked behind it for a while (worker/decode/course.h): the next
 * picture of that camera is made by it, where it is free, and takes less. Others take one that is
 * not parked; but parked ones are free, and who would have to wait gets the one that was parked
 * first. Of several a tenant gets one that had its pictures last, else one that had nobody's; but
 * one decoder may serve several tenants in turn (docs/adr/0033).
 */
#ifndef WEIR_WORKER_STILL_DECODERS_H
#define WEIR_WORKER_STILL_DECODERS_H

#include "lib/base/buf.h"
#include "lib/domain/id.h"
#include "lib/domain/still.h"
#include "lib/service/loop.h"

#define DECODERS_LIFE    1000
#define DECODERS_HANG_MS 3000 /* for one picture, */
#define DECODERS_UNIT_MS 10   /* and more for each unit of its clip, */
#define DECODERS_MOST_MS 7000 /* but no more: the api waits nine seconds */
#define DECODERS_REST_MS 60000

struct decoders;

/* `program` is kept. Loop thread, as are the next two. */
struct decoders *decoders_new(struct weir_loop *loop, const char *program, size_t n);
/* Other than DECODERS_REST_MS; at least 4. */
void decoders_set_rest(struct decoders *decoders, int64_t rest_ms);
/* No thread may be in decoders_make any more. NULL is fine. */
void decoders_free(struct decoders *decoders);

/*
 * Makes a picture of a camera, and parks its decoder where `ask` says so: waits for a decoder until
 * the deadline (CLOCK_MONOTONIC), then for it. First come first served, but while others wait no
 * camera gets the last decoder that is free: one with pictures that take long does not keep all of
 * them. Any thread. WEIR_EUNAVAILABLE: none was free in time. WEIR_EIO: the decoder broke over it.
 * WEIR_ETIMEOUT: it took longer than a clip of so many units may. Else WEIR_OK and `ret_answer`
 * tells; with its status WEIR_DECODE_OK `*ret_image` are its bytes, malloced.
 */
WEIR_MUST_USE enum weir_code
decoders_make(struct decoders *decoders, const struct weir_id *tenant_id,
              const struct weir_id *camera_id, const struct weir_decode_ask *ask,
              const uint8_t *clip, int64_t deadline_mono_ms, struct weir_decode_answer *ret_answer,
              uint8_t **ret_image, struct weir_err *err);

/*
 * The same for what nobody waits for: WEIR_EUNAVAILABLE at once, unless a decoder is free that
 * snapshots can do without: nobody waits for one, and another is free or rests too, or there is one
 * only. Of those that are not parked it takes the first, whoever had it, so that the others come to
 * rest.
 */
WEIR_MUST_USE enum weir_code decoders_make_spare(struct decoders *decoders,
                                                 const struct weir_id *tenant_id,
                                                 const struct weir_decode_ask *ask,
                                                 const uint8_t *clip,
                                                 struct weir_decode_answer *ret_answer,
                                                 uint8_t **ret_image, struct weir_err *err);
/* Whether it would be tried now. Any thread. */
bool decoders_can_spare(struct decoders *decoders);

/* Decoders that are up; those that rest are not. Any thread. */
size_t decoders_up(struct decoders *decoders);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures for the api: passes a question on to weir-still and its answer back, whatever it says.
 * On the loop.
 */
#ifndef WEIR_WORKER_ORIGIN_STILLS_H
#define WEIR_WORKER_ORIGIN_STILLS_H

#include "lib/service/loop.h"
#include "worker/origin/ask.h"

#define STILLS_MAX        64 /* at once; more are answered 503 */
#define STILLS_TIMEOUT_MS 20000

struct stills;

/* `socket` is weir-still's, kept; "": there are no pictures. */
struct stills *stills_new(struct weir_loop *loop, const char *socket);
void stills_free(struct stills *stills); /* answers what waits with 503; NULL is fine */

/* Takes the loop's reference of an ask with `still` set. */
void stills_ask(struct stills *stills, struct ask *ask);

#endif

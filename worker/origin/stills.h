/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures for the api: passes a question on to weir-still and its answer back, whatever it says.
 * So many at once, of a tenant and of a camera a share of them; more are answered 503 at once. On
 * the loop.
 */
#ifndef WEIR_WORKER_ORIGIN_STILLS_H
#define WEIR_WORKER_ORIGIN_STILLS_H

#include "lib/service/loop.h"
#include "worker/origin/ask.h"

#define STILLS_MAX        64
#define STILLS_TENANT_MAX 48 /* of them */
#define STILLS_CAMERA_MAX 16 /* likewise: of four apis, as many as each has of a camera at once */
#define STILLS_TIMEOUT_MS 20000

struct stills;

/* `socket` is weir-still's, kept; "": there are no pictures. */
struct stills *stills_new(struct weir_loop *loop, const char *socket);
void stills_free(struct stills *stills); /* answers what waits with 503; NULL is fine */

/* Takes the loop's reference of an ask with `still` set; its ids say whose it is. */
void stills_ask(struct stills *stills, struct ask *ask);

#endif

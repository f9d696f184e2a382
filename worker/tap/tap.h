/* SPDX-License-Identifier: Apache-2.0 */
/* All cameras of the process, and what weir-worker says about them. */
#ifndef WEIR_WORKER_TAP_TAP_H
#define WEIR_WORKER_TAP_TAP_H

#include "lib/domain/reach.h"
#include "lib/service/loop.h"
#include "worker/tap/engines.h"
#include "worker/tap/settings.h"

struct tap;

/*
 * Listens on descriptor `fd`; stops the loop when it closes. `settings` and `engines` are kept.
 * `reach` is copied: what holds for every tenant.
 */
struct tap *tap_new(struct weir_loop *loop, const struct tap_settings *settings,
                    const struct weir_reach *reach, const struct tap_engines *engines, int fd);
void tap_free(struct tap *tap); /* NULL is fine */

#endif

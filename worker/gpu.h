/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GPUs by NVIDIA's management library, loaded at run time: a machine without it is normal and has
 * no GPU. Every value is optional, as some cards do not tell some of them.
 */
#ifndef WEIR_WORKER_GPU_H
#define WEIR_WORKER_GPU_H

#include "lib/domain/events.h"

struct gpu;

/* `library` e.g. "libnvidia-ml.so.1". NULL when it is not there or finds no card. */
struct gpu *gpu_open(const char *library);
void gpu_close(struct gpu **gpu); /* sets NULL; NULL is fine */

/* How many cards. `gpu` may be NULL: 0. */
unsigned gpu_count(const struct gpu *gpu);

/*
 * Fills the gpu fields of `ret` as far as they can be read; the others stay absent. Utilisation is
 * the mean over the cards of the busiest of its engines (cores, encoder), memory is the sum.
 */
void gpu_sample(const struct gpu *gpu, struct weir_ev_heartbeat_load *ret);

#endif

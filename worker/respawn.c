/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/respawn.h"

void respawn_started(struct respawn *respawn, int64_t now_ms)
{
    respawn->started_ms = now_ms;
}

int64_t respawn_ended(struct respawn *respawn, int64_t now_ms)
{
    if (now_ms - respawn->started_ms >= RESPAWN_TRUST_MS) {
        respawn->n_ends = 0;
    }
    respawn->n_ends++;
    if (respawn->n_ends <= RESPAWN_AT_ONCE) {
        return 0;
    }
    int64_t delay_ms = RESPAWN_FIRST_MS;
    for (int n = RESPAWN_AT_ONCE + 1; n < respawn->n_ends && delay_ms < RESPAWN_MOST_MS; n++) {
        delay_ms *= 2;
    }
    return delay_ms < RESPAWN_MOST_MS ? delay_ms : RESPAWN_MOST_MS;
}

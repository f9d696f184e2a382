/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many streams a viewer, and a tenant, play at once: a playback is a login and a stream, asked
 * for within PLAYBACKS_LIVE_MS, so a new ticket for it is no new one. Who is in stays in until he
 * stops; who comes on top is refused. Each api counts what it is asked itself; gateways ask all of
 * them about once a second, and the CDN's door reports every few seconds. Thread-safe.
 */
#ifndef WEIR_API_PLAYBACKS_H
#define WEIR_API_PLAYBACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/id.h"

#define PLAYBACKS_LIVE_MS 15000

struct playbacks;

struct playbacks_config {
    int64_t viewer_max;
    int64_t tenant_max;
    size_t max; /* remembered at once; of more nobody is refused */
    /* As long as this api has not heard for PLAYBACKS_LIVE_MS who plays, everybody gets in. */
    int64_t born_mono_ms;
};

struct playbacks *playbacks_new(const struct playbacks_config *config);
void playbacks_free(struct playbacks *playbacks); /* NULL is fine */

struct playback {
    struct weir_id tenant_id;
    struct weir_id viewer_id;
    struct weir_id login_id;
    struct weir_id stream_id;
};

enum playbacks_verdict { PLAYBACKS_OK, PLAYBACKS_VIEWER, PLAYBACKS_TENANT };

/* Somebody asks to play. `is_playing`: a door let him in before, and he has played since. Else says
 * whose limit is reached. */
enum playbacks_verdict playbacks_take(struct playbacks *playbacks, const struct playback *asked,
                                      bool is_playing, int64_t mono_ms);

size_t playbacks_count(struct playbacks *playbacks); /* the refused too */

/* Those that were refused, for doors that do not ask: at most `max`; returns how many. */
size_t playbacks_refused(struct playbacks *playbacks, int64_t mono_ms, size_t max,
                         struct playback *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What a camera sends, and the network behind it, on a fake clock: for scripts of hours. */
#ifndef TESTS_UNIT_WORKER_FEED_H
#define TESTS_UNIT_WORKER_FEED_H

#include "worker/tap/health.h"

#define FEED_QUEUE_MAX 1024

/* What the camera does, and the network behind it. */
struct feed {
    int64_t fps_milli;
    int64_t gop_frames;
    int64_t other_gop_frames; /* of every second group; 0: all are alike */
    int64_t jitter_ms;        /* each frame is late by up to that */
    int64_t pause_ms;         /* now and then the network stands still so long */
    int64_t loss_ppm;         /* of packets */
    int64_t skew_ppm;         /* of the camera's clock */
    int64_t pace_pct;         /* at which it plays, of its own clock; 0: as it should */
    bool has_b_frames;
    int64_t skips_of_10; /* frames in ten that are not sent */
    bool is_silent;
    bool has_no_keys;
};

struct feed_world {
    struct tap_health health;
    struct feed feed;
    int64_t now_ms;
    int64_t due_us;   /* the next frame is captured then, by the camera */
    int64_t clock_us; /* the camera's own clock */
    int64_t open_ms;  /* the network lets nothing through before */
    int64_t frames;
    int64_t since_key;
    int64_t groups;
    int64_t packets;
    int64_t lost;
    uint32_t dice;
    int64_t queue_ms[FEED_QUEUE_MAX]; /* frames under way: when each arrives, in order */
    int64_t queue_pts[FEED_QUEUE_MAX];
    bool queue_key[FEED_QUEUE_MAX];
    bool queue_hole[FEED_QUEUE_MAX];
    size_t head, tail;
    int64_t keys;      /* keyframes that arrived, */
    bool key_has_hole; /* and whether the newest one did so as a whole */
};

/* 25 frames a second, a keyframe each two seconds, some jitter. */
extern const struct feed feed_calm;

/* Its connection begins. */
void feed_start(struct feed_world *world, const struct feed *feed);

/* TAP_HEALTH_TICK_MS pass; true when the health is another one. */
bool feed_tick(struct feed_world *world);

#endif

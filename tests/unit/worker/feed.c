/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/feed.h"

#include "tests/unit/check.h"
#include "worker/tap/media.h"

#define PACKETS     8    /* of a frame */
#define PAUSE_EVERY 1500 /* frames */

const struct feed feed_calm = {
    .fps_milli = 25000, .gop_frames = 50, .jitter_ms = 40, .pause_ms = 0};

static uint32_t roll(struct feed_world *world, uint32_t sides)
{
    world->dice = world->dice * 1664525U + 1013904223U;
    return (world->dice >> 8) % sides;
}

void feed_start(struct feed_world *world, const struct feed *feed)
{
    *world = (struct feed_world){.feed = *feed, .now_ms = 1000000, .dice = 7};
    world->due_us = world->now_ms * 1000;
    tap_health_up(&world->health, world->now_ms);
}

static void send(struct feed_world *world, int64_t pts, bool is_key, bool has_hole)
{
    int64_t at_ms = world->due_us / 1000 + 5;
    if (world->feed.jitter_ms > 0)
        at_ms += roll(world, (uint32_t)world->feed.jitter_ms + 1);
    if (world->feed.pause_ms > 0 && world->frames % PAUSE_EVERY == PAUSE_EVERY / 2)
        world->open_ms = at_ms + world->feed.pause_ms;
    at_ms = at_ms > world->open_ms ? at_ms : world->open_ms;
    world->open_ms = at_ms; /* nothing overtakes */
    world->queue_ms[world->tail % FEED_QUEUE_MAX] = at_ms;
    world->queue_pts[world->tail % FEED_QUEUE_MAX] = pts;
    world->queue_key[world->tail % FEED_QUEUE_MAX] = is_key;
    world->queue_hole[world->tail % FEED_QUEUE_MAX] = has_hole;
    world->tail++;
    assert_true(world->tail - world->head < FEED_QUEUE_MAX);
}

/* In coding order: with B-frames the third of four comes first. */
static int64_t pts_of(const struct feed_world *world)
{
    static const int64_t order[4] = {0, 3, 1, 2};
    int64_t frame_us = INT64_C(1000000000) / world->feed.fps_milli;
    int64_t shown = world->feed.has_b_frames
                        ? (order[world->since_key % 4] - world->since_key % 4) * frame_us
                        : 0;
    return tap_us_to_ticks(world->clock_us + shown, TAP_VIDEO_RATE);
}

static void capture(struct feed_world *world)
{
    const struct feed *feed = &world->feed;
    int64_t frame_us = INT64_C(1000000000) / feed->fps_milli;
    bool is_other = feed->other_gop_frames > 0 && world->groups % 2 == 0;
    bool is_key = world->frames == 0 ||
                  world->since_key >= (is_other ? feed->other_gop_frames : feed->gop_frames);
    world->groups += is_key;
    bool is_skipped = !is_key && (int64_t)roll(world, 10) < feed->skips_of_10;
    world->since_key = is_key ? 0 : world->since_key;
    if (!feed->is_silent && !is_skipped) {
        int64_t lost = world->lost;
        for (int i = 0; i < PACKETS; i++) {
            bool is_lost = (int64_t)roll(world, 1000000) < feed->loss_ppm;
            world->lost += is_lost;
            world->packets += !is_lost;
        }
        send(world, pts_of(world), is_key && !feed->has_no_keys, world->lost > lost);
    }
    world->frames++;
    world->since_key++;
    world->due_us += feed->pace_pct > 0 ? frame_us * 100 / feed->pace_pct : frame_us;
    world->clock_us += frame_us + frame_us * feed->skew_ppm / 1000000;
}

static void arrive(struct feed_world *world)
{
    while (world->head < world->tail &&
           world->queue_ms[world->head % FEED_QUEUE_MAX] <= world->now_ms) {
        size_t at = world->head++ % FEED_QUEUE_MAX;
        if (world->queue_key[at]) {
            world->keys++;
            world->key_has_hole = world->queue_hole[at];
        }
        tap_health_frame(&world->health, world->queue_pts[at], world->queue_key[at],
                         world->queue_ms[at]);
    }
}

bool feed_tick(struct feed_world *world)
{
    world->now_ms += TAP_HEALTH_TICK_MS;
    while (world->due_us / 1000 <= world->now_ms)
        capture(world);
    arrive(world);
    return tap_health_tick(&world->health, world->packets, world->lost, world->now_ms);
}

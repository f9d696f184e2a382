/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is what the camera sends a good picture, as far as packets tell without decoding? Docs:
 * docs/adr/0036-health-from-packets.md.
 *
 * stalled: no frame for STALL_MS, or five frame times where these are longer.
 * low_fps: in ten seconds in a row fewer than 70 % of the frames; below 40 % where they come
 * evenly: a camera that halves its rate in the dark does what it should. The highest rate seen is
 * the usual one, until an even lower one lasts a quarter of an hour or its parameter sets change.
 * overspeed: for twelve seconds in a row more than 130 frames in each, or frames that last more
 * than 140 % of the time in which they come. A rate that rises with its own clock is none: it is
 * day. no_keyframe: none for twice the longest group of the last hour or two, and at least 4 s. A
 * group of more than 20 s that was a fault is usual once there was another one. loss: more than 1 %
 * of the packets of ten seconds. drift: its clock runs off ours by more than 200 ppm, or by half a
 * second in six minutes. parameters: its parameter sets changed within the last ten seconds.
 *
 * Each fault comes when its limit is passed and goes when it has been clearly over for a while
 * (no_keyframe: with the second keyframe). Everything is learnt from the camera itself; its rate
 * and how long its groups are is known to the next connection too, all else begins anew with each.
 * A connection is well after a second; but where the one before stood still or had no keyframes to
 * its end, after half a minute without a fault, for a camera may hang after each connect. Pure: no
 * clock is read; `now_ms` is monotonic and the same in all calls.
 */
#ifndef WEIR_WORKER_TAP_HEALTH_H
#define WEIR_WORKER_TAP_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/events.h"
#include "lib/domain/fault.h"

#define TAP_HEALTH_TICK_MS  250
#define TAP_HEALTH_STALL_MS 1500

#define TAP_HEALTH_SECONDS 10
#define TAP_HEALTH_DELAYS  48 /* of ten seconds each */

struct tap_health_second {
    int64_t frames;
    int64_t even;  /* of these: as far from the one before as that one from its own */
    int64_t ticks; /* of presentation time that they took */
    int64_t packets;
    int64_t lost;
};

/* How long its groups are, over all connections. */
struct tap_health_groups {
    int64_t hour_ms;    /* the present hour began */
    int64_t longest_ms; /* of it; 0: none */
    int64_t before_ms;  /* of the hour before */
    int64_t odd_ms;     /* the newest one that was a fault; 0: none */
};

/* Zeroed storage is ready: down. */
struct tap_health {
    enum weir_picture_health state;
    unsigned faults;              /* bits: 1 << enum weir_fault */
    bool is_doubtful;             /* the connection before stood still or sent no keyframes */
    int64_t fault_ms;             /* one was there then */
    int64_t since_ms;             /* state and faults are so since then */
    int64_t counts[WEIR_FAULT_N]; /* how often each came, over all connections */

    int64_t frame_ms; /* the newest */
    bool has_key;
    int64_t key_ms;
    bool has_pts;
    int64_t max_pts;
    int64_t since_max;     /* frames since the one that holds max_pts */
    int64_t step;          /* ticks between frames, the newest */
    int64_t nominal_milli; /* frames in 1000 s as the camera means to send them, over all
                              connections; 0: not learnt */

    struct tap_health_second now;
    struct tap_health_second seconds[TAP_HEALTH_SECONDS];
    size_t n_seconds;
    size_t learn_at;   /* so many of them: the rate is known */
    int64_t second_ms; /* when `now` began */
    int64_t packets;   /* of the reader, as last seen */
    int64_t lost;

    struct tap_health_groups groups;
    bool has_group; /* of this connection */
    int n_keys;     /* since one was last missing */

    int64_t base_pts; /* delays count from here */
    int64_t base_ms;
    int64_t delay_ms; /* least of the present ten seconds */
    bool has_delay;
    int64_t delays_ms[TAP_HEALTH_DELAYS];
    size_t n_delays;     /* ever */
    int64_t delay_at_ms; /* when the present ten seconds began */

    int64_t low_s; /* seconds in a row that were so */
    int64_t fair_s;
    int64_t fast_s;
    int64_t slow_s;
    int64_t lower_s; /* lower than usual, but even */
    int64_t clean_s;
    int64_t params_ms; /* when they last changed; 0: not yet */
};

/* The camera plays; or it does not any more. */
void tap_health_up(struct tap_health *health, int64_t now_ms);
void tap_health_down(struct tap_health *health, int64_t now_ms);

/* It is another camera: nothing that was learnt over connections holds. */
void tap_health_forget(struct tap_health *health);

/* A video frame. `pts` in ticks of TAP_VIDEO_RATE, as the camera gave it. */
void tap_health_frame(struct tap_health *health, int64_t pts, bool is_key, int64_t now_ms);
/* Frames reach us by another way from now on: how long they were on the way before says nothing. */
void tap_health_other_delay(struct tap_health *health);

/* The longest group that is usual; 0: not known. */
int64_t tap_health_group_ms(const struct tap_health *health);

/* Its parameter sets are other ones; or were at the beginning of a connection, which is no fault.
 */
void tap_health_params(struct tap_health *health, int64_t now_ms);
void tap_health_other_rate(struct tap_health *health);

/*
 * Judges; every TAP_HEALTH_TICK_MS or so. `packets` that came and those that were `lost`, since the
 * camera plays. True when state or faults are other than before.
 */
bool tap_health_tick(struct tap_health *health, int64_t packets, int64_t lost, int64_t now_ms);

static inline bool tap_health_has(const struct tap_health *health, enum weir_fault fault)
{
    return (health->faults >> fault & 1U) != 0;
}

#endif

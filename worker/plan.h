/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do next for one stream or one camera lease: rules only, no I/O, no clock.
 *
 * Level-triggered: the caller shows what the decision log wants and what is so on this machine,
 * does the one thing it is told, changes its view accordingly, and asks again until the answer is
 * nothing. So a lost message, a crash of a child and a slow log all heal by the same path.
 *
 *     while ((action = plan_stream(&view, now_ms)) != PLAN_STREAM_NOTHING)
 *         ... do it, update the view ...
 *
 * A fact that the log does not reflect is said again every PLAN_REPEAT_MS; the scheduler takes a
 * repeat as a no-op.
 */
#ifndef WEIR_WORKER_PLAN_H
#define WEIR_WORKER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/events.h"

#define PLAN_REPEAT_MS     4000
#define PLAN_ASK_WAIT_MS   500  /* for the origin's answer */
#define PLAN_WATCHED_MS    5000 /* a player asks more often than this */
#define PLAN_GRACE_MS      2000 /* a playing stream's source may fail for so long unmentioned */
#define PLAN_PLACE_WAIT_MS 3000 /* for room in an engine */

enum plan_health { PLAN_HEALTH_UNKNOWN, PLAN_HEALTH_UP, PLAN_HEALTH_FAILING };

enum plan_said {
    PLAN_SAID_NOTHING,
    PLAN_SAID_STARTING,
    PLAN_SAID_STARTED,
    PLAN_SAID_FAILING,
    PLAN_SAID_WATCHED,
    PLAN_SAID_EXITED,
};

enum plan_ask { PLAN_ASK_NONE, PLAN_ASK_SENT, PLAN_ASK_ANSWERED };

struct plan_stream_view {
    /* The log: */
    bool is_wanted; /* a row of this generation is there, ours, and of our incarnation */
    bool is_fading; /* it plays elsewhere by now; its last segments are still wanted here */
    enum weir_stream_state row_state;
    bool is_idle_stop; /* while stopping: because nobody watched */
    /* This machine: */
    bool is_camera_given;    /* the tap knows the camera */
    bool is_published;       /* the tap was told to publish it into an engine */
    int64_t publish_at_ms;   /* not before; moved when there was no room */
    enum plan_health health; /* of source, publisher and place together */
    int64_t down_since_ms;   /* health was last UP then, or the stream began */
    bool is_failure_news;    /* not the reason that was said last */
    bool is_permanent;       /* trying again cannot help */
    bool has_playlist;       /* the engine has one to give */
    bool is_effective_news;  /* what it really is, which the log says otherwise or not at all */
    enum plan_said said;
    int64_t said_at_ms;
    enum plan_ask ask; /* of the origin: when was it last watched? */
    int64_t asked_at_ms;
    bool has_request; /* there was one; its age when the answer came */
    int64_t request_age_ms;
};

enum plan_stream_action {
    PLAN_STREAM_NOTHING,
    PLAN_STREAM_SAY_STARTING,
    PLAN_STREAM_PUBLISH, /* find room in an engine, route, publish */
    PLAN_STREAM_SAY_STARTED,
    PLAN_STREAM_SAY_FAILING,
    PLAN_STREAM_ASK,         /* ask the origin for the last request */
    PLAN_STREAM_SAY_WATCHED, /* it goes on */
    PLAN_STREAM_END,         /* unpublish, unroute, say exited */
    PLAN_STREAM_FORGET,      /* unpublish, unroute, say nothing: the log does not count on us */
};

enum plan_stream_action plan_stream(const struct plan_stream_view *view, int64_t now_ms);

struct plan_lease_view {
    bool is_wanted; /* a row is there, ours, and of our incarnation */
    enum weir_lease_state row_state;
    bool has_source; /* address and credentials are at hand */
    bool is_stale;   /* they changed: fetch again, go on with these meanwhile */
    bool is_fetching;
    int64_t fetch_at_ms; /* not before */
    bool is_given;       /* the tap has it */
    bool is_released;    /* dropped, and said so */
    int64_t said_at_ms;
};

enum plan_lease_action {
    PLAN_LEASE_NOTHING,
    PLAN_LEASE_FETCH,
    PLAN_LEASE_GIVE,    /* to the tap */
    PLAN_LEASE_RELEASE, /* take from the tap, say released */
    PLAN_LEASE_FORGET,  /* take from the tap, say nothing */
};

enum plan_lease_action plan_lease(const struct plan_lease_view *view, int64_t now_ms);

#endif

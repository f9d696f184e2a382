/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker: what it holds, and how its files share it.
 *
 *     member.c    joins the cell, learns its incarnation, leaves
 *     leases.c    cameras: address from the api, given to the tap, taken back
 *     conditions.c how cameras are doing, told to whoever asks
 *     sights.c     when weir-still looks at which of them, and what it saw
 *     streams.c   streams: a place in an engine, publish, ready, stop
 *     facts.c     what is told to the scheduler
 *     heartbeat.c once a second, load and all that runs
 *     config.c    cameras whose address changed, tenants whose networks did
 *     encoders.c  what encodes in hardware, tried and offered
 *     worker.c    puts it together: children, timers, the one pass over everything
 *
 * One thread (the loop) owns all of it. The decision log says what should be; plan.h says what to
 * do about it; nothing here is counted up or down by messages.
 */
#ifndef WEIR_WORKER_WORKER_H
#define WEIR_WORKER_WORKER_H

#include "lib/base/map.h"
#include "lib/domain/budget.h"
#include "lib/domain/fault.h"
#include "lib/domain/ledger.h"
#include "lib/domain/reason.h"
#include "lib/domain/versions.h"
#include "lib/io/bus.h"
#include "lib/io/seal.h"
#include "lib/service/follower.h"
#include "lib/service/service.h"
#include "worker/calls.h"
#include "worker/child.h"
#include "worker/clock_news.h"
#include "worker/drm.h"
#include "worker/encoders.h"
#include "worker/gpu.h"
#include "worker/load.h"
#include "worker/plan.h"
#include "worker/probe.h"
#include "worker/progress.h"
#include "worker/settings.h"
#include "worker/slots.h"
#include "worker/source.h"
#include "worker/source_cache.h"
#include "worker/strain.h"
#include "worker/waker.h"

#define WORKER_NOT_JOINED (-1)

enum worker_phase {
    WORKER_PREPARING, /* children and the first engine come up */
    WORKER_JOINING,   /* fact.joined is said */
    WORKER_MEMBER,    /* the log knows this boot */
    WORKER_LEAVING,
};

/* A failure as it is told: reason.def's name and a detail for people. */
struct trouble {
    char reason[WEIR_REASON_MAX + 1];
    bool is_permanent;
    char detail[257];
    int64_t retry_in_ms; /* 0: not known */
};

/* What was done about a camera, see remedies.c. */
struct lease_remedies {
    int64_t taken;
    enum weir_remedy newest;
    char reason[WEIR_REASON_MAX + 1];
    int64_t at_ms;
    int64_t next_ms; /* the next one not before */
    bool has_stream_id;
    struct weir_id stream_id;
    int64_t due_at_ms; /* its fact got lost and is said again then; 0: it did not */
};

/* One camera that this worker pulls. */
struct lease {
    struct weir_lease_row row; /* as the log says; old when !is_wanted */
    bool is_wanted;
    bool has_source;
    struct source source;
    bool is_stale;
    bool is_fetching;
    bool is_cache_unusable; /* the api itself is asked next */
    int64_t fetch_at_ms;
    int attempts;
    bool is_given;
    bool is_released;
    int64_t said_at_ms;
    /* What the tap tells: */
    bool is_up;
    bool is_failing;
    struct trouble trouble; /* while failing, of source or fetch */
    struct weir_ctl_tap_source info;
    int64_t ring_ms;
    int64_t ring_bytes;
    int64_t gop_ms; /* 0: not known */
    struct weir_ctl_tap_stats_cameras stats;
    /* What weir-still saw of it, see sights.c: */
    unsigned sights;         /* bits of WEIR_FAULTS_VISIBLE */
    int64_t noise;           /* of its picture, as weir-still counts it */
    int64_t sights_until_ms; /* they hold until then, if nobody looks again */
    int64_t sights_of_ms;    /* so since then; 0: since ever */
    int64_t sights_seen;     /* faults that came */
    int64_t look_at_ms;      /* the next look; 0: not planned */
    bool has_said_health;    /* as a fact */
    enum weir_picture_health said_health;
    int64_t said_faults;
    int64_t health_said_ms;
    bool is_health_due; /* what was said got lost */
    struct clock_news clock_news;
    struct lease_remedies remedies;
};

/* One generation of one stream. */
struct stream {
    struct worker *worker;
    struct weir_stream_row row; /* as the log says; old when !is_wanted */
    bool is_wanted;
    bool is_fading; /* when !is_wanted: it moved to another worker a moment ago */
    int64_t seen_at_ms;
    struct slot *slot;           /* NULL: not published */
    struct weir_ceiling ceiling; /* that the tap was told */
    int64_t run;                 /* of all publishings of this worker, rising */
    int64_t published_at_ms;
    int64_t publish_at_ms;
    int64_t no_room_since_ms; /* 0: there was room */
    bool is_publishing;       /* so says the tap */
    bool is_publish_failing;
    char publish_detail[257];
    bool is_transcode_failing; /* so says the tap, of its publish failure */
    int64_t cpu_milli;         /* that making it took, at used_at_ms */
    int64_t used_at_ms;        /* 0: nobody said */
    bool has_effective;        /* what the tap publishes */
    struct weir_effective effective;
    int publish_failures;        /* in a row */
    int64_t publish_again_at_ms; /* the tap gave this publisher up; 0: it did not */
    bool has_playlist;
    struct progress progress;
    int64_t looked_at_ms;
    bool is_stuck;
    struct weir_budget budget; /* of being published anew because it is stuck */
    bool stuck_full;           /* because there was no room */
    struct probe *muxer_probe; /* the engine is being asked for it */
    int64_t down_since_ms;
    enum plan_said said;
    int64_t said_at_ms;
    char said_reason[WEIR_REASON_MAX + 1];
    enum plan_ask ask;
    int64_t asked_at_ms;
    int64_t ask_id;
    bool has_request;
    int64_t requested_at_ms; /* newest playlist request, monotonic */
    char muxer[97];          /* its numbers, for the next origin; "": none were given out */
    int64_t base;
};

struct worker {
    struct weir_service *service;
    struct weir_loop *loop;
    const struct worker_settings *settings;
    struct weir_id worker_id;
    struct weir_id boot_id;
    char id_text[WEIR_ID_TEXT_MAX];
    char event_source[64];
    enum worker_phase phase;
    int exit_code;

    struct weir_follower *follower;
    bool is_caught_up;
    int64_t incarnation; /* WORKER_NOT_JOINED: not known to the log */
    int64_t joined_said_at_ms;
    int64_t drain_since_ms; /* told to end, its streams move first; 0: no */
    int64_t draining_said_at_ms;
    int64_t heard_boot_ms; /* the newest heartbeat that the broker took was sent then */

    struct weir_bus_producer *facts;
    struct weir_bus_producer *beats;
    struct waker facts_waker;
    struct waker beats_waker;
    struct weir_bus_reader *config;
    struct waker config_waker;
    struct weir_timer *config_again;

    struct child *tap;
    struct child *origin;
    struct child *still;
    const char *tap_env[16];
    const char *origin_env[8];
    const char *still_env[8];
    int64_t tap_down_since_ms; /* 0: it is up */
    struct weir_ctl_still_stats still_stats;
    int64_t origin_port; /* 0: not open yet */
    struct calls *api_calls;
    struct slots slots;
    int64_t ticks;
    bool is_full; /* no room for segments or sockets */
    enum weir_ctl_origin_route_variant variant;
    struct weir_seal_ring seal_keys;
    struct source_cache *source_cache; /* NULL: none */
    struct weir_versions *heard;       /* of cameras and tenants, by their events */

    struct weir_map *leases;  /* camera id -> struct lease */
    struct weir_map *streams; /* stream id -> struct stream */
    int64_t next_ask_id;
    int64_t last_run;

    struct weir_timer *pass; /* the next pass over everything */
    struct weir_timer *tick; /* once a second */
    struct weir_timer *leave;
    struct weir_metric *clocks_set;
    struct weir_metric *remedies[WEIR_REMEDY_N];
    struct weir_metric *sources_lost[2];      /* of main, of others */
    struct weir_metric *faults[WEIR_FAULT_N]; /* counters; NULL: nobody counts */
    struct load_reader load_reader;
    struct weir_ev_heartbeat_load load;
    struct gpu *gpu;
    struct drm_reader drm;
    struct encoders *encoders;
    struct strain strain;
    int64_t pace_ppm; /* that the tap is told */
    int64_t beat_seq;
    struct weir_arena *beat_arena;
};

/* ---- worker.c ---- */

WEIR_MUST_USE enum weir_code worker_open(struct worker *worker, struct weir_service *service,
                                         const struct worker_settings *settings,
                                         struct weir_err *err);
void worker_close(struct worker *worker);

/* Asks for a pass over everything, soon. */
void worker_pass_soon(struct worker *worker);
/* The log no longer counts on anything here: ends all streams and leases at once. */
void worker_drop_all(struct worker *worker);
int64_t worker_now_ms(void); /* monotonic */

/* ---- programs.c ---- */
/* `set`, or the program of that name beside this one; in the service's arena. */
const char *programs_find(struct worker *worker, const char *set, const char *name);
/* Names to the tap what makes renditions. */
void programs_name_engines(struct worker *worker);
/* Whether what was chosen is there; the error names the setting. */
WEIR_MUST_USE enum weir_code programs_check_engine(const struct worker *worker,
                                                   struct weir_err *err);

/* ---- member.c ---- */

/* Says fact.joined as soon as there is something to join with; again when nobody took notice. */
void member_tend(struct worker *worker);
void member_take_row(struct worker *worker, const struct weir_worker_row *row);
/* The log was read anew to its end and has no row of this worker. */
void member_is_unknown(struct worker *worker);
/* Whether the log's row is about this incarnation of this worker. */
bool member_is_mine(const struct worker *worker, const struct weir_id *worker_id,
                    int64_t incarnation);
/* Told to end: asks that what runs moves to others, and leaves when it has or cannot. */
void member_drain(void *ctx);
/* The end came without that: tells the log, as far as it can be told in a moment. */
void member_farewell(struct worker *worker);
/* The broker took a heartbeat that was sent at `sent_boot_ms` (CLOCK_BOOTTIME). */
void member_is_heard(struct worker *worker, int64_t sent_boot_ms);
/* Tells the tap how long exclusive cameras may still be read. Each second, and to a new tap. */
void member_tell_fence(struct worker *worker);

/* ---- leases.c ---- */

void leases_take_row(struct worker *worker, const struct weir_lease_row *row);
void leases_pass(struct worker *worker);
void leases_drop_all(struct worker *worker);
struct lease *leases_find(const struct worker *worker, const struct weir_id *camera_id);
void leases_take_source_state(struct worker *worker, const struct weir_ctl_tap_source *source);
void leases_take_stats(struct worker *worker, const struct weir_ctl_tap_stats *stats);
void leases_tap_started(struct worker *worker);
/* A camera's configuration changed to `version`. */
void leases_config_changed(struct worker *worker, const struct weir_id *camera_id, int64_t version);
/* A tenant changed to `version`. */
void leases_tenant_changed(struct worker *worker, const struct weir_id *tenant_id, int64_t version);
/* Any camera's may have. */
void leases_all_changed(struct worker *worker);

/* ---- sights.c ---- */

/* Has weir-still look at the cameras whose turn it is. Each second. */
void sights_tick(struct worker *worker);
void sights_take(struct worker *worker, const struct weir_ctl_still_scene *scene);
/* What weir-still is asked; with what it saw, for one that began since. Pure. */
void sights_ask(const struct lease *lease, int64_t now_ms, struct weir_ctl_still_look *ret);
/* Adds what was seen of it to what packets say. */
void sights_join(const struct lease *lease, int64_t now_ms,
                 struct weir_ctl_tap_stats_cameras *stats);

/* ---- conditions.c ---- */

/* ---- remedies.c ---- */

void remedies_open(struct worker *worker);
void remedies_take(struct worker *worker, const struct weir_ctl_tap_remedy *told);
void remedies_fill(const struct lease *lease, struct weir_ctl_camera_status *ret);
/* A stream is stuck. True: publish it anew, and that is counted and said. */
bool remedies_may_republish(struct worker *worker, struct stream *stream, enum weir_reason reason);

void conditions_open(struct worker *worker); /* its counters */
/* The tap tells of a camera: counts faults that are new. Whether its health is other than in
 * lease->stats. */
bool conditions_take(struct worker *worker, const struct lease *lease,
                     const struct weir_ctl_tap_stats_cameras *now);
/* Main, or another source, could not be read. */
void conditions_count_lost(struct worker *worker, bool is_other);
/* Adds what the tap tells of another source of the camera, which is read because something is made
 * of it: its faults are the camera's, and so is what it costs. Pure. */
void conditions_join(const struct weir_ctl_tap_stats_cameras *other,
                     struct weir_ctl_tap_stats_cameras *stats);
/* How a camera is doing. Pure. */
void conditions_fill(const struct lease *lease, struct weir_ctl_camera_status *ret);
void conditions_tell(struct worker *worker, const struct lease *lease); /* the origin */
/* Says what changed, or got lost, as facts. */
void conditions_say(struct worker *worker, struct lease *lease);
/* Each second: tells and says of all. */
void conditions_tick(struct worker *worker);
/* A fact.health, fact.remedy or fact.clock got lost; it is said again, as things are then. */
void conditions_lost(struct worker *worker, const struct weir_id *camera_id, enum weir_ev_type type,
                     int64_t before_us);
/* The camera is let go of: what was said to be wrong with it is no longer known. */
void conditions_end(struct worker *worker, struct lease *lease);

/* ---- streams.c ---- */

void streams_take_row(struct worker *worker, const struct weir_stream_row *row);
/* True while a stream waits for its first playlist: the next pass should come at once. */
bool streams_pass(struct worker *worker);
void streams_drop_all(struct worker *worker);
void streams_take_used(struct worker *worker, const struct weir_ctl_tap_used *used);
void streams_take_publish_state(struct worker *worker, const struct weir_ctl_tap_stream *state);
void streams_take_activity(struct worker *worker, const struct weir_ctl_origin_activity *activity);
void streams_take_answer(struct worker *worker, const struct weir_ctl_origin_answer *answer);
void streams_take_numbering(struct worker *worker,
                            const struct weir_ctl_origin_numbering *numbering);
/* Removes folders of segments that no stream has any more. Now and then. */
void streams_sweep(struct worker *worker);
void streams_slot_down(struct worker *worker, struct slot *slot);
void streams_tap_started(struct worker *worker);
void streams_origin_started(struct worker *worker);

/* ---- pace.c ---- */

/* Each second: renditions get fewer frames while the processor does not do. */
void pace_tick(struct worker *worker);
/* To a new tap. */
void pace_tell(struct worker *worker);

/* ---- facts.c ---- */

WEIR_MUST_USE enum weir_code facts_open(struct worker *worker, struct weir_err *err);
/* Once a second: a producer that gave up for good is replaced. */
void facts_tend(struct worker *worker);

void facts_joined(struct worker *worker);
void facts_draining(struct worker *worker);
/* `fn` is told what became of it. */
void facts_left(struct worker *worker, weir_bus_delivery_fn *fn, void *ctx);
void facts_starting(struct worker *worker, const struct stream *stream);
void facts_started(struct worker *worker, const struct stream *stream, const struct lease *lease);
void facts_failing(struct worker *worker, const struct stream *stream,
                   const struct trouble *trouble);
void facts_exited(struct worker *worker, const struct stream *stream, enum weir_reason reason);
void facts_still_watched(struct worker *worker, const struct stream *stream, int64_t age_ms);
void facts_lease_released(struct worker *worker, const struct lease *lease);
/* These three are given back to conditions_lost when they may not have reached the log. */
void facts_health(struct worker *worker, const struct lease *lease, enum weir_picture_health health,
                  unsigned faults, const char *reason);              /* or NULL */
void facts_remedy(struct worker *worker, const struct lease *lease); /* the newest one */
void facts_clock(struct worker *worker, const struct lease *lease, int64_t before_us);

/* ---- heartbeat.c ---- */

/* Fills the lists of a heartbeat; longer lists than the schema allows are cut. Pure. */
void heartbeat_fill(const struct worker *worker, int64_t now_ms, struct weir_arena *arena,
                    struct weir_ev_heartbeat *ret);
void heartbeat_send(struct worker *worker);

/* ---- config.c ---- */

WEIR_MUST_USE enum weir_code config_open(struct worker *worker, struct weir_err *err);

#endif

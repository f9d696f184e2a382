/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt to read a camera, on a thread of its own, because libavformat blocks. What it reads
 * is handed to the loop; nothing else is shared.
 *
 *     reader = tap_reader_start(&spec, &calls, camera);
 *         opened(camera, format)            at most once, when the camera plays
 *         unit(camera, unit)                access units in decoding order; the callee owns them
 *         ended(camera, failure)            exactly once, last; the reader is gone then
 *     tap_reader_cancel(&reader);           no call comes any more; the thread ends by itself
 */
#ifndef WEIR_WORKER_TAP_READER_H
#define WEIR_WORKER_TAP_READER_H

#include <stdatomic.h>

#include "lib/domain/events.h"
#include "lib/domain/reach.h"
#include "lib/domain/reason.h"
#include "lib/domain/tls_pin.h"
#include "lib/service/loop.h"
#include "worker/tap/media.h"
#include "worker/tap/trials.h"

struct tap_reader;

struct tap_reader_spec {
    char url[2049];
    bool has_credentials;
    char username[257];
    char password[257];
    enum weir_transport transport;
    bool has_audio; /* else the camera is asked for no sound at all */
    bool has_tls_pin;
    struct weir_tls_pin tls_pin; /* of rtsps */
    struct weir_reach reach;
    struct weir_id tenant_id;
    struct tap_trials *trials; /* not owned */
    int64_t open_ms;           /* all of OPTIONS to PLAY */
    int64_t keyframe_ms;       /* no key unit, or 3 groups when that is longer */
    int64_t group_ms;          /* the longest that is usual; 0: not known */
    int64_t not_before_ms;     /* a connection that played is not ended by us before, monotonic */
    unsigned turn;             /* counts attempts: which of several addresses is tried */
};

struct tap_failure {
    enum weir_reason reason;
    bool is_permanent;
    char detail[160]; /* for people; never a credential, never what the camera said */
    /*
     * Where nothing has spoken RTSP to the tenant, closed, filtered and other ports are told in the
     * same words and after the same time (docs/adr/0027); `why` is for our log only.
     */
    bool is_hushed;
    char why[200];
    int64_t retry_ms;  /* 0: as usual */
    bool has_answered; /* the camera spoke RTSP in this attempt */
};

struct tap_reader_calls {
    /* It said what it sends, with parameter sets where it says these too; nothing came yet. */
    void (*described)(void *ctx, const struct tap_format *format);
    void (*opened)(void *ctx, const struct tap_format *format); /* its first keyframe follows */
    void (*unit)(void *ctx, struct tap_unit *unit);
    void (*ended)(void *ctx, const struct tap_failure *failure);
};

/* `spec` is copied, `calls` kept. NULL when no thread can be had. */
struct tap_reader *tap_reader_start(struct weir_loop *loop, const struct tap_reader_spec *spec,
                                    const struct tap_reader_calls *calls, void *ctx);
void tap_reader_cancel(struct tap_reader **reader); /* sets NULL; NULL is fine */

/*
 * While it rests nobody waits for its frames: they are handed over when somebody says
 * tap_reader_drain, and read in handfuls, `nap_ms` apart or more (0: as they come). Loop's thread,
 * as all calls come there; all three may call `ended`, and the reader is gone then.
 */
void tap_reader_rest(struct tap_reader *reader, int nap_ms);
void tap_reader_wake(struct tap_reader *reader);
void tap_reader_drain(struct tap_reader *reader);

/* Somebody waits for a frame: what has come is read at once, to be drained a moment later. */
void tap_reader_rouse(struct tap_reader *reader);

/* Holes in the RTP sequence so far, the packets that are missing in them, and those that came. */
uint64_t tap_reader_gaps(const struct tap_reader *reader);
uint64_t tap_reader_lost(const struct tap_reader *reader);
uint64_t tap_reader_packets(const struct tap_reader *reader);

/* The longest group that is usual, as it is known now. */
void tap_reader_expect(struct tap_reader *reader, int64_t group_ms);

/* Whether what came last is video; what is not is left out meanwhile. */
bool tap_reader_makes_sense(const struct tap_reader *reader);

/* CPU time of its thread so far, us. */
int64_t tap_reader_cpu_us(const struct tap_reader *reader);

/* Threads that have not ended, cancelled ones among them. Loop's thread. */
unsigned tap_reader_count(void);

/* For source.c, on the reader's thread. */
void tap_reader_give_back_stack(void); /* when the camera plays */
bool tap_reader_is_cancelled(const struct tap_reader *reader);
const atomic_bool *tap_reader_cancel_flag(const struct tap_reader *reader);
atomic_int *tap_reader_nap_ms(struct tap_reader *reader);
int64_t tap_reader_group_ms(const struct tap_reader *reader);
void tap_reader_hand_description(struct tap_reader *reader, const struct tap_format *format);
void tap_reader_hand_format(struct tap_reader *reader, const struct tap_format *format);
void tap_reader_hand_unit(struct tap_reader *reader, struct tap_unit *unit); /* takes it */
void tap_reader_add_gap(struct tap_reader *reader, unsigned lost);
void tap_reader_add_packet(struct tap_reader *reader);
void tap_reader_tell_sense(struct tap_reader *reader, bool makes_sense);

#endif

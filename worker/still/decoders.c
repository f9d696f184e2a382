/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/decoders.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/io/process.h"
#include "worker/still/wire.h"

#define NICE     5    /* pictures wait for packets, not the other way */
#define AGAIN_MS 500  /* between two starts that fail */
#define LIVED_MS 1000 /* who ends sooner has failed to start */

enum decoder_state {
    DECODER_DOWN,   /* the loop is to start it */
    DECODER_FREE,   /* a thread may take it */
    DECODER_TAKEN,  /* by a thread */
    DECODER_BROKEN, /* the loop is to end it */
    DECODER_RESTS,  /* there is none, and need be none */
};

struct decoder {
    struct decoders *decoders;
    enum decoder_state state; /* under the mutex */
    bool is_dead;             /* seen to have ended; under the mutex */
    struct weir_id camera_id; /* while taken: for whom; under the mutex */
    struct weir_id tenant_id; /* whose picture was the last; nil: there was none; likewise */
    struct weir_id parked_id; /* of which camera the last picture that parked it was; likewise */
    int64_t parked_until_ms;  /* past: it is not; likewise */
    int64_t used_mono_ms;     /* when it was started or given back; likewise */
    int n_made;
    int64_t started_mono_ms;     /* the loop's */
    struct weir_process process; /* the loop's; its channel is the taker's */
};

struct decoders {
    struct weir_loop *loop;
    const char *program;
    struct weir_timer *again;
    struct weir_timer *rest;
    int64_t rest_ms;
    pthread_mutex_t mutex;
    pthread_cond_t freed;
    struct decoder *all;
    size_t n;
    size_t turn;              /* who is looked at first */
    struct weir_list waiting; /* for a decoder, in the order of coming */
};

/* On the stack of a thread that waits. */
struct waiter {
    struct weir_list node;
    struct weir_id camera_id;
};

/* ---- on the loop ---- */

static void tend(void *ctx);

/* Also while nobody has it. A taker sees it by its channel. */
static void on_exit_seen(void *ctx, unsigned events)
{
    struct decoder *decoder = ctx;
    struct decoders *decoders = decoder->decoders;
    (void)events;
    weir_loop_unwatch(decoders->loop, decoder->process.pidfd);
    pthread_mutex_lock(&decoders->mutex);
    decoder->is_dead = true;
    decoder->state = decoder->state == DECODER_FREE ? DECODER_BROKEN : decoder->state;
    pthread_mutex_unlock(&decoders->mutex);
    tend(decoders);
}

static void stop(struct decoders *decoders, struct decoder *decoder)
{
    weir_loop_unwatch(decoders->loop, decoder->process.pidfd);
    weir_process_done(&decoder->process);
}

static bool start(struct decoders *decoders, struct decoder *decoder)
{
    static struct weir_log_limit limit;
    const char *const argv[] = {"weir-decode", NULL};
    const char *const env[] = {NULL};
    struct weir_process_spec spec = {.path = decoders->program,
                                     .argv = argv,
                                     .env = env,
                                     .cwd = "/",
                                     .has_channel = true,
                                     .nice = NICE};
    struct weir_err err = {0};
    if (weir_process_start(&spec, &decoder->process, &err) == WEIR_OK) {
        weir_loop_watch(decoders->loop, decoder->process.pidfd, WEIR_LOOP_IN, on_exit_seen,
                        decoder);
        return true;
    }
    if (weir_log_allowed(&limit, 1, 60000, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_ERROR, "a decoder cannot be started", "why", err.msg, NULL);
    }
    return false;
}

static void tend(void *ctx)
{
    struct decoders *decoders = ctx;
    for (size_t i = 0; i < decoders->n; i++) {
        struct decoder *decoder = &decoders->all[i];
        pthread_mutex_lock(&decoders->mutex);
        enum decoder_state state = decoder->state;
        bool has_ended = decoder->is_dead;
        pthread_mutex_unlock(&decoders->mutex);
        if (state == DECODER_FREE || state == DECODER_TAKEN || state == DECODER_RESTS) {
            continue;
        }
        /* Nobody else touches one that is down or broken. */
        int64_t now_ms = weir_clock_mono_ms();
        bool is_too_soon = false;
        if (state == DECODER_BROKEN) {
            stop(decoders, decoder);
            is_too_soon = has_ended && now_ms - decoder->started_mono_ms < LIVED_MS;
        }
        bool is_up = !is_too_soon && start(decoders, decoder);
        decoder->started_mono_ms = now_ms;
        pthread_mutex_lock(&decoders->mutex);
        decoder->state = is_up ? DECODER_FREE : DECODER_DOWN;
        decoder->is_dead = false;
        decoder->n_made = 0;
        decoder->tenant_id = (struct weir_id){0};
        decoder->parked_until_ms = 0;
        decoder->used_mono_ms = now_ms;
        pthread_cond_broadcast(&decoders->freed);
        pthread_mutex_unlock(&decoders->mutex);
        if (!is_up) {
            weir_timer_set(decoders->again, AGAIN_MS);
        }
    }
}

/* True: nobody takes it any more. */
static bool let_rest(struct decoders *decoders, struct decoder *decoder, int64_t now_ms)
{
    pthread_mutex_lock(&decoders->mutex);
    bool is_idle = decoder->state == DECODER_FREE && decoder->parked_until_ms <= now_ms &&
                   now_ms - decoder->used_mono_ms >= decoders->rest_ms;
    decoder->state = is_idle ? DECODER_RESTS : decoder->state;
    pthread_mutex_unlock(&decoders->mutex);
    return is_idle;
}

/* All but the first. */
static void rest(void *ctx)
{
    struct decoders *decoders = ctx;
    int64_t now_ms = weir_clock_mono_ms();
    for (size_t i = 1; i < decoders->n; i++) {
        if (let_rest(decoders, &decoders->all[i], now_ms)) {
            stop(decoders, &decoders->all[i]);
        }
    }
    weir_timer_set(decoders->rest, decoders->rest_ms / 4);
}

void decoders_set_rest(struct decoders *decoders, int64_t rest_ms)
{
    decoders->rest_ms = rest_ms;
    weir_timer_set(decoders->rest, rest_ms / 4);
}

struct decoders *decoders_new(struct weir_loop *loop, const char *program, size_t n)
{
    struct decoders *decoders = weir_xalloc(sizeof(*decoders));
    decoders->loop = loop;
    decoders->program = program;
    decoders->n = n;
    decoders->all = weir_xalloc(n * sizeof(*decoders->all));
    for (size_t i = 0; i < n; i++) {
        decoders->all[i].decoders = decoders;
    }
    weir_list_init(&decoders->waiting);
    decoders->again = weir_timer_new(loop, tend, decoders);
    decoders->rest = weir_timer_new(loop, rest, decoders);
    pthread_mutex_init(&decoders->mutex, NULL);
    pthread_cond_init(&decoders->freed, NULL);
    tend(decoders);
    decoders_set_rest(decoders, DECODERS_REST_MS);
    return decoders;
}

void decoders_free(struct decoders *decoders)
{
    if (!decoders) {
        return;
    }
    weir_loop_unpost(decoders->loop, tend, decoders);
    weir_timer_free(&decoders->again);
    weir_timer_free(&decoders->rest);
    for (size_t i = 0; i < decoders->n; i++) {
        enum decoder_state state = decoders->all[i].state;
        if (state != DECODER_DOWN && state != DECODER_RESTS) {
            stop(decoders, &decoders->all[i]);
        }
    }
    pthread_cond_destroy(&decoders->freed);
    pthread_mutex_destroy(&decoders->mutex);
    free(decoders->all);
    free(decoders);
}

/* ---- in any thread ---- */

/* The one that came furthest; NULL: none is parked for it, or it is not free. */
static struct decoder *find_parked(struct decoders *decoders, const struct weir_id *camera_id)
{
    struct decoder *best = NULL;
    int64_t now_ms = weir_clock_mono_ms();
    for (size_t i = 0; i < decoders->n; i++) {
        struct decoder *decoder = &decoders->all[i];
        if (decoder->state == DECODER_FREE && decoder->parked_until_ms > now_ms &&
            weir_id_equal(&decoder->parked_id, camera_id) &&
            (!best || decoder->parked_until_ms > best->parked_until_ms)) {
            best = decoder;
        }
    }
    return best;
}

/* How near it is to a tenant: what was done to it by others' pictures is to reach few. NULL: all
 * are alike. */
static int distance(const struct decoder *decoder, const struct weir_id *tenant_id)
{
    if (!tenant_id || weir_id_equal(&decoder->tenant_id, tenant_id)) {
        return 0;
    }
    return weir_id_is_nil(&decoder->tenant_id) ? 1 : 2;
}

/* One that is not parked, of them the nearest to the tenant, the next after `first`; else the one
 * that was parked first. */
static struct decoder *find_free(struct decoders *decoders, const struct weir_id *tenant_id,
                                 size_t first)
{
    struct decoder *best = NULL;
    int64_t best_until_ms = INT64_MAX;
    int64_t now_ms = weir_clock_mono_ms();
    for (size_t i = 0; i < decoders->n; i++) {
        struct decoder *decoder = &decoders->all[(first + i) % decoders->n];
        int64_t until_ms = decoder->parked_until_ms > now_ms ? decoder->parked_until_ms : 0;
        bool is_nearer = best && until_ms == best_until_ms &&
                         distance(decoder, tenant_id) < distance(best, tenant_id);
        if (decoder->state == DECODER_FREE && (until_ms < best_until_ms || is_nearer)) {
            best = decoder;
            best_until_ms = until_ms;
        }
    }
    return best;
}

/* Starts one that rests, unless so many are being started as are wanted. */
static void wake_one(struct decoders *decoders, size_t n_wanted)
{
    struct decoder *resting = NULL;
    size_t n_down = 0;
    for (size_t i = decoders->n; i > 0; i--) {
        struct decoder *decoder = &decoders->all[i - 1];
        n_down += decoder->state == DECODER_DOWN;
        resting = decoder->state == DECODER_RESTS ? decoder : resting;
    }
    if (resting && n_down < n_wanted) {
        resting->state = DECODER_DOWN;
        weir_loop_post(decoders->loop, tend, decoders);
    }
}

/* In turn: one that hangs is found when it is asked. One that is left out all the time ends. */
static struct decoder *find_any(struct decoders *decoders, const struct weir_id *tenant_id)
{
    struct decoder *best = find_free(decoders, tenant_id, decoders->turn);
    if (best) {
        decoders->turn = ((size_t)(best - decoders->all) + 1) % decoders->n;
    }
    if (best && best->parked_until_ms > weir_clock_mono_ms()) {
        wake_one(decoders, 1); /* so that no other camera loses what is parked for it */
    }
    return best;
}

static size_t n_waiting(const struct decoders *decoders)
{
    size_t n = 0;
    WEIR_LIST_FOR(pos, &decoders->waiting)
    {
        n++;
    }
    return n;
}

static size_t n_taken_for(const struct decoders *decoders, const struct weir_id *camera_id)
{
    size_t n = 0;
    for (size_t i = 0; i < decoders->n; i++) {
        n += decoders->all[i].state == DECODER_TAKEN &&
             weir_id_equal(&decoders->all[i].camera_id, camera_id);
    }
    return n;
}

/* Beyond its share a camera has what nobody else waits for. */
static bool is_due(const struct decoders *decoders, const struct waiter *waiter)
{
    if (n_taken_for(decoders, &waiter->camera_id) + 1 < decoders->n) {
        return true;
    }
    WEIR_LIST_FOR(pos, &decoders->waiting)
    {
        const struct waiter *other = WEIR_CONTAINER(pos, struct waiter, node);
        if (!weir_id_equal(&other->camera_id, &waiter->camera_id)) {
            return false;
        }
    }
    return true;
}

/* The first who is due; where nobody is, for want of decoders, whoever came first. */
static const struct waiter *next_of(const struct decoders *decoders)
{
    WEIR_LIST_FOR(pos, &decoders->waiting)
    {
        const struct waiter *waiter = WEIR_CONTAINER(pos, struct waiter, node);
        if (is_due(decoders, waiter)) {
            return waiter;
        }
    }
    return WEIR_CONTAINER(decoders->waiting.next, struct waiter, node);
}

static struct decoder *take(struct decoders *decoders, const struct weir_id *tenant_id,
                            const struct weir_id *camera_id, int64_t deadline_mono_ms)
{
    struct waiter self = {.camera_id = *camera_id};
    struct decoder *decoder = NULL;
    bool is_in_time = true;
    pthread_mutex_lock(&decoders->mutex);
    weir_list_push_back(&decoders->waiting, &self.node);
    while (is_in_time && !decoder) {
        if (next_of(decoders) == &self && !(decoder = find_parked(decoders, camera_id))) {
            decoder = find_any(decoders, tenant_id);
        }
        if (!decoder) {
            wake_one(decoders, n_waiting(decoders));
        }
        is_in_time =
            decoder || weir_clock_wait(&decoders->freed, &decoders->mutex, deadline_mono_ms);
    }
    weir_list_remove(&self.node);
    if (decoder) {
        decoder->state = DECODER_TAKEN;
        decoder->camera_id = *camera_id;
        decoder->tenant_id = *tenant_id;
    }
    pthread_cond_broadcast(&decoders->freed); /* another one is next */
    pthread_mutex_unlock(&decoders->mutex);
    return decoder;
}

/* Under the mutex. One that rests is there when a snapshot wants it. */
static bool can_spare(const struct decoders *decoders)
{
    size_t n_free = 0;
    size_t n_resting = 0;
    for (size_t i = 0; i < decoders->n; i++) {
        n_free += decoders->all[i].state == DECODER_FREE;
        n_resting += decoders->all[i].state == DECODER_RESTS;
    }
    return weir_list_is_empty(&decoders->waiting) && n_free > 0 &&
           (n_free + n_resting > 1 || decoders->n == 1);
}

bool decoders_can_spare(struct decoders *decoders)
{
    pthread_mutex_lock(&decoders->mutex);
    bool is_so = can_spare(decoders);
    pthread_mutex_unlock(&decoders->mutex);
    return is_so;
}

static struct decoder *take_spare(struct decoders *decoders, const struct weir_id *tenant_id)
{
    pthread_mutex_lock(&decoders->mutex);
    struct decoder *decoder = can_spare(decoders) ? find_free(decoders, NULL, 0) : NULL;
    if (decoder) {
        decoder->state = DECODER_TAKEN;
        decoder->camera_id = (struct weir_id){0}; /* in no camera's share */
        decoder->tenant_id = *tenant_id;
    }
    pthread_mutex_unlock(&decoders->mutex);
    return decoder;
}

static void give(struct decoders *decoders, struct decoder *decoder, bool is_good)
{
    pthread_mutex_lock(&decoders->mutex);
    bool is_fresh = is_good && !decoder->is_dead && ++decoder->n_made < DECODERS_LIFE;
    decoder->used_mono_ms = weir_clock_mono_ms();
    decoder->state = is_fresh ? DECODER_FREE : DECODER_BROKEN;
    pthread_cond_broadcast(&decoders->freed);
    pthread_mutex_unlock(&decoders->mutex);
    if (!is_fresh) {
        weir_loop_post(decoders->loop, tend, decoders);
    }
}

/* While it is taken. A question that asks for no parking leaves what is parked there. */
static void note_parked(struct decoders *decoders, struct decoder *decoder,
                        const struct weir_decode_ask *ask, const struct weir_decode_answer *answer)
{
    pthread_mutex_lock(&decoders->mutex);
    if (ask->park_ms > 0) {
        decoder->parked_id = decoder->camera_id;
        decoder->parked_until_ms = answer->is_parked != 0 ? weir_clock_mono_ms() + ask->park_ms : 0;
    }
    pthread_mutex_unlock(&decoders->mutex);
}

static bool is_sane(const struct weir_decode_answer *answer)
{
    return answer->magic == WEIR_DECODE_MAGIC && answer->status <= WEIR_DECODE_FAILED &&
           answer->bytes <= WEIR_STILL_IMAGE_MAX &&
           (answer->status == WEIR_DECODE_OK) == (answer->bytes > 0);
}

static int64_t most_ms(const struct weir_decode_ask *ask)
{
    int64_t ms = DECODERS_HANG_MS + (int64_t)ask->n_units * DECODERS_UNIT_MS;
    return ms < DECODERS_MOST_MS ? ms : DECODERS_MOST_MS;
}

static bool talk(int fd, const struct weir_decode_ask *ask, const uint8_t *clip,
                 int64_t deadline_ms, struct weir_decode_answer *answer, uint8_t **ret_image)
{
    if (!wire_write(fd, ask, sizeof(*ask), deadline_ms) ||
        !wire_write(fd, clip, ask->bytes, deadline_ms) ||
        !wire_read(fd, answer, sizeof(*answer), deadline_ms) || !is_sane(answer)) {
        return false;
    }
    *ret_image = answer->bytes > 0 ? malloc(answer->bytes) : NULL;
    if (answer->bytes > 0 &&
        (!*ret_image || !wire_read(fd, *ret_image, answer->bytes, deadline_ms))) {
        free(*ret_image);
        *ret_image = NULL;
        return false;
    }
    return true;
}

/* `decoder` NULL: there was none. */
static enum weir_code make(struct decoders *decoders, struct decoder *decoder,
                           const struct weir_decode_ask *ask, const uint8_t *clip,
                           struct weir_decode_answer *ret_answer, uint8_t **ret_image,
                           struct weir_err *err)
{
    *ret_image = NULL;
    if (!decoder) {
        return weir_fail(err, WEIR_EUNAVAILABLE, "every decoder is busy");
    }
    int64_t deadline_ms = weir_clock_mono_ms() + most_ms(ask);
    bool is_good = talk(decoder->process.channel_fd, ask, clip, deadline_ms, ret_answer, ret_image);
    bool is_late = !is_good && weir_clock_mono_ms() >= deadline_ms;
    if (is_good) {
        note_parked(decoders, decoder, ask, ret_answer);
    }
    give(decoders, decoder, is_good);
    return is_good   ? WEIR_OK
           : is_late ? weir_fail(err, WEIR_ETIMEOUT, "the decoder takes too long over it")
                     : weir_fail(err, WEIR_EIO, "the decoder broke over it");
}

enum weir_code decoders_make(struct decoders *decoders, const struct weir_id *tenant_id,
                             const struct weir_id *camera_id, const struct weir_decode_ask *ask,
                             const uint8_t *clip, int64_t deadline_mono_ms,
                             struct weir_decode_answer *ret_answer, uint8_t **ret_image,
                             struct weir_err *err)
{
    struct decoder *decoder = take(decoders, tenant_id, camera_id, deadline_mono_ms);
    return make(decoders, decoder, ask, clip, ret_answer, ret_image, err);
}

enum weir_code decoders_make_spare(struct decoders *decoders, const struct weir_id *tenant_id,
                                   const struct weir_decode_ask *ask, const uint8_t *clip,
                                   struct weir_decode_answer *ret_answer, uint8_t **ret_image,
                                   struct weir_err *err)
{
    return make(decoders, take_spare(decoders, tenant_id), ask, clip, ret_answer, ret_image, err);
}

size_t decoders_up(struct decoders *decoders)
{
    size_t n = 0;
    pthread_mutex_lock(&decoders->mutex);
    for (size_t i = 0; i < decoders->n; i++) {
        n += decoders->all[i].state == DECODER_FREE || decoders->all[i].state == DECODER_TAKEN ? 1
                                                                                               : 0;
    }
    pthread_mutex_unlock(&decoders->mutex);
    return n;
}

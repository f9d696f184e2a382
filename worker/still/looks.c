/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/looks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "worker/still/clip.h"
#include "worker/still/scene.h"

#define SWEEP_MS 60000

/* A camera; the thread's. */
struct subject {
    struct scene scene;
    bool has_luma;
    int64_t ts; /* of the keyframe that `luma` is */
    int64_t looked_ms;
    int64_t broken_until_ms;
    uint8_t luma[WEIR_LUMA_BYTES];
};

struct looks {
    struct looks_config config;
    pthread_t thread;
    struct weir_map *subjects; /* by camera_id; the thread's */
    int64_t swept_ms;          /* the thread's */
    _Atomic int64_t looked;
    _Atomic int64_t failed;

    pthread_mutex_t mutex;
    pthread_cond_t asked;
    bool is_ending;
    struct weir_ctl_still_look queue[LOOKS_QUEUE_MAX];
    size_t head; /* queue[head % MAX] is next; head == tail: none */
    size_t tail;
    struct weir_ctl_still_scene told[LOOKS_QUEUE_MAX];
    size_t n_told;
};

/* ---- on the loop ---- */

static void deliver(void *ctx)
{
    struct looks *looks = ctx;
    pthread_mutex_lock(&looks->mutex);
    while (looks->n_told > 0) {
        struct weir_ctl_still_scene scene = looks->told[--looks->n_told];
        pthread_mutex_unlock(&looks->mutex);
        looks->config.tell(looks->config.ctx, &scene);
        pthread_mutex_lock(&looks->mutex);
    }
    pthread_mutex_unlock(&looks->mutex);
}

void looks_ask(struct looks *looks, const struct weir_ctl_still_look *ask)
{
    pthread_mutex_lock(&looks->mutex);
    if (looks->tail - looks->head < LOOKS_QUEUE_MAX) {
        looks->queue[looks->tail++ % LOOKS_QUEUE_MAX] = *ask;
        pthread_cond_signal(&looks->asked);
    }
    pthread_mutex_unlock(&looks->mutex);
}

/* ---- in the thread ---- */

/* Those that nobody asked about for long go. */
static void sweep(struct looks *looks, int64_t now_ms)
{
    const void *key;
    void *value;
    if (now_ms - looks->swept_ms < SWEEP_MS) {
        return;
    }
    looks->swept_ms = now_ms;
    for (size_t at = 0; weir_map_next(looks->subjects, &at, &key, &value);) {
        struct subject *subject = value;
        if (now_ms - subject->looked_ms > SCENE_STALE_MS && now_ms > subject->broken_until_ms) {
            weir_map_remove(looks->subjects, key);
            free(subject);
        }
    }
}

/* NULL: there are too many. */
static struct subject *subject_of(struct looks *looks, const struct weir_ctl_still_look *question,
                                  int64_t now_ms)
{
    const struct weir_id *camera_id = &question->camera_id;
    struct subject *subject = weir_map_find(looks->subjects, camera_id->b);
    if (!subject && weir_map_count(looks->subjects) < LOOKS_CAMERAS_MAX) {
        subject = weir_xalloc(sizeof(*subject));
        subject->looked_ms = now_ms;
        if (question->has_faults && question->has_noise) {
            scene_resume(&subject->scene, (unsigned)question->faults, question->noise);
        }
        weir_map_put(looks->subjects, camera_id->b, subject);
    }
    return subject;
}

/* The picture of the clip, malloced; NULL when it does not come out whole. */
static uint8_t *decode(struct looks *looks, const struct weir_id *tenant_id,
                       struct subject *subject, struct still_clip *clip)
{
    struct weir_decode_ask ask = {.magic = WEIR_DECODE_MAGIC,
                                  .codec = (uint32_t)clip->found.codec,
                                  .format = WEIR_STILL_LUMA,
                                  .quality = 1,
                                  .bytes = (uint32_t)clip->found.bytes,
                                  .ts = clip->found.ts,
                                  .n_units = (uint32_t)clip->found.n_units};
    struct weir_decode_answer is = {0};
    uint8_t *image = NULL;
    uint8_t *bytes WEIR_CLEANUP(weir_freep) = still_clip_read(clip);
    if (!bytes) {
        return NULL;
    }
    enum weir_code code =
        decoders_make_spare(looks->config.decoders, tenant_id, &ask, bytes, &is, &image, NULL);
    if (code == WEIR_EIO || code == WEIR_ETIMEOUT) {
        subject->broken_until_ms = weir_clock_mono_ms() + LOOKS_BROKEN_MS;
    }
    bool is_whole = code == WEIR_OK && is.status == WEIR_DECODE_OK && !is.is_damaged &&
                    is.bytes == WEIR_LUMA_BYTES;
    if (!is_whole) {
        free(image);
        image = NULL;
    }
    return image;
}

static void tell(struct looks *looks, const struct weir_id *camera_id, const struct scene *scene)
{
    pthread_mutex_lock(&looks->mutex);
    if (looks->n_told < LOOKS_QUEUE_MAX) {
        looks->told[looks->n_told++] = (struct weir_ctl_still_scene){
            .camera_id = *camera_id,
            .faults = scene->faults,
            .has_noise = true,
            .noise = scene_noise(scene, weir_clock_mono_ms()),
            .has_again_ms = scene_is_pressing(scene),
            .again_ms = SCENE_SOON_MS,
        };
    }
    pthread_mutex_unlock(&looks->mutex);
    weir_loop_post(looks->config.loop, deliver, looks);
}

static void judge(struct looks *looks, const struct weir_ctl_still_look *question,
                  struct subject *subject, const uint8_t *luma, int64_t ts)
{
    struct scene_look look;
    int64_t now_ms = weir_clock_mono_ms();
    bool has_before = subject->has_luma && now_ms - subject->looked_ms <= SCENE_STALE_MS;
    scene_look(luma, has_before ? subject->luma : NULL, &look);
    scene_judge(&subject->scene, &look, now_ms);
    memcpy(subject->luma, luma, WEIR_LUMA_BYTES);
    subject->has_luma = true;
    subject->ts = ts;
    subject->looked_ms = now_ms;
    tell(looks, &question->camera_id, &subject->scene);
}

/* False: it was none. */
static bool look_at(struct looks *looks, const struct weir_ctl_still_look *question,
                    struct subject *subject)
{
    struct still_clip clip;
    struct weir_ctl_clip_ask ask = {.tenant_id = question->tenant_id,
                                    .camera_id = question->camera_id,
                                    .mode = WEIR_CTL_CLIP_ASK_MODE_KEYFRAME,
                                    .at_us = weir_clock_wall_us()};
    uint8_t *luma WEIR_CLEANUP(weir_freep) = NULL;
    bool is_found = still_clip_open(looks->config.clip_socket, &ask, &clip, NULL) == WEIR_OK &&
                    clip.found.status == WEIR_CTL_CLIP_ANSWER_STATUS_OK;
    bool is_old = is_found && subject->has_luma && subject->ts == clip.found.ts;
    bool has_hole = is_found && clip.found.has_lost && clip.found.lost;
    if (is_found && !is_old && !has_hole) {
        luma = decode(looks, &question->tenant_id, subject, &clip);
    }
    if (luma) {
        judge(looks, question, subject, luma, clip.found.ts);
    } else if (is_old) {
        tell(looks, &question->camera_id, &subject->scene); /* what was suspected still is */
    }
    still_clip_close(&clip);
    return luma || is_old;
}

static void take(struct looks *looks, const struct weir_ctl_still_look *question)
{
    int64_t now_ms = weir_clock_mono_ms();
    sweep(looks, now_ms);
    struct subject *subject = subject_of(looks, question, now_ms);
    bool is_seen = subject && now_ms >= subject->broken_until_ms &&
                   decoders_can_spare(looks->config.decoders) && look_at(looks, question, subject);
    atomic_fetch_add(is_seen ? &looks->looked : &looks->failed, 1);
}

static void *run(void *ctx)
{
    struct looks *looks = ctx;
    pthread_mutex_lock(&looks->mutex);
    while (!looks->is_ending) {
        if (looks->head == looks->tail) {
            pthread_cond_wait(&looks->asked, &looks->mutex);
            continue;
        }
        struct weir_ctl_still_look question = looks->queue[looks->head++ % LOOKS_QUEUE_MAX];
        pthread_mutex_unlock(&looks->mutex);
        take(looks, &question);
        pthread_mutex_lock(&looks->mutex);
    }
    pthread_mutex_unlock(&looks->mutex);
    return NULL;
}

/* ---- begin and end ---- */

struct looks *looks_new(const struct looks_config *config)
{
    struct looks *looks = weir_xalloc(sizeof(*looks));
    looks->config = *config;
    looks->subjects = weir_map_new(sizeof(struct weir_id));
    pthread_mutex_init(&looks->mutex, NULL);
    pthread_cond_init(&looks->asked, NULL);
    if (pthread_create(&looks->thread, NULL, run, looks) != 0) {
        abort(); /* as without memory */
    }
    return looks;
}

void looks_free(struct looks **ptr)
{
    struct looks *looks = WEIR_TAKE(*ptr);
    void *subject;
    if (!looks) {
        return;
    }
    pthread_mutex_lock(&looks->mutex);
    looks->is_ending = true;
    pthread_cond_signal(&looks->asked);
    pthread_mutex_unlock(&looks->mutex);
    pthread_join(looks->thread, NULL);
    weir_loop_unpost(looks->config.loop, deliver, looks);
    for (size_t at = 0; weir_map_next(looks->subjects, &at, NULL, &subject);) {
        free(subject);
    }
    weir_map_free(looks->subjects);
    pthread_cond_destroy(&looks->asked);
    pthread_mutex_destroy(&looks->mutex);
    free(looks);
}

struct looks_counts looks_counts(struct looks *looks)
{
    return (struct looks_counts){.looked = atomic_load(&looks->looked),
                                 .failed = atomic_load(&looks->failed)};
}

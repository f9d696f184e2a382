/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/others.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/domain/other_source.h"
#include "worker/tap/camera.h"

#define LINGER_MS   10000  /* it is read so long after the last use */
#define SEE_MS      15000  /* it is measured by then, or is no use */
#define BROKEN_MS   60000  /* it is not tried again before */
#define YOUNG_MS    2000   /* after the first measurement */
#define REMEMBER_MS 600000 /* what it was when it was last measured */

struct other {
    struct tap_others *others;
    int source;
    struct weir_ctl_tap_camera_others spec;
    struct tap_camera *camera; /* NULL: it is not read */
    int n_users;
    int64_t began_ms;        /* to be read, monotonic */
    int64_t left_ms;         /* by the last user */
    int64_t broken_until_ms; /* 0: it is not */
    int64_t broken_ms;       /* since then */
    bool is_seen;            /* measured since it began */
    int64_t seen_ms;         /* first */
    struct tap_facts facts;  /* as last measured */
    int64_t facts_until_ms;  /* they are believed until then; 0: there are none */
};

struct tap_others {
    const struct tap_shared *shared;
    const struct tap_others_calls *calls;
    void *ctx;
    bool is_fenced;
    struct weir_ctl_tap_camera base; /* what they have in common; no credentials */
    struct other other[TAP_OTHERS_MAX];
    size_t n;
};

static struct other *find(struct tap_others *others, int source)
{
    return &others->other[source - 1];
}

static void stop(struct other *other)
{
    tap_camera_free(&other->camera);
    other->is_seen = false;
}

static void forget_all(struct tap_others *others)
{
    for (size_t i = 0; i < others->n; i++)
        stop(&others->other[i]);
    explicit_bzero(others->other, sizeof(others->other));
    others->n = 0;
}

struct tap_others *tap_others_new(const struct tap_shared *shared,
                                  const struct tap_others_calls *calls, void *ctx)
{
    struct tap_others *others = weir_xalloc(sizeof(*others));
    others->shared = shared;
    others->calls = calls;
    others->ctx = ctx;
    return others;
}

void tap_others_free(struct tap_others **ptr)
{
    struct tap_others *others = *ptr;
    if (others == NULL)
        return;
    *ptr = NULL;
    forget_all(others);
    free(others);
}

/* ---- what there is ---- */

static bool is_same_base(const struct weir_ctl_tap_camera *a, const struct weir_ctl_tap_camera *b)
{
    return a->ring_ms == b->ring_ms && a->ring_bytes == b->ring_bytes &&
           a->allow_local == b->allow_local && a->exclusive == b->exclusive &&
           (a->has_audio && a->audio) == (b->has_audio && b->audio) &&
           strcmp(a->networks, b->networks) == 0 && weir_id_equal(&a->tenant_id, &b->tenant_id);
}

bool tap_others_are_same(const struct tap_others *others, const struct weir_ctl_tap_camera *spec)
{
    bool is_all =
        others->n == spec->n_others && (others->n == 0 || is_same_base(&others->base, spec));
    for (size_t i = 0; i < others->n && is_all; i++)
        is_all = weir_other_source_is_same(&others->other[i].spec, &spec->others[i]);
    return is_all;
}

/* As a camera of its own; its credentials are to be wiped. */
static struct weir_ctl_tap_camera spec_of(const struct other *other)
{
    const struct weir_ctl_tap_camera_others *from = &other->spec;
    struct weir_ctl_tap_camera spec = other->others->base;
    memcpy(spec.url, from->url, sizeof(spec.url));
    spec.has_username = from->has_username;
    memcpy(spec.username, from->username, sizeof(spec.username));
    spec.has_password = from->has_password;
    memcpy(spec.password, from->password, sizeof(spec.password));
    spec.has_tls_pin_sha256 = from->has_tls_pin_sha256;
    memcpy(spec.tls_pin_sha256, from->tls_pin_sha256, sizeof(spec.tls_pin_sha256));
    spec.transport = from->transport;
    return spec;
}

/* Nothing is read anew for that. */
static void set_delay(struct tap_others *others, const struct weir_ctl_tap_camera *from)
{
    others->base.has_encoder_delay_ms = from->has_encoder_delay_ms;
    others->base.encoder_delay_ms = from->encoder_delay_ms;
    for (size_t i = 0; i < others->n; i++) {
        const struct other *other = &others->other[i];
        if (other->camera == NULL)
            continue;
        struct weir_ctl_tap_camera spec = spec_of(other);
        tap_camera_change(other->camera, &spec);
        explicit_bzero(&spec, sizeof(spec));
    }
}

void tap_others_set(struct tap_others *others, const struct weir_ctl_tap_camera *spec,
                    bool is_fenced)
{
    others->is_fenced = is_fenced;
    if (tap_others_are_same(others, spec)) {
        set_delay(others, spec);
        return;
    }
    forget_all(others);
    others->base = *spec;
    others->base.others = NULL;
    others->base.n_others = 0;
    others->base.has_username = others->base.has_password = false;
    others->base.has_tls_pin_sha256 = false;
    explicit_bzero(others->base.username, sizeof(others->base.username));
    explicit_bzero(others->base.password, sizeof(others->base.password));
    others->n = spec->n_others < TAP_OTHERS_MAX ? spec->n_others : TAP_OTHERS_MAX;
    for (size_t i = 0; i < others->n; i++)
        others->other[i] =
            (struct other){.others = others, .source = (int)i + 1, .spec = spec->others[i]};
}

void tap_others_fence(struct tap_others *others, bool is_fenced)
{
    others->is_fenced = is_fenced;
    for (size_t i = 0; i < others->n; i++) {
        if (others->other[i].camera != NULL)
            tap_camera_fence(others->other[i].camera, is_fenced);
    }
}

/* ---- reading ---- */

static void on_wake(void *ctx)
{
    const struct other *other = ctx;
    other->others->calls->wake(other->others->ctx, other->source);
}

static void on_restart(void *ctx)
{
    struct other *other = ctx;
    other->is_seen = false;
    other->facts_until_ms = 0;
    other->began_ms = weir_clock_mono_ms();
    other->others->calls->restart(other->others->ctx, other->source);
}

/* As it is, or still is. */
static void mark_broken(struct other *other, int64_t now_ms)
{
    if (now_ms >= other->broken_until_ms)
        other->broken_ms = now_ms;
    other->broken_until_ms = now_ms + BROKEN_MS;
}

static void start(struct other *other)
{
    const struct tap_others *others = other->others;
    const struct weir_ctl_tap_camera_others *from = &other->spec;
    struct tap_camera_role role = {
        .name = from->name, .wake = on_wake, .restart = on_restart, .ctx = other};
    other->began_ms = weir_clock_mono_ms();
    if (tap_reader_count() >= others->shared->readers_max) {
        mark_broken(other, other->began_ms);
        weir_log(WEIR_LOG_WARN, "camera: a further source is one too many to be read", "camera_id",
                 WEIR_ID_TEXT(&others->base.camera_id), "source", from->name, NULL);
        return;
    }
    struct weir_ctl_tap_camera spec = spec_of(other);
    other->camera = tap_camera_new(others->shared, &spec, others->is_fenced, &role);
    explicit_bzero(&spec, sizeof(spec));
}

void tap_others_use(struct tap_others *others, int source)
{
    struct other *other = find(others, source);
    other->n_users++;
    if (other->camera == NULL)
        start(other);
    else if (!other->is_seen)
        other->began_ms = weir_clock_mono_ms();
}

void tap_others_leave(struct tap_others *others, int source)
{
    struct other *other = find(others, source);
    if (--other->n_users == 0)
        other->left_ms = weir_clock_mono_ms();
}

const struct tap_ring *tap_others_ring(const struct tap_others *others, int source)
{
    return tap_camera_ring(others->other[source - 1].camera);
}

const struct tap_format *tap_others_format(const struct tap_others *others, int source)
{
    return tap_camera_format(others->other[source - 1].camera);
}

/* ---- what is known ---- */

/* What was declared; what was not speaks against nothing. */
static struct tap_facts declared(const struct weir_ctl_tap_camera_others *spec)
{
    bool is_h265 = spec->has_codec && spec->codec == WEIR_CTL_TAP_CAMERA_OTHERS_CODEC_H265;
    bool has_size = spec->has_width && spec->has_height;
    return (struct tap_facts){.codec = is_h265 ? TAP_CODEC_H265 : TAP_CODEC_H264,
                              .width = has_size ? (int)spec->width : 0,
                              .height = has_size ? (int)spec->height : 0,
                              .fps_milli = spec->has_fps ? spec->fps * 1000 : 0};
}

static void measure(struct other *other, int64_t now_ms)
{
    struct tap_facts facts;
    if (other->camera == NULL || !tap_camera_is_up(other->camera))
        return;
    tap_facts_measure(tap_camera_ring(other->camera), tap_camera_format(other->camera), &facts);
    if (!tap_facts_are_known(&facts))
        return;
    if (!other->is_seen)
        other->seen_ms = now_ms;
    other->is_seen = true;
    other->facts = facts;
    other->facts_until_ms = now_ms + REMEMBER_MS;
}

size_t tap_others_offers(struct tap_others *others, struct tap_offer ret[static TAP_OTHERS_MAX])
{
    int64_t now_ms = weir_clock_mono_ms();
    for (size_t i = 0; i < others->n; i++) {
        struct other *other = &others->other[i];
        measure(other, now_ms);
        bool has_facts = now_ms < other->facts_until_ms;
        ret[i] = (struct tap_offer){.name = other->spec.name,
                                    .state = other->is_seen ? TAP_OFFER_KNOWN : TAP_OFFER_UNKNOWN,
                                    .is_young = now_ms - other->seen_ms < YOUNG_MS,
                                    .facts = has_facts ? other->facts : declared(&other->spec)};
        if (now_ms < other->broken_until_ms)
            ret[i].state = TAP_OFFER_BROKEN;
    }
    return others->n;
}

/* ---- now and then ---- */

/* It is read in vain. */
static bool is_broken(const struct other *other, int64_t now_ms)
{
    if (other->camera == NULL)
        return now_ms < other->broken_until_ms;
    return tap_camera_is_lost(other->camera, now_ms) ||
           (!other->is_seen && now_ms - other->began_ms >= SEE_MS);
}

static void tick(struct other *other, int64_t now_ms)
{
    struct tap_others *others = other->others;
    if (other->camera != NULL)
        tap_camera_judge(other->camera); /* its news come with the next statistics */
    if (other->n_users > 0 && !other->is_seen)
        measure(other, now_ms);
    if (other->n_users > 0 && is_broken(other, now_ms)) {
        mark_broken(other, now_ms);
        others->calls->broken(others->ctx, other->source);
    }
    if (other->n_users == 0 && other->camera != NULL && now_ms - other->left_ms >= LINGER_MS)
        stop(other);
}

void tap_others_tick(struct tap_others *others)
{
    int64_t now_ms = weir_clock_mono_ms();
    for (size_t i = 0; i < others->n; i++)
        tick(&others->other[i], now_ms);
}

size_t tap_others_bytes(const struct tap_others *others)
{
    size_t bytes = 0;
    for (size_t i = 0; i < others->n; i++) {
        const struct tap_camera *camera = others->other[i].camera;
        bytes += camera != NULL ? tap_camera_ring(camera)->bytes : 0;
    }
    return bytes;
}

void tap_others_shrink(struct tap_others *others)
{
    struct tap_camera *largest = NULL;
    for (size_t i = 0; i < others->n; i++) {
        struct tap_camera *camera = others->other[i].camera;
        if (camera != NULL &&
            (largest == NULL || tap_camera_ring(camera)->bytes > tap_camera_ring(largest)->bytes))
            largest = camera;
    }
    if (largest != NULL)
        tap_camera_shrink(largest);
}

void tap_others_look(struct tap_others *others, struct tap_cost_all *all)
{
    for (size_t i = 0; i < others->n; i++) {
        if (others->other[i].camera != NULL)
            tap_camera_look(others->other[i].camera, all);
    }
}

void tap_others_share(struct tap_others *others, const struct tap_cost_all *all, int64_t now_us)
{
    for (size_t i = 0; i < others->n; i++) {
        if (others->other[i].camera != NULL)
            tap_camera_share(others->other[i].camera, all, now_us);
    }
}

/* False: there is nothing to tell. */
static bool tell(const struct other *other, int64_t now_ms, struct weir_ctl_tap_stats_cameras *ret)
{
    bool is_told = now_ms < other->broken_until_ms;
    if (other->camera == NULL && !is_told)
        return false;
    *ret = (struct weir_ctl_tap_stats_cameras){.camera_id = other->others->base.camera_id,
                                               .has_source = true,
                                               .has_health = true,
                                               .health = WEIR_PICTURE_HEALTH_DOWN,
                                               .has_faults = true,
                                               .has_health_ms = true,
                                               .clock = WEIR_CTL_TAP_STATS_CAMERAS_CLOCK_ARRIVAL};
    WEIR_STR_SET(ret->source, other->spec.name);
    if (other->camera != NULL)
        tap_camera_stats(other->camera, ret);
    if (is_told) {
        ret->faults |= 1U << WEIR_FAULT_OTHER_SOURCE;
        ret->health_ms = now_ms - other->broken_ms;
    }
    return true;
}

size_t tap_others_stats(const struct tap_others *others,
                        struct weir_ctl_tap_stats_cameras ret[static TAP_OTHERS_MAX])
{
    size_t n = 0;
    int64_t now_ms = weir_clock_mono_ms();
    for (size_t i = 0; i < others->n; i++)
        n += tell(&others->other[i], now_ms, &ret[n]);
    return n;
}

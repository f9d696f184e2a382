/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/outputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "worker/tap/follower.h"
#include "worker/tap/rendition.h"
#include "worker/tap/report.h"
#include "worker/tap/used.h"

struct tap_outputs {
    struct tap_outputs_from from;
    struct weir_list followers;
    struct weir_list renditions;
    uint32_t next_number;
    struct tap_xcode *xcode; /* NULL: nothing is transcoded */
    struct tap_used used;
    bool is_judged; /* whether the camera's own stream can be published, as far as known */
};

/* ---- publishers ---- */

static bool is_own(const struct tap_rendition *rendition)
{
    return tap_rendition_is_own(rendition);
}

static int source_of(const struct tap_rendition *rendition)
{
    return rendition != NULL ? rendition->source : TAP_PICK_MAIN;
}

/* What it is made of. */
static const struct tap_ring *ring_of(const struct tap_outputs *outputs,
                                      const struct tap_rendition *rendition)
{
    int source = source_of(rendition);
    return source == TAP_PICK_MAIN ? outputs->from.ring
                                   : tap_others_ring(outputs->from.others, source);
}

static const struct tap_format *format_of(const struct tap_outputs *outputs,
                                          const struct tap_rendition *rendition)
{
    int source = source_of(rendition);
    return source == TAP_PICK_MAIN ? outputs->from.format
                                   : tap_others_format(outputs->from.others, source);
}

static bool is_transcode(const struct tap_rendition *rendition)
{
    return rendition != NULL && rendition->is_chosen &&
           rendition->choice.how == WEIR_RENDITION_HOW_TRANSCODE;
}

static struct tap_follower *find_follower(const struct tap_outputs *outputs,
                                          const struct tap_publisher *publisher)
{
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->publisher == publisher)
            return follower;
    }
    return NULL;
}

static void report_live(const struct tap_outputs *outputs, struct tap_follower *follower)
{
    const struct tap_rendition *rendition = follower->rendition;
    bool is_made = is_transcode(rendition) && outputs->xcode != NULL;
    struct weir_effective effective;
    tap_follower_describe(follower, ring_of(outputs, rendition), format_of(outputs, rendition),
                          is_made ? tap_xcode_why(outputs->xcode) : NULL, &effective);
    tap_report_stream(outputs->from.control, &follower->spec, TAP_PUBLISHER_LIVE,
                      WEIR_REASON_started, "", &effective);
}

static void on_publisher_state(void *ctx, struct tap_publisher *publisher,
                               enum tap_publisher_state state, enum weir_reason reason,
                               const char *detail)
{
    const struct tap_outputs *outputs = ctx;
    const struct weir_ctl_tap_publish *spec = tap_publisher_spec(publisher);
    struct tap_follower *follower = find_follower(outputs, publisher);
    bool is_live = state == TAP_PUBLISHER_LIVE && follower != NULL;
    if (follower != NULL)
        follower->is_live = is_live;
    if (is_live)
        report_live(outputs, follower);
    else
        tap_report_stream(outputs->from.control, spec, state, reason, detail, NULL);
    if (state == TAP_PUBLISHER_CONNECTING)
        return;
    weir_log(is_live ? WEIR_LOG_INFO : WEIR_LOG_WARN,
             is_live ? "stream: publishing" : "stream: publishing failed", "stream_id",
             WEIR_ID_TEXT(&spec->stream_id), "reason", weir_reason_name(reason), "detail", detail,
             NULL);
}

static void report_trouble(const struct tap_outputs *outputs, const struct tap_follower *follower)
{
    tap_report_stream(outputs->from.control, &follower->spec, TAP_PUBLISHER_FAILED,
                      WEIR_REASON_transcode_failed, follower->rendition->trouble, NULL);
}

static void start_publisher(struct tap_outputs *outputs, struct tap_follower *follower)
{
    const struct tap_rendition *rendition = follower->rendition;
    if (rendition != NULL && rendition->trouble[0] != '\0')
        report_trouble(outputs, follower);
    if (rendition != NULL && !rendition->is_chosen)
        return;
    follower->publisher =
        tap_publisher_new(outputs->from.loop, &follower->spec,
                          is_own(rendition) ? &rendition->ring : ring_of(outputs, rendition),
                          is_own(rendition) ? &rendition->format : format_of(outputs, rendition),
                          on_publisher_state, outputs);
}

/* Wakes or restarts those that follow what is made as `rendition`. */
static void tell_publishers(struct tap_outputs *outputs, const struct tap_rendition *rendition,
                            void (*tell)(struct tap_publisher *publisher))
{
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->rendition == rendition && follower->publisher != NULL)
            tell(follower->publisher);
    }
}

/* Wakes those that follow a source as it is. */
static void wake_publishers(struct tap_outputs *outputs, int source)
{
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->publisher != NULL && !is_own(follower->rendition) &&
            source_of(follower->rendition) == source)
            tap_publisher_wake(follower->publisher);
    }
}

/* To all that wait for it. */
static void tell_trouble(const struct tap_outputs *outputs, const struct tap_rendition *rendition)
{
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        const struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->rendition == rendition)
            report_trouble(outputs, follower);
    }
    weir_log(WEIR_LOG_WARN, "xcode: nothing comes of a rendition", "why", rendition->trouble, NULL);
}

/* ---- what is made ---- */

static void on_encoded(void *ctx, uint32_t number, int64_t ts, bool is_key, const uint8_t *bytes,
                       size_t len)
{
    struct tap_outputs *outputs = ctx;
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        if (rendition->number != number)
            continue;
        bool is_other = tap_rendition_take(rendition, outputs->from.ring, ts, is_key, bytes, len);
        tell_publishers(outputs, rendition, is_other ? tap_publisher_restart : tap_publisher_wake);
        return;
    }
}

static void on_barren(void *ctx, uint32_t number)
{
    struct tap_outputs *outputs = ctx;
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        if (rendition->number != number)
            continue;
        tap_rendition_fail(rendition, outputs->from.format);
        tell_trouble(outputs, rendition);
        return;
    }
}

/* Who plays already keeps his session, and goes on when the process is back. */
static void on_broke(void *ctx, const char *why)
{
    struct tap_outputs *outputs = ctx;
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        const struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        const struct tap_rendition *rendition = follower->rendition;
        if (is_own(rendition) && rendition->choice.how == WEIR_RENDITION_HOW_TRANSCODE &&
            tap_ring_is_empty(&rendition->ring))
            tap_report_stream(outputs->from.control, &follower->spec, TAP_PUBLISHER_FAILED,
                              WEIR_REASON_transcode_failed, why, NULL);
    }
}

/* They are made otherwise than was told. */
static void tell_transcodes(void *ctx)
{
    struct tap_outputs *outputs = ctx;
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->is_live && is_transcode(follower->rendition))
            report_live(outputs, follower);
    }
}

/* It is made otherwise than was told. */
static void tell_followers(struct tap_outputs *outputs, const struct tap_rendition *rendition)
{
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->rendition == rendition && follower->is_live)
            report_live(outputs, follower);
    }
}

/* The players of all that was made of it notice another picture at most. */
static void on_fell_back(void *ctx, uint32_t number, enum weir_xcode_fault fault)
{
    struct tap_outputs *outputs = ctx;
    struct tap_rendition *rendition = NULL;
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (!is_transcode(follower->rendition) || follower->rendition->number != number)
            continue;
        if (rendition == NULL)
            tap_report_encoder_failed(
                outputs->from.control, &follower->spec.camera_id,
                tap_encoders_fail(outputs->from.encoders, follower->rendition),
                tap_encoders_fault_text(fault));
        rendition = follower->rendition;
        if (follower->is_live)
            report_live(outputs, follower);
    }
}

static const struct tap_xcode_calls xcode_calls = {.unit = on_encoded,
                                                   .barren = on_barren,
                                                   .broke = on_broke,
                                                   .turned = tell_transcodes,
                                                   .fell_back = on_fell_back};

static void begin(struct tap_outputs *outputs, struct tap_rendition *rendition,
                  const struct tap_facts *main)
{
    if (rendition->choice.how == WEIR_RENDITION_HOW_TRANSCODE) {
        if (outputs->xcode == NULL)
            outputs->xcode =
                tap_xcode_new(outputs->from.loop, outputs->from.dying, outputs->from.engines,
                              outputs->from.ring, outputs->from.format, &xcode_calls, outputs);
        tap_encoders_assign(outputs->from.encoders, tap_xcode_engine(outputs->xcode), main->width,
                            main->height, rendition);
        struct weir_xcode_rendition spec = tap_rendition_spec(rendition);
        tap_xcode_set(outputs->xcode, rendition->number, &spec);
    }
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->rendition == rendition && follower->publisher == NULL)
            start_publisher(outputs, follower);
    }
}

static bool has_transcodes(const struct tap_outputs *outputs)
{
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        const struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        if (is_transcode(rendition))
            return true;
    }
    return false;
}

/* It is, or may become, made of this source. */
static void claim(struct tap_outputs *outputs, struct tap_rendition *rendition, int source)
{
    int before = rendition->source;
    if (before == source)
        return;
    rendition->source = source;
    if (source != TAP_PICK_MAIN)
        tap_others_use(outputs->from.others, source);
    if (before != TAP_PICK_MAIN)
        tap_others_leave(outputs->from.others, before);
}

/* Chooses for those for which that was not done yet, once enough is known. */
static void choose(struct tap_outputs *outputs)
{
    struct tap_facts main;
    struct tap_offer offers[TAP_OTHERS_MAX];
    size_t n = 0;
    bool is_measured = false;
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        struct tap_pick pick;
        if (rendition->is_chosen || rendition->trouble[0] != '\0' ||
            tap_ring_is_empty(outputs->from.ring))
            continue;
        if (!is_measured) {
            tap_facts_measure(outputs->from.ring, outputs->from.format, &main);
            n = tap_others_offers(outputs->from.others, offers);
        }
        is_measured = true;
        tap_pick(&main, offers, n, &rendition->profile, &pick);
        claim(outputs, rendition, pick.source);
        if (!pick.is_made)
            continue;
        if (pick.choice.how == WEIR_RENDITION_HOW_TRANSCODE &&
            tap_choice_is_barred(&main, rendition->trouble)) {
            tell_trouble(outputs, rendition);
            continue;
        }
        tap_rendition_begin(rendition, &pick, ring_of(outputs, rendition),
                            format_of(outputs, rendition));
        begin(outputs, rendition, &main);
    }
}

static void end_rendition(struct tap_outputs *outputs, struct tap_rendition *rendition)
{
    claim(outputs, rendition, TAP_PICK_MAIN);
    if (outputs->xcode != NULL)
        tap_xcode_drop(outputs->xcode, rendition->number);
    tap_encoders_release(outputs->from.encoders, rendition);
    weir_list_remove(&rendition->node);
    tap_rendition_free(rendition);
    if (!has_transcodes(outputs))
        tap_xcode_free(&outputs->xcode);
}

static uint32_t free_number(struct tap_outputs *outputs)
{
    /* Not the last one again: what was made for that may be on its way. */
    for (uint32_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        uint32_t number = outputs->next_number++ % WEIR_XCODE_RENDITIONS_MAX;
        bool is_taken = false;
        WEIR_LIST_FOR(pos, &outputs->renditions)
        {
            is_taken |= WEIR_CONTAINER(pos, struct tap_rendition, node)->number == number;
        }
        if (!is_taken)
            return number;
    }
    return WEIR_XCODE_RENDITIONS_MAX;
}

/* NULL when there are too many. */
static struct tap_rendition *rendition_of(struct tap_outputs *outputs,
                                          const struct weir_profile *profile)
{
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        if (rendition->profile.quality == profile->quality &&
            rendition->profile.fps == profile->fps)
            return rendition;
    }
    uint32_t number = free_number(outputs);
    if (number == WEIR_XCODE_RENDITIONS_MAX)
        return NULL;
    struct tap_rendition *rendition = tap_rendition_new(number, profile);
    rendition->fps_ppm = outputs->from.fps_ppm;
    weir_list_push_back(&outputs->renditions, &rendition->node);
    return rendition;
}

/* ---- the camera itself ---- */

static bool is_source(const struct weir_profile *profile)
{
    return profile->quality == WEIR_QUALITY_SOURCE && profile->fps == 0;
}

static void report_too_many(const struct tap_outputs *outputs,
                            const struct weir_ctl_tap_publish *spec)
{
    tap_report_stream(outputs->from.control, spec, TAP_PUBLISHER_FAILED,
                      WEIR_REASON_transcode_failed, "as many renditions as one camera has", NULL);
}

/* Of a camera whose own stream no player shows, the source is a rendition too: of main always. */
static void settle(struct tap_outputs *outputs, struct tap_follower *follower, bool is_barred)
{
    struct tap_rendition *before = follower->rendition;
    if (!is_source(&follower->profile) || is_barred == (before != NULL))
        return;
    tap_publisher_free(&follower->publisher);
    follower->rendition = is_barred ? rendition_of(outputs, &follower->profile) : NULL;
    if (before != NULL && --before->n_users == 0)
        end_rendition(outputs, before);
    if (follower->rendition != NULL)
        follower->rendition->n_users++;
    if (is_barred && follower->rendition == NULL)
        report_too_many(outputs, &follower->spec);
    else
        start_publisher(outputs, follower);
}

/* Once what the camera sends is known, and before anything of it is published. */
static void settle_sources(struct tap_outputs *outputs)
{
    if (outputs->is_judged || tap_ring_is_empty(outputs->from.ring))
        return;
    outputs->is_judged = true;
    bool is_barred = tap_choice_bar(outputs->from.format) != NULL;
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        settle(outputs, WEIR_CONTAINER(pos, struct tap_follower, node), is_barred);
    }
}

/* ---- for the camera ---- */

struct tap_outputs *tap_outputs_new(const struct tap_outputs_from *from)
{
    struct tap_outputs *outputs = weir_xalloc(sizeof(*outputs));
    outputs->from = *from;
    weir_list_init(&outputs->followers);
    weir_list_init(&outputs->renditions);
    return outputs;
}

static void free_follower(struct tap_outputs *outputs, struct tap_follower *follower)
{
    weir_list_remove(&follower->node);
    tap_publisher_free(&follower->publisher);
    if (follower->rendition != NULL && --follower->rendition->n_users == 0)
        end_rendition(outputs, follower->rendition);
    explicit_bzero(&follower->spec, sizeof(follower->spec));
    free(follower);
}

void tap_outputs_free(struct tap_outputs **ptr)
{
    struct tap_outputs *outputs = *ptr;
    if (outputs == NULL)
        return;
    *ptr = NULL;
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        free_follower(outputs, WEIR_CONTAINER(pos, struct tap_follower, node));
    }
    tap_xcode_free(&outputs->xcode);
    free(outputs);
}

void tap_outputs_unpublish(struct tap_outputs *outputs, const struct weir_id *stream_id,
                           int64_t generation)
{
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (weir_id_equal(&follower->spec.stream_id, stream_id) &&
            follower->spec.generation == generation)
            free_follower(outputs, follower);
    }
}

void tap_outputs_publish(struct tap_outputs *outputs, const struct weir_ctl_tap_publish *spec)
{
    struct weir_ceiling ceiling = tap_follower_ceiling(spec);
    struct weir_profile profile = {
        .quality = spec->has_quality ? spec->quality : WEIR_QUALITY_SOURCE,
        .fps = spec->has_fps ? spec->fps : 0,
    };
    weir_profile_cap(&profile, &ceiling);
    tap_outputs_unpublish(outputs, &spec->stream_id, spec->generation);
    struct tap_rendition *rendition = is_source(&profile) ? NULL : rendition_of(outputs, &profile);
    if (!is_source(&profile) && rendition == NULL) {
        report_too_many(outputs, spec);
        return;
    }
    struct tap_follower *follower = weir_xalloc(sizeof(*follower));
    follower->spec = *spec;
    follower->profile = profile;
    follower->rendition = rendition;
    if (rendition != NULL)
        rendition->n_users++;
    weir_list_push_back(&outputs->followers, &follower->node);
    start_publisher(outputs, follower);
    outputs->is_judged = false;
    tap_outputs_wake(outputs, TAP_PICK_MAIN);
}

/* What is published of a camera that came up a moment ago is not known at once. */
static void describe_late(struct tap_outputs *outputs, int source)
{
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        const struct tap_rendition *rendition = follower->rendition;
        if (follower->is_live && source_of(rendition) == source &&
            tap_follower_is_late(follower, ring_of(outputs, rendition),
                                 format_of(outputs, rendition)))
            report_live(outputs, follower);
    }
}

static void take_keys(struct tap_outputs *outputs, int source)
{
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        bool is_keys = rendition->is_chosen && rendition->source == source &&
                       rendition->choice.how == WEIR_RENDITION_HOW_KEYFRAMES;
        if (is_keys && tap_rendition_take_keys(rendition, ring_of(outputs, rendition),
                                               format_of(outputs, rendition)))
            tell_publishers(outputs, rendition, tap_publisher_wake);
    }
}

void tap_outputs_wake(struct tap_outputs *outputs, int source)
{
    settle_sources(outputs);
    choose(outputs);
    take_keys(outputs, source);
    wake_publishers(outputs, source);
    describe_late(outputs, source);
    if (outputs->xcode != NULL && source == TAP_PICK_MAIN)
        tap_xcode_wake(outputs->xcode);
}

/* Who follows it gets another publisher, when it is chosen. */
static void forget_choice(struct tap_outputs *outputs, struct tap_rendition *rendition)
{
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->rendition != rendition)
            continue;
        follower->is_live = follower->is_described = false;
        tap_publisher_free(&follower->publisher);
    }
    tap_encoders_release(outputs->from.encoders, rendition);
    tap_rendition_restart(rendition);
}

void tap_outputs_restart(struct tap_outputs *outputs, int source)
{
    if (source == TAP_PICK_MAIN) {
        tap_xcode_free(&outputs->xcode);
        outputs->is_judged = false;
    }
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->rendition != NULL || source != TAP_PICK_MAIN)
            continue;
        follower->is_live = follower->is_described = false;
        if (follower->publisher != NULL)
            tap_publisher_restart(follower->publisher);
    }
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        if (rendition->source == source)
            forget_choice(outputs, rendition);
    }
}

/* ---- what the camera sends by now ---- */

static void set_anew(struct tap_outputs *outputs, const struct tap_rendition *rendition)
{
    struct weir_xcode_rendition spec = tap_rendition_spec(rendition);
    tap_xcode_set(outputs->xcode, rendition->number, &spec);
}

static void retune(struct tap_outputs *outputs, struct tap_rendition *rendition,
                   const struct tap_facts *facts)
{
    tap_encoders_follow(outputs->from.encoders, facts->width, facts->height, rendition);
    set_anew(outputs, rendition);
    tell_followers(outputs, rendition);
}

/* True when it is to be chosen anew. */
static bool review_rendition(struct tap_outputs *outputs, struct tap_rendition *rendition,
                             int64_t now_ms)
{
    struct tap_facts facts;
    if (!rendition->is_chosen)
        return false;
    tap_facts_measure(ring_of(outputs, rendition), format_of(outputs, rendition), &facts);
    enum tap_review what = tap_rendition_review(rendition, &facts, now_ms);
    if (what == TAP_REVIEW_OTHER)
        retune(outputs, rendition, &facts);
    else if (what == TAP_REVIEW_OUTGROWN)
        forget_choice(outputs, rendition);
    return what == TAP_REVIEW_OUTGROWN;
}

void tap_outputs_review(struct tap_outputs *outputs, int64_t now_ms)
{
    bool is_outgrown = false;
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        is_outgrown = review_rendition(outputs, rendition, now_ms) || is_outgrown;
    }
    if (is_outgrown)
        tap_outputs_wake(outputs, TAP_PICK_MAIN);
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        const struct tap_rendition *rendition = follower->rendition;
        if (follower->is_live && tap_follower_has_moved(follower, ring_of(outputs, rendition),
                                                        format_of(outputs, rendition), now_ms))
            report_live(outputs, follower);
    }
}

/* Main has other sound, or none. */
static void change_sound(struct tap_outputs *outputs)
{
    const struct tap_format *format = outputs->from.format;
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        if (rendition->source == TAP_PICK_MAIN)
            tap_rendition_change_sound(rendition, outputs->from.ring, format);
    }
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (follower->publisher == NULL || source_of(follower->rendition) != TAP_PICK_MAIN)
            continue;
        if (!tap_publisher_takes_sound(follower->publisher, format))
            tap_publisher_restart(follower->publisher);
        else if (follower->is_live)
            report_live(outputs, follower);
    }
}

void tap_outputs_hush(struct tap_outputs *outputs)
{
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        tap_ring_silence(&WEIR_CONTAINER(pos, struct tap_rendition, node)->ring);
    }
    change_sound(outputs);
}

void tap_outputs_hear(struct tap_outputs *outputs)
{
    change_sound(outputs);
}

void tap_outputs_leave(struct tap_outputs *outputs, int source)
{
    tap_outputs_restart(outputs, source);
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        if (rendition->source == source)
            claim(outputs, rendition, TAP_PICK_MAIN);
    }
}

bool tap_outputs_are_any(const struct tap_outputs *outputs)
{
    return !weir_list_is_empty(&outputs->followers);
}

void tap_outputs_pace(struct tap_outputs *outputs, int64_t fps_ppm)
{
    if (outputs->from.fps_ppm == fps_ppm)
        return;
    outputs->from.fps_ppm = fps_ppm;
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        rendition->fps_ppm = fps_ppm;
        if (!is_transcode(rendition) || outputs->xcode == NULL)
            continue;
        set_anew(outputs, rendition);
    }
    tell_transcodes(outputs);
}

/* Pixels a second that are made for this stream. */
static int64_t weight_of(const struct tap_outputs *outputs, const struct tap_follower *follower)
{
    const struct tap_rendition *rendition = follower->rendition;
    struct weir_effective is;
    tap_rendition_describe(rendition, ring_of(outputs, rendition), format_of(outputs, rendition),
                           &is);
    int64_t pixels = is.width * is.height * (is.fps > 0 ? is.fps : 1) / rendition->n_users;
    return pixels > 0 ? pixels : 1;
}

size_t tap_outputs_used(struct tap_outputs *outputs, int64_t now_us,
                        struct weir_ctl_tap_used_streams ret[static WEIR_CTL_TAP_USED_STREAMS_MAX])
{
    int64_t weights[WEIR_CTL_TAP_USED_STREAMS_MAX];
    size_t n = 0;
    if (outputs->xcode == NULL)
        return 0;
    int64_t cpu_milli = tap_used_look(&outputs->used, tap_xcode_cpu_us(outputs->xcode), now_us);
    WEIR_LIST_FOR(pos, &outputs->followers)
    {
        const struct tap_follower *follower = WEIR_CONTAINER(pos, struct tap_follower, node);
        if (n == WEIR_CTL_TAP_USED_STREAMS_MAX || !follower->is_live ||
            !is_transcode(follower->rendition))
            continue;
        weights[n] = weight_of(outputs, follower);
        ret[n++] = (struct weir_ctl_tap_used_streams){.stream_id = follower->spec.stream_id,
                                                      .generation = follower->spec.generation};
    }
    for (size_t i = 0; i < n; i++)
        ret[i].cpu_milli = tap_used_part(cpu_milli, weights, n, i);
    return cpu_milli >= 0 ? n : 0;
}

size_t tap_outputs_bytes(const struct tap_outputs *outputs)
{
    size_t bytes = 0;
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        bytes += WEIR_CONTAINER(pos, struct tap_rendition, node)->ring.bytes;
    }
    return bytes;
}

void tap_outputs_shrink(struct tap_outputs *outputs)
{
    struct tap_rendition *largest = NULL;
    WEIR_LIST_FOR(pos, &outputs->renditions)
    {
        struct tap_rendition *rendition = WEIR_CONTAINER(pos, struct tap_rendition, node);
        if (largest == NULL || rendition->ring.bytes > largest->ring.bytes)
            largest = rendition;
    }
    if (largest != NULL)
        tap_ring_shrink(&largest->ring);
}

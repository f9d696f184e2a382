/* SPDX-License-Identifier: Apache-2.0 */
#include "api/stream_start.h"

#include <inttypes.h>
#include <string.h>

#include "api/activity.h"
#include "api/keys.h"
#include "api/revocations.h"
#include "api/rights.h"
#include "api/sources.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/stream_state.h"

int64_t api_stream_class(const struct api_call *call, int64_t class)
{
    bool may = class != API_CLASS_FIRST || api_rights_by_role(call, WEIR_ROLE_OPERATOR);
    return may ? class : API_CLASS_DEFAULT;
}

/* ---- may it be sent? ---- */

static enum weir_code refuse_stopped(struct api_call *call)
{
    return api_call_refuse(call, 403, "tenant_stopped", NULL, "the tenant is stopped");
}

/* The tenant is not stopped and has room for another stream. */
static enum weir_code check_room(struct api_call *call, const struct api_known_camera *camera)
{
    if (camera->is_stopped) {
        return refuse_stopped(call);
    }
    if ((int64_t)api_view_count_live(call->api->view, &call->tenant_id) >= camera->max_streams) {
        return api_call_refuse(call, 429, "quota_exceeded", NULL,
                               "the tenant's limit is %" PRId64 " streams at once",
                               camera->max_streams);
    }
    return WEIR_OK;
}

/* Each is decoded, scaled and encoded for itself, whoever watches it. */
static enum weir_code check_renditions(struct api_call *call, const struct weir_id *camera_id,
                                       const struct weir_profile *profile)
{
    int64_t most = call->api->settings->renditions_max;
    if (!weir_stream_is_rendition(profile->quality, profile->fps) ||
        (int64_t)api_view_count_renditions(call->api->view, &call->tenant_id, camera_id) < most) {
        return WEIR_OK;
    }
    return api_call_refuse(call, 429, "too_many_renditions", NULL,
                           "%" PRId64 " other qualities and frame rates of this camera are made "
                           "already, which is the limit: take one of these (GET /v1/streams?"
                           "camera_id=), the camera's own (quality source, fps 0), or stop one",
                           most);
}

/* ---- start ---- */

static void note_activity(struct api_call *call, const struct weir_stream_row *row)
{
    api_activity_note(call->api->activity, &call->tenant_id, &row->stream_id, row->generation, NULL,
                      WEIR_EV_VIEWERS_SOURCE_START);
}

static enum weir_code finish(struct api_call *call, struct api_starting *starting)
{
    struct weir_stream_row *row = &starting->row;
    enum weir_code code = api_command_collect(call, &starting->command);
    if (code != WEIR_OK) {
        api_call_note(call, "stream.start", "stream", &row->stream_id,
                      WEIR_EV_AUDIT_ACCESS_OUTCOME_ERROR, "outcome_unknown");
        return code;
    }
    api_view_expect(call->api->view, row, starting->command.offset,
                    weir_clock_mono_ms() + call->api->settings->command_life_ms);
    api_view_stream(call->api->view, &row->stream_id, row);
    starting->phase = API_START_ACCEPTED;
    note_activity(call, row);
    api_call_note(call, "stream.start", "stream", &row->stream_id,
                  WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, NULL);
    return WEIR_OK;
}

/* Names the stream (DESIGN section 2): asking twice is one stream. */
static struct weir_id stream_id_of(const struct api_call *call, const struct weir_id *camera_id,
                                   const struct weir_profile *profile)
{
    const char *name = weir_arena_printf(call->arena, "%s|%s|%s|%" PRId64,
                                         WEIR_ID_TEXT(&call->tenant_id), WEIR_ID_TEXT(camera_id),
                                         weir_quality_name(profile->quality), profile->fps);
    return weir_id_v5(&weir_space_stream, name, strlen(name));
}

/* What readers see until the log says more. */
static void expect(struct api_call *call, const struct api_start_wish *wish,
                   const struct weir_profile *profile, const struct weir_id *stream_id,
                   const struct weir_stream_row *known, struct weir_stream_row *ret)
{
    int64_t now_ms = weir_clock_wall_ms();
    *ret = (struct weir_stream_row){
        .stream_id = *stream_id,
        .tenant_id = call->tenant_id,
        .camera_id = wish->camera_id,
        .quality = profile->quality,
        .fps = profile->fps,
        .class = wish->class,
        .state = WEIR_STREAM_STATE_QUEUED,
        .queued_at_ms = now_ms,
        .changed_at_ms = now_ms,
        .generation = known ? known->generation : 0,
        .version = known ? known->version : -1,
    };
}

static enum weir_code send_start(struct api_call *call, const struct weir_id *id,
                                 struct api_starting *starting, void *state)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_START};
    struct weir_ev_command_start *command = &event.u.command_start;
    const struct weir_stream_row *row = &starting->row;
    command->command_id = *id;
    command->tenant_id = row->tenant_id;
    command->stream_id = row->stream_id;
    command->camera_id = row->camera_id;
    command->quality = row->quality;
    command->fps = row->fps;
    command->class = row->class;
    command->issued_at_ms = weir_clock_wall_ms();
    command->expires_at_ms = command->issued_at_ms + call->api->settings->command_life_ms;
    command->has_actor = true;
    WEIR_STR_SET(command->actor, call->actor);
    starting->phase = API_START_SENT;
    return api_command_send(call, &event, &row->stream_id, &starting->command, state);
}

/* What the stream will be. Where nobody knows the camera now (`camera` is zeroed), nobody knows its
 * ceiling: then only the very stream that is asked for can be found, if it lives. */
static struct weir_profile settle(struct api_starting *starting,
                                  const struct api_known_camera *camera)
{
    starting->asked = ceilings_fill(&starting->wish.profile, &camera->otherwise);
    starting->ceiling = camera->ceiling;
    struct weir_profile profile = starting->asked;
    starting->is_capped = weir_profile_cap(&profile, &camera->ceiling);
    return profile;
}

/* Nobody could say anything of the camera. */
static enum weir_code refuse_unknown(struct api_call *call, enum weir_code found)
{
    if (found == WEIR_ENOTFOUND) {
        return api_call_not_found(call);
    }
    if (revocations_is_stopped(call->api->revocations, &call->tenant_id)) {
        return refuse_stopped(call);
    }
    return found == WEIR_EUNKNOWN ? weir_fail(&call->err, WEIR_EUNAVAILABLE, "postgres is away")
                                  : found;
}

/* Whether a start of what is not there yet may be sent. */
static enum weir_code check_new(struct api_call *call, const struct api_known_camera *camera,
                                enum weir_code found, const struct weir_id *camera_id,
                                const struct weir_profile *profile)
{
    enum weir_code code = found == WEIR_OK ? check_room(call, camera) : refuse_unknown(call, found);
    return code == WEIR_OK ? check_renditions(call, camera_id, profile) : code;
}

static enum weir_code begin(struct api_call *call, struct api_starting *starting, void *state)
{
    const struct api_start_wish *wish = &starting->wish;
    const char *key = NULL;
    struct weir_stream_row row;
    struct api_known_camera camera = {0};
    bool has_asked = false;
    enum weir_code code = wish->is_followup ? WEIR_OK : api_call_key(call, &key);
    if (code != WEIR_OK) {
        return code;
    }
    /* Redis, or this api's memory, mostly knows; else Postgres is asked. */
    struct api_source_wish source = {.tenant_id = call->tenant_id, .camera_id = wish->camera_id};
    enum weir_code found =
        api_sources_find(call->api, &source, call->arena, &camera, &has_asked, &call->err);
    struct weir_profile profile = settle(starting, &camera);
    struct weir_id stream_id = stream_id_of(call, &wish->camera_id, &profile);
    bool is_there = api_view_stream(call->api->view, &stream_id, &row);
    bool is_live = is_there && weir_stream_state_is_live(row.state);
    code = is_live ? WEIR_OK : check_new(call, &camera, found, &wish->camera_id, &profile);
    /* At last: a key is remembered for a day, and what is refused leaves nothing behind; nor does a
     * start of what lives already, by which nothing is done. */
    if (code == WEIR_OK && key) {
        code = is_live ? api_keys_look(call, key, USED_FOR_START, &stream_id, &has_asked)
                       : api_keys_judge(call, key, USED_FOR_START, &stream_id, &has_asked);
    }
    api_sources_count_start(call->api, has_asked);
    if (code != WEIR_OK) {
        return code;
    }
    if (is_live) {
        starting->row = row;
        starting->phase = API_START_LIVE;
        note_activity(call, &row);
        return WEIR_OK;
    }
    struct weir_id id = api_keys_command_id(call, key);
    expect(call, wish, &profile, &stream_id, is_there ? &row : NULL, &starting->row);
    return send_start(call, &id, starting, state);
}

enum weir_code api_stream_start(struct api_call *call, struct api_starting *starting, void *state)
{
    if (starting->phase == API_START_NEW) {
        return begin(call, starting, state);
    }
    return starting->phase == API_START_SENT ? finish(call, starting) : WEIR_OK;
}

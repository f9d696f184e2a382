/* SPDX-License-Identifier: Apache-2.0 */
#include "api/starts.h"

#include <inttypes.h>
#include <string.h>

#include "api/revocations.h"
#include "api/sources.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

struct weir_id starts_stream_id(struct api_call *call, const struct starts_wish *wish)
{
    const char *name = weir_arena_printf(
        call->arena, "%s|%s|%s|%" PRId64, WEIR_ID_TEXT(&call->tenant_id),
        WEIR_ID_TEXT(&wish->camera_id), weir_quality_name(wish->quality), wish->fps);
    return weir_id_v5(&weir_space_stream, name, strlen(name));
}

/* ---- may it be sent? ---- */

static enum weir_code refuse_stopped(struct api_call *call)
{
    return api_call_refuse(call, 403, "tenant_stopped", NULL, "the tenant is stopped");
}

enum weir_code starts_check(struct api_call *call, const struct weir_id *camera_id, bool *ret_asked)
{
    struct api *api = call->api;
    struct api_source_wish wish = {.tenant_id = call->tenant_id, .camera_id = *camera_id};
    struct api_known_camera camera = {0};
    enum weir_code code = api_sources_find(api, &wish, call->arena, &camera, ret_asked, &call->err);
    if (code == WEIR_ENOTFOUND) {
        return api_call_not_found(call);
    }
    if (code != WEIR_OK && revocations_is_stopped(api->revocations, &call->tenant_id)) {
        return refuse_stopped(call);
    }
    if (code != WEIR_OK) {
        return code == WEIR_EUNKNOWN ? weir_fail(&call->err, WEIR_EUNAVAILABLE, "postgres is away")
                                     : code;
    }
    if (camera.is_stopped) {
        return refuse_stopped(call);
    }
    if ((int64_t)api_view_count_live(api->view, &call->tenant_id) >= camera.max_streams) {
        return api_call_refuse(call, 429, "quota_exceeded", NULL,
                               "the tenant's limit is %" PRId64 " streams at once",
                               camera.max_streams);
    }
    return WEIR_OK;
}

/* ---- sending ---- */

static void expect(struct api_call *call, const struct starts_wish *wish,
                   const struct weir_stream_row *known, struct weir_stream_row *row)
{
    *row = (struct weir_stream_row){0};
    row->stream_id = starts_stream_id(call, wish);
    row->tenant_id = call->tenant_id;
    row->camera_id = wish->camera_id;
    row->quality = wish->quality;
    row->fps = wish->fps;
    row->class = wish->class;
    row->state = WEIR_STREAM_STATE_QUEUED;
    row->queued_at_ms = weir_clock_wall_ms();
    row->changed_at_ms = row->queued_at_ms;
    row->generation = known ? known->generation : 0;
    row->version = known ? known->version : -1;
}

enum weir_code starts_begin(struct api_call *call, const struct weir_id *command_id,
                            const struct starts_wish *wish, const struct weir_stream_row *known,
                            struct starts_starting *starting, void *state)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_START};
    struct weir_ev_command_start *command = &event.u.command_start;
    const struct weir_stream_row *row = &starting->expected;
    expect(call, wish, known, &starting->expected);
    command->command_id = *command_id;
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
    return api_command_send(call, &event, &row->stream_id, &starting->command, state);
}

void starts_note_activity(struct api_call *call, const struct weir_stream_row *row)
{
    api_activity_note(call->api->activity, &call->tenant_id, &row->stream_id, row->generation, NULL,
                      WEIR_EV_VIEWERS_SOURCE_START);
}

enum weir_code starts_finish(struct api_call *call, struct starts_starting *starting,
                             struct weir_stream_row *ret)
{
    enum weir_code code = api_command_collect(call, &starting->command);
    *ret = starting->expected;
    if (code != WEIR_OK) {
        api_call_note(call, "stream.start", "stream", &ret->stream_id,
                      WEIR_EV_AUDIT_ACCESS_OUTCOME_ERROR, "outcome_unknown");
        return code;
    }
    api_view_expect(call->api->view, ret, starting->command.offset,
                    weir_clock_mono_ms() + call->api->settings->command_life_ms);
    api_view_stream(call->api->view, &ret->stream_id, ret);
    starts_note_activity(call, ret);
    api_call_note(call, "stream.start", "stream", &ret->stream_id,
                  WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED, NULL);
    return WEIR_OK;
}

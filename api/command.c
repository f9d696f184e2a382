/* SPDX-License-Identifier: Apache-2.0 */
#include "api/command.h"

#include "lib/base/clock.h"

static void release_pending(void *pending)
{
    api_pending_unref(pending);
}

static enum weir_code outcome_unknown(struct api_call *call)
{
    weir_http_add_header(call->res, "Retry-After", "1");
    return api_call_refuse(call, 503, "outcome_unknown", NULL,
                           "it is not known whether this was taken; the same request with the "
                           "same Idempotency-Key is safe");
}

enum weir_code api_command_send(struct api_call *call, struct weir_event *event,
                                const struct weir_id *key, struct api_sent *sent, void *state)
{
    char text[WEIR_ID_TEXT_MAX];
    int64_t now_ms = weir_clock_mono_ms();
    uint64_t token = api_call_wait(call, now_ms + call->api->settings->command_ack_ms);
    sent->pending = api_pending_new(call->api->server, token);
    weir_http_on_end(call->req, release_pending, sent->pending);
    event->has_tenantid = !weir_id_is_nil(&call->tenant_id);
    event->tenantid = call->tenant_id;
    api_pending_ref(sent->pending);
    enum weir_code code =
        api_bus_send(call->api->bus, API_BUS_COMMANDS, event, (int32_t)call->api->settings->cell,
                     weir_id_format(key, text), api_pending_delivered, sent->pending, &call->err);
    if (code != WEIR_OK) {
        api_pending_unref(sent->pending);
        call->is_waiting = false;
        return code == WEIR_EFULL || code == WEIR_EUNAVAILABLE ? outcome_unknown(call) : code;
    }
    call->state = state;
    return WEIR_OK;
}

enum weir_code api_command_collect(struct api_call *call, struct api_sent *sent)
{
    enum weir_code outcome = WEIR_EUNKNOWN;
    bool is_known = api_pending_outcome(sent->pending, &outcome, &sent->offset);
    return is_known && outcome == WEIR_OK ? WEIR_OK : outcome_unknown(call);
}

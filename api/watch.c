/* SPDX-License-Identifier: Apache-2.0 */
#include "api/watch.h"

#include "lib/domain/stream_state.h"

void api_watch_begin(struct api_watching *watching, const struct weir_stream_row *row)
{
    bool is_live = weir_stream_state_is_live(row->state);
    *watching = (struct api_watching){
        .starting = {.wish = {.camera_id = row->camera_id,
                              .profile = {true, true, {row->quality, row->fps}},
                              .class = row->class},
                     .phase = is_live ? API_START_NEW : API_START_LIVE,
                     .row = *row},
    };
}

enum weir_code api_watch(struct api_call *call, struct api_watching *watching, void *state)
{
    struct api_starting *starting = &watching->starting;
    enum weir_code code = api_stream_start(call, starting, state);
    if (code != WEIR_OK || starting->phase == API_START_SENT) {
        return code;
    }
    code = api_tickets_mint(call, &watching->minting, &starting->row, &watching->ticket);
    watching->is_ready = code == WEIR_OK && !call->is_waiting;
    call->state = state; /* where it waits, the start is over */
    return code;
}

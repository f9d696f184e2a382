/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/streams/{stream_id}/tickets: permission to watch, judged at the moment it is given. */
#ifndef WEIR_API_TICKETS_H
#define WEIR_API_TICKETS_H

#include "api/call.h"
#include "api/view.h"
#include "lib/io/ticket.h"

struct tickets_issue {
    int64_t life_ms;    /* asked for; at most WEIR_TICKET_LIFE_MAX_S */
    int64_t wait_ms;    /* > 0: a revocation of this very second would take the ticket with it */
    int64_t ends_at_ms; /* as its holder is told: the grant's own end where that is first */
};

/*
 * Whether the caller may watch the ticket's camera now. Sets its times, and the grant that it is
 * by; answers where he may not. While Postgres is away it goes by what this api has heard, which is
 * nothing of grants.
 */
WEIR_MUST_USE enum weir_code api_tickets_judge(struct api_call *call, struct weir_ticket *ticket,
                                               struct tickets_issue *issue);

weir_http_handler_fn api_tickets_create;

/* What minting keeps over the runs of a call; {0} at first. */
struct api_minting {
    bool is_counted;
    int waits;
};

/* What the client is given; in the call's arena. */
struct api_minted {
    const char *id;
    const char *url; /* the secret of it */
    const char *expires_at;
};

/*
 * Judges the caller's right, and mints a ticket for the stream; tells activity and audit. Where
 * `call->is_waiting` then, nothing was minted and the call runs again.
 */
WEIR_MUST_USE enum weir_code api_tickets_mint(struct api_call *call, struct api_minting *minting,
                                              const struct weir_stream_row *row,
                                              struct api_minted *ret);

/* As members of the open object. */
void api_tickets_write(struct weir_json_out *out, const struct api_minted *minted);

#endif

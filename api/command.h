/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command that a call sends: the request waits for Kafka's acknowledgement, without a thread, and
 * runs again with what it left in `state`.
 *
 *     if (!call->state) {
 *         return api_command_send(call, &event, &stream_id, &mine->sent, mine);
 *     }
 *     code = api_command_collect(call, &mine->sent);         WEIR_OK: Kafka has it
 */
#ifndef WEIR_API_COMMAND_H
#define WEIR_API_COMMAND_H

#include "api/call.h"
#include "api/pending.h"

struct api_sent {
    struct api_pending *pending;
    int64_t offset; /* of the command, when Kafka has it */
};

/*
 * Sends the command under `key`'s id. `sent` and `state` live in the call's arena; `state` becomes
 * the call's. Answers 503 outcome_unknown where nothing can be sent now.
 */
WEIR_MUST_USE enum weir_code api_command_send(struct api_call *call, struct weir_event *event,
                                              const struct weir_id *key, struct api_sent *sent,
                                              void *state);

/* At the next run: answers 503 outcome_unknown unless Kafka has the command. */
WEIR_MUST_USE enum weir_code api_command_collect(struct api_call *call, struct api_sent *sent);

#endif

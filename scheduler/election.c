/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/election.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/domain/events.h"

/* Messages thrown away in one go. */
#define DISCARD_MAX 1000

struct election {
    struct weir_bus_member *member;
    int32_t cell;
    bool is_won;
};

static void assigned(void *ctx, const char *topic, int32_t partition, int64_t *ret_offset)
{
    struct election *election = ctx;
    (void)topic;
    election->is_won = election->is_won || partition == election->cell;
    /* Only who owns the partition matters: start where nothing comes. */
    *ret_offset = WEIR_BUS_OFFSET_END;
}

static void revoked(void *ctx, const char *topic, int32_t partition, bool lost)
{
    struct election *election = ctx;
    (void)topic;
    (void)lost;
    election->is_won = election->is_won && partition != election->cell;
}

enum weir_code election_open(const char *brokers, int32_t cell, int64_t session_timeout_ms,
                             weir_bus_wake_fn *wake, void *wake_ctx, struct election **ret,
                             struct weir_err *err)
{
    char group[64];
    snprintf(group, sizeof(group), "weir-scheduler-%d", (int)cell);
    static const char *const topics[] = {WEIR_TOPIC_COMMANDS};
    /* The broker makes member ids of it, and `range` gives the partition to the least of them. */
    char client_id[64];
    snprintf(client_id, sizeof(client_id), "weir-scheduler-%015lld",
             (long long)weir_clock_wall_ms());
    struct election *election = weir_xalloc(sizeof(*election));
    election->cell = cell;
    const struct weir_bus_member_config config = {
        .brokers = brokers,
        .client_id = client_id,
        .group = group,
        .topics = topics,
        .n_topics = 1,
        .session_timeout_ms = session_timeout_ms,
        .on_assign = assigned,
        .on_revoke = revoked,
        .ctx = election,
        .wake = wake,
        .wake_ctx = wake_ctx,
    };
    enum weir_code code = weir_bus_member_open(&config, &election->member, err);
    if (code != WEIR_OK) {
        free(election);
        return code;
    }
    *ret = election;
    return WEIR_OK;
}

void election_close(struct election **election)
{
    struct election *self = WEIR_TAKE(*election);
    if (self == NULL) {
        return;
    }
    weir_bus_member_close(&self->member);
    free(self);
}

void election_poll(struct election *election)
{
    struct weir_bus_message message;
    bool got = true;
    for (int i = 0; got && i < DISCARD_MAX; i++) {
        if (weir_bus_member_poll(election->member, 0, &message, &got, NULL) != WEIR_OK) {
            return;
        }
    }
}

bool election_is_won(const struct election *election)
{
    return election->is_won;
}

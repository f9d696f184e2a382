/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/election.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/domain/events.h"

/* Messages thrown away in one go. */
#define DISCARD_MAX 1000
#define RETRY_MS    1000

struct election {
    struct weir_bus_member *member; /* NULL: it could not be opened */
    char *brokers;
    int32_t cell;
    int64_t session_timeout_ms;
    int64_t tried_mono_ms; /* to stand */
    weir_bus_wake_fn *wake;
    void *wake_ctx;
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

static enum weir_code join(struct election *election, struct weir_err *err)
{
    char group[64];
    snprintf(group, sizeof(group), "weir-scheduler-%d", (int)election->cell);
    static const char *const topics[] = {WEIR_TOPIC_COMMANDS};
    /* The broker makes member ids of it, and `range` gives the partition to the least of them. */
    char client_id[64];
    snprintf(client_id, sizeof(client_id), "weir-scheduler-%015lld",
             (long long)weir_clock_wall_ms());
    const struct weir_bus_member_config config = {
        .brokers = election->brokers,
        .client_id = client_id,
        .group = group,
        .topics = topics,
        .n_topics = 1,
        .session_timeout_ms = election->session_timeout_ms,
        .on_assign = assigned,
        .on_revoke = revoked,
        .ctx = election,
        .wake = election->wake,
        .wake_ctx = election->wake_ctx,
    };
    return weir_bus_member_open(&config, &election->member, err);
}

enum weir_code election_open(const char *brokers, int32_t cell, int64_t session_timeout_ms,
                             weir_bus_wake_fn *wake, void *wake_ctx, struct election **ret,
                             struct weir_err *err)
{
    struct election *election = weir_xalloc(sizeof(*election));
    election->brokers = weir_xstrdup(brokers);
    election->cell = cell;
    election->session_timeout_ms = session_timeout_ms;
    election->wake = wake;
    election->wake_ctx = wake_ctx;
    enum weir_code code = join(election, err);
    if (code != WEIR_OK) {
        election_close(&election);
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
    free(self->brokers);
    free(self);
}

void election_stand_again(struct election *election)
{
    struct weir_err err;
    weir_bus_member_close(&election->member);
    election->is_won = false;
    election->tried_mono_ms = weir_clock_mono_ms();
    if (join(election, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "election: cannot stand, trying again", "error", err.msg, NULL);
    }
}

void election_poll(struct election *election)
{
    struct weir_bus_message message;
    bool got = true;
    if (election->member == NULL) {
        if (weir_clock_mono_ms() - election->tried_mono_ms >= RETRY_MS) {
            election_stand_again(election);
        }
        return;
    }
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/follower.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/service/follower_fetch.h"

struct weir_follower {
    struct weir_follower_config config;
    char *brokers;
    char *client_id;
    struct follower_pipe *pipe;
    struct follower_fetch fetch;
    pthread_t thread;
    struct weir_ledger *ledger;
    struct weir_id instance;
    int64_t epoch;
    bool is_caught_up;
    bool is_broken; /* a contradiction was found: wait for the next start */
    int64_t opened_mono_ms;
};

static void announce_rows(struct weir_follower *self)
{
    if (self->config.on_change == NULL) {
        return;
    }
    struct weir_ledger_change change = {.is_new = true};
    for (size_t at = 0; weir_ledger_next_worker(self->ledger, &at, &change.worker);) {
        self->config.on_change(self->config.ctx, &change);
    }
    change.worker = NULL;
    for (size_t at = 0; weir_ledger_next_lease(self->ledger, &at, &change.lease);) {
        self->config.on_change(self->config.ctx, &change);
    }
    change.lease = NULL;
    for (size_t at = 0; weir_ledger_next_stream(self->ledger, &at, &change.stream);) {
        self->config.on_change(self->config.ctx, &change);
    }
}

static void start(struct weir_follower *self, struct follower_item *item)
{
    weir_ledger_free(self->ledger);
    self->ledger = weir_ledger_new();
    self->is_caught_up = false;
    self->is_broken = false;
    if (item->why != NULL && self->config.on_reset != NULL) {
        self->config.on_reset(self->config.ctx, item->why);
    }
    weir_ledger_free(self->ledger);
    self->ledger = WEIR_TAKE(item->ledger);
    self->instance = item->instance;
    self->epoch = item->epoch;
    announce_rows(self);
}

static void decide(struct weir_follower *self, const struct follower_item *item)
{
    const struct weir_follower_decision read = {
        .offset = item->offset,
        .timestamp_ms = item->timestamp_ms,
        .decision = &item->event->u.decision,
        .raw = item->raw,
        .raw_len = item->raw_len,
    };
    if (item->is_void) {
        if (self->config.on_void != NULL) {
            self->config.on_void(self->config.ctx, &read);
        }
        return;
    }
    char hash[WEIR_LEDGER_HASH_TEXT_MAX];
    weir_ledger_hash_format(weir_ledger_hash(self->ledger), hash);
    bool is_equal =
        !read.decision->has_ledger_hash || strcmp(read.decision->ledger_hash, hash) == 0;
    struct weir_err err;
    if (weir_ledger_apply(self->ledger, item->offset, read.decision, self->config.on_change,
                          self->config.ctx, &err) != WEIR_OK) {
        self->is_broken = true;
        follower_pipe_ask_restart(self->pipe);
        return;
    }
    self->instance = item->instance;
    self->epoch = item->epoch;
    if (!is_equal && self->config.on_divergence != NULL) {
        self->config.on_divergence(self->config.ctx, item->offset);
    }
    if (self->config.on_decision != NULL) {
        self->config.on_decision(self->config.ctx, &read);
    }
}

static void handle(void *ctx, struct follower_item *item)
{
    struct weir_follower *self = ctx;
    if (item->kind == FOLLOWER_ITEM_START) {
        start(self, item);
        return;
    }
    if (self->is_broken) {
        return;
    }
    if (item->kind == FOLLOWER_ITEM_DECISION) {
        decide(self, item);
        return;
    }
    self->is_caught_up = true;
    if (self->config.on_caught_up != NULL) {
        self->config.on_caught_up(self->config.ctx);
    }
}

enum weir_code weir_follower_open(const struct weir_follower_config *config,
                                  struct weir_follower **ret, struct weir_err *err)
{
    struct weir_follower *self = weir_xalloc(sizeof(*self));
    self->config = *config;
    self->brokers = weir_xstrdup(config->brokers);
    self->client_id = weir_xstrdup(config->client_id != NULL ? config->client_id : "weir");
    self->pipe = follower_pipe_new(config->loop, handle, self);
    self->ledger = weir_ledger_new();
    self->epoch = -1;
    self->opened_mono_ms = weir_clock_mono_ms();
    self->fetch = (struct follower_fetch){.brokers = self->brokers,
                                          .client_id = self->client_id,
                                          .cell = config->cell,
                                          .is_patient = config->is_patient,
                                          .pipe = self->pipe};
    if (pthread_create(&self->thread, NULL, follower_fetch_run, &self->fetch) != 0) {
        follower_pipe_close(self->pipe);
        weir_ledger_free(self->ledger);
        free(self->brokers);
        free(self->client_id);
        free(self);
        return weir_fail(err, WEIR_EINTERNAL, "the follower's thread could not be started");
    }
    *ret = self;
    return WEIR_OK;
}

void weir_follower_close(struct weir_follower **follower)
{
    struct weir_follower *self = WEIR_TAKE(*follower);
    if (self == NULL) {
        return;
    }
    follower_pipe_stop(self->pipe);
    pthread_join(self->thread, NULL);
    follower_pipe_close(self->pipe);
    weir_ledger_free(self->ledger);
    free(self->brokers);
    free(self->client_id);
    free(self);
}

const struct weir_ledger *weir_follower_ledger(const struct weir_follower *follower)
{
    return follower->ledger;
}

bool weir_follower_is_caught_up(const struct weir_follower *follower)
{
    return follower->is_caught_up;
}

int64_t weir_follower_epoch(const struct weir_follower *follower)
{
    return follower->epoch;
}

struct weir_id weir_follower_instance(const struct weir_follower *follower)
{
    return follower->instance;
}

int64_t weir_follower_silence_ms(const struct weir_follower *follower)
{
    int64_t alive_mono_ms = follower_pipe_alive(follower->pipe);
    return weir_clock_mono_ms() - (alive_mono_ms != 0 ? alive_mono_ms : follower->opened_mono_ms);
}

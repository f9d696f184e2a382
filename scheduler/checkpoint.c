/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/checkpoint.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/str.h"

#define KEY_MAX      96
#define PREFIX_LEN   20
#define SWEEP_MAX    500  /* records looked at in one go */
#define SWEEP_END_MS 2000 /* nothing came for so long: the last records are compacted away */

struct checkpoint {
    const char *brokers;
    int32_t cell;
    struct weir_bus_producer *producer;
    char prefix[PREFIX_LEN + 1]; /* of the last one begun */
    int64_t unreported;          /* records without a delivery report */
    int64_t end;                 /* of the topic, as far as our own records tell */
    bool has_failed;
    bool is_writing;
    bool wants_sweep;
    int64_t n_complete;
    /* removing older ones */
    struct weir_bus_reader *reader;
    struct weir_map *old_keys;
    int64_t sweep_end;
    int64_t sweep_progress_mono_ms;
};

struct checkpoint *checkpoint_new(const char *brokers, int32_t cell,
                                  struct weir_bus_producer *producer)
{
    struct checkpoint *self = weir_xalloc(sizeof(*self));
    self->brokers = brokers;
    self->cell = cell;
    self->producer = producer;
    return self;
}

static void end_sweep(struct checkpoint *self)
{
    weir_bus_reader_close(&self->reader);
    weir_map_free(self->old_keys);
    self->old_keys = NULL;
}

void checkpoint_free(struct checkpoint *checkpoint)
{
    if (checkpoint == NULL) {
        return;
    }
    end_sweep(checkpoint);
    free(checkpoint);
}

int64_t checkpoint_count(const struct checkpoint *checkpoint)
{
    return checkpoint->n_complete;
}

/* ---- writing ---- */

static void begin_sweep(struct checkpoint *self)
{
    const struct weir_bus_reader_config config = {.brokers = self->brokers,
                                                  .client_id = "weir-scheduler-sweep"};
    if (weir_bus_reader_open(&config, &self->reader, NULL) != WEIR_OK) {
        return;
    }
    if (weir_bus_reader_assign(self->reader, WEIR_TOPIC_STATE, self->cell, WEIR_BUS_OFFSET_START,
                               NULL) != WEIR_OK) {
        weir_bus_reader_close(&self->reader); /* the next checkpoint tries again */
        return;
    }
    self->sweep_end = self->end;
    self->old_keys = weir_map_new(KEY_MAX);
    self->sweep_progress_mono_ms = weir_clock_mono_ms();
}

static void reported(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct checkpoint *self = ctx;
    self->unreported--;
    self->has_failed = self->has_failed || delivery->code != WEIR_OK;
    self->end = delivery->offset >= self->end ? delivery->offset + 1 : self->end;
    if (self->unreported == 0 && self->is_writing) {
        self->is_writing = false;
        self->n_complete += !self->has_failed;
        self->wants_sweep = !self->has_failed;
    }
}

static void send(struct checkpoint *self, const char *key, const char *bytes, size_t len)
{
    const struct weir_bus_record record = {
        .topic = WEIR_TOPIC_STATE,
        .partition = self->cell,
        .key = key,
        .key_len = strlen(key),
        .value = bytes,
        .value_len = len,
    };
    if (weir_bus_producer_send(self->producer, &record, reported, self, NULL) == WEIR_OK) {
        self->unreported++;
    } else {
        self->has_failed = true;
    }
}

/* What stands after the prefix. */
static void name_entity(const struct weir_event *event, char *ret, size_t size)
{
    if (event->type == WEIR_EV_STATE_STREAM) {
        snprintf(ret, size, "stream/%s", WEIR_ID_TEXT(&event->u.state_stream.stream_id));
    } else if (event->type == WEIR_EV_STATE_LEASE) {
        snprintf(ret, size, "lease/%s", WEIR_ID_TEXT(&event->u.state_lease.camera_id));
    } else if (event->type == WEIR_EV_STATE_WORKER) {
        snprintf(ret, size, "worker/%s", WEIR_ID_TEXT(&event->u.state_worker.worker_id));
    } else if (event->type == WEIR_EV_STATE_COMMANDS) {
        snprintf(ret, size, "commands/%lld", (long long)event->u.state_commands.chunk);
    } else {
        snprintf(ret, size, "checkpoint/%lld", (long long)event->u.state_checkpoint.epoch);
    }
}

static void write_event(void *ctx, const struct weir_event *event)
{
    struct checkpoint *self = ctx;
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_event *whole = weir_arena_alloc(arena, sizeof(*whole));
    *whole = *event;
    char entity[KEY_MAX / 2 + 16];
    name_entity(event, entity, sizeof(entity));
    char key[KEY_MAX];
    snprintf(key, sizeof(key), "%s/%s", self->prefix, entity);
    whole->time_ms = weir_clock_wall_ms();
    whole->id = weir_id_new(whole->time_ms);
    snprintf(whole->source, sizeof(whole->source), "/weir/scheduler/%d", (int)self->cell);
    WEIR_STR_SET(whole->subject, entity);
    whole->has_partitionkey = WEIR_STR_SET(whole->partitionkey, key);
    const char *bytes;
    size_t len;
    struct weir_err err;
    if (weir_ev_dump(whole, arena, &bytes, &len, &err) != WEIR_OK) {
        weir_log(WEIR_LOG_ERROR, "a row cannot be written into a checkpoint", "key", key, "error",
                 err.msg, NULL);
        self->has_failed = true;
        return;
    }
    send(self, key, bytes, len);
}

bool checkpoint_begin(struct checkpoint *checkpoint, const struct weir_ledger *ledger,
                      const struct weir_id *instance, int64_t epoch)
{
    if (checkpoint->is_writing || checkpoint->reader != NULL) {
        return false;
    }
    snprintf(checkpoint->prefix, sizeof(checkpoint->prefix), "%020lld",
             (long long)weir_ledger_offset(ledger));
    checkpoint->has_failed = false;
    checkpoint->is_writing = true;
    weir_ledger_dump(ledger, instance, epoch, write_event, checkpoint);
    checkpoint->is_writing = checkpoint->unreported > 0;
    return true;
}

/* ---- removing ---- */

static void look_at(struct checkpoint *self, const struct weir_bus_message *message)
{
    char key[KEY_MAX] = {0};
    if (message->key_len <= PREFIX_LEN || message->key_len >= KEY_MAX ||
        memcmp(message->key, self->prefix, PREFIX_LEN) >= 0) {
        return;
    }
    memcpy(key, message->key, message->key_len);
    if (message->value == NULL) {
        weir_map_remove(self->old_keys, key);
    } else {
        weir_map_put(self->old_keys, key, self);
    }
}

static void remove_old(struct checkpoint *self)
{
    const void *key;
    void *mark;
    for (size_t at = 0; weir_map_next(self->old_keys, &at, &key, &mark);) {
        send(self, key, NULL, 0);
    }
    end_sweep(self);
}

static void sweep(struct checkpoint *self)
{
    int64_t now = weir_clock_mono_ms();
    for (int i = 0; i < SWEEP_MAX; i++) {
        struct weir_bus_message message;
        bool got;
        if (weir_bus_reader_poll(self->reader, 0, &message, &got, NULL) != WEIR_OK) {
            end_sweep(self);
            return;
        }
        if (!got) {
            break;
        }
        self->sweep_progress_mono_ms = now;
        look_at(self, &message);
        if (message.offset >= self->sweep_end - 1) {
            remove_old(self);
            return;
        }
    }
    if (now - self->sweep_progress_mono_ms > SWEEP_END_MS) {
        remove_old(self);
    }
}

void checkpoint_pump(struct checkpoint *checkpoint)
{
    if (checkpoint->wants_sweep) {
        checkpoint->wants_sweep = false;
        begin_sweep(checkpoint);
    }
    if (checkpoint->reader != NULL) {
        sweep(checkpoint);
    }
}

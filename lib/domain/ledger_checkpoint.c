/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/domain/ledger_rows.h"

/* ---- writing ---- */

static void dump_stream(const struct weir_stream_row *row, int64_t epoch, struct weir_event *ev)
{
    ev->type = WEIR_EV_STATE_STREAM;
    struct weir_ev_state_stream *to = &ev->u.state_stream;
    bool is_placed = !weir_id_is_nil(&row->worker_id);
    *to = (struct weir_ev_state_stream){
        .epoch = epoch,
        .offset = row->version,
        .tenant_id = row->tenant_id,
        .stream_id = row->stream_id,
        .camera_id = row->camera_id,
        .quality = row->quality,
        .fps = row->fps,
        .class = row->class,
        .state = row->state,
        .generation = row->generation,
        .has_worker_id = is_placed,
        .worker_id = row->worker_id,
        .has_incarnation = is_placed,
        .incarnation = row->incarnation,
        .has_lease_generation = is_placed,
        .lease_generation = row->lease_generation,
        .seq_base = row->seq_base,
        .has_placed_at_ms = row->placed_at_ms != 0,
        .placed_at_ms = row->placed_at_ms,
        .has_second = !weir_id_is_nil(&row->second.worker_id),
        .second = row->second,
        .has_last_generation = row->last_generation != row->generation,
        .last_generation = row->last_generation,
        .asked_at_ms = row->queued_at_ms,
        .since_ms = row->changed_at_ms,
        .has_detail = row->detail[0] != '\0',
    };
    WEIR_STR_SET(to->reason, row->reason);
    WEIR_STR_SET(to->detail, row->detail);
}

static void dump_lease(const struct weir_lease_row *row, int64_t epoch, struct weir_event *ev)
{
    ev->type = WEIR_EV_STATE_LEASE;
    ev->u.state_lease = (struct weir_ev_state_lease){
        .epoch = epoch,
        .offset = row->version,
        .tenant_id = row->tenant_id,
        .camera_id = row->camera_id,
        .worker_id = row->worker_id,
        .incarnation = row->incarnation,
        .lease_generation = row->lease_generation,
        .state = row->state,
        .since_ms = row->since_ms,
        .warm = row->warm,
        .has_second = !weir_id_is_nil(&row->second.worker_id),
        .second = row->second,
    };
    WEIR_STR_SET(ev->u.state_lease.reason, row->reason);
}

static void dump_worker(const struct weir_worker_row *row, int64_t epoch, struct weir_event *ev)
{
    ev->type = WEIR_EV_STATE_WORKER;
    ev->u.state_worker = (struct weir_ev_state_worker){
        .epoch = epoch,
        .offset = row->version,
        .worker_id = row->worker_id,
        .incarnation = row->incarnation,
        .boot_id = row->boot_id,
        .state = row->state,
        .since_ms = row->since_ms,
        .capacity = row->capacity,
        .streams_max = row->streams_max,
    };
    WEIR_STR_SET(ev->u.state_worker.reason, row->reason);
    WEIR_STR_SET(ev->u.state_worker.origin_url, row->origin_url);
    WEIR_STR_SET(ev->u.state_worker.site, row->site);
}

/* Returns the number of chunks. */
static int64_t dump_commands(const struct weir_ledger *ledger, int64_t epoch,
                             weir_ledger_dump_fn *fn, void *ctx, struct weir_event *ev)
{
    struct weir_ev_state_commands_ids *ids =
        weir_xarray(WEIR_EV_STATE_COMMANDS_IDS_MAX, sizeof(*ids));
    int64_t chunks = 0;
    size_t n = 0;
    ev->type = WEIR_EV_STATE_COMMANDS;
    size_t count = weir_ledger_commands_count(ledger->commands);
    for (size_t i = 0; i < count; i++) {
        const struct weir_ledger_command *command = weir_ledger_commands_at(ledger->commands, i);
        ids[n].command_id = command->command_id;
        ids[n].at_ms = command->at_ms;
        n++;
        if (n == WEIR_EV_STATE_COMMANDS_IDS_MAX || i + 1 == count) {
            ev->u.state_commands = (struct weir_ev_state_commands){
                .epoch = epoch, .chunk = chunks, .ids = ids, .n_ids = n};
            fn(ctx, ev);
            chunks++;
            n = 0;
        }
    }
    weir_freep(&ids);
    return chunks;
}

static void dump_end(const struct weir_ledger *ledger, const struct weir_id *instance,
                     int64_t epoch, int64_t command_chunks, struct weir_event *ev)
{
    ev->type = WEIR_EV_STATE_CHECKPOINT;
    ev->u.state_checkpoint = (struct weir_ev_state_checkpoint){
        .instance = *instance,
        .epoch = epoch,
        .offset = ledger->offset,
        .at_ms = ledger->now_ms,
        .causes = {.commands_offset = ledger->causes.commands_next - 1,
                   .facts_offset = ledger->causes.facts_next - 1,
                   .config_offset = ledger->causes.config_next - 1},
        .streams = (int64_t)weir_map_count(ledger->streams),
        .leases = (int64_t)weir_map_count(ledger->leases),
        .workers = (int64_t)weir_map_count(ledger->workers),
        .command_chunks = command_chunks,
    };
    weir_ledger_hash_format(ledger->hash, ev->u.state_checkpoint.ledger_hash);
}

void weir_ledger_dump(const struct weir_ledger *ledger, const struct weir_id *instance,
                      int64_t epoch, weir_ledger_dump_fn *fn, void *ctx)
{
    struct weir_event *ev WEIR_CLEANUP(weir_freep) = weir_xalloc(sizeof(*ev));
    void *row;
    for (size_t at = 0; weir_map_next(ledger->streams, &at, NULL, &row);) {
        dump_stream(row, epoch, ev);
        fn(ctx, ev);
    }
    for (size_t at = 0; weir_map_next(ledger->leases, &at, NULL, &row);) {
        dump_lease(row, epoch, ev);
        fn(ctx, ev);
    }
    for (size_t at = 0; weir_map_next(ledger->workers, &at, NULL, &row);) {
        dump_worker(row, epoch, ev);
        fn(ctx, ev);
    }
    int64_t chunks = dump_commands(ledger, epoch, fn, ctx, ev);
    dump_end(ledger, instance, epoch, chunks, ev);
    fn(ctx, ev);
}

/* ---- reading ---- */

static enum weir_code restore_stream(struct weir_ledger *ledger,
                                     const struct weir_ev_state_stream *from, struct weir_err *err)
{
    if (weir_map_find(ledger->streams, from->stream_id.b) != NULL) {
        return weir_fail(err, WEIR_ECORRUPT, "a stream stands twice in the checkpoint");
    }
    struct weir_stream_row *row = weir_xalloc(sizeof(*row));
    *row = (struct weir_stream_row){
        .stream_id = from->stream_id,
        .tenant_id = from->tenant_id,
        .camera_id = from->camera_id,
        .quality = from->quality,
        .fps = from->fps,
        .class = from->class,
        .state = from->state,
        .generation = from->generation,
        .seq_base = from->seq_base,
        .placed_at_ms = from->has_placed_at_ms ? from->placed_at_ms : 0,
        .last_generation = from->has_last_generation ? from->last_generation : from->generation,
        .queued_at_ms = from->asked_at_ms,
        .changed_at_ms = from->since_ms,
        .version = from->offset,
    };
    if (from->has_worker_id && !weir_id_is_nil(&from->worker_id)) {
        row->worker_id = from->worker_id;
        row->incarnation = from->has_incarnation ? from->incarnation : 0;
        row->lease_generation = from->has_lease_generation ? from->lease_generation : 0;
    }
    if (from->has_second) {
        row->second = from->second;
    }
    WEIR_STR_SET(row->reason, from->reason);
    WEIR_STR_SET(row->detail, from->has_detail ? from->detail : "");
    weir_map_put(ledger->streams, row->stream_id.b, row);
    ledger->hash += weir_ledger_hash_stream(row);
    return WEIR_OK;
}

static enum weir_code restore_lease(struct weir_ledger *ledger,
                                    const struct weir_ev_state_lease *from, struct weir_err *err)
{
    if (from->state == WEIR_LEASE_STATE_NONE) {
        return weir_fail(err, WEIR_ECORRUPT, "a lease that ended stands in the checkpoint");
    }
    if (weir_map_find(ledger->leases, from->camera_id.b) != NULL) {
        return weir_fail(err, WEIR_ECORRUPT, "a lease stands twice in the checkpoint");
    }
    struct weir_lease_row *row = weir_xalloc(sizeof(*row));
    *row = (struct weir_lease_row){
        .camera_id = from->camera_id,
        .tenant_id = from->tenant_id,
        .worker_id = from->worker_id,
        .incarnation = from->incarnation,
        .lease_generation = from->lease_generation,
        .state = from->state,
        .warm = from->warm,
        .since_ms = from->since_ms,
        .version = from->offset,
    };
    if (from->has_second) {
        row->second = from->second;
    }
    WEIR_STR_SET(row->reason, from->reason);
    weir_map_put(ledger->leases, row->camera_id.b, row);
    ledger->hash += weir_ledger_hash_lease(row);
    return WEIR_OK;
}

static enum weir_code restore_worker(struct weir_ledger *ledger,
                                     const struct weir_ev_state_worker *from, struct weir_err *err)
{
    if (weir_map_find(ledger->workers, from->worker_id.b) != NULL) {
        return weir_fail(err, WEIR_ECORRUPT, "a worker stands twice in the checkpoint");
    }
    struct weir_worker_row *row = weir_xalloc(sizeof(*row));
    *row = (struct weir_worker_row){
        .worker_id = from->worker_id,
        .boot_id = from->boot_id,
        .incarnation = from->incarnation,
        .state = from->state,
        .capacity = from->capacity,
        .streams_max = from->streams_max,
        .since_ms = from->since_ms,
        .version = from->offset,
    };
    WEIR_STR_SET(row->reason, from->reason);
    WEIR_STR_SET(row->origin_url, from->origin_url);
    WEIR_STR_SET(row->site, from->site);
    weir_map_put(ledger->workers, row->worker_id.b, row);
    ledger->hash += weir_ledger_hash_worker(row);
    return WEIR_OK;
}

/* The order among chunks is free, but ids must be forgotten oldest first. */
static void restore_commands(struct weir_ledger *ledger, const struct weir_ev_state_commands *from)
{
    for (size_t i = 0; i < from->n_ids; i++) {
        weir_ledger_add_command(ledger, &from->ids[i].command_id, from->ids[i].at_ms);
    }
    ledger->restored_chunks++;
}

static enum weir_code restore_end(struct weir_ledger *ledger,
                                  const struct weir_ev_state_checkpoint *from, struct weir_err *err)
{
    if (from->streams != (int64_t)weir_map_count(ledger->streams) ||
        from->leases != (int64_t)weir_map_count(ledger->leases) ||
        from->workers != (int64_t)weir_map_count(ledger->workers) ||
        from->command_chunks != ledger->restored_chunks) {
        return weir_fail(err, WEIR_ECORRUPT, "the checkpoint at %lld is not complete",
                         (long long)from->offset);
    }
    char hash[WEIR_LEDGER_HASH_TEXT_MAX];
    if (strcmp(from->ledger_hash, weir_ledger_hash_format(ledger->hash, hash)) != 0) {
        return weir_fail(err, WEIR_ECORRUPT, "the checkpoint at %lld does not have its hash",
                         (long long)from->offset);
    }
    weir_ledger_commands_sort(ledger->commands);
    ledger->offset = from->offset;
    ledger->now_ms = from->at_ms;
    ledger->causes = (struct weir_ledger_causes){
        .commands_next = from->causes.commands_offset + 1,
        .facts_next = from->causes.facts_offset + 1,
        .config_next = from->causes.config_offset + 1,
    };
    return WEIR_OK;
}

enum weir_code weir_ledger_restore(struct weir_ledger *ledger, const struct weir_event *event,
                                   struct weir_err *err)
{
    if (event->type == WEIR_EV_STATE_STREAM) {
        return restore_stream(ledger, &event->u.state_stream, err);
    }
    if (event->type == WEIR_EV_STATE_LEASE) {
        return restore_lease(ledger, &event->u.state_lease, err);
    }
    if (event->type == WEIR_EV_STATE_WORKER) {
        return restore_worker(ledger, &event->u.state_worker, err);
    }
    if (event->type == WEIR_EV_STATE_COMMANDS) {
        restore_commands(ledger, &event->u.state_commands);
        return WEIR_OK;
    }
    if (event->type == WEIR_EV_STATE_CHECKPOINT) {
        return restore_end(ledger, &event->u.state_checkpoint, err);
    }
    return weir_fail(err, WEIR_EUNSUPPORTED, "%s is no part of a checkpoint",
                     weir_ev_type_name(event->type));
}

static void restore_into(void *ctx, const struct weir_event *event)
{
    enum weir_code code = weir_ledger_restore(ctx, event, NULL);
    assert(code == WEIR_OK);
    (void)code;
}

struct weir_ledger *weir_ledger_copy(const struct weir_ledger *ledger)
{
    const struct weir_id any = {{0}};
    struct weir_ledger *copy = weir_ledger_new();
    weir_ledger_dump(ledger, &any, 0, restore_into, copy);
    return copy;
}

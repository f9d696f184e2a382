/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/follower_fetch.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"

#define BOUNDS_MS       2000
#define POLL_MS         100
#define PROBE_EVERY_MS  1000
#define RETRY_AFTER_MS  1000
#define FIRST_RECORD_MS 5000

/* One following of the log, from a start to a reason to start again. */
struct run {
    const struct follower_fetch *fetch;
    struct weir_bus_reader *reader;
    struct weir_bus_reader *prober; /* a question to `reader` would wait behind its fetch */
    struct weir_id instance;        /* nil: no takeover read yet */
    struct weir_id foreign;         /* records of this instance are known to be void here */
    int64_t epoch;
    int64_t position; /* next offset wanted */
    int64_t end;      /* of the log as it was at the start */
    bool is_caught_up;
    int64_t probed_mono_ms;
    int64_t probed_next; /* the log's end when it was probed */
};

static enum weir_code parse(const struct weir_bus_message *message, struct weir_arena *arena,
                            struct weir_event **ret, struct weir_err *err)
{
    struct weir_event *event = weir_arena_alloc(arena, sizeof(*event));
    enum weir_code code = weir_ev_parse(message->value, message->value_len, arena, event, err);
    if (code == WEIR_OK && event->type != WEIR_EV_DECISION) {
        code = weir_fail(err, WEIR_EUNSUPPORTED, "a %s in the decision log",
                         weir_ev_type_name(event->type));
    }
    *ret = event;
    return code;
}

/* The instance of a log is that of its first record; nil for an empty log. */
static enum weir_code find_instance(struct run *run, int64_t first, struct weir_err *err)
{
    run->instance = (struct weir_id){{0}};
    if (first >= run->end) {
        return WEIR_OK;
    }
    enum weir_code code =
        weir_bus_reader_assign(run->reader, WEIR_TOPIC_DECISIONS, run->fetch->cell, first, err);
    if (code != WEIR_OK) {
        return code;
    }
    struct weir_bus_message message;
    bool got;
    code = weir_bus_reader_poll(run->reader, FIRST_RECORD_MS, &message, &got, err);
    if (code != WEIR_OK) {
        return code;
    }
    if (!got) {
        return weir_fail(err, WEIR_ETIMEOUT, "the first record of the decision log does not come");
    }
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_event *event;
    if (message.value != NULL && parse(&message, arena, &event, NULL) == WEIR_OK) {
        run->instance = event->u.decision.instance;
    }
    return WEIR_OK;
}

static enum weir_code open_reader(const struct run *run, struct weir_bus_reader **ret,
                                  struct weir_err *err)
{
    const struct weir_bus_reader_config config = {.brokers = run->fetch->brokers,
                                                  .client_id = run->fetch->client_id,
                                                  .is_patient = run->fetch->is_patient};
    return weir_bus_reader_open(&config, ret, err);
}

/* With a reader of its own: the log's reader must see nothing but the log. */
static enum weir_code read_snapshot(const struct run *run, int64_t first,
                                    struct follower_snapshot *ret, struct weir_err *err)
{
    struct weir_bus_reader *reader = NULL;
    enum weir_code code = open_reader(run, &reader, err);
    if (code == WEIR_OK) {
        code =
            follower_snapshot_read(reader, run->fetch, &run->instance, first, run->end, ret, err);
    }
    weir_bus_reader_close(&reader);
    return code;
}

static enum weir_code begin(struct run *run, const char *why, struct weir_err *err)
{
    const struct follower_fetch *fetch = run->fetch;
    int64_t first;
    enum weir_code code = weir_bus_reader_bounds(run->reader, WEIR_TOPIC_DECISIONS, fetch->cell,
                                                 BOUNDS_MS, &first, &run->end, err);
    struct follower_snapshot snapshot;
    if (code != WEIR_OK || (code = find_instance(run, first, err)) != WEIR_OK ||
        (code = read_snapshot(run, first, &snapshot, err)) != WEIR_OK) {
        return code;
    }
    run->epoch = snapshot.epoch;
    run->position = snapshot.has_checkpoint ? weir_ledger_offset(snapshot.ledger) + 1 : first;
    struct follower_item *item = follower_item_new(FOLLOWER_ITEM_START);
    item->ledger = snapshot.ledger;
    item->instance = run->instance;
    item->epoch = run->epoch;
    item->arena = weir_arena_new(256);
    item->why = why == NULL ? NULL : weir_arena_strdup(item->arena, why);
    follower_pipe_push(fetch->pipe, item);
    return weir_bus_reader_assign(run->reader, WEIR_TOPIC_DECISIONS, fetch->cell, run->position,
                                  err);
}

/* Whether the record counts; a takeover that does moves the epoch. */
static bool judge(struct run *run, const struct weir_ev_decision *decision, int64_t offset)
{
    if (decision->kind == WEIR_EV_DECISION_KIND_TAKEOVER) {
        if (weir_id_is_nil(&run->instance)) {
            run->instance = decision->instance;
        }
        if (!weir_id_equal(&decision->instance, &run->instance)) {
            return false;
        }
        run->epoch = offset;
        return true;
    }
    return weir_id_equal(&decision->instance, &run->instance) && decision->epoch == run->epoch;
}

/* WEIR_EGONE when the record tells that this is another log than the one begun with. */
static enum weir_code take(struct run *run, const struct weir_bus_message *message,
                           struct weir_err *err)
{
    struct follower_item *item = follower_item_new(FOLLOWER_ITEM_DECISION);
    item->arena = weir_arena_new(message->value_len * 2 + 1024);
    struct weir_event *event;
    run->position = message->offset + 1;
    enum weir_code code = message->value == NULL
                              ? weir_fail(err, WEIR_EPARSE, "a tombstone in the decision log")
                              : parse(message, item->arena, &event, err);
    if (code != WEIR_OK) {
        weir_logf(WEIR_LOG_DEBUG, "decision log %d: record %lld skipped: %s", (int)run->fetch->cell,
                  (long long)message->offset, err->msg);
        weir_arena_free(item->arena);
        weir_freep(&item);
        return WEIR_OK;
    }
    const struct weir_id *instance = &event->u.decision.instance;
    item->is_void = !judge(run, &event->u.decision, message->offset);
    bool is_foreign = !weir_id_is_nil(&run->instance) && !weir_id_equal(instance, &run->instance);
    if (is_foreign && !weir_id_equal(instance, &run->foreign)) {
        run->foreign = *instance;
        weir_arena_free(item->arena);
        weir_freep(&item);
        return weir_fail(err, WEIR_EGONE, "the decision log is of another instance");
    }
    item->instance = run->instance;
    item->epoch = run->epoch;
    item->offset = message->offset;
    item->timestamp_ms = message->timestamp_ms;
    item->event = event;
    item->raw = weir_arena_memdup(item->arena, message->value, message->value_len);
    item->raw_len = message->value_len;
    follower_pipe_push(run->fetch->pipe, item);
    return WEIR_OK;
}

/* Asks the broker now and then where the log ends, which also shows that it answers. */
static enum weir_code probe(struct run *run, struct weir_err *err)
{
    int64_t now = weir_clock_mono_ms();
    if (now - run->probed_mono_ms < PROBE_EVERY_MS) {
        return WEIR_OK;
    }
    int64_t first;
    if (weir_bus_reader_bounds(run->prober, WEIR_TOPIC_DECISIONS, run->fetch->cell, BOUNDS_MS,
                               &first, &run->probed_next, NULL) != WEIR_OK) {
        run->probed_next = INT64_MAX; /* an outage: silence grows */
        run->probed_mono_ms = weir_clock_mono_ms();
        return WEIR_OK;
    }
    run->probed_mono_ms = now;
    if (run->position < first || run->position > run->probed_next) {
        return weir_fail(err, WEIR_EGONE, "the decision log no longer holds offset %lld",
                         (long long)run->position);
    }
    return WEIR_OK;
}

/* The log was followed to its end as of the last probe. */
static void note_alive(const struct run *run)
{
    if (run->position >= run->probed_next) {
        follower_pipe_set_alive(run->fetch->pipe, run->probed_mono_ms);
    }
}

static enum weir_code follow(struct run *run, struct weir_err *err)
{
    struct follower_pipe *pipe = run->fetch->pipe;
    while (!follower_pipe_is_stopped(pipe)) {
        if (!run->is_caught_up && run->position >= run->end) {
            run->is_caught_up = true;
            follower_pipe_set_alive(pipe, weir_clock_mono_ms());
            follower_pipe_push(pipe, follower_item_new(FOLLOWER_ITEM_CAUGHT_UP));
        }
        struct weir_bus_message message;
        bool got;
        enum weir_code code = weir_bus_reader_poll(run->reader, POLL_MS, &message, &got, err);
        /* What an earlier position left in the reader's queue comes before the one asked for. */
        if (code == WEIR_OK && got && message.offset >= run->position) {
            code = take(run, &message, err);
        }
        if (code != WEIR_OK || (code = probe(run, err)) != WEIR_OK) {
            return code;
        }
        note_alive(run);
        if (follower_pipe_take_restart(pipe)) {
            return weir_fail(err, WEIR_ECORRUPT, "the decision log contradicts the ledger");
        }
    }
    return WEIR_OK;
}

static enum weir_code run_once(struct run *run, const char *why, bool *ret_begun,
                               struct weir_err *err)
{
    enum weir_code code = open_reader(run, &run->reader, err);
    if (code == WEIR_OK) {
        code = open_reader(run, &run->prober, err);
    }
    run->is_caught_up = false;
    run->probed_mono_ms = 0;
    run->probed_next = INT64_MAX;
    if (code == WEIR_OK) {
        code = begin(run, why, err);
    }
    *ret_begun = code == WEIR_OK;
    if (code == WEIR_OK) {
        code = follow(run, err);
    }
    weir_bus_reader_close(&run->prober);
    weir_bus_reader_close(&run->reader);
    return code;
}

void *follower_fetch_run(void *ctx)
{
    struct run run = {.fetch = ctx};
    struct follower_pipe *pipe = run.fetch->pipe;
    struct weir_err err = {0};
    struct weir_err why = {0};
    while (!follower_pipe_is_stopped(pipe)) {
        bool is_begun = false;
        const char *reason = why.code == WEIR_OK ? NULL : why.msg;
        if (run_once(&run, reason, &is_begun, &err) == WEIR_OK) {
            break;
        }
        weir_logf(WEIR_LOG_DEBUG, "decision log %d: starting again: %s", (int)run.fetch->cell,
                  err.msg);
        /* A start that failed after an earlier success still owes its reset. */
        if (is_begun) {
            why = err;
        }
        follower_pipe_sleep(pipe, RETRY_AFTER_MS);
    }
    return NULL;
}

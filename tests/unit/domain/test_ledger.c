/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "tests/unit/check.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define T0      ((int64_t)1700000000000)

static struct weir_id id(uint8_t n)
{
    struct weir_id id = {{n}};
    id.b[15] = 1;
    return id;
}

static struct weir_ev_decision_effects worker_joins(uint8_t n, int64_t incarnation)
{
    struct weir_ev_decision_effects e = {
        .entity = WEIR_EV_DECISION_EFFECTS_ENTITY_WORKER,
        .has_worker_id = true,
        .worker_id = id(n),
        .has_incarnation = true,
        .incarnation = incarnation,
        .has_boot_id = true,
        .boot_id = id(200),
        .has_origin_url = true,
        .has_capacity = true,
        .capacity = {.cpu_milli = 4000, .mem_mib = 8192, .net_kbps = 1000000},
        .has_streams_max = true,
        .streams_max = 100,
    };
    WEIR_STR_SET(e.origin_url, "http://10.0.0.1:9000");
    WEIR_STR_SET(e.to, "ready");
    WEIR_STR_SET(e.reason, "worker_joined");
    return e;
}

static struct weir_ev_decision_effects stream(uint8_t n, const char *from, const char *to)
{
    struct weir_ev_decision_effects e = {
        .entity = WEIR_EV_DECISION_EFFECTS_ENTITY_STREAM,
        .has_stream_id = true,
        .stream_id = id(n),
        .has_tenant_id = true,
        .tenant_id = id(100),
        .has_camera_id = true,
        .camera_id = id(101),
        .has_from = from != NULL,
    };
    if (from != NULL) {
        WEIR_STR_SET(e.from, from);
    }
    WEIR_STR_SET(e.to, to);
    WEIR_STR_SET(e.reason, "start_asked");
    return e;
}

static struct weir_ev_decision_effects placed(uint8_t n, int64_t generation)
{
    struct weir_ev_decision_effects e = stream(n, "queued", "placed");
    e.has_worker_id = true;
    e.worker_id = id(50);
    e.has_incarnation = true;
    e.incarnation = 7;
    e.has_generation = true;
    e.generation = generation;
    e.has_seq_base = true;
    e.seq_base = 64;
    e.has_placed_at_ms = true;
    e.placed_at_ms = T0;
    return e;
}

static struct weir_ev_decision_effects lease(const char *from, const char *to)
{
    struct weir_ev_decision_effects e = {
        .entity = WEIR_EV_DECISION_EFFECTS_ENTITY_LEASE,
        .has_camera_id = true,
        .camera_id = id(101),
        .has_tenant_id = true,
        .tenant_id = id(100),
        .has_worker_id = true,
        .worker_id = id(50),
        .has_incarnation = true,
        .incarnation = 7,
        .has_lease_generation = true,
        .lease_generation = 3,
        .has_from = from != NULL,
    };
    if (from != NULL) {
        WEIR_STR_SET(e.from, from);
    }
    WEIR_STR_SET(e.to, to);
    WEIR_STR_SET(e.reason, "lease_needed");
    return e;
}

static struct weir_ev_decision decision(int64_t at_ms, struct weir_ev_decision_effects *effects,
                                        size_t n)
{
    struct weir_ev_decision d = {.at_ms = at_ms, .effects = effects, .n_effects = n};
    WEIR_STR_SET(d.reason, "start_asked");
    return d;
}

static void with_command(struct weir_ev_decision *d, uint8_t n, int64_t cause_offset)
{
    d->has_command_id = true;
    d->command_id = id(n);
    d->has_cause_topic = true;
    WEIR_STR_SET(d->cause_topic, WEIR_TOPIC_COMMANDS);
    d->has_cause_offset = true;
    d->cause_offset = cause_offset;
}

/* A worker, a lease, one placed and one queued stream, two commands. */
static struct weir_ledger *usual_ledger(void)
{
    struct weir_err err;
    struct weir_ledger *ledger = weir_ledger_new();
    struct weir_ev_decision_effects join[] = {worker_joins(50, 7)};
    struct weir_ev_decision d = decision(T0, join, 1);
    ASSERT_OK(weir_ledger_apply(ledger, 10, &d, NULL, NULL, &err), &err);
    struct weir_ev_decision_effects start[] = {stream(1, NULL, "queued"), lease(NULL, "active"),
                                               placed(1, 5)};
    d = decision(T0 + 100, start, 3);
    with_command(&d, 31, 4);
    ASSERT_OK(weir_ledger_apply(ledger, 11, &d, NULL, NULL, &err), &err);
    struct weir_ev_decision_effects wait[] = {stream(2, NULL, "queued")};
    d = decision(T0 + 200, wait, 1);
    with_command(&d, 32, 5);
    ASSERT_OK(weir_ledger_apply(ledger, 13, &d, NULL, NULL, &err), &err);
    return ledger;
}

static void it_folds_effects_in_order_into_rows(void **state)
{
    (void)state;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_id one = id(1);
    const struct weir_stream_row *row = weir_ledger_stream(ledger, &one);
    assert_int_equal(row->state, WEIR_STREAM_STATE_PLACED);
    assert_int_equal(row->generation, 5);
    assert_int_equal(row->queued_at_ms, T0 + 100);
    assert_int_equal(row->version, 11);
    struct weir_id worker_id = id(50);
    assert_true(weir_id_equal(&row->worker_id, &worker_id));
    assert_int_equal(weir_ledger_worker(ledger, &worker_id)->capacity.cpu_milli, 4000);
    assert_int_equal(weir_ledger_offset(ledger), 13);
    assert_int_equal(weir_ledger_now_ms(ledger), T0 + 200);
    assert_int_equal(weir_ledger_causes(ledger).commands_next, 6);
    weir_ledger_free(ledger);
}

static void it_refuses_a_record_that_contradicts_it_and_changes_nothing(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    uint64_t before = weir_ledger_hash(ledger);
    struct weir_ev_decision_effects effects[] = {stream(2, "queued", "stopped"),
                                                 stream(1, "running", "stopping")};
    struct weir_ev_decision d = decision(T0 + 300, effects, 2);
    assert_int_equal(weir_ledger_apply(ledger, 14, &d, NULL, NULL, &err), WEIR_ECORRUPT);
    assert_true(weir_ledger_hash(ledger) == before);
    struct weir_id two = id(2);
    assert_int_equal(weir_ledger_stream(ledger, &two)->state, WEIR_STREAM_STATE_QUEUED);
    assert_int_equal(weir_ledger_offset(ledger), 13);
    weir_ledger_free(ledger);
}

static void it_refuses_an_offset_that_does_not_rise(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_ev_decision d = decision(T0 + 300, NULL, 0);
    assert_int_equal(weir_ledger_apply(ledger, 13, &d, NULL, NULL, &err), WEIR_ECORRUPT);
    weir_ledger_free(ledger);
}

static void it_refuses_half_a_row(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = weir_ledger_new();
    struct weir_ev_decision_effects effects[] = {stream(2, NULL, "queued")};
    effects[0].has_camera_id = false;
    struct weir_ev_decision d = decision(T0, effects, 1);
    assert_int_equal(weir_ledger_apply(ledger, 0, &d, NULL, NULL, &err), WEIR_ECORRUPT);
    effects[0] = stream(2, NULL, "sleeping");
    assert_int_equal(weir_ledger_apply(ledger, 0, &d, NULL, NULL, &err), WEIR_ECORRUPT);
    weir_ledger_free(ledger);
}

static void a_stream_without_a_worker_names_none(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_ev_decision_effects effects[] = {stream(1, "placed", "queued")};
    struct weir_ev_decision d = decision(T0 + 300, effects, 1);
    ASSERT_OK(weir_ledger_apply(ledger, 14, &d, NULL, NULL, &err), &err);
    struct weir_id one = id(1);
    const struct weir_stream_row *row = weir_ledger_stream(ledger, &one);
    assert_true(weir_id_is_nil(&row->worker_id));
    assert_int_equal(row->generation, 5);
    assert_int_equal(row->queued_at_ms, T0 + 100); /* keeps its place in the queue */
    weir_ledger_free(ledger);
}

struct seen {
    int n;
    int removed;
    int from_of_last;
};

static void see(void *ctx, const struct weir_ledger_change *change)
{
    struct seen *seen = ctx;
    seen->n++;
    seen->removed += change->lease != NULL && change->lease->state == WEIR_LEASE_STATE_NONE;
    seen->from_of_last = change->from;
}

static void it_tells_each_change_and_forgets_a_lease_that_ended(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_ev_decision_effects effects[] = {stream(1, "placed", "stopped"),
                                                 lease("active", "none")};
    struct weir_ev_decision d = decision(T0 + 300, effects, 2);
    struct seen seen = {0};
    ASSERT_OK(weir_ledger_apply(ledger, 14, &d, see, &seen, &err), &err);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.removed, 1);
    assert_int_equal(seen.from_of_last, WEIR_LEASE_STATE_ACTIVE);
    struct weir_id camera_id = id(101);
    assert_null(weir_ledger_lease(ledger, &camera_id));
    weir_ledger_free(ledger);
}

static void command_ids_are_kept_for_a_day_of_cell_time(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_id command_id = id(31);
    assert_true(weir_ledger_has_command(ledger, &command_id));
    struct weir_ev_decision d = decision(T0 + 24 * HOUR_MS - 1000, NULL, 0);
    ASSERT_OK(weir_ledger_apply(ledger, 20, &d, NULL, NULL, &err), &err);
    assert_true(weir_ledger_has_command(ledger, &command_id));
    d = decision(T0 + 24 * HOUR_MS + 61000, NULL, 0);
    ASSERT_OK(weir_ledger_apply(ledger, 21, &d, NULL, NULL, &err), &err);
    assert_false(weir_ledger_has_command(ledger, &command_id));
    weir_ledger_free(ledger);
}

static void streams_that_ended_are_forgotten_after_a_day(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_ev_decision_effects effects[] = {stream(2, "queued", "stopped")};
    struct weir_ev_decision d = decision(T0 + 300, effects, 1);
    ASSERT_OK(weir_ledger_apply(ledger, 14, &d, NULL, NULL, &err), &err);
    d = decision(T0 + 25 * HOUR_MS, NULL, 0);
    ASSERT_OK(weir_ledger_apply(ledger, 15, &d, NULL, NULL, &err), &err);
    struct weir_id one = id(1);
    struct weir_id two = id(2);
    assert_non_null(weir_ledger_stream(ledger, &one));
    assert_null(weir_ledger_stream(ledger, &two));
    weir_ledger_free(ledger);
}

/* ---- what a stream really is ---- */

static struct weir_ev_decision_effects runs(const char *from, int64_t fps)
{
    struct weir_ev_decision_effects e = stream(1, from, "running");
    e.has_effective = true;
    e.effective = (struct weir_effective){
        .width = 640, .height = 360, .fps = fps, .how = WEIR_RENDITION_HOW_TRANSCODE};
    WEIR_STR_SET(e.effective.codec, "avc1");
    return e;
}

/* Queued, placed and playing. */
static struct weir_ledger *playing(void)
{
    struct weir_err err;
    struct weir_ledger *ledger = weir_ledger_new();
    struct weir_ev_decision_effects effects[] = {worker_joins(50, 7), stream(1, NULL, "queued"),
                                                 placed(1, 100), runs("placed", 5)};
    struct weir_ev_decision d = decision(T0, effects, 4);
    ASSERT_OK(weir_ledger_apply(ledger, 1, &d, NULL, NULL, &err), &err);
    return ledger;
}

static const struct weir_effective *effective_of(const struct weir_ledger *ledger)
{
    struct weir_id stream_id = id(1);
    return &weir_ledger_stream(ledger, &stream_id)->effective;
}

static void apply_one(struct weir_ledger *ledger, int64_t offset,
                      struct weir_ev_decision_effects effect)
{
    struct weir_err err;
    struct weir_ev_decision d = decision(T0, &effect, 1);
    ASSERT_OK(weir_ledger_apply(ledger, offset, &d, NULL, NULL, &err), &err);
}

static void what_a_stream_really_is_is_known_while_it_is_placed(void **state)
{
    (void)state;
    struct weir_ledger *ledger = playing();
    assert_string_equal(effective_of(ledger)->codec, "avc1");
    assert_int_equal(effective_of(ledger)->fps, 5);
    uint64_t before = weir_ledger_hash(ledger);
    apply_one(ledger, 2, runs("running", 25));
    assert_int_equal(effective_of(ledger)->fps, 25);
    assert_true(weir_ledger_hash(ledger) != before);
    apply_one(ledger, 3, stream(1, "running", "suspect"));
    assert_int_equal(effective_of(ledger)->fps, 25);
    apply_one(ledger, 4, stream(1, "suspect", "queued"));
    assert_string_equal(effective_of(ledger)->codec, "");
    weir_ledger_free(ledger);
}

static void another_placement_is_not_what_the_last_one_was(void **state)
{
    (void)state;
    struct weir_ledger *ledger = playing();
    struct weir_ev_decision_effects moved = stream(1, "running", "starting");
    moved.has_generation = true;
    moved.generation = 101;
    apply_one(ledger, 2, moved);
    assert_string_equal(effective_of(ledger)->codec, "");
    weir_ledger_free(ledger);
}

/* ---- checkpoints ---- */

struct taken {
    struct weir_arena *arena;
    struct weir_event *events[32];
    size_t n;
};

/* Through the codec, as a follower gets them. */
static void take(void *ctx, const struct weir_event *event)
{
    struct taken *taken = ctx;
    struct weir_err err;
    struct weir_event whole = *event;
    whole.id = id(9);
    WEIR_STR_SET(whole.source, "/weir/scheduler/test");
    WEIR_STR_SET(whole.subject, "cell-0");
    whole.time_ms = T0;
    const char *bytes;
    size_t len;
    ASSERT_OK(weir_ev_dump(&whole, taken->arena, &bytes, &len, &err), &err);
    struct weir_event *parsed = weir_arena_alloc(taken->arena, sizeof(*parsed));
    ASSERT_OK(weir_ev_parse(bytes, len, taken->arena, parsed, &err), &err);
    assert_true(taken->n < 32);
    taken->events[taken->n++] = parsed;
}

static void a_checkpoint_gives_the_same_ledger(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_id instance = id(77);
    struct taken taken = {.arena = weir_arena_new(0)};
    weir_ledger_dump(ledger, &instance, 3, take, &taken);
    assert_int_equal(taken.n, 6); /* 2 streams, 1 lease, 1 worker, 1 chunk of ids, the end */

    struct weir_ledger *copy = weir_ledger_new();
    for (size_t i = taken.n - 1; i-- > 0;) { /* in another order, the end last */
        ASSERT_OK(weir_ledger_restore(copy, taken.events[i], &err), &err);
    }
    ASSERT_OK(weir_ledger_restore(copy, taken.events[taken.n - 1], &err), &err);
    assert_true(weir_ledger_hash(copy) == weir_ledger_hash(ledger));
    assert_int_equal(weir_ledger_offset(copy), 13);
    assert_int_equal(weir_ledger_causes(copy).commands_next, 6);
    struct weir_id command_id = id(32);
    assert_true(weir_ledger_has_command(copy, &command_id));

    struct weir_ev_decision d = decision(T0 + 24 * HOUR_MS + 61000, NULL, 0);
    ASSERT_OK(weir_ledger_apply(ledger, 20, &d, NULL, NULL, &err), &err);
    ASSERT_OK(weir_ledger_apply(copy, 20, &d, NULL, NULL, &err), &err);
    assert_true(weir_ledger_hash(copy) == weir_ledger_hash(ledger)); /* both forgot the same */
    weir_ledger_free(copy);
    weir_ledger_free(ledger);
    weir_arena_free(taken.arena);
}

static void a_checkpoint_keeps_what_a_stream_really_is(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = playing();
    struct weir_ledger *copy = weir_ledger_new();
    struct weir_id instance = id(77);
    struct taken taken = {.arena = weir_arena_new(0)};
    weir_ledger_dump(ledger, &instance, 3, take, &taken);
    for (size_t i = 0; i < taken.n; i++) {
        ASSERT_OK(weir_ledger_restore(copy, taken.events[i], &err), &err);
    }
    assert_true(weir_effective_is_same(effective_of(copy), effective_of(ledger)));
    weir_ledger_free(copy);
    weir_ledger_free(ledger);
    weir_arena_free(taken.arena);
}

static void an_incomplete_checkpoint_is_refused(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_id instance = id(77);
    struct taken taken = {.arena = weir_arena_new(0)};
    weir_ledger_dump(ledger, &instance, 3, take, &taken);
    struct weir_ledger *copy = weir_ledger_new();
    for (size_t i = 1; i + 1 < taken.n; i++) {
        ASSERT_OK(weir_ledger_restore(copy, taken.events[i], &err), &err);
    }
    assert_int_equal(weir_ledger_restore(copy, taken.events[taken.n - 1], &err), WEIR_ECORRUPT);
    weir_ledger_free(copy);
    weir_ledger_free(ledger);
    weir_arena_free(taken.arena);
}

static void a_checkpoint_with_a_changed_row_is_refused(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *ledger = usual_ledger();
    struct weir_id instance = id(77);
    struct taken taken = {.arena = weir_arena_new(0)};
    weir_ledger_dump(ledger, &instance, 3, take, &taken);
    taken.events[0]->u.state_stream.generation++;
    struct weir_ledger *copy = weir_ledger_new();
    for (size_t i = 0; i + 1 < taken.n; i++) {
        ASSERT_OK(weir_ledger_restore(copy, taken.events[i], &err), &err);
    }
    assert_int_equal(weir_ledger_restore(copy, taken.events[taken.n - 1], &err), WEIR_ECORRUPT);
    weir_ledger_free(copy);
    weir_ledger_free(ledger);
    weir_arena_free(taken.arena);
}

static void the_hash_does_not_depend_on_the_order_of_history(void **state)
{
    (void)state;
    struct weir_err err;
    struct weir_ledger *a = weir_ledger_new();
    struct weir_ledger *b = weir_ledger_new();
    struct weir_ev_decision_effects ab[] = {stream(1, NULL, "queued"), stream(2, NULL, "queued")};
    struct weir_ev_decision_effects ba[] = {stream(2, NULL, "queued"), stream(1, NULL, "queued")};
    struct weir_ev_decision d = decision(T0, ab, 2);
    ASSERT_OK(weir_ledger_apply(a, 0, &d, NULL, NULL, &err), &err);
    d = decision(T0, ba, 2);
    ASSERT_OK(weir_ledger_apply(b, 5, &d, NULL, NULL, &err), &err);
    assert_true(weir_ledger_hash(a) == weir_ledger_hash(b));
    weir_ledger_reset(a);
    assert_true(weir_ledger_hash(a) == 0);
    assert_int_equal(weir_ledger_offset(a), -1);
    weir_ledger_free(a);
    weir_ledger_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_folds_effects_in_order_into_rows),
        cmocka_unit_test(it_refuses_a_record_that_contradicts_it_and_changes_nothing),
        cmocka_unit_test(it_refuses_an_offset_that_does_not_rise),
        cmocka_unit_test(it_refuses_half_a_row),
        cmocka_unit_test(a_stream_without_a_worker_names_none),
        cmocka_unit_test(it_tells_each_change_and_forgets_a_lease_that_ended),
        cmocka_unit_test(command_ids_are_kept_for_a_day_of_cell_time),
        cmocka_unit_test(streams_that_ended_are_forgotten_after_a_day),
        cmocka_unit_test(a_checkpoint_gives_the_same_ledger),
        cmocka_unit_test(what_a_stream_really_is_is_known_while_it_is_placed),
        cmocka_unit_test(another_placement_is_not_what_the_last_one_was),
        cmocka_unit_test(a_checkpoint_keeps_what_a_stream_really_is),
        cmocka_unit_test(an_incomplete_checkpoint_is_refused),
        cmocka_unit_test(a_checkpoint_with_a_changed_row_is_refused),
        cmocka_unit_test(the_hash_does_not_depend_on_the_order_of_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

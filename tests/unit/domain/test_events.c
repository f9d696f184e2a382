/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/domain/codec.h"
#include "lib/domain/events.h"

static struct weir_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = weir_arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weir_arena_free(arena);
    return 0;
}

static struct weir_event heartbeat(void)
{
    struct weir_event ev = {.type = WEIR_EV_HEARTBEAT, .time_ms = 1763836800123};
    WEIR_STR_SET(ev.source, "/weir/worker/w1");
    WEIR_STR_SET(ev.subject, "w1");
    return ev;
}

static enum weir_code dump(const struct weir_event *ev, const char **ret, struct weir_err *err)
{
    size_t len;
    return weir_ev_dump(ev, arena, ret, &len, err);
}

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev = heartbeat();
    struct weir_ev_heartbeat_streams streams[2] = {
        {.generation = 7, .state = WEIR_EV_HEARTBEAT_STREAMS_STATE_RUNNING},
        {.generation = 8, .has_last_request_age_ms = true, .last_request_age_ms = 12},
    };
    ev.u.heartbeat.streams = streams;
    ev.u.heartbeat.n_streams = 2;
    const char *bytes;
    struct weir_event back;
    ASSERT_OK(dump(&ev, &bytes, &err), &err);
    ASSERT_OK(weir_ev_parse(bytes, strlen(bytes), arena, &back, &err), &err);
    assert_int_equal(back.type, WEIR_EV_HEARTBEAT);
    assert_int_equal(back.time_ms, 1763836800123);
    assert_string_equal(back.source, "/weir/worker/w1");
    assert_int_equal(back.u.heartbeat.n_streams, 2);
    assert_int_equal(back.u.heartbeat.streams[0].state, WEIR_EV_HEARTBEAT_STREAMS_STATE_RUNNING);
    assert_false(back.u.heartbeat.streams[0].has_last_request_age_ms);
    assert_true(back.u.heartbeat.streams[1].has_last_request_age_ms);
    assert_int_equal(back.u.heartbeat.streams[1].last_request_age_ms, 12);
}

static void writing_refuses_a_number_out_of_range_and_names_it(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev = heartbeat();
    const char *bytes;
    ev.u.heartbeat.load.psi_cpu_avg10_ppm = 1000001;
    ASSERT_OK(dump(&ev, &bytes, &err), &err); /* it is not there */
    ev.u.heartbeat.load.has_psi_cpu_avg10_ppm = true;
    assert_int_equal(dump(&ev, &bytes, &err), WEIR_EINVAL);
    assert_string_equal(err.msg, "data.load.psi_cpu_avg10_ppm is outside 0..1000000");
}

static void writing_refuses_text_outside_its_characters(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev = heartbeat();
    const char *bytes;
    WEIR_STR_SET(ev.subject, "two words");
    assert_int_equal(dump(&ev, &bytes, &err), WEIR_EINVAL);
    assert_non_null(strstr(err.msg, "subject "));
    WEIR_STR_SET(ev.source, "/elsewhere/w1");
    assert_int_equal(dump(&ev, &bytes, &err), WEIR_EINVAL);
    assert_non_null(strstr(err.msg, "source "));
}

static void writing_refuses_text_without_an_end(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev = heartbeat();
    const char *bytes;
    memset(ev.subject, 'x', sizeof(ev.subject));
    assert_int_equal(dump(&ev, &bytes, &err), WEIR_ELIMIT);
    assert_string_equal(err.msg, "subject is longer than 128 bytes");
}

static void writing_refuses_an_unknown_enum_member_and_type(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev = heartbeat();
    struct weir_ev_heartbeat_streams stream = {.state = WEIR_EV_HEARTBEAT_STREAMS_STATE_N};
    const char *bytes;
    ev.u.heartbeat.streams = &stream;
    ev.u.heartbeat.n_streams = 1;
    assert_int_equal(dump(&ev, &bytes, &err), WEIR_EINVAL);
    assert_string_equal(err.msg, "data.streams[0].state is member 4 of an enum of 4");
    ev.type = WEIR_EV_N;
    assert_int_equal(dump(&ev, &bytes, &err), WEIR_EINVAL);
}

static void writing_refuses_too_many_elements(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev = heartbeat();
    const char *bytes;
    ev.u.heartbeat.n_streams = WEIR_EV_HEARTBEAT_STREAMS_MAX + 1;
    ev.u.heartbeat.streams =
        weir_arena_array(arena, ev.u.heartbeat.n_streams, sizeof(struct weir_ev_heartbeat_streams));
    assert_int_equal(dump(&ev, &bytes, &err), WEIR_ELIMIT);
    assert_string_equal(err.msg, "data.streams has 1025 elements, the limit is 1024");
}

static void the_longest_heartbeat_fits_a_record(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev = heartbeat();
    const char *bytes;
    ev.u.heartbeat.n_streams = WEIR_EV_HEARTBEAT_STREAMS_MAX;
    ev.u.heartbeat.streams =
        weir_arena_array(arena, WEIR_EV_HEARTBEAT_STREAMS_MAX, sizeof(*ev.u.heartbeat.streams));
    ev.u.heartbeat.n_leases = WEIR_EV_HEARTBEAT_LEASES_MAX;
    ev.u.heartbeat.leases =
        weir_arena_array(arena, WEIR_EV_HEARTBEAT_LEASES_MAX, sizeof(*ev.u.heartbeat.leases));
    struct weir_event back;
    ASSERT_OK(dump(&ev, &bytes, &err), &err);
    ASSERT_OK(weir_ev_parse(bytes, strlen(bytes), arena, &back, &err), &err);
    assert_int_equal(back.u.heartbeat.n_leases, WEIR_EV_HEARTBEAT_LEASES_MAX);
}

static void reading_refuses_a_record_that_is_too_long(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev;
    size_t len = WEIR_EV_BYTES_MAX + 1;
    char *bytes = weir_arena_alloc(arena, len);
    memset(bytes, ' ', len);
    assert_int_equal(weir_ev_parse(bytes, len, arena, &ev, &err), WEIR_ELIMIT);
    assert_string_equal(err.msg, "message of 655361 bytes, the limit is 655360");
}

static void a_failed_read_leaves_the_result_alone(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_event ev = {.time_ms = 42};
    assert_int_not_equal(weir_ev_parse("{}", 2, arena, &ev, &err), WEIR_OK);
    assert_int_equal(ev.time_ms, 42);
    assert_int_equal(weir_ev_parse("", 0, arena, &ev, &err), WEIR_EPARSE);
    assert_int_equal(weir_ev_parse(NULL, 0, arena, &ev, NULL), WEIR_EPARSE);
}

static void an_unknown_type_is_told_apart_from_a_broken_record(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_ctl ctl;
    const char *line = "{\"type\":\"tap.dance\"}";
    assert_int_equal(weir_ctl_parse(line, strlen(line), arena, &ctl, &err), WEIR_EUNSUPPORTED);
}

static void an_error_never_shows_what_a_field_held(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_ctl ctl;
    const char *lines[] = {
        "{\"type\":\"tap.camera\",\"camera_id\":\"hunter2\"}",
        "{\"type\":\"tap.camera\",\"password\":\"hunter2\" \"x\"}",
        "{\"type\":\"tap.camera\",\"password\":\"hunter2\",\"password\":\"hunter2\"}",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_not_equal(weir_ctl_parse(lines[i], strlen(lines[i]), arena, &ctl, &err),
                             WEIR_OK);
        assert_null(strstr(err.msg, "hunter2"));
    }
}

static void a_control_line_ends_in_a_newline_and_is_read_with_it(void **state)
{
    (void)state;
    struct weir_err err = {0};
    struct weir_ctl ctl = {.type = WEIR_CTL_ORIGIN_LISTENING};
    ctl.u.origin_listening.port = 18040;
    const char *bytes;
    size_t len;
    ASSERT_OK(weir_ctl_dump(&ctl, arena, &bytes, &len, &err), &err);
    assert_string_equal(bytes, "{\"type\":\"origin.listening\",\"port\":18040}\n");
    struct weir_ctl back;
    ASSERT_OK(weir_ctl_parse(bytes, len, arena, &back, &err), &err);
    assert_int_equal(back.u.origin_listening.port, 18040);
}

static void every_day_of_the_calendar_is_written_and_read(void **state)
{
    (void)state;
    char before[CODEC_TIME_LEN + 1] = "";
    for (int64_t ms = CODEC_TIME_MIN_MS; ms <= CODEC_TIME_MAX_MS; ms += 86400000) {
        char text[CODEC_TIME_LEN + 1];
        int64_t back;
        codec_time_format(ms, text);
        assert_true(strcmp(before, text) < 0);
        assert_true(codec_time_parse(text, strlen(text), &back));
        assert_int_equal(back, ms);
        memcpy(before, text, sizeof(before));
    }
    codec_time_format(CODEC_TIME_MAX_MS, before);
    assert_string_equal(before, "9999-12-31T23:59:59.999Z");
    codec_time_format(1709208000000, before);
    assert_string_equal(before, "2024-02-29T12:00:00.000Z");
}

static void the_truth_is_kept_longest_and_checkpoints_are_compacted(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEIR_N_TOPICS; i++) {
        const struct weir_topic *topic = &weir_topics[i];
        bool is_compacted = strcmp(topic->name, WEIR_TOPIC_STATE) == 0 ||
                            strcmp(topic->name, WEIR_TOPIC_CONFIG) == 0;
        assert_int_equal(topic->compact, is_compacted);
        assert_int_equal(topic->partitions, WEIR_TOPIC_PARTITIONS);
        if (strcmp(topic->name, WEIR_TOPIC_DECISIONS) == 0) {
            assert_int_equal(topic->retention_ms, 400LL * 86400 * 1000);
        }
    }
    assert_string_equal(weir_ev_topic(WEIR_EV_COMMAND_IDLE), WEIR_TOPIC_COMMANDS);
    assert_string_equal(weir_ev_type_name(WEIR_EV_STATE_CHECKPOINT), "state.checkpoint");
}

static void shared_names_go_both_ways(void **state)
{
    (void)state;
    enum weir_stream_state value = WEIR_STREAM_STATE_QUEUED;
    assert_int_equal(weir_stream_state_get("failed", &value), WEIR_OK);
    assert_int_equal(value, WEIR_STREAM_STATE_FAILED);
    assert_string_equal(weir_stream_state_name(value), "failed");
    assert_int_equal(weir_stream_state_get("Failed", &value), WEIR_EINVAL);
    assert_int_equal(weir_stream_state_get("", &value), WEIR_EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_reads_back_the_same),
        TEST(writing_refuses_a_number_out_of_range_and_names_it),
        TEST(writing_refuses_text_outside_its_characters),
        TEST(writing_refuses_text_without_an_end),
        TEST(writing_refuses_an_unknown_enum_member_and_type),
        TEST(writing_refuses_too_many_elements),
        TEST(the_longest_heartbeat_fits_a_record),
        TEST(reading_refuses_a_record_that_is_too_long),
        TEST(a_failed_read_leaves_the_result_alone),
        TEST(an_unknown_type_is_told_apart_from_a_broken_record),
        TEST(an_error_never_shows_what_a_field_held),
        TEST(a_control_line_ends_in_a_newline_and_is_read_with_it),
        TEST(every_day_of_the_calendar_is_written_and_read),
        TEST(the_truth_is_kept_longest_and_checkpoints_are_compacted),
        TEST(shared_names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

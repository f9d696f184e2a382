/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include <string.h>

#include "api/play_rules.h"

static struct play_answer answered(const struct play_question *question)
{
    return play_answer(question);
}

static struct weir_stream_row row_in(enum weir_stream_state state)
{
    return (struct weir_stream_row){.state = state, .generation = 7};
}

static void a_playlist_without_generation_leads_to_the_one_that_plays(void **state)
{
    struct weir_stream_row row = row_in(WEIR_STREAM_STATE_RUNNING);
    struct play_question question = {.row = &row, .is_log_known = true, .is_playlist = true};
    (void)state;
    assert_int_equal(answered(&question).verdict, PLAY_REDIRECT);
    question.generation = 6;
    assert_int_equal(answered(&question).verdict, PLAY_REDIRECT);
    question.generation = 7;
    assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
}

static void a_new_viewer_of_a_starting_stream_is_held_and_then_told_to_wait(void **state)
{
    static const enum weir_stream_state states[] = {
        WEIR_STREAM_STATE_QUEUED, WEIR_STREAM_STATE_PLACED, WEIR_STREAM_STATE_STARTING,
        WEIR_STREAM_STATE_BACKOFF};
    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct weir_stream_row row = row_in(states[i]);
        struct play_question question = {.row = &row, .is_log_known = true, .is_playlist = true};
        assert_int_equal(answered(&question).verdict, PLAY_HOLD);
        question.is_held_out = true;
        assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
        assert_string_equal(answered(&question).code, "stream_starting");
    }
}

static void a_viewer_of_a_replaced_generation_is_answered_at_once(void **state)
{
    struct weir_stream_row row = row_in(WEIR_STREAM_STATE_STARTING);
    struct play_question question = {
        .row = &row, .is_log_known = true, .is_playlist = true, .generation = 6};
    (void)state;
    assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
}

static void whoever_watched_is_held_once_there_is_nothing_to_repeat(void **state)
{
    struct weir_stream_row row = row_in(WEIR_STREAM_STATE_STARTING);
    struct play_question question = {
        .row = &row, .is_log_known = true, .is_playlist = true, .is_last_resort = true};
    (void)state;
    for (question.generation = 6; question.generation <= 8; question.generation++) {
        question.is_held_out = false;
        assert_int_equal(answered(&question).verdict, PLAY_HOLD);
        question.is_held_out = true;
        assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
    }
    question.is_held_out = false;
    question.generation = 6;
    question.is_playlist = false;
    assert_int_equal(answered(&question).verdict, PLAY_NOT_FOUND);
    question.is_playlist = true;
    assert_true(play_hold_ms(&question) < PLAY_HOLD_MS);
    /* Its worker may be away, and nobody has noticed yet. */
    row.state = WEIR_STREAM_STATE_RUNNING;
    question.generation = 7;
    assert_int_equal(answered(&question).verdict, PLAY_HOLD);
    question.generation = 6;
    assert_int_equal(answered(&question).verdict, PLAY_REDIRECT);
    row.state = WEIR_STREAM_STATE_STOPPED;
    assert_int_equal(answered(&question).verdict, PLAY_GONE);
}

static void a_viewer_of_an_older_generation_is_led_to_one_that_fails(void **state)
{
    struct weir_stream_row row = row_in(WEIR_STREAM_STATE_BACKOFF);
    struct play_question question = {
        .row = &row, .is_log_known = true, .is_playlist = true, .generation = 6};
    (void)state;
    assert_int_equal(answered(&question).verdict, PLAY_REDIRECT);
    question.generation = 7;
    assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
}

static void an_api_that_is_behind_leads_to_what_the_gateway_knows_and_never_back(void **state)
{
    static const enum weir_stream_state states[] = {
        WEIR_STREAM_STATE_RUNNING, WEIR_STREAM_STATE_STARTING, WEIR_STREAM_STATE_STOPPED};
    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct weir_stream_row row = row_in(states[i]);
        for (int64_t asked = 0; asked < 9; asked++) {
            struct play_question question = {.row = &row,
                                             .is_log_known = true,
                                             .is_playlist = true,
                                             .generation = asked,
                                             .known = 9,
                                             .is_known_there = true};
            assert_int_equal(answered(&question).verdict, PLAY_REDIRECT);
            assert_int_equal(answered(&question).generation, 9);
            question.is_known_there = false; /* it is placed, and does not play yet */
            assert_int_equal(answered(&question).verdict, asked == 0 ? PLAY_HOLD : PLAY_NOT_YET);
            question.is_held_out = true;
            assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
            question.is_playlist = false;
            assert_int_equal(answered(&question).verdict, PLAY_NOT_FOUND);
        }
        struct play_question newer = {
            .row = &row, .is_log_known = true, .is_playlist = true, .generation = 9};
        for (newer.known = 0; newer.known <= 9; newer.known++) {
            newer.is_playlist = true;
            assert_int_equal(answered(&newer).verdict, PLAY_NOT_YET);
            newer.is_playlist = false;
            assert_int_equal(answered(&newer).verdict, PLAY_NOT_YET);
        }
    }
}

static void an_api_that_never_heard_of_a_stream_does_not_call_it_gone(void **state)
{
    struct play_question question = {
        .is_log_known = true, .is_playlist = true, .known = 9, .is_known_there = true};
    (void)state;
    assert_true(play_is_behind(NULL, 9));
    assert_false(play_is_behind(NULL, 0));
    assert_int_equal(answered(&question).verdict, PLAY_REDIRECT);
    question.generation = 9;
    assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
}

static void what_the_gateway_knew_before_does_not_hold_a_newer_generation_up(void **state)
{
    struct weir_stream_row row = row_in(WEIR_STREAM_STATE_RUNNING);
    struct play_question question = {
        .row = &row, .is_log_known = true, .is_playlist = true, .generation = 5};
    (void)state;
    for (question.known = 0; question.known <= row.generation; question.known++) {
        assert_false(play_is_behind(&row, question.known));
        assert_int_equal(answered(&question).verdict, PLAY_REDIRECT);
        assert_int_equal(answered(&question).generation, row.generation);
    }
}

static void an_ended_stream_is_gone_by_name(void **state)
{
    static const struct {
        enum weir_stream_state state;
        const char *code;
    } cases[] = {
        {WEIR_STREAM_STATE_STOPPED, "stream_stopped"},
        {WEIR_STREAM_STATE_FAILED, "stream_failed"},
        {WEIR_STREAM_STATE_REJECTED, "stream_rejected"},
        {WEIR_STREAM_STATE_EXPIRED, "stream_not_started"},
        {WEIR_STREAM_STATE_CANCELLED, "stream_not_started"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_stream_row row = row_in(cases[i].state);
        for (int64_t generation = 0; generation <= row.generation; generation++) {
            struct play_question question = {
                .row = &row, .is_log_known = true, .is_playlist = true, .generation = generation};
            assert_int_equal(answered(&question).verdict, PLAY_GONE);
            assert_string_equal(answered(&question).code, cases[i].code);
        }
        assert_false(play_is_at_origin(&row));
    }
}

static void an_unknown_stream_is_gone_once_the_log_is_known(void **state)
{
    struct play_question question = {.is_playlist = true};
    (void)state;
    assert_int_equal(answered(&question).verdict, PLAY_HOLD);
    question.is_held_out = true;
    assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
    question.is_log_known = true;
    assert_int_equal(answered(&question).verdict, PLAY_GONE);
    assert_string_equal(answered(&question).code, "stream_stopped");
}

static void media_of_another_generation_is_not_there(void **state)
{
    struct weir_stream_row row = row_in(WEIR_STREAM_STATE_STARTING);
    struct play_question question = {.row = &row, .is_log_known = true, .generation = 6};
    (void)state;
    assert_int_equal(answered(&question).verdict, PLAY_NOT_FOUND);
    question.generation = 7;
    assert_int_equal(answered(&question).verdict, PLAY_NOT_YET);
}

static void what_can_have_played_belongs_to_its_origin(void **state)
{
    static const enum weir_stream_state yes[] = {
        WEIR_STREAM_STATE_RUNNING, WEIR_STREAM_STATE_SUSPECT, WEIR_STREAM_STATE_BACKOFF,
        WEIR_STREAM_STATE_STOPPING, WEIR_STREAM_STATE_MIGRATING};
    static const enum weir_stream_state no[] = {WEIR_STREAM_STATE_QUEUED, WEIR_STREAM_STATE_PLACED,
                                                WEIR_STREAM_STATE_STARTING,
                                                WEIR_STREAM_STATE_STOPPED};
    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        struct weir_stream_row row = row_in(yes[i]);
        assert_true(play_is_at_origin(&row));
        row.generation = 0;
        assert_false(play_is_at_origin(&row));
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        struct weir_stream_row row = row_in(no[i]);
        assert_false(play_is_at_origin(&row));
    }
}

static void a_playback_path_is_taken_apart(void **state)
{
    static const char path[] = "/live/abc.def/3f2504e0-4f89-41d3-9a0c-0305e82c3301/0/index.m3u8";
    struct play_target target = {0};
    struct weir_err err = {0};
    (void)state;
    ASSERT_OK(play_target_parse(path, &target, &err), &err);
    assert_int_equal(target.ticket_len, 7);
    assert_memory_equal(target.ticket, "abc.def", 7);
    assert_string_equal(WEIR_ID_TEXT(&target.stream_id), "3f2504e0-4f89-41d3-9a0c-0305e82c3301");
}

static void any_other_path_is_refused_without_repeating_it(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        "/live/",
        "/live/secret",
        "/live/secret/",
        "/live//3f2504e0-4f89-41d3-9a0c-0305e82c3301/x",
        "/live/secret/3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "/live/secret/3f2504e0-4f89-41d3-9a0c-0305e82c330/x",
        "/love/secret/3f2504e0-4f89-41d3-9a0c-0305e82c3301/x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct play_target target = {0};
        struct weir_err err = {0};
        assert_int_equal(play_target_parse(paths[i], &target, &err), WEIR_EPARSE);
        assert_null(strstr(err.msg, "secret"));
    }
}

static void an_origins_url_gives_host_and_port_only(void **state)
{
    char text[32];
    (void)state;
    assert_true(play_upstream("http://10.0.0.1:8080", text, sizeof(text)));
    assert_string_equal(text, "10.0.0.1:8080");
    assert_true(play_upstream("http://[::1]:80/", text, sizeof(text)));
    assert_string_equal(text, "[::1]:80");
    assert_false(play_upstream("https://10.0.0.1", text, sizeof(text)));
    assert_false(play_upstream("http://", text, sizeof(text)));
    assert_false(play_upstream("http://a/b", text, sizeof(text)));
    assert_false(play_upstream("http://user@a", text, sizeof(text)));
    assert_false(play_upstream("http://a\r\nX: y", text, sizeof(text)));
    assert_false(play_upstream("http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", text, sizeof(text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_playlist_without_generation_leads_to_the_one_that_plays),
        cmocka_unit_test(a_new_viewer_of_a_starting_stream_is_held_and_then_told_to_wait),
        cmocka_unit_test(a_viewer_of_a_replaced_generation_is_answered_at_once),
        cmocka_unit_test(whoever_watched_is_held_once_there_is_nothing_to_repeat),
        cmocka_unit_test(a_viewer_of_an_older_generation_is_led_to_one_that_fails),
        cmocka_unit_test(an_api_that_is_behind_leads_to_what_the_gateway_knows_and_never_back),
        cmocka_unit_test(an_api_that_never_heard_of_a_stream_does_not_call_it_gone),
        cmocka_unit_test(what_the_gateway_knew_before_does_not_hold_a_newer_generation_up),
        cmocka_unit_test(an_ended_stream_is_gone_by_name),
        cmocka_unit_test(an_unknown_stream_is_gone_once_the_log_is_known),
        cmocka_unit_test(media_of_another_generation_is_not_there),
        cmocka_unit_test(what_can_have_played_belongs_to_its_origin),
        cmocka_unit_test(a_playback_path_is_taken_apart),
        cmocka_unit_test(any_other_path_is_refused_without_repeating_it),
        cmocka_unit_test(an_origins_url_gives_host_and_port_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

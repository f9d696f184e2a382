/* SPDX-License-Identifier: Apache-2.0 */
#include "api/play_rules.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/domain/stream_state.h"

#define LIVE   "/live/"
#define SCHEME "http://"

static bool is_playing(enum weir_stream_state state)
{
    return state == WEIR_STREAM_STATE_RUNNING || state == WEIR_STREAM_STATE_SUSPECT ||
           state == WEIR_STREAM_STATE_MIGRATING || state == WEIR_STREAM_STATE_PREEMPTING ||
           state == WEIR_STREAM_STATE_STOPPING;
}

bool play_is_at_origin(const struct weir_stream_row *row)
{
    return row->generation > 0 &&
           (is_playing(row->state) || row->state == WEIR_STREAM_STATE_BACKOFF);
}

bool play_is_behind(const struct weir_stream_row *row, int64_t known)
{
    return known > (row != NULL ? row->generation : 0);
}

static struct play_answer answer_of(enum play_verdict verdict, const char *code)
{
    return (struct play_answer){.verdict = verdict, .code = code};
}

static struct play_answer ended(enum weir_stream_state state)
{
    if (state == WEIR_STREAM_STATE_FAILED) {
        return answer_of(PLAY_GONE, "stream_failed");
    }
    if (state == WEIR_STREAM_STATE_REJECTED) {
        return answer_of(PLAY_GONE, "stream_rejected");
    }
    if (state == WEIR_STREAM_STATE_EXPIRED || state == WEIR_STREAM_STATE_CANCELLED) {
        return answer_of(PLAY_GONE, "stream_not_started");
    }
    return answer_of(PLAY_GONE, "stream_stopped");
}

static struct play_answer redirect_to(int64_t generation)
{
    return (struct play_answer){.verdict = PLAY_REDIRECT, .generation = generation, .code = ""};
}

int64_t play_hold_ms(const struct play_question *question)
{
    return question->is_last_resort ? PLAY_AGAIN_MS : PLAY_HOLD_MS;
}

static bool may_hold(const struct play_question *question)
{
    return question->is_playlist && (question->generation == 0 || question->is_last_resort) &&
           !question->is_held_out;
}

/* Of a stream that has a newer generation than its row says. */
static struct play_answer behind(const struct play_question *question)
{
    bool is_older = question->generation < question->known;
    if (!question->is_playlist) {
        return is_older ? answer_of(PLAY_NOT_FOUND, "not_found")
                        : answer_of(PLAY_NOT_YET, "unavailable");
    }
    if (is_older && question->is_known_there) {
        return redirect_to(question->known);
    }
    return answer_of(may_hold(question) ? PLAY_HOLD : PLAY_NOT_YET, "unavailable");
}

static struct play_answer media(const struct play_question *question)
{
    bool is_current = question->row != NULL && question->row->generation == question->generation &&
                      !weir_stream_state_is_final(question->row->state);
    return is_current ? answer_of(PLAY_NOT_YET, "stream_starting")
                      : answer_of(PLAY_NOT_FOUND, "not_found");
}

struct play_answer play_answer(const struct play_question *question)
{
    const struct weir_stream_row *row = question->row;
    if (play_is_behind(row, question->known) ||
        (row != NULL && play_is_behind(row, question->generation))) {
        return behind(question);
    }
    if (row == NULL && !question->is_log_known) {
        return answer_of(may_hold(question) ? PLAY_HOLD : PLAY_NOT_YET, "unavailable");
    }
    if (!question->is_playlist) {
        return media(question);
    }
    if (row == NULL) {
        return answer_of(PLAY_GONE, "stream_stopped");
    }
    if (weir_stream_state_is_final(row->state)) {
        return ended(row->state);
    }
    /* Who watched an older one gets from the origin what it has, also while it fails. */
    bool is_there = is_playing(row->state) ? row->generation > 0
                                           : question->generation > 0 && play_is_at_origin(row);
    if (is_there && row->generation != question->generation) {
        return redirect_to(row->generation);
    }
    return answer_of(may_hold(question) ? PLAY_HOLD : PLAY_NOT_YET, "stream_starting");
}

enum weir_code play_target_parse(const char *text, struct play_target *ret, struct weir_err *err)
{
    if (!weir_str_starts_with(text, LIVE)) {
        return weir_fail(err, WEIR_EPARSE, "not a /live/ path");
    }
    struct play_target target = {.ticket = text + strlen(LIVE)};
    target.ticket_len = strcspn(target.ticket, "/");
    const char *stream_id = target.ticket + target.ticket_len;
    if (target.ticket_len == 0 || *stream_id != '/') {
        return weir_fail(err, WEIR_EPARSE, "path without a stream");
    }
    stream_id++;
    size_t len = strcspn(stream_id, "/");
    if (stream_id[len] != '/' ||
        weir_id_parse(stream_id, len, &target.stream_id, NULL) != WEIR_OK) {
        return weir_fail(err, WEIR_EPARSE, "path whose stream is no id");
    }
    *ret = target;
    return WEIR_OK;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr(".-_:[]", c) != NULL;
}

bool play_upstream(const char *origin_url, char *ret, size_t size)
{
    if (!weir_str_starts_with(origin_url, SCHEME)) {
        return false;
    }
    const char *host = origin_url + strlen(SCHEME);
    size_t len = 0;
    while (host[len] != '\0' && is_host_char(host[len])) {
        len++;
    }
    bool is_whole = host[len] == '\0' || strcmp(host + len, "/") == 0;
    if (!is_whole || len == 0 || len >= size) {
        return false;
    }
    memcpy(ret, host, len);
    ret[len] = '\0';
    return true;
}

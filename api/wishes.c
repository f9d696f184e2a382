/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wishes.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/domain/events.h"
#include "lib/io/bus.h"

#define IDLE_MS   500 /* when nobody wakes us */
#define TRY_MS    50  /* while somebody waits */
#define BOUNDS_MS 500
#define NOWHERE   (-1)
#define ASKED     INT64_MAX /* as a target: the end is being asked for */

struct sync {
    struct weir_list node;
    struct weir_http_server *server;
    uint64_t token;
    int64_t target; /* the topic's end as it was after this came; NOWHERE: not asked yet */
    bool is_reached;
};

struct api_wishes {
    struct api_wishes_config config;
    struct weir_bus_reader *reader;
    struct weir_bus_reader *meter; /* asks for the end where no fetch is waited for */
    pthread_t thread;
    int64_t position; /* the thread's: next offset to read, NOWHERE before the first follow */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t woken;
    bool has_work;
    bool is_ending;
    int64_t wanted; /* where to begin again, NOWHERE: go on */
    struct weir_list syncs;
};

static void wake(void *ctx)
{
    struct api_wishes *wishes = ctx;
    pthread_mutex_lock(&wishes->mutex);
    wishes->has_work = true;
    pthread_cond_signal(&wishes->woken);
    pthread_mutex_unlock(&wishes->mutex);
}

/* ---- following ---- */

static enum weir_code ask_end(struct api_wishes *wishes, int64_t *ret_first, int64_t *ret_next,
                              struct weir_err *err)
{
    return weir_bus_reader_bounds(wishes->meter, WEIR_TOPIC_COMMANDS, wishes->config.cell,
                                  BOUNDS_MS, ret_first, ret_next, err);
}

/* Of commands that the topic does not keep any more all are decided, or nobody can. */
static void begin_again(struct api_wishes *wishes)
{
    int64_t first;
    int64_t next;
    struct weir_err err = {0};
    pthread_mutex_lock(&wishes->mutex);
    int64_t from = wishes->wanted;
    pthread_mutex_unlock(&wishes->mutex);
    if (from == NOWHERE || ask_end(wishes, &first, &next, &err) != WEIR_OK) {
        return;
    }
    from = from < first ? first : (from > next ? next : from);
    if (weir_bus_reader_assign(wishes->reader, WEIR_TOPIC_COMMANDS, wishes->config.cell, from,
                               &err) != WEIR_OK) {
        weir_logf(WEIR_LOG_DEBUG, "commands: not followed: %s", err.msg);
        return;
    }
    wishes->position = from;
    pthread_mutex_lock(&wishes->mutex);
    wishes->wanted = NOWHERE;
    pthread_mutex_unlock(&wishes->mutex);
}

static void expect(struct api_wishes *wishes, const struct weir_ev_command_start *command,
                   int64_t offset)
{
    struct weir_stream_row row = {
        .stream_id = command->stream_id,
        .tenant_id = command->tenant_id,
        .camera_id = command->camera_id,
        .quality = command->quality,
        .fps = command->fps,
        .class = command->class,
        .state = WEIR_STREAM_STATE_QUEUED,
        .queued_at_ms = command->issued_at_ms,
        .changed_at_ms = command->issued_at_ms,
    };
    api_view_expect(wishes->config.view, &row, offset,
                    weir_clock_mono_ms() + command->expires_at_ms - command->issued_at_ms);
}

static void take(struct api_wishes *wishes, const struct weir_event *event, int64_t offset)
{
    struct used_keys *keys = wishes->config.used_keys;
    if (event->type == WEIR_EV_COMMAND_START) {
        const struct weir_ev_command_start *start = &event->u.command_start;
        used_keys_note(keys, &start->command_id, USED_FOR_START, &start->stream_id);
        expect(wishes, start, offset);
    } else if (event->type == WEIR_EV_COMMAND_STOP) {
        const struct weir_ev_command_stop *stop = &event->u.command_stop;
        used_keys_note(keys, &stop->command_id, USED_FOR_STOP, &stop->stream_id);
    }
}

static void read_all(struct api_wishes *wishes)
{
    struct weir_bus_message message;
    struct weir_err err = {0};
    bool got = true;
    while (got && weir_bus_reader_poll(wishes->reader, 0, &message, &got, &err) == WEIR_OK && got) {
        struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(2048);
        struct weir_event event;
        if (message.value &&
            weir_ev_parse(message.value, message.value_len, arena, &event, &err) == WEIR_OK) {
            take(wishes, &event, message.offset);
        }
        wishes->position = message.offset + 1;
    }
}

/* ---- those who wait ---- */

/* True when somebody waits whose target is not known. */
static bool is_target_missing(struct api_wishes *wishes)
{
    bool is_missing = false;
    pthread_mutex_lock(&wishes->mutex);
    WEIR_LIST_FOR(pos, &wishes->syncs)
    {
        is_missing |= WEIR_CONTAINER(pos, struct sync, node)->target == NOWHERE;
    }
    pthread_mutex_unlock(&wishes->mutex);
    return is_missing;
}

/* Only those who were there before the end was asked for may take the answer as their target. */
static void serve(struct api_wishes *wishes, int64_t next)
{
    pthread_mutex_lock(&wishes->mutex);
    WEIR_LIST_FOR(pos, &wishes->syncs)
    {
        struct sync *sync = WEIR_CONTAINER(pos, struct sync, node);
        if (sync->target == ASKED) {
            sync->target = next;
        }
        if (!sync->is_reached && sync->target != NOWHERE && wishes->wanted == NOWHERE &&
            wishes->position >= sync->target) {
            sync->is_reached = true;
            weir_http_wake(sync->server, sync->token);
        }
    }
    pthread_mutex_unlock(&wishes->mutex);
}

static void mark(struct api_wishes *wishes, int64_t from, int64_t to)
{
    pthread_mutex_lock(&wishes->mutex);
    WEIR_LIST_FOR(pos, &wishes->syncs)
    {
        struct sync *sync = WEIR_CONTAINER(pos, struct sync, node);
        sync->target = sync->target == from ? to : sync->target;
    }
    pthread_mutex_unlock(&wishes->mutex);
}

static void sync_all(struct api_wishes *wishes)
{
    int64_t first;
    int64_t next = ASKED;
    struct weir_err err = {0};
    if (is_target_missing(wishes)) {
        mark(wishes, NOWHERE, ASKED);
        if (ask_end(wishes, &first, &next, &err) != WEIR_OK) {
            mark(wishes, ASKED, NOWHERE);
            return;
        }
        read_all(wishes);
    }
    serve(wishes, next);
}

/* ---- the thread ---- */

static bool wait_for_work(struct api_wishes *wishes)
{
    pthread_mutex_lock(&wishes->mutex);
    bool is_hurried = wishes->wanted != NOWHERE;
    WEIR_LIST_FOR(pos, &wishes->syncs)
    {
        is_hurried |= !WEIR_CONTAINER(pos, struct sync, node)->is_reached;
    }
    int64_t until_ms = weir_clock_mono_ms() + (is_hurried ? TRY_MS : IDLE_MS);
    while (!wishes->has_work && !wishes->is_ending &&
           weir_clock_wait(&wishes->woken, &wishes->mutex, until_ms)) {
    }
    wishes->has_work = false;
    bool goes_on = !wishes->is_ending;
    pthread_mutex_unlock(&wishes->mutex);
    return goes_on;
}

static void *follow(void *ctx)
{
    struct api_wishes *wishes = ctx;
    pthread_setname_np(pthread_self(), "weir-api-wishes");
    while (wait_for_work(wishes)) {
        begin_again(wishes);
        if (wishes->position != NOWHERE) {
            read_all(wishes);
            sync_all(wishes);
        }
    }
    return NULL;
}

/* ---- life ---- */

static enum weir_code start_thread(struct api_wishes *wishes, struct weir_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&wishes->thread, NULL, follow, wishes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? weir_fail(err, WEIR_EINTERNAL, "no thread for the commands") : WEIR_OK;
}

static void free_all(struct api_wishes *wishes)
{
    weir_bus_reader_close(&wishes->reader);
    weir_bus_reader_close(&wishes->meter);
    WEIR_LIST_FOR(pos, &wishes->syncs)
    {
        free(WEIR_CONTAINER(pos, struct sync, node));
    }
    pthread_cond_destroy(&wishes->woken);
    pthread_mutex_destroy(&wishes->mutex);
    free(wishes);
}

enum weir_code api_wishes_open(const struct api_wishes_config *config, struct api_wishes **ret,
                               struct weir_err *err)
{
    struct api_wishes *wishes = weir_xalloc(sizeof(*wishes));
    wishes->config = *config;
    wishes->position = NOWHERE;
    wishes->wanted = NOWHERE;
    weir_list_init(&wishes->syncs);
    pthread_cond_init(&wishes->woken, NULL);
    pthread_mutex_init(&wishes->mutex, NULL);
    struct weir_bus_reader_config reader = {.brokers = config->brokers,
                                            .client_id = "weir-api-wishes",
                                            .wake = wake,
                                            .wake_ctx = wishes};
    struct weir_bus_reader_config meter = {.brokers = config->brokers,
                                           .client_id = "weir-api-wishes"};
    enum weir_code code = weir_bus_reader_open(&reader, &wishes->reader, err);
    if (code == WEIR_OK) {
        code = weir_bus_reader_open(&meter, &wishes->meter, err);
    }
    if (code == WEIR_OK) {
        code = start_thread(wishes, err);
    }
    if (code != WEIR_OK) {
        free_all(wishes);
        return code;
    }
    *ret = wishes;
    return WEIR_OK;
}

void api_wishes_close(struct api_wishes **wishes_ptr)
{
    struct api_wishes *wishes = WEIR_TAKE(*wishes_ptr);
    if (!wishes) {
        return;
    }
    pthread_mutex_lock(&wishes->mutex);
    wishes->is_ending = true;
    pthread_cond_signal(&wishes->woken);
    pthread_mutex_unlock(&wishes->mutex);
    pthread_join(wishes->thread, NULL);
    free_all(wishes);
}

/* ---- from other threads ---- */

void api_wishes_follow(struct api_wishes *wishes, int64_t next_offset)
{
    pthread_mutex_lock(&wishes->mutex);
    wishes->wanted = next_offset;
    wishes->has_work = true;
    pthread_cond_signal(&wishes->woken);
    pthread_mutex_unlock(&wishes->mutex);
}

void api_wishes_sync(struct api_wishes *wishes, struct weir_http_server *server, uint64_t token)
{
    struct sync *sync = weir_xalloc(sizeof(*sync));
    *sync = (struct sync){.server = server, .token = token, .target = NOWHERE};
    pthread_mutex_lock(&wishes->mutex);
    weir_list_push_back(&wishes->syncs, &sync->node);
    wishes->has_work = true;
    pthread_cond_signal(&wishes->woken);
    pthread_mutex_unlock(&wishes->mutex);
}

bool api_wishes_end_sync(struct api_wishes *wishes, struct weir_http_server *server, uint64_t token)
{
    bool is_reached = false;
    pthread_mutex_lock(&wishes->mutex);
    WEIR_LIST_FOR(pos, &wishes->syncs)
    {
        struct sync *sync = WEIR_CONTAINER(pos, struct sync, node);
        if (sync->server == server && sync->token == token) {
            is_reached = sync->is_reached;
            weir_list_remove(&sync->node);
            free(sync);
        }
    }
    pthread_mutex_unlock(&wishes->mutex);
    return is_reached;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/outbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

#define BATCH          "100"
#define LOCK_KEY       "8243001" /* any number that no other advisory lock of the database has */
#define DELIVERY_MS    5000
#define RETRY_MS       1000
#define SWEEP_MS       10000
#define CHANNEL        "weir_outbox"
#define LOG_BURST      3
#define LOG_PERIOD_MS  10000
#define INT_TEXT_BYTES 24

struct api_outbox {
    struct api_outbox_config config;
    pthread_t thread;
    atomic_bool is_ending;
    struct weir_db_listener *listener;
    int64_t sweep_mono_ms; /* when the next one is due */
};

/* One pass: the records under way. It lives until the last delivery was reported. */
struct pass {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t refs; /* the thread and every record under way */
    size_t waiting;
    bool has_failed;
};

static struct pass *pass_new(void)
{
    struct pass *pass = weir_xalloc(sizeof(*pass));
    pthread_mutex_init(&pass->mutex, NULL);
    pthread_cond_init(&pass->changed, NULL);
    pass->refs = 1;
    return pass;
}

static void pass_unref(struct pass *pass)
{
    pthread_mutex_lock(&pass->mutex);
    bool is_last = --pass->refs == 0;
    pthread_mutex_unlock(&pass->mutex);
    if (is_last) {
        pthread_cond_destroy(&pass->changed);
        pthread_mutex_destroy(&pass->mutex);
        free(pass);
    }
}

static void on_delivered(void *ctx, const struct weir_bus_delivery *delivery)
{
    struct pass *pass = ctx;
    pthread_mutex_lock(&pass->mutex);
    pass->waiting--;
    pass->has_failed = pass->has_failed || delivery->code != WEIR_OK;
    pthread_cond_signal(&pass->changed);
    pthread_mutex_unlock(&pass->mutex);
    pass_unref(pass);
}

/* True when everything that was sent is in the log. */
static bool pass_wait(struct pass *pass)
{
    int64_t until_ms = weir_clock_mono_ms() + DELIVERY_MS;
    pthread_mutex_lock(&pass->mutex);
    while (pass->waiting > 0 && weir_clock_wait(&pass->changed, &pass->mutex, until_ms)) {
    }
    bool is_done = pass->waiting == 0 && !pass->has_failed;
    pthread_mutex_unlock(&pass->mutex);
    return is_done;
}

enum weir_code api_outbox_put(struct weir_db_tx *tx, struct weir_event *event,
                              const struct weir_id *tenant_id, const struct weir_id *entity_id,
                              int32_t cell, struct weir_arena *arena, struct weir_err *err)
{
    const char *json = NULL;
    size_t len = 0;
    event->time_ms = weir_clock_wall_ms();
    event->id = weir_id_new(event->time_ms);
    event->has_tenantid = true;
    event->tenantid = *tenant_id;
    event->has_partitionkey = true;
    WEIR_STR_SET(event->source, "/weir/api/outbox");
    weir_id_format(entity_id, event->subject);
    weir_id_format(entity_id, event->partitionkey);
    enum weir_code code = weir_ev_dump(event, arena, &json, &len, err);
    if (code != WEIR_OK) {
        return code;
    }
    char tenant[WEIR_ID_TEXT_MAX];
    char entity[WEIR_ID_TEXT_MAX];
    char id[WEIR_ID_TEXT_MAX];
    char cell_text[INT_TEXT_BYTES];
    snprintf(cell_text, sizeof(cell_text), "%d", (int)cell);
    const char *params[] = {weir_id_format(tenant_id, tenant),
                            cell == API_OUTBOX_EVERY_CELL ? NULL : cell_text,
                            weir_id_format(entity_id, entity), weir_id_format(&event->id, id),
                            weir_arena_memdup(arena, json, len)};
    return weir_db_exec(tx,
                        "INSERT INTO outbox (tenant_id, cell, entity_id, event_id, event)"
                        " VALUES ($1, $2, $3, $4, $5)",
                        params, 5, arena, NULL, err);
}

/* `event` NULL: a tombstone. */
static enum weir_code send_to(struct api_outbox *outbox, struct pass *pass,
                              struct weir_event *event, int32_t partition, const char *key,
                              struct weir_err *err)
{
    pthread_mutex_lock(&pass->mutex);
    pass->refs++;
    pass->waiting++;
    pthread_mutex_unlock(&pass->mutex);
    enum weir_code code =
        event ? api_bus_send(outbox->config.bus, API_BUS_RECORDS, event, partition, key,
                             on_delivered, pass, err)
              : api_bus_forget(outbox->config.bus, API_BUS_RECORDS, WEIR_TOPIC_CONFIG, partition,
                               key, on_delivered, pass, err);
    if (code != WEIR_OK) {
        const struct weir_bus_delivery never = {.code = code};
        on_delivered(pass, &never);
    }
    return code;
}

static enum weir_code send_row(struct api_outbox *outbox, struct pass *pass,
                               const struct weir_db_rows *rows, size_t row,
                               struct weir_arena *arena, struct weir_err *err)
{
    const char *json = weir_db_text(rows, row, 3);
    struct weir_event *event = json ? weir_arena_alloc(arena, sizeof(*event)) : NULL;
    enum weir_code code = event ? weir_ev_parse(json, strlen(json), arena, event, err) : WEIR_OK;
    if (code != WEIR_OK) {
        return weir_fail_in(err, code, "outbox row %s", weir_db_text(rows, row, 0));
    }
    bool is_everywhere = weir_db_text(rows, row, 1) == NULL;
    int32_t first = is_everywhere ? 0 : (int32_t)weir_db_int(rows, row, 1);
    int32_t last = is_everywhere ? WEIR_TOPIC_PARTITIONS - 1 : first;
    for (int32_t cell = first; code == WEIR_OK && cell <= last; cell++) {
        code = send_to(outbox, pass, event, cell, weir_db_text(rows, row, 2), err);
    }
    return code;
}

/* Publishes the rows and waits for all of them; the ids published go to *ret_ids as an array. */
static enum weir_code publish(struct api_outbox *outbox, const struct weir_db_rows *rows,
                              struct weir_arena *arena, const char **ret_ids, struct weir_err *err)
{
    struct pass *pass = pass_new();
    const char *ids = "";
    enum weir_code code = WEIR_OK;
    for (size_t row = 0; code == WEIR_OK && row < weir_db_count(rows); row++) {
        code = send_row(outbox, pass, rows, row, arena, err);
        ids =
            weir_arena_printf(arena, "%s%s%s", ids, row > 0 ? "," : "", weir_db_text(rows, row, 0));
    }
    if (code == WEIR_OK && !pass_wait(pass)) {
        code = weir_fail(err, WEIR_EUNAVAILABLE, "Kafka did not acknowledge all of %zu records",
                         weir_db_count(rows));
    }
    pass_unref(pass);
    *ret_ids = weir_arena_printf(arena, "{%s}", ids);
    return code;
}

static enum weir_code take_rows(struct weir_db_tx *tx, struct weir_arena *arena,
                                struct weir_db_rows **ret, struct weir_err *err)
{
    struct weir_db_rows *lock = NULL;
    enum weir_code code = weir_db_exec(tx,
                                       "SELECT set_config('app.relay', 'on', true),"
                                       " pg_try_advisory_xact_lock(" LOCK_KEY ")",
                                       NULL, 0, arena, &lock, err);
    if (code != WEIR_OK || !weir_db_bool(lock, 0, 1)) {
        return code;
    }
    return weir_db_exec(tx,
                        "SELECT id, cell, entity_id, event FROM outbox"
                        " WHERE xid < pg_snapshot_xmin(pg_current_snapshot())"
                        " ORDER BY xid, id LIMIT " BATCH,
                        NULL, 0, arena, ret, err);
}

/* One pass; *ret_more says that there was something, so the next pass should follow at once. */
static enum weir_code relay(struct api_outbox *outbox, bool *ret_more, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    const char *ids = NULL;
    *ret_more = false;
    enum weir_code code = weir_db_begin(outbox->config.db, NULL, &tx, err);
    if (code == WEIR_OK) {
        code = take_rows(tx, arena, &rows, err);
    }
    if (code != WEIR_OK || !rows || weir_db_count(rows) == 0) {
        return code;
    }
    code = publish(outbox, rows, arena, &ids, err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "DELETE FROM outbox WHERE id = ANY ($1::bigint[])", &ids, 1, arena,
                            NULL, err);
    }
    if (code == WEIR_OK) {
        code = weir_db_commit(&tx, err);
    }
    *ret_more = code == WEIR_OK;
    return code;
}

/* Revocations that nothing is left of leave the table and the topic. */
static enum weir_code sweep(struct api_outbox *outbox, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    enum weir_code code = weir_db_begin(outbox->config.db, NULL, &tx, err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, "SELECT set_config('app.relay', 'on', true)", NULL, 0, arena, NULL,
                            err);
    }
    if (code == WEIR_OK) {
        code = weir_db_exec(tx,
                            "WITH gone AS (DELETE FROM revocation WHERE id IN (SELECT id FROM"
                            " revocation WHERE expires_at < now() LIMIT " BATCH
                            ") RETURNING id, tenant_id)"
                            " INSERT INTO outbox (tenant_id, entity_id, event_id)"
                            " SELECT tenant_id, id, gen_random_uuid() FROM gone",
                            NULL, 0, arena, NULL, err);
    }
    return code == WEIR_OK ? weir_db_commit(&tx, err) : code;
}

static enum weir_code sweep_sometimes(struct api_outbox *outbox, struct weir_err *err)
{
    int64_t now_ms = weir_clock_mono_ms();
    if (now_ms < outbox->sweep_mono_ms) {
        return WEIR_OK;
    }
    outbox->sweep_mono_ms = now_ms + SWEEP_MS;
    return sweep(outbox, err);
}

static void pause_for(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* Until something was put, or the poll is due: a notification may be missed, a poll not. */
static void wait_for_work(struct api_outbox *outbox)
{
    bool is_notified = false;
    if (!outbox->listener &&
        weir_db_listen(outbox->config.db, CHANNEL, &outbox->listener, NULL) != WEIR_OK) {
        pause_for(outbox->config.poll_ms);
        return;
    }
    if (weir_db_listener_wait(outbox->listener, outbox->config.poll_ms, &is_notified, NULL) !=
        WEIR_OK) {
        weir_db_unlisten(&outbox->listener);
        pause_for(outbox->config.poll_ms);
    }
}

static void *run(void *ctx)
{
    struct api_outbox *outbox = ctx;
    struct weir_log_limit limit = {0};
    while (!atomic_load(&outbox->is_ending)) {
        struct weir_err err = {0};
        bool has_more = false;
        if (sweep_sometimes(outbox, &err) != WEIR_OK || relay(outbox, &has_more, &err) != WEIR_OK) {
            if (weir_log_allowed(&limit, LOG_BURST, LOG_PERIOD_MS, weir_clock_mono_ms())) {
                weir_log(WEIR_LOG_WARN, "outbox: configuration is not published now", "why",
                         err.msg, NULL);
            }
            pause_for(RETRY_MS);
        } else if (!has_more) {
            wait_for_work(outbox);
        }
    }
    weir_db_unlisten(&outbox->listener);
    return NULL;
}

enum weir_code api_outbox_open(const struct api_outbox_config *config, struct api_outbox **ret,
                               struct weir_err *err)
{
    struct api_outbox *outbox = weir_xalloc(sizeof(*outbox));
    outbox->config = *config;
    if (pthread_create(&outbox->thread, NULL, run, outbox) != 0) {
        free(outbox);
        return weir_fail(err, WEIR_EINTERNAL, "the outbox's thread could not be started");
    }
    *ret = outbox;
    return WEIR_OK;
}

void api_outbox_close(struct api_outbox **outbox)
{
    if (*outbox) {
        atomic_store(&(*outbox)->is_ending, true);
        pthread_join((*outbox)->thread, NULL);
        free(*outbox);
        *outbox = NULL;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/db.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

#define CONNECT_DEFAULT_MS   2000
#define STATEMENT_DEFAULT_MS 5000
#define ACQUIRE_DEFAULT_MS   2000
#define CONNECTIONS_MAX      64
#define STALL_LOOK_MS        50
/* How much later than the server this side gives a statement up: only when the server hangs. */
#define HANG_EXTRA_MS 1000

struct slot {
    PGconn *conn; /* NULL: not connected */
    bool is_taken;
    _Atomic int64_t asked_mono_ms; /* since when an answer is waited for; 0: none is */
};

struct weir_db {
    char *url;
    char *application;
    int64_t connect_ms;
    int64_t statement_ms;
    int64_t acquire_ms;
    int64_t stall_ms;
    bool is_relaxed;
    unsigned n_slots;
    pthread_mutex_t lock; /* of the slots' is_taken, and is_away */
    pthread_cond_t freed;
    bool is_away;
    int64_t try_mono_ms; /* while away: when the next caller may try */
    struct slot slots[CONNECTIONS_MAX];
};

struct weir_db_tx {
    struct weir_db *db;
    struct slot *slot;
};

struct weir_db_rows {
    size_t n_rows;
    size_t n_columns;
    size_t affected;
    char **cells; /* row by row; NULL is SQL NULL */
};

struct weir_db_listener {
    PGconn *conn;
};

enum weir_code weir_db_open(const struct weir_db_config *config, struct weir_db **ret,
                            struct weir_err *err)
{
    if (config->connections < 1 || config->connections > CONNECTIONS_MAX)
        return weir_fail(err, WEIR_EINVAL, "connections must be 1..%d", CONNECTIONS_MAX);
    struct weir_db *db = weir_xalloc(sizeof(*db));
    db->url = weir_xstrdup(config->url);
    db->application = weir_xstrdup(config->application ? config->application : "weir");
    db->connect_ms = config->connect_ms ? config->connect_ms : CONNECT_DEFAULT_MS;
    db->statement_ms = config->statement_ms ? config->statement_ms : STATEMENT_DEFAULT_MS;
    db->acquire_ms = config->acquire_ms ? config->acquire_ms : ACQUIRE_DEFAULT_MS;
    db->stall_ms = config->stall_ms;
    db->is_relaxed = config->is_relaxed;
    db->n_slots = config->connections;
    pthread_cond_init(&db->freed, NULL);
    pthread_mutex_init(&db->lock, NULL);
    *ret = db;
    return WEIR_OK;
}

void weir_db_close(struct weir_db **db)
{
    struct weir_db *self = WEIR_TAKE(*db);
    if (!self)
        return;
    for (unsigned i = 0; i < self->n_slots; i++) {
        assert(!self->slots[i].is_taken);
        PQfinish(self->slots[i].conn);
    }
    pthread_cond_destroy(&self->freed);
    pthread_mutex_destroy(&self->lock);
    free(self->url);
    free(self->application);
    free(self);
}

/* ---- away or not ---- */

/* Whether to ask Postgres at all: while it is away, one caller at a time finds out. */
static bool may_try(struct weir_db *db)
{
    int64_t now_ms = weir_clock_mono_ms();
    pthread_mutex_lock(&db->lock);
    bool may = !db->is_away || now_ms >= db->try_mono_ms;
    if (may && db->is_away)
        db->try_mono_ms = now_ms + db->connect_ms;
    pthread_mutex_unlock(&db->lock);
    return may;
}

static void note_away(struct weir_db *db, bool is_away)
{
    pthread_mutex_lock(&db->lock);
    db->is_away = is_away && db->stall_ms > 0;
    db->try_mono_ms = weir_clock_mono_ms() + db->stall_ms;
    pthread_mutex_unlock(&db->lock);
}

/* With the lock held. */
static bool is_stalled(struct weir_db *db)
{
    int64_t limit_ms = weir_clock_mono_ms() - db->stall_ms;
    for (unsigned i = 0; db->stall_ms > 0 && i < db->n_slots; i++) {
        int64_t asked_ms = atomic_load(&db->slots[i].asked_mono_ms);
        if (asked_ms != 0 && asked_ms < limit_ms)
            return true;
    }
    return false;
}

/* ---- connections ---- */

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* False when `deadline_mono_ms` passed. */
static bool wait_socket(PGconn *conn, short events, int64_t deadline_mono_ms)
{
    for (;;) {
        int64_t left_ms = deadline_mono_ms - weir_clock_mono_ms();
        if (left_ms < 0)
            left_ms = 0;
        struct pollfd poll_fd = {.fd = PQsocket(conn), .events = events};
        int n = poll(&poll_fd, 1, (int)left_ms);
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

/* libpq's own text may tell host and user, never the password. */
static enum weir_code connect_error(PGconn *conn, struct weir_err *err)
{
    const char *text = conn ? PQerrorMessage(conn) : "out of memory";
    return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: %.*s", (int)strcspn(text, "\n"), text);
}

static enum weir_code finish_connecting(PGconn *conn, int64_t deadline_ms, struct weir_err *err)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (!wait_socket(conn, events, deadline_ms))
            return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: connecting took too long");
        status = PQconnectPoll(conn);
    }
    return status == PGRES_POLLING_OK ? WEIR_OK : connect_error(conn, err);
}

static enum weir_code connect_to(const struct weir_db *db, PGconn **ret, struct weir_err *err)
{
    char options[96];
    snprintf(options, sizeof(options), "-c statement_timeout=%lld%s", (long long)db->statement_ms,
             db->is_relaxed ? " -c synchronous_commit=off" : "");
    const char *const names[] = {"dbname",          "application_name", "options",
                                 "keepalives_idle", "client_encoding",  NULL};
    const char *const values[] = {db->url, db->application, options, "15", "UTF8", NULL};
    PGconn *conn = PQconnectStartParams(names, values, 1);
    if (!conn || PQstatus(conn) == CONNECTION_BAD) {
        enum weir_code code = connect_error(conn, err);
        PQfinish(conn);
        return code;
    }
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    enum weir_code code = finish_connecting(conn, weir_clock_mono_ms() + db->connect_ms, err);
    if (code != WEIR_OK) {
        PQfinish(conn);
        return code;
    }
    PQsetnonblocking(conn, 1); /* so that a server that takes nothing cannot hold us either */
    *ret = conn;
    return WEIR_OK;
}

static void disconnect(struct slot *slot)
{
    PQfinish(slot->conn);
    slot->conn = NULL;
}

/* ---- errors ---- */

static enum weir_code code_of_state(const char *state)
{
    static const struct {
        const char *prefix;
        enum weir_code code;
    } table[] = {
        /* PostgreSQL, appendix A: error codes */
        {"23505", WEIR_ECONFLICT}, {"23P01", WEIR_ECONFLICT},  {"23", WEIR_ESEMANTIC},
        {"22", WEIR_ESEMANTIC},    {"40", WEIR_ESTALE},        {"55P03", WEIR_ESTALE},
        {"57014", WEIR_ETIMEOUT},  {"57", WEIR_EUNAVAILABLE},  {"08", WEIR_EUNAVAILABLE},
        {"53", WEIR_EUNAVAILABLE}, {"42501", WEIR_EFORBIDDEN},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (weir_str_starts_with(state, table[i].prefix))
            return table[i].code;
    }
    return WEIR_EINTERNAL;
}

/* The server's own sentence may quote values, so it is shown only where none can be in it:
 * class 42 speaks of the statement, and a script has no values. */
static enum weir_code result_error(const PGresult *result, bool is_script, struct weir_err *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    const char *table = PQresultErrorField(result, PG_DIAG_TABLE_NAME);
    const char *sentence = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!state)
        return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: connection lost");
    bool is_open = is_script || weir_str_starts_with(state, "42");
    return weir_fail(err, code_of_state(state), "postgres %s%s%s%s%s%s%s", state,
                     table ? " table " : "", table ? table : "", constraint ? " constraint " : "",
                     constraint ? constraint : "", is_open && sentence ? ": " : "",
                     is_open && sentence ? sentence : "");
}

/* ---- statements ---- */

static enum weir_code hang(struct weir_db_tx *tx, struct weir_err *err)
{
    disconnect(tx->slot);
    note_away(tx->db, true);
    return weir_fail(err, WEIR_ETIMEOUT, "postgres: no answer");
}

/* Until all that was asked is on its way. */
static enum weir_code flush(struct weir_db_tx *tx, int64_t deadline_ms, struct weir_err *err)
{
    PGconn *conn = tx->slot->conn;
    int left;
    while ((left = PQflush(conn)) > 0) {
        if (!wait_socket(conn, POLLIN | POLLOUT, deadline_ms))
            return hang(tx, err);
        if (!PQconsumeInput(conn))
            break;
    }
    return left != 0 ? weir_fail(err, WEIR_EUNAVAILABLE, "postgres: connection lost") : WEIR_OK;
}

/* Reads all results of what was sent, keeps the last one or the first error. */
static enum weir_code collect(struct weir_db_tx *tx, int64_t deadline_ms, PGresult **ret,
                              struct weir_err *err)
{
    PGconn *conn = tx->slot->conn;
    PGresult *kept = NULL;
    for (;;) {
        while (PQisBusy(conn)) {
            if (!wait_socket(conn, POLLIN, deadline_ms)) {
                PQclear(kept);
                return hang(tx, err);
            }
            if (!PQconsumeInput(conn))
                break;
        }
        PGresult *result = PQgetResult(conn);
        if (!result)
            break;
        if (kept && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
            PQclear(result);
            continue;
        }
        PQclear(kept);
        kept = result;
    }
    if (!kept)
        return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: connection lost");
    *ret = kept;
    return WEIR_OK;
}

static enum weir_code judge(struct weir_db_tx *tx, PGresult *result, bool is_script,
                            struct weir_err *err)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
        return WEIR_OK;
    if (PQstatus(tx->slot->conn) == CONNECTION_BAD)
        return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: connection lost");
    return result_error(result, is_script, err);
}

/* `params` NULL and `n` 0 with `is_script`: a text of several statements. */
static enum weir_code run(struct weir_db_tx *tx, const char *sql, const char *const *params,
                          size_t n, bool is_script, PGresult **ret, struct weir_err *err)
{
    PGconn *conn = tx->slot->conn;
    if (!conn)
        return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: connection lost");
    int sent = is_script ? PQsendQuery(conn, sql)
                         : PQsendQueryParams(conn, sql, (int)n, NULL, params, NULL, NULL, 0);
    if (!sent)
        return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: connection lost");
    PGresult *result = NULL;
    int64_t now_ms = weir_clock_mono_ms();
    int64_t deadline_ms = now_ms + tx->db->statement_ms + HANG_EXTRA_MS;
    atomic_store(&tx->slot->asked_mono_ms, now_ms);
    enum weir_code code = flush(tx, deadline_ms, err);
    if (code == WEIR_OK)
        code = collect(tx, deadline_ms, &result, err);
    atomic_store(&tx->slot->asked_mono_ms, 0);
    if (code != WEIR_OK)
        return code;
    if ((code = judge(tx, result, is_script, err)) != WEIR_OK) {
        PQclear(result);
        return code;
    }
    *ret = result;
    return WEIR_OK;
}

static enum weir_code run_plain(struct weir_db_tx *tx, const char *sql, struct weir_err *err)
{
    PGresult *result = NULL;
    enum weir_code code = run(tx, sql, NULL, 0, false, &result, err);
    if (code == WEIR_OK)
        PQclear(result);
    return code;
}

/* ---- transactions ---- */

static struct slot *find_free(struct weir_db *db)
{
    struct slot *best = NULL;
    for (unsigned i = 0; i < db->n_slots; i++) {
        struct slot *slot = &db->slots[i];
        if (!slot->is_taken && (!best || (!best->conn && slot->conn)))
            best = slot;
    }
    return best;
}

/* With the lock held: a free connection, or NULL when none comes in time. */
static struct slot *wait_free(struct weir_db *db)
{
    int64_t end_ms = weir_clock_mono_ms() + db->acquire_ms;
    struct slot *slot = find_free(db);
    while (!slot && !is_stalled(db) && weir_clock_mono_ms() < end_ms) {
        int64_t look_ms = weir_clock_mono_ms() + STALL_LOOK_MS;
        weir_clock_wait(&db->freed, &db->lock, look_ms < end_ms ? look_ms : end_ms);
        slot = find_free(db);
    }
    return slot;
}

static enum weir_code acquire(struct weir_db *db, struct slot **ret, struct weir_err *err)
{
    pthread_mutex_lock(&db->lock);
    struct slot *slot = wait_free(db);
    if (slot)
        slot->is_taken = true;
    pthread_mutex_unlock(&db->lock);
    if (!slot)
        return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: all %u connections are busy",
                         db->n_slots);
    *ret = slot;
    return WEIR_OK;
}

static void release(struct weir_db *db, struct slot *slot)
{
    pthread_mutex_lock(&db->lock);
    slot->is_taken = false;
    pthread_cond_signal(&db->freed);
    pthread_mutex_unlock(&db->lock);
}

/* One trip to the server: a transaction is begun in the tenant's name at once. */
static enum weir_code run_begin(struct weir_db_tx *tx, const struct weir_id *tenant,
                                struct weir_err *err)
{
    char sql[128] = "BEGIN";
    if (tenant)
        snprintf(sql, sizeof(sql), "BEGIN; SELECT set_config('app.tenant_id', '%s', true)",
                 WEIR_ID_TEXT(tenant));
    PGresult *result = NULL;
    enum weir_code code = run(tx, sql, NULL, 0, true, &result, err);
    if (code == WEIR_OK)
        PQclear(result);
    return code;
}

/* A connection that stood idle may be dead without our knowing: then once more with a new one. */
static enum weir_code start(struct weir_db_tx *tx, const struct weir_id *tenant,
                            struct weir_err *err)
{
    if (tx->slot->conn) {
        enum weir_code code = run_begin(tx, tenant, err);
        if (code == WEIR_OK)
            note_away(tx->db, false);
        if (code == WEIR_OK || code == WEIR_ETIMEOUT)
            return code;
        disconnect(tx->slot);
    }
    atomic_store(&tx->slot->asked_mono_ms, weir_clock_mono_ms());
    enum weir_code code = connect_to(tx->db, &tx->slot->conn, err);
    atomic_store(&tx->slot->asked_mono_ms, 0);
    note_away(tx->db, code != WEIR_OK);
    return code == WEIR_OK ? run_begin(tx, tenant, err) : code;
}

enum weir_code weir_db_begin(struct weir_db *db, const struct weir_id *tenant,
                             struct weir_db_tx **ret, struct weir_err *err)
{
    struct slot *slot = NULL;
    if (!may_try(db))
        return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: away");
    enum weir_code code = acquire(db, &slot, err);
    if (code != WEIR_OK)
        return code;
    struct weir_db_tx *tx = weir_xalloc(sizeof(*tx));
    *tx = (struct weir_db_tx){db, slot};
    code = start(tx, tenant, err);
    if (code != WEIR_OK) {
        weir_db_end(&tx);
        return code;
    }
    *ret = tx;
    return WEIR_OK;
}

void weir_db_end(struct weir_db_tx **tx)
{
    struct weir_db_tx *self = WEIR_TAKE(*tx);
    if (!self)
        return;
    if (self->slot->conn && PQtransactionStatus(self->slot->conn) != PQTRANS_IDLE &&
        run_plain(self, "ROLLBACK", NULL) != WEIR_OK)
        disconnect(self->slot);
    release(self->db, self->slot);
    free(self);
}

enum weir_code weir_db_commit(struct weir_db_tx **tx, struct weir_err *err)
{
    struct weir_db_tx *self = *tx;
    PGresult *result = NULL;
    enum weir_code code = run(self, "COMMIT", NULL, 0, false, &result, err);
    bool is_broken = !self->slot->conn || PQstatus(self->slot->conn) == CONNECTION_BAD;
    if (code != WEIR_OK && is_broken)
        code = weir_fail(err, WEIR_EUNKNOWN, "postgres: connection lost while committing");
    /* The server answers COMMIT of a failed transaction with a rollback, not with an error. */
    if (code == WEIR_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        code = weir_fail(err, WEIR_EINTERNAL, "postgres: the transaction had failed before");
    PQclear(result);
    weir_db_end(tx);
    return code;
}

/* ---- rows ---- */

static struct weir_db_rows *copy_rows(const PGresult *result, struct weir_arena *arena)
{
    struct weir_db_rows *rows = weir_arena_alloc(arena, sizeof(*rows));
    rows->n_rows = (size_t)PQntuples(result);
    rows->n_columns = (size_t)PQnfields(result);
    const char *affected = PQcmdTuples((PGresult *)(uintptr_t)result);
    rows->affected = (size_t)strtoull(affected, NULL, 10);
    rows->cells = weir_arena_array(arena, rows->n_rows * rows->n_columns + 1, sizeof(char *));
    for (size_t i = 0; i < rows->n_rows * rows->n_columns; i++) {
        int row = (int)(i / rows->n_columns);
        int column = (int)(i % rows->n_columns);
        if (!PQgetisnull(result, row, column))
            rows->cells[i] = weir_arena_memdup(arena, PQgetvalue(result, row, column),
                                               (size_t)PQgetlength(result, row, column));
    }
    return rows;
}

enum weir_code weir_db_exec(struct weir_db_tx *tx, const char *sql, const char *const *params,
                            size_t n_params, struct weir_arena *arena, struct weir_db_rows **ret,
                            struct weir_err *err)
{
    PGresult *result = NULL;
    enum weir_code code = run(tx, sql, params, n_params, false, &result, err);
    if (code != WEIR_OK)
        return code;
    if (ret)
        *ret = copy_rows(result, arena);
    PQclear(result);
    return WEIR_OK;
}

enum weir_code weir_db_script(struct weir_db_tx *tx, const char *sql, struct weir_err *err)
{
    PGresult *result = NULL;
    enum weir_code code = run(tx, sql, NULL, 0, true, &result, err);
    if (code == WEIR_OK)
        PQclear(result);
    return code;
}

size_t weir_db_count(const struct weir_db_rows *rows)
{
    return rows->n_rows;
}

size_t weir_db_affected(const struct weir_db_rows *rows)
{
    return rows->affected;
}

const char *weir_db_text(const struct weir_db_rows *rows, size_t row, size_t column)
{
    assert(row < rows->n_rows && column < rows->n_columns);
    return rows->cells[row * rows->n_columns + column];
}

int64_t weir_db_int(const struct weir_db_rows *rows, size_t row, size_t column)
{
    const char *text = weir_db_text(rows, row, column);
    return text ? (int64_t)strtoll(text, NULL, 10) : 0;
}

bool weir_db_bool(const struct weir_db_rows *rows, size_t row, size_t column)
{
    const char *text = weir_db_text(rows, row, column);
    return text && text[0] == 't';
}

enum weir_code weir_db_ping(struct weir_db *db, struct weir_err *err)
{
    struct weir_db_tx *tx = NULL;
    enum weir_code code = weir_db_begin(db, NULL, &tx, err);
    weir_db_end(&tx);
    return code;
}

/* ---- notifications ---- */

enum weir_code weir_db_listen(struct weir_db *db, const char *channel,
                              struct weir_db_listener **ret, struct weir_err *err)
{
    PGconn *conn = NULL;
    enum weir_code code = connect_to(db, &conn, err);
    if (code != WEIR_OK)
        return code;
    char *name = PQescapeIdentifier(conn, channel, strlen(channel));
    char sql[128];
    snprintf(sql, sizeof(sql), "LISTEN %s", name ? name : "");
    PQfreemem(name);
    struct slot slot = {.conn = conn};
    struct weir_db_tx tx = {db, &slot};
    code = run_plain(&tx, sql, err);
    if (code != WEIR_OK) {
        disconnect(&slot);
        return code;
    }
    struct weir_db_listener *listener = weir_xalloc(sizeof(*listener));
    listener->conn = conn;
    *ret = listener;
    return WEIR_OK;
}

/* Takes what has arrived; true when there was any. */
static bool drain(PGconn *conn)
{
    bool is_any = false;
    PGnotify *notify;
    while ((notify = PQnotifies(conn))) {
        PQfreemem(notify);
        is_any = true;
    }
    return is_any;
}

enum weir_code weir_db_listener_wait(struct weir_db_listener *listener, int64_t timeout_ms,
                                     bool *ret_notified, struct weir_err *err)
{
    int64_t deadline_ms = weir_clock_mono_ms() + timeout_ms;
    bool is_notified = drain(listener->conn);
    while (!is_notified && wait_socket(listener->conn, POLLIN, deadline_ms)) {
        if (!PQconsumeInput(listener->conn))
            return weir_fail(err, WEIR_EUNAVAILABLE, "postgres: connection lost");
        is_notified = drain(listener->conn);
    }
    *ret_notified = is_notified;
    return WEIR_OK;
}

void weir_db_unlisten(struct weir_db_listener **listener)
{
    struct weir_db_listener *self = WEIR_TAKE(*listener);
    if (!self)
        return;
    PQfinish(self->conn);
    free(self);
}

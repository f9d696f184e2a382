/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/array.h"
#include "audit/viewings.h"
#include "lib/base/str.h"

/* Columns of audit_event that do not come from weir_audit_row: off, n, recorded_at, is_void. */
#define N_PLACE_COLUMNS 4

struct chain_texts {
    char partition[12];
    char first[24];
    char next[24];
    char head[2 * WEIR_SHA256_BYTES + 3];
    char instance[WEIR_ID_TEXT_MAX];
    char epoch[24];
};

static void format_chain(const struct weir_audit_chain *chain, struct chain_texts *ret)
{
    snprintf(ret->partition, sizeof(ret->partition), "%" PRId32, chain->partition);
    snprintf(ret->first, sizeof(ret->first), "%" PRId64, chain->first);
    snprintf(ret->next, sizeof(ret->next), "%" PRId64, chain->next);
    snprintf(ret->epoch, sizeof(ret->epoch), "%" PRId64, chain->epoch);
    memcpy(ret->head, "\\x", 2);
    weir_hex_encode(chain->head, sizeof(chain->head), ret->head + 2);
    weir_id_format(&chain->instance, ret->instance);
}

static enum weir_code read_chain(const struct weir_db_rows *rows, struct weir_audit_chain *chain,
                                 struct weir_err *err)
{
    const char *head = weir_db_text(rows, 0, 2);
    const char *instance = weir_db_text(rows, 0, 3);
    if (!weir_hex_decode(head, strlen(head), chain->head, sizeof(chain->head)))
        return weir_fail(err, WEIR_ECORRUPT, "audit_offset: head is malformed");
    enum weir_code code = weir_id_parse(instance, strlen(instance), &chain->instance, err);
    if (code != WEIR_OK)
        return code;
    chain->first = weir_db_int(rows, 0, 0);
    chain->next = weir_db_int(rows, 0, 1);
    chain->epoch = weir_db_int(rows, 0, 4);
    return WEIR_OK;
}

enum weir_code audit_table_load(struct weir_db *db, struct weir_audit_chain *chain,
                                struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    struct chain_texts texts;
    format_chain(chain, &texts);
    const char *params[] = {chain->topic, texts.partition};
    enum weir_code code = weir_db_begin(db, NULL, &tx, err);
    if (code == WEIR_OK)
        code = weir_db_exec(tx,
                            "SELECT first_off, next_off, encode(head, 'hex'), instance, epoch"
                            " FROM audit_offset WHERE topic = $1 AND part = $2::int",
                            params, 2, arena, &rows, err);
    if (code != WEIR_OK)
        return code;
    if (weir_db_count(rows) == 0)
        return weir_fail(err, WEIR_ENOTFOUND, "the chain is not begun");
    return read_chain(rows, chain, err);
}

enum weir_code audit_table_begin(struct weir_db *db, const struct weir_audit_chain *chain,
                                 struct weir_err *err)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct chain_texts texts;
    format_chain(chain, &texts);
    const char *params[] = {chain->topic, texts.partition, texts.first,
                            texts.head,   texts.instance,  texts.epoch};
    enum weir_code code = weir_db_begin(db, NULL, &tx, err);
    if (code == WEIR_OK)
        code = weir_db_exec(
            tx,
            "INSERT INTO audit_offset (topic, part, first_off, next_off, head, instance, epoch)"
            " VALUES ($1, $2::int, $3::bigint, $3::bigint, $4::bytea, $5::uuid, $6::bigint)"
            " ON CONFLICT DO NOTHING",
            params, 6, NULL, NULL, err);
    return code == WEIR_OK ? weir_db_commit(&tx, err) : code;
}

/* The fence. The row stays locked until the transaction ends. */
static enum weir_code move_chain(struct weir_db_tx *tx, const struct weir_audit_chain *before,
                                 const struct weir_audit_chain *after, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db_rows *rows = NULL;
    struct chain_texts from;
    struct chain_texts to;
    format_chain(before, &from);
    format_chain(after, &to);
    const char *params[] = {before->topic, from.partition, from.next,   from.head,
                            to.next,       to.head,        to.instance, to.epoch};
    enum weir_code code =
        weir_db_exec(tx,
                     "UPDATE audit_offset SET next_off = $5::bigint, head = $6::bytea,"
                     " instance = $7::uuid, epoch = $8::bigint"
                     " WHERE topic = $1 AND part = $2::int AND next_off = $3::bigint"
                     " AND head = $4::bytea",
                     params, 8, arena, &rows, err);
    if (code != WEIR_OK)
        return code;
    if (weir_db_affected(rows) != 1)
        return weir_fail(err, WEIR_ESTALE, "another instance writes this chain");
    return WEIR_OK;
}

static enum weir_code insert_records(struct weir_db_tx *tx, const struct audit_batch *batch,
                                     struct weir_err *err)
{
    if (batch->n == 0)
        return WEIR_OK;
    struct audit_array columns[6] = {0}; /* off, recorded_at, verdict, parse_error, raw, hash */
    for (size_t i = 0; i < batch->n; i++) {
        const struct audit_item *item = &batch->items[i];
        audit_array_add_int(&columns[0], item->entry.offset);
        audit_array_add_int(&columns[1], item->timestamp_ms);
        audit_array_add(&columns[2], weir_audit_verdict_name(item->entry.verdict));
        audit_array_add(&columns[3], item->entry.parse_error);
        audit_array_add_bytes(&columns[4], item->raw, item->len);
        audit_array_add_bytes(&columns[5], item->entry.hash, sizeof(item->entry.hash));
    }
    struct chain_texts texts;
    format_chain(&batch->before, &texts);
    const char *params[8] = {batch->before.topic, texts.partition};
    for (size_t i = 0; i < 6; i++)
        params[2 + i] = audit_array_text(&columns[i]);
    enum weir_code code = weir_db_exec(
        tx,
        "INSERT INTO audit_record (topic, part, off, recorded_at, verdict, parse_error, raw, hash)"
        " SELECT $1, $2::int, o, to_timestamp(t / 1000.0), v, p, r, h"
        " FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bytea[],"
        " $8::bytea[]) AS u(o, t, v, p, r, h)",
        params, 8, NULL, NULL, err);
    for (size_t i = 0; i < 6; i++)
        audit_array_done(&columns[i]);
    return code;
}

/* ---- rows of tenants ---- */

struct column {
    const char *name;
    const char *array_type;
    bool is_time; /* comes in Unix milliseconds */
};

#define COLUMN_UUID "uuid[]", false
#define COLUMN_TEXT "text[]", false
#define COLUMN_INT  "bigint[]", false
#define COLUMN_MS   "bigint[]", true

static const struct column event_columns[N_PLACE_COLUMNS + WEIR_AUDIT_N_COLUMNS] = {
    {"off", COLUMN_INT},
    {"n", COLUMN_INT},
    {"recorded_at", COLUMN_MS},
    {"is_void", "boolean[]", false},
#define WEIR_AUDIT_COLUMN(name, kind) {#name, COLUMN_##kind},
#include "lib/domain/audit_columns.def"
#undef WEIR_AUDIT_COLUMN
};

#define N_EVENT_COLUMNS (sizeof(event_columns) / sizeof(event_columns[0]))

/* INSERT ... SELECT over one array a column; $1 is the topic, $2 the partition. */
static void write_event_sql(struct weir_buf *sql)
{
    bool is_ok = weir_buf_printf(sql, "INSERT INTO audit_event (topic, part");
    for (size_t i = 0; i < N_EVENT_COLUMNS; i++)
        is_ok = is_ok && weir_buf_printf(sql, ", %s", event_columns[i].name);
    is_ok = is_ok && weir_buf_printf(sql, ") SELECT $1, $2::int");
    for (size_t i = 0; i < N_EVENT_COLUMNS; i++)
        is_ok = is_ok &&
                (event_columns[i].is_time ? weir_buf_printf(sql, ", to_timestamp(c%zu / 1000.0)", i)
                                          : weir_buf_printf(sql, ", c%zu", i));
    is_ok = is_ok && weir_buf_printf(sql, " FROM unnest(");
    for (size_t i = 0; i < N_EVENT_COLUMNS; i++)
        is_ok = is_ok && weir_buf_printf(sql, "%s$%zu::%s", i ? ", " : "", i + 3,
                                         event_columns[i].array_type);
    is_ok = is_ok && weir_buf_printf(sql, ") AS u(");
    for (size_t i = 0; i < N_EVENT_COLUMNS; i++)
        is_ok = is_ok && weir_buf_printf(sql, "%sc%zu", i ? ", " : "", i);
    is_ok = is_ok && weir_buf_printf(sql, ")");
    assert(is_ok); /* the buffer has no ceiling */
    (void)is_ok;
}

static void add_rows(const struct audit_item *item, struct audit_array *columns)
{
    for (size_t n = 0; n < item->entry.n_rows; n++) {
        audit_array_add_int(&columns[0], item->entry.offset);
        audit_array_add_int(&columns[1], (int64_t)n);
        audit_array_add_int(&columns[2], item->timestamp_ms);
        audit_array_add(&columns[3], item->entry.verdict == WEIR_AUDIT_VOID ? "t" : "f");
        for (size_t i = 0; i < WEIR_AUDIT_N_COLUMNS; i++)
            audit_array_add(&columns[N_PLACE_COLUMNS + i], item->entry.rows[n].text[i]);
    }
}

static enum weir_code insert_events(struct weir_db_tx *tx, const struct audit_batch *batch,
                                    struct weir_err *err)
{
    if (batch->n_rows == 0)
        return WEIR_OK;
    struct audit_array columns[N_EVENT_COLUMNS] = {0};
    for (size_t i = 0; i < batch->n; i++)
        add_rows(&batch->items[i], columns);
    struct chain_texts texts;
    format_chain(&batch->before, &texts);
    const char *params[2 + N_EVENT_COLUMNS] = {batch->before.topic, texts.partition};
    for (size_t i = 0; i < N_EVENT_COLUMNS; i++)
        params[2 + i] = audit_array_text(&columns[i]);
    struct weir_buf sql = {0};
    write_event_sql(&sql);
    enum weir_code code = weir_db_exec(tx, sql.bytes, params, 2 + N_EVENT_COLUMNS, NULL, NULL, err);
    weir_buf_done(&sql);
    for (size_t i = 0; i < N_EVENT_COLUMNS; i++)
        audit_array_done(&columns[i]);
    return code;
}

enum weir_code audit_table_store(struct weir_db *db, const struct audit_batch *batch,
                                 struct weir_err *err)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    enum weir_code code = weir_db_begin(db, NULL, &tx, err);
    if (code == WEIR_OK)
        code = move_chain(tx, &batch->before, &batch->after, err);
    if (code == WEIR_OK)
        code = insert_records(tx, batch, err);
    if (code == WEIR_OK)
        code = insert_events(tx, batch, err);
    if (code == WEIR_OK)
        code = audit_viewings_store(tx, batch, err);
    return code == WEIR_OK ? weir_db_commit(&tx, err) : code;
}

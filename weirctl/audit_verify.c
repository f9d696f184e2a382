/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks every chain from its first record that is kept, in one snapshot of the database, and
 * computes again what the audit daemon computed: the hashes, the verdicts and the tenants' rows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/domain/audit.h"
#include "lib/io/db.h"
#include "weirctl/command.h"

#define PAGE         1000
#define STATEMENT_MS 60000
#define N_FIXED      3 /* off, n, is_void */

static const char records_sql[] =
    "SELECT off, encode(raw, 'hex'), encode(hash, 'hex'), verdict, parse_error"
    " FROM audit_record WHERE topic = $1 AND part = $2::int AND off >= $3::bigint"
    " ORDER BY off LIMIT $4::int";

#define SELECT_UUID(name) ", " #name
#define SELECT_TEXT(name) ", " #name
#define SELECT_INT(name)  ", " #name
#define SELECT_MS(name)   ", round(extract(epoch FROM " #name ") * 1000)::bigint"

static const char events_sql[] = "SELECT off, n, is_void"
#define WEIR_AUDIT_COLUMN(name, kind) SELECT_##kind(name)
#include "lib/domain/audit_columns.def"
#undef WEIR_AUDIT_COLUMN
                                 " FROM audit_event WHERE topic = $1 AND part = $2::int"
                                 " AND off >= $3::bigint AND off <= $4::bigint ORDER BY off, n";

static const char *const column_names[] = {
#define WEIR_AUDIT_COLUMN(name, kind) #name,
#include "lib/domain/audit_columns.def"
#undef WEIR_AUDIT_COLUMN
};

struct walk {
    struct weir_db_tx *tx;
    struct weir_audit_chain chain; /* computed again, from the first record on */
    const char *partition;         /* as text */
    const char *head;              /* as stored */
    int64_t next;                  /* as stored */
    int64_t n_records;             /* walked */
};

static enum weir_code bad(const struct walk *walk, int64_t offset, const char *what,
                          struct weir_err *err)
{
    return weir_fail(err, WEIR_ECORRUPT, "%s/%s: record %" PRId64 ": %s", walk->chain.topic,
                     walk->partition, offset, what);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The rows of one record; *at is where the next record's begin. */
static enum weir_code check_events(const struct walk *walk, const struct weir_audit_entry *entry,
                                   const struct weir_db_rows *events, size_t *at,
                                   struct weir_err *err)
{
    char what[96];
    for (size_t n = 0; n < entry->n_rows; n++, (*at)++) {
        if (*at >= weir_db_count(events) || weir_db_int(events, *at, 0) != entry->offset ||
            weir_db_int(events, *at, 1) != (int64_t)n) {
            snprintf(what, sizeof(what), "row %zu of audit_event is missing", n);
            return bad(walk, entry->offset, what, err);
        }
        bool is_void = entry->verdict == WEIR_AUDIT_VOID;
        const char *differs = weir_db_bool(events, *at, 2) == is_void ? NULL : "is_void";
        for (size_t i = 0; i < WEIR_AUDIT_N_COLUMNS && !differs; i++) {
            if (!is_same(entry->rows[n].text[i], weir_db_text(events, *at, N_FIXED + i)))
                differs = column_names[i];
        }
        if (differs) {
            snprintf(what, sizeof(what), "row %zu of audit_event differs in %s", n, differs);
            return bad(walk, entry->offset, what, err);
        }
    }
    if (*at < weir_db_count(events) && weir_db_int(events, *at, 0) <= entry->offset)
        return bad(walk, weir_db_int(events, *at, 0), "audit_event has a row too many", err);
    return WEIR_OK;
}

static enum weir_code check_record(struct walk *walk, const struct weir_db_rows *records, size_t i,
                                   struct weir_arena *arena, struct weir_audit_entry *ret,
                                   struct weir_err *err)
{
    int64_t offset = weir_db_int(records, i, 0);
    if (weir_audit_skip(&walk->chain, offset, NULL) != WEIR_OK)
        return bad(walk, walk->chain.next, "is missing", err);
    const char *hex = weir_db_text(records, i, 1);
    size_t len = hex ? strlen(hex) / 2 : 0;
    uint8_t *raw = hex ? weir_arena_alloc(arena, len) : NULL;
    if (hex && !weir_hex_decode(hex, 2 * len, raw, len))
        return bad(walk, offset, "its bytes cannot be read", err);
    enum weir_code code = weir_audit_take(&walk->chain, offset, raw, len, arena, ret, err);
    if (code != WEIR_OK)
        return code;
    if (ret->is_passed_over)
        return bad(walk, offset, "is none that is kept", err);
    char hash[2 * WEIR_SHA256_BYTES + 1];
    weir_hex_encode(ret->hash, sizeof(ret->hash), hash);
    if (strcmp(hash, weir_db_text(records, i, 2)) != 0)
        return bad(walk, offset, "its bytes are not those that were hashed", err);
    if (!is_same(weir_audit_verdict_name(ret->verdict), weir_db_text(records, i, 3)) ||
        !is_same(ret->parse_error, weir_db_text(records, i, 4)))
        return bad(walk, offset, "its verdict differs", err);
    return WEIR_OK;
}

/* *ret_n: records of this page, 0 at the end. */
static enum weir_code check_page(struct walk *walk, size_t *ret_n, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(1 << 20);
    struct weir_db_rows *records = NULL;
    struct weir_db_rows *events = NULL;
    const char *topic = walk->chain.topic;
    const char *from = weir_arena_printf(arena, "%" PRId64, walk->chain.next);
    const char *params[] = {topic, walk->partition, from, weir_arena_printf(arena, "%d", PAGE)};
    enum weir_code code = weir_db_exec(walk->tx, records_sql, params, 4, arena, &records, err);
    if (code != WEIR_OK)
        return code;
    size_t n = weir_db_count(records);
    *ret_n = n;
    walk->n_records += (int64_t)n;
    if (n == 0)
        return WEIR_OK;
    params[3] = weir_db_text(records, n - 1, 0);
    code = weir_db_exec(walk->tx, events_sql, params, 4, arena, &events, err);
    size_t at = 0;
    for (size_t i = 0; i < n && code == WEIR_OK; i++) {
        struct weir_audit_entry entry = {0};
        code = check_record(walk, records, i, arena, &entry, err);
        if (code == WEIR_OK)
            code = check_events(walk, &entry, events, &at, err);
    }
    return code;
}

/* Nothing may lie outside of what the chain covers. */
static enum weir_code check_outside(const struct walk *walk, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db_rows *rows = NULL;
    const char *params[] = {walk->chain.topic, walk->partition,
                            weir_arena_printf(arena, "%" PRId64, walk->chain.first),
                            weir_arena_printf(arena, "%" PRId64, walk->chain.next)};
    enum weir_code code = weir_db_exec(
        walk->tx,
        "SELECT min(off) FROM (SELECT off FROM audit_record WHERE topic = $1 AND part = $2::int"
        " AND (off < $3::bigint OR off >= $4::bigint) UNION ALL"
        " SELECT off FROM audit_event WHERE topic = $1 AND part = $2::int"
        " AND (off < $3::bigint OR off >= $4::bigint)) AS outside",
        params, 4, arena, &rows, err);
    if (code == WEIR_OK && weir_db_text(rows, 0, 0))
        code = bad(walk, weir_db_int(rows, 0, 0), "lies outside of the chain", err);
    return code;
}

static enum weir_code check_chain(struct walk *walk, struct weir_err *err)
{
    size_t n = 0;
    enum weir_code code;
    do {
        code = check_page(walk, &n, err);
    } while (code == WEIR_OK && n > 0);
    if (code != WEIR_OK)
        return code;
    char head[2 * WEIR_SHA256_BYTES + 1];
    weir_hex_encode(walk->chain.head, sizeof(walk->chain.head), head);
    if (walk->chain.next > walk->next)
        return bad(walk, walk->next, "is not where audit_offset says the chain ends", err);
    if (weir_audit_skip(&walk->chain, walk->next, NULL) != WEIR_OK)
        return bad(walk, walk->chain.next, "is missing, and all after it", err);
    if (strcmp(head, walk->head) != 0)
        return bad(walk, walk->next, "is not where audit_offset says the chain ends", err);
    return check_outside(walk, err);
}

static bool is_wanted(const struct ctl_settings *settings, const struct walk *walk)
{
    return (!*settings->topic || strcmp(settings->topic, walk->chain.topic) == 0) &&
           (settings->partition < 0 || settings->partition == walk->chain.partition);
}

/* Where the pruned records left it; as an empty chain where none were. */
static enum weir_code read_start(const struct weir_db_rows *chains, size_t row,
                                 struct weir_audit_chain *chain, struct weir_err *err)
{
    const char *head = weir_db_text(chains, row, 5);
    const char *instance = weir_db_text(chains, row, 6);
    chain->epoch = weir_db_int(chains, row, 7);
    if (!weir_hex_decode(head, strlen(head), chain->head, sizeof(chain->head)))
        return weir_fail(err, WEIR_ECORRUPT, "%s/%" PRId32 ": start_head is malformed",
                         chain->topic, chain->partition);
    return weir_id_parse(instance, strlen(instance), &chain->instance, err);
}

/* Every chain is walked, whatever is found in another; the first finding is the error. */
static enum weir_code check_all(struct weir_db_tx *tx, const struct ctl_settings *settings,
                                struct weir_arena *arena, FILE *out, struct weir_err *err)
{
    struct weir_db_rows *chains = NULL;
    enum weir_code code = weir_db_exec(tx,
                                       "SELECT topic, part, first_off, next_off,"
                                       " encode(head, 'hex'), encode(start_head, 'hex'),"
                                       " start_instance, start_epoch"
                                       " FROM audit_offset ORDER BY 1, 2",
                                       NULL, 0, arena, &chains, err);
    if (code != WEIR_OK)
        return code;
    int64_t records = 0;
    size_t n = 0;
    for (size_t i = 0; i < weir_db_count(chains); i++) {
        struct walk walk = {.tx = tx,
                            .partition = weir_db_text(chains, i, 1),
                            .head = weir_db_text(chains, i, 4),
                            .next = weir_db_int(chains, i, 3)};
        weir_audit_chain_init(&walk.chain, weir_db_text(chains, i, 0),
                              (int32_t)weir_db_int(chains, i, 1), weir_db_int(chains, i, 2));
        if (!is_wanted(settings, &walk))
            continue;
        n++;
        struct weir_err finding = {0};
        enum weir_code found = read_start(chains, i, &walk.chain, &finding);
        if (found == WEIR_OK)
            found = check_chain(&walk, &finding);
        records += walk.n_records;
        if (found != WEIR_OK)
            fprintf(out, "BAD  %s\n", finding.msg);
        else if (walk.next > walk.chain.first)
            fprintf(out, "ok   %s/%s: records %" PRId64 " to %" PRId64 "\n", walk.chain.topic,
                    walk.partition, walk.chain.first, walk.next - 1);
        if (found != WEIR_OK && code == WEIR_OK)
            code = weir_fail(err, found, "%s", finding.msg);
        if (found != WEIR_OK && found != WEIR_ECORRUPT)
            return code;
    }
    if (code == WEIR_OK)
        fprintf(out, "%zu chains, %" PRId64 " records: intact\n", n, records);
    return code;
}

static enum weir_code check_orphans(struct weir_db_tx *tx, struct weir_arena *arena,
                                    struct weir_err *err)
{
    struct weir_db_rows *rows = NULL;
    enum weir_code code =
        weir_db_exec(tx,
                     "SELECT topic, part FROM audit_record AS r WHERE NOT EXISTS (SELECT FROM"
                     " audit_offset AS o WHERE o.topic = r.topic AND o.part = r.part) LIMIT 1",
                     NULL, 0, arena, &rows, err);
    if (code == WEIR_OK && weir_db_count(rows) > 0)
        code = weir_fail(err, WEIR_ECORRUPT, "%s/%s: records without a row in audit_offset",
                         weir_db_text(rows, 0, 0), weir_db_text(rows, 0, 1));
    return code;
}

enum weir_code ctl_audit_verify(const struct ctl_settings *settings, FILE *out,
                                struct weir_err *err)
{
    if (!*settings->postgres)
        return weir_fail(err, WEIR_EINVAL, "WEIR_POSTGRES is missing");
    const struct weir_db_config config = {.url = settings->postgres,
                                          .connections = 1,
                                          .statement_ms = STATEMENT_MS,
                                          .application = "weirctl audit verify"};
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_db *db WEIR_CLEANUP(weir_db_close) = NULL;
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    enum weir_code code = weir_db_open(&config, &db, err);
    if (code == WEIR_OK)
        code = weir_db_begin(db, NULL, &tx, err);
    if (code == WEIR_OK)
        code = weir_db_exec(tx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", NULL,
                            0, NULL, NULL, err);
    if (code == WEIR_OK)
        code = check_orphans(tx, arena, err);
    return code == WEIR_OK ? check_all(tx, settings, arena, out, err) : code;
}

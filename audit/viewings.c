/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/viewings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/array.h"
#include "lib/domain/events.h"
#include "lib/domain/pseudonym.h"

static void add_id(struct audit_array *array, const struct weir_id *id)
{
    audit_array_add(array, WEIR_ID_TEXT(id));
}

/* Runs a statement whose parameters are the arrays, and frees them. */
static enum weir_code exec(struct weir_db_tx *tx, const char *sql, struct audit_array *columns,
                           size_t n, const char **params, struct weir_err *err)
{
    for (size_t i = 0; i < n; i++)
        params[i] = audit_array_text(&columns[i]);
    enum weir_code code = weir_db_exec(tx, sql, params, n, NULL, NULL, err);
    for (size_t i = 0; i < n; i++)
        audit_array_done(&columns[i]);
    return code;
}

/* ---- sessions ---- */

static const char *const door_names[] = {
    [WEIR_EV_AUDIT_VIEWING_DOOR_GATEWAY] = "gateway",
    [WEIR_EV_AUDIT_VIEWING_DOOR_CDN] = "cdn",
};

/* In the order of the function's parameters. */
enum {
    TENANT,
    PART,
    VIEWER,
    CAMERA,
    STREAM,
    DOOR,
    TICKET,
    START,
    SEEN,
    SEGMENTS,
    BYTES,
    N_VIEWING
};

static void add_viewing(struct audit_array columns[static N_VIEWING],
                        const struct weir_ev_audit_viewing *viewing)
{
    add_id(&columns[TENANT], &viewing->tenant_id);
    add_id(&columns[PART], &viewing->part_id);
    add_id(&columns[VIEWER], &viewing->viewer_id);
    add_id(&columns[CAMERA], &viewing->camera_id);
    add_id(&columns[STREAM], &viewing->stream_id);
    audit_array_add(&columns[DOOR], door_names[viewing->door]);
    add_id(&columns[TICKET], &viewing->ticket_id);
    audit_array_add_int(&columns[START], viewing->started_ms);
    audit_array_add_int(&columns[SEEN], viewing->seen_ms);
    audit_array_add_int(&columns[SEGMENTS], viewing->segments);
    audit_array_add_int(&columns[BYTES], viewing->bytes);
}

static enum weir_code fold_viewings(struct weir_db_tx *tx, const struct audit_batch *batch,
                                    struct weir_err *err)
{
    struct audit_array columns[N_VIEWING] = {0};
    const char *params[N_VIEWING];
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        const struct weir_event *event = batch->items[i].entry.event;
        if (event && event->type == WEIR_EV_AUDIT_VIEWING) {
            add_viewing(columns, &event->u.audit_viewing);
            n++;
        }
    }
    /* One after the other, as they stand in the log. */
    return n == 0 ? WEIR_OK
                  : exec(tx,
                         "SELECT count(viewing_fold(c0, c1, c2, c3, c4, c5, c6,"
                         " to_timestamp(c7 / 1000.0), to_timestamp(c8 / 1000.0), c9, c10))"
                         " FROM (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[],"
                         " $4::uuid[], $5::uuid[], $6::text[], $7::uuid[], $8::bigint[],"
                         " $9::bigint[], $10::bigint[], $11::bigint[]) WITH ORDINALITY"
                         " AS u(c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, place)"
                         " ORDER BY place) AS v",
                         columns, N_VIEWING, params, err);
}

/* ---- whose pseudonym it is ---- */

enum { OF_TENANT, PSEUDONYM, SUBJECT, N_VIEWER };

static bool add_viewer(struct audit_array columns[static N_VIEWER],
                       const struct weir_ev_audit_access *access)
{
    struct weir_id subject;
    if (strcmp(access->action, "ticket.create") != 0 ||
        access->outcome != WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED ||
        weir_id_parse(access->actor, strlen(access->actor), &subject, NULL) != WEIR_OK)
        return false;
    struct weir_id viewer = weir_pseudonym(&weir_space_viewer, &access->tenant_id, &subject);
    add_id(&columns[OF_TENANT], &access->tenant_id);
    add_id(&columns[PSEUDONYM], &viewer);
    add_id(&columns[SUBJECT], &subject);
    return true;
}

static enum weir_code insert_viewers(struct weir_db_tx *tx, const struct audit_batch *batch,
                                     struct weir_err *err)
{
    struct audit_array columns[N_VIEWER] = {0};
    const char *params[N_VIEWER];
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        const struct weir_event *event = batch->items[i].entry.event;
        if (event && event->type == WEIR_EV_AUDIT_ACCESS)
            n += add_viewer(columns, &event->u.audit_access) ? 1 : 0;
    }
    return n == 0 ? WEIR_OK
                  : exec(tx,
                         "INSERT INTO viewer (tenant_id, id, subject) SELECT DISTINCT *"
                         " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])"
                         " ON CONFLICT (tenant_id, id) DO UPDATE SET seen_at = now()"
                         " WHERE viewer.seen_at < now() - interval '1 day'",
                         columns, N_VIEWER, params, err);
}

/* ---- tenants that were deleted ---- */

static enum weir_code insert_gone(struct weir_db_tx *tx, const struct audit_batch *batch,
                                  struct weir_err *err)
{
    enum weir_code code = WEIR_OK;
    for (size_t i = 0; i < batch->n && code == WEIR_OK; i++) {
        const struct weir_event *event = batch->items[i].entry.event;
        if (!event || event->type != WEIR_EV_AUDIT_ACCESS ||
            strcmp(event->u.audit_access.action, "tenant.delete") != 0 ||
            event->u.audit_access.outcome != WEIR_EV_AUDIT_ACCESS_OUTCOME_ALLOWED)
            continue;
        char id[WEIR_ID_TEXT_MAX];
        char at_ms[24];
        snprintf(at_ms, sizeof(at_ms), "%" PRId64, event->time_ms);
        const char *params[] = {weir_id_format(&event->u.audit_access.tenant_id, id), at_ms};
        code = weir_db_exec(
            tx,
            "INSERT INTO viewing_gone VALUES ($1::uuid, to_timestamp($2::bigint / 1000.0))"
            " ON CONFLICT (id) DO UPDATE SET gone_at ="
            " greatest(viewing_gone.gone_at, excluded.gone_at)",
            params, 2, NULL, NULL, err);
    }
    return code;
}

enum weir_code audit_viewings_store(struct weir_db_tx *tx, const struct audit_batch *batch,
                                    struct weir_err *err)
{
    enum weir_code code = insert_viewers(tx, batch, err);
    if (code == WEIR_OK)
        code = insert_gone(tx, batch, err);
    return code == WEIR_OK ? fold_viewings(tx, batch, err) : code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keys.h"

#include <inttypes.h>
#include <string.h>

#include "api/cache.h"
#include "lib/base/clock.h"

#define DAY_S       "86400"
#define PRINT_CHARS 32 /* of the fingerprint's hex digits: 128 bits */

struct weir_id api_keys_command_id(const struct api_call *call, const char *key)
{
    if (!key) {
        return weir_id_new(weir_clock_wall_ms());
    }
    const char *name = weir_arena_printf(call->arena, "%s|%s", WEIR_ID_TEXT(&call->tenant_id), key);
    return weir_id_v5(&weir_space_command, name, strlen(name));
}

/* ---- Redis ---- */

struct place {
    const char *name;
    const char *print; /* of the wish */
};

static struct place place_of(struct api_call *call, const struct weir_id *command_id)
{
    const char *hex = api_call_fingerprint(call) + strlen("\\x");
    return (struct place){
        .name = weir_arena_printf(call->arena, "weir:key:%" PRId64 ":%s", call->api->settings->cell,
                                  WEIR_ID_TEXT(command_id)),
        .print = weir_arena_memdup(call->arena, hex, PRINT_CHARS),
    };
}

static enum weir_code take_place(struct api_call *call, const struct place *place,
                                 bool *ret_is_ours)
{
    const char *args[] = {"SET", place->name, place->print, "NX", "EX", DAY_S};
    struct weir_store_value value;
    enum weir_code code = api_cache_call(call->api->cache, args, 6, call->arena, &value, NULL);
    *ret_is_ours = code == WEIR_OK && value.type != WEIR_STORE_NIL;
    return code;
}

static enum weir_code look_at_place(struct api_call *call, const struct place *place,
                                    bool *ret_is_other)
{
    const char *args[] = {"GET", place->name};
    struct weir_store_value value;
    enum weir_code code = api_cache_call(call->api->cache, args, 2, call->arena, &value, NULL);
    *ret_is_other =
        code == WEIR_OK && value.type == WEIR_STORE_TEXT && strcmp(value.text, place->print) != 0;
    return code;
}

/* The key's place is taken by whoever comes first, and read by all others. */
static enum weir_code ask_redis(struct api_call *call, const struct weir_id *command_id,
                                bool *ret_is_other)
{
    struct place place = place_of(call, command_id);
    bool is_ours = false;
    enum weir_code code = take_place(call, &place, &is_ours);
    return code == WEIR_OK && !is_ours ? look_at_place(call, &place, ret_is_other) : code;
}

/* ---- Postgres ---- */

/*
 * The key's row is made, or the one that is there is judged, whoever was first; nothing hangs on
 * its surviving a crash of Postgres, so its commit is not waited for.
 */
#define TAKE_KEY                                                                                   \
    "INSERT INTO idempotency AS i (tenant_id, key, fingerprint, status, object_id)"                \
    " VALUES ($1, $2, $3::bytea, 202, $1) ON CONFLICT (tenant_id, key) DO UPDATE SET"              \
    " fingerprint = CASE WHEN i.made_at < now() - interval '24 hours' THEN EXCLUDED.fingerprint"   \
    " ELSE i.fingerprint END, made_at = CASE WHEN i.made_at < now() - interval '24 hours'"         \
    " THEN now() ELSE i.made_at END RETURNING fingerprint <> $3::bytea,"                           \
    " set_config('synchronous_commit', 'off', true)"

/* Keys of a day ago go with one wish in so many, told by the id that its key makes: as good as
 * drawn. */
static enum weir_code forget_old_keys(struct api_call *call, struct weir_db_tx *tx,
                                      const struct weir_id *command_id)
{
    if (command_id->b[15] % 64 != 0) {
        return WEIR_OK;
    }
    return weir_db_exec(tx, "DELETE FROM idempotency WHERE made_at < now() - interval '24 hours'",
                        NULL, 0, call->arena, NULL, &call->err);
}

static enum weir_code ask_postgres(struct api_call *call, const char *key,
                                   const struct weir_id *command_id, bool *ret_is_other)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    const char *params[] = {weir_arena_strdup(call->arena, WEIR_ID_TEXT(&call->tenant_id)), key,
                            api_call_fingerprint(call)};
    enum weir_code code = weir_db_begin(call->api->db, &call->tenant_id, &tx, &call->err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, TAKE_KEY, params, 3, call->arena, &rows, &call->err);
    }
    if (code == WEIR_OK) {
        *ret_is_other = weir_db_bool(rows, 0, 0);
        code = forget_old_keys(call, tx, command_id);
    }
    return code == WEIR_OK ? weir_db_commit(&tx, &call->err) : code;
}

/* Leaves everything as it is. */
#define LOOK_AT_KEY                                                                                \
    "SELECT fingerprint <> $2::bytea FROM idempotency"                                             \
    " WHERE key = $1 AND made_at >= now() - interval '24 hours'"

static enum weir_code look_into_postgres(struct api_call *call, const char *key, bool *ret_is_other)
{
    struct weir_db_tx *tx WEIR_CLEANUP(weir_db_end) = NULL;
    struct weir_db_rows *rows = NULL;
    const char *params[] = {key, api_call_fingerprint(call)};
    enum weir_code code = weir_db_begin(call->api->db, &call->tenant_id, &tx, &call->err);
    if (code == WEIR_OK) {
        code = weir_db_exec(tx, LOOK_AT_KEY, params, 2, call->arena, &rows, &call->err);
    }
    if (code == WEIR_OK) {
        *ret_is_other = weir_db_count(rows) > 0 && weir_db_bool(rows, 0, 0);
    }
    return code;
}

static bool is_away(enum weir_code code)
{
    return code == WEIR_EUNAVAILABLE || code == WEIR_ETIMEOUT || code == WEIR_EUNKNOWN;
}

static enum weir_code refuse(struct api_call *call)
{
    return api_call_refuse(call, 422, "idempotency_key_reused", NULL,
                           "this Idempotency-Key was used for another request");
}

enum weir_code api_keys_judge(struct api_call *call, const char *key, enum used_for what,
                              const struct weir_id *stream_id, bool *ret_asked)
{
    struct weir_id command_id = api_keys_command_id(call, key);
    bool is_other = used_keys_is_other(call->api->used_keys, &command_id, what, stream_id);
    if (!is_other && ask_redis(call, &command_id, &is_other) != WEIR_OK) {
        *ret_asked = true;
        enum weir_code code = ask_postgres(call, key, &command_id, &is_other);
        if (code != WEIR_OK) {
            return is_away(code) ? WEIR_OK : code;
        }
    }
    return is_other ? refuse(call) : WEIR_OK;
}

enum weir_code api_keys_look(struct api_call *call, const char *key, enum used_for what,
                             const struct weir_id *stream_id, bool *ret_asked)
{
    struct weir_id command_id = api_keys_command_id(call, key);
    struct place place = place_of(call, &command_id);
    bool is_other = used_keys_is_other(call->api->used_keys, &command_id, what, stream_id);
    if (!is_other && look_at_place(call, &place, &is_other) != WEIR_OK) {
        *ret_asked = true;
        enum weir_code code = look_into_postgres(call, key, &is_other);
        if (code != WEIR_OK) {
            return is_away(code) ? WEIR_OK : code;
        }
    }
    return is_other ? refuse(call) : WEIR_OK;
}

enum weir_code api_keys_check(struct api_call *call, const char *key)
{
    struct weir_id command_id = api_keys_command_id(call, key);
    struct place place = place_of(call, &command_id);
    bool is_other = false;
    WEIR_IGNORE(look_at_place(call, &place, &is_other), "Postgres has what it made itself");
    return is_other ? refuse(call) : WEIR_OK;
}

void api_keys_note(struct api_call *call, const char *key)
{
    struct weir_id command_id = api_keys_command_id(call, key);
    struct place place = place_of(call, &command_id);
    bool is_ours;
    WEIR_IGNORE(take_place(call, &place, &is_ours), "Postgres has it, too");
}

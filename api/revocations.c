/* SPDX-License-Identifier: Apache-2.0 */
#include "api/revocations.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/ticket_ids.h"
#include "lib/base/map.h"

#define TENANT  WEIR_EV_CONFIG_REVOCATION_KIND_TENANT
#define CAMERA  WEIR_EV_CONFIG_REVOCATION_KIND_CAMERA
#define SUBJECT WEIR_EV_CONFIG_REVOCATION_KIND_SUBJECT
#define SESSION WEIR_EV_CONFIG_REVOCATION_KIND_SESSION
#define TICKET  WEIR_EV_CONFIG_REVOCATION_KIND_TICKET
#define GRANT   WEIR_EV_CONFIG_REVOCATION_KIND_GRANT
#define MEMBER  WEIR_EV_CONFIG_REVOCATION_KIND_MEMBERSHIP

/* All bytes count: no padding. */
struct key {
    struct weir_id value;
    uint8_t kind;
};

struct entry {
    struct key key;
    int64_t at_s;
    int64_t before_s;
    int64_t put_mono_ms;
    bool has_tokens; /* tokens are refused by it, too */
};

struct revocations {
    pthread_mutex_t mutex;
    struct weir_map *entries; /* struct key -> struct entry */
    size_t max;
    struct weir_map *stopped; /* id of a tenant -> itself, a copy */
    int64_t revision;
    int64_t reached_mono_ms;
    bool is_known;
};

struct revocations *revocations_new(size_t max)
{
    struct revocations *list = weir_xalloc(sizeof(*list));
    pthread_mutex_init(&list->mutex, NULL);
    list->entries = weir_map_new(sizeof(struct key));
    list->max = max;
    list->stopped = weir_map_new(sizeof(struct weir_id));
    return list;
}

void revocations_free(struct revocations *list)
{
    if (!list) {
        return;
    }
    struct weir_map *const maps[] = {list->entries, list->stopped};
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        void *value;
        for (size_t at = 0; weir_map_next(maps[i], &at, NULL, &value);) {
            free(value);
        }
        weir_map_free(maps[i]);
    }
    pthread_mutex_destroy(&list->mutex);
    free(list);
}

/* ---- keeping; with the mutex held ---- */

static struct key key_of(enum weir_ev_config_revocation_kind kind, const struct weir_id *value)
{
    return (struct key){.value = *value, .kind = (uint8_t)kind};
}

static const struct entry *find(const struct revocations *list,
                                enum weir_ev_config_revocation_kind kind,
                                const struct weir_id *value)
{
    struct key key = key_of(kind, value);
    return weir_map_find(list->entries, &key);
}

static bool is_over(const struct entry *entry, int64_t mono_ms)
{
    int64_t life_s = entry->has_tokens ? REVOCATIONS_TOKENS_S : REVOCATIONS_TICKETS_S;
    return mono_ms - entry->put_mono_ms > life_s * 1000;
}

static void forget_old(struct revocations *list, int64_t mono_ms)
{
    void *value;
    for (size_t at = 0; weir_map_next(list->entries, &at, NULL, &value);) {
        struct entry *entry = value;
        if (is_over(entry, mono_ms)) {
            weir_map_remove(list->entries, &entry->key);
            free(entry);
        }
    }
}

/* Merged with what is there: the later times count, and what is known already gets no longer life.
 */
static void keep(struct revocations *list, const struct entry *fresh)
{
    struct entry *entry = weir_map_find(list->entries, &fresh->key);
    if (!entry) {
        entry = weir_xalloc(sizeof(*entry));
        *entry = *fresh;
        weir_map_put(list->entries, &fresh->key, entry);
        return;
    }
    if (fresh->at_s > entry->at_s || fresh->before_s > entry->before_s) {
        entry->put_mono_ms = fresh->put_mono_ms;
    }
    entry->at_s = fresh->at_s > entry->at_s ? fresh->at_s : entry->at_s;
    entry->before_s = fresh->before_s > entry->before_s ? fresh->before_s : entry->before_s;
    entry->has_tokens |= fresh->has_tokens;
}

void revocations_put(struct revocations *list, const struct weir_ev_config_revocation *entry,
                     int64_t mono_ms)
{
    struct entry fresh = {
        .key = key_of(entry->kind, &entry->value),
        .at_s = entry->at_s,
        .before_s = entry->before_s,
        .put_mono_ms = mono_ms,
        .has_tokens = entry->kind == SUBJECT || entry->kind == SESSION,
    };
    pthread_mutex_lock(&list->mutex);
    if (!weir_map_find(list->entries, &fresh.key) && weir_map_count(list->entries) >= list->max) {
        forget_old(list, mono_ms);
        if (weir_map_count(list->entries) >= list->max) {
            fresh.key = key_of(TENANT, &entry->tenant_id);
            fresh.before_s = fresh.at_s; /* whoever has a right may go on with a new ticket */
        }
    }
    keep(list, &fresh);
    pthread_mutex_unlock(&list->mutex);
}

void revocations_stop(struct revocations *list, const struct weir_id *tenant_id, bool is_stopped)
{
    pthread_mutex_lock(&list->mutex);
    if (is_stopped) {
        struct weir_id *copy = weir_xalloc(sizeof(*copy));
        *copy = *tenant_id;
        free(weir_map_put(list->stopped, tenant_id->b, copy));
    } else {
        free(weir_map_remove(list->stopped, tenant_id->b));
    }
    pthread_mutex_unlock(&list->mutex);
}

bool revocations_is_stopped(struct revocations *list, const struct weir_id *tenant_id)
{
    pthread_mutex_lock(&list->mutex);
    bool is_stopped = weir_map_find(list->stopped, tenant_id->b) != NULL;
    pthread_mutex_unlock(&list->mutex);
    return is_stopped;
}

void revocations_reached(struct revocations *list, int64_t revision, int64_t mono_ms)
{
    pthread_mutex_lock(&list->mutex);
    list->revision = revision;
    list->reached_mono_ms = mono_ms;
    list->is_known = true;
    pthread_mutex_unlock(&list->mutex);
}

void revocations_sweep(struct revocations *list, int64_t mono_ms)
{
    pthread_mutex_lock(&list->mutex);
    forget_old(list, mono_ms);
    pthread_mutex_unlock(&list->mutex);
}

size_t revocations_count(struct revocations *list)
{
    pthread_mutex_lock(&list->mutex);
    size_t n = weir_map_count(list->entries);
    pthread_mutex_unlock(&list->mutex);
    return n;
}

/* ---- asking ---- */

bool revocations_is_known(struct revocations *list)
{
    pthread_mutex_lock(&list->mutex);
    bool is_known = list->is_known;
    pthread_mutex_unlock(&list->mutex);
    return is_known;
}

bool revocations_is_current(struct revocations *list, int64_t mono_ms)
{
    pthread_mutex_lock(&list->mutex);
    bool is_current = list->is_known && mono_ms - list->reached_mono_ms < REVOCATIONS_CURRENT_MS;
    pthread_mutex_unlock(&list->mutex);
    return is_current;
}

static bool is_claim_void(const struct revocations *list, enum weir_ev_config_revocation_kind kind,
                          const struct weir_id *claim, int64_t issued_s)
{
    const struct entry *entry = find(list, kind, claim);
    return entry && issued_s <= entry->before_s;
}

bool revocations_is_void(struct revocations *list, const struct weir_ticket *ticket)
{
    int64_t issued_s = ticket->issued_at_ms / 1000;
    pthread_mutex_lock(&list->mutex);
    bool is_void = is_claim_void(list, TENANT, &ticket->tenant_id, issued_s) ||
                   is_claim_void(list, CAMERA, &ticket->camera_id, issued_s) ||
                   is_claim_void(list, SUBJECT, &ticket->viewer_id, issued_s) ||
                   is_claim_void(list, SESSION, &ticket->login_id, issued_s) ||
                   is_claim_void(list, TICKET, &ticket->ticket_id, issued_s) ||
                   is_claim_void(list, GRANT, &ticket->grant_id, issued_s) ||
                   is_claim_void(list, MEMBER, &ticket->membership_id, issued_s);
    pthread_mutex_unlock(&list->mutex);
    return is_void;
}

bool revocations_is_refused(struct revocations *list, const struct weir_principal *who)
{
    if (!who->has_tenant) {
        return false;
    }
    int64_t issued_s = who->issued_at_ms / 1000;
    struct weir_id viewer_id = ticket_viewer_id(&who->tenant_id, &who->subject);
    struct weir_id login_id = ticket_login_id(&who->tenant_id, &who->session_id);
    pthread_mutex_lock(&list->mutex);
    const struct entry *subject = find(list, SUBJECT, &viewer_id);
    const struct entry *tenant = find(list, TENANT, &who->tenant_id);
    bool is_refused = find(list, SESSION, &login_id) || (subject && issued_s <= subject->at_s) ||
                      (tenant && tenant->has_tokens && issued_s <= tenant->at_s);
    pthread_mutex_unlock(&list->mutex);
    return is_refused;
}

/* ---- names and telling ---- */

const char *revocations_kind_name(enum weir_ev_config_revocation_kind kind)
{
    static const char *const names[] = {
        [TENANT] = "tenant", [CAMERA] = "camera", [SUBJECT] = "subject",  [SESSION] = "session",
        [TICKET] = "ticket", [GRANT] = "grant",   [MEMBER] = "membership"};
    return names[kind];
}

bool revocations_kind_get(const char *name, enum weir_ev_config_revocation_kind *ret)
{
    for (int kind = 0; kind < WEIR_EV_CONFIG_REVOCATION_KIND_N; kind++) {
        if (strcmp(revocations_kind_name((enum weir_ev_config_revocation_kind)kind), name) == 0) {
            *ret = (enum weir_ev_config_revocation_kind)kind;
            return true;
        }
    }
    return false;
}

static const char *claim_name(uint8_t kind)
{
    static const char *const names[] = {
        [TENANT] = "t", [CAMERA] = "c", [SUBJECT] = "u", [SESSION] = "l",
        [TICKET] = "i", [GRANT] = "g",  [MEMBER] = "m"};
    return names[kind];
}

int64_t revocations_write(struct revocations *list, struct weir_json_out *out, const char *name,
                          int64_t mono_ms)
{
    void *value;
    weir_json_open(out, name, '[');
    pthread_mutex_lock(&list->mutex);
    for (size_t at = 0; weir_map_next(list->entries, &at, NULL, &value);) {
        const struct entry *entry = value;
        if (mono_ms - entry->put_mono_ms > REVOCATIONS_TICKETS_S * 1000) {
            continue;
        }
        weir_json_open(out, NULL, '{');
        weir_json_str(out, "claim", claim_name(entry->key.kind));
        weir_json_str(out, "value", WEIR_ID_TEXT(&entry->key.value));
        weir_json_int(out, "before_s", entry->before_s);
        weir_json_close(out, '}');
    }
    int64_t revision = list->revision;
    pthread_mutex_unlock(&list->mutex);
    weir_json_close(out, ']');
    return revision;
}

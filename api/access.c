/* SPDX-License-Identifier: Apache-2.0 */
#include "api/access.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

#define REFUSED_LOGGED 5 /* a second */

struct api_access {
    struct api_bus *bus;
    struct weir_metric *lost;
    struct weir_metric *refused;
    pthread_mutex_t mutex; /* guards the limit */
    struct weir_log_limit limit;
};

struct api_access *api_access_new(struct api_bus *bus, struct weir_metrics *metrics)
{
    struct api_access *access = weir_xalloc(sizeof(*access));
    access->bus = bus;
    access->lost = weir_metrics_counter(metrics, "weir_api_audit_lost_total",
                                        "Audit records that Kafka did not take", NULL, NULL);
    access->refused =
        weir_metrics_counter(metrics, "weir_api_tokens_refused_total",
                             "Requests without a token that proves anything", NULL, NULL);
    pthread_mutex_init(&access->mutex, NULL);
    return access;
}

void api_access_free(struct api_access *access)
{
    if (access) {
        pthread_mutex_destroy(&access->mutex);
    }
    free(access);
}

void api_access_refused(struct api_access *access, const struct weir_http_request *req,
                        const char *why)
{
    weir_metric_add(access->refused, 1);
    pthread_mutex_lock(&access->mutex);
    bool is_logged = weir_log_allowed(&access->limit, REFUSED_LOGGED, 1000, weir_clock_mono_ms());
    pthread_mutex_unlock(&access->mutex);
    if (is_logged) {
        weir_log(WEIR_LOG_INFO, "request: token refused", "request_id", weir_http_request_id(req),
                 "reason", why, NULL);
    }
}

static void lose(struct api_access *access, const char *why)
{
    weir_metric_add(access->lost, 1);
    weir_log(WEIR_LOG_ERROR, "audit: a record was not taken", "reason", why, NULL);
}

static void on_delivery(void *ctx, const struct weir_bus_delivery *delivery)
{
    if (delivery->code != WEIR_OK) {
        lose(ctx, delivery->detail ? delivery->detail : weir_code_text(delivery->code));
    }
}

/* The partition of a tenant: any fixed spread over the topic's partitions serves. */
static int32_t partition_of(const struct weir_id *tenant_id)
{
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(tenant_id->b); i++) {
        sum += tenant_id->b[i];
    }
    return (int32_t)(sum % WEIR_TOPIC_PARTITIONS);
}

static void send(struct api_access *access, struct weir_event *event)
{
    struct weir_err err = {0};
    char key[WEIR_ID_TEXT_MAX];
    if (api_bus_send(access->bus, API_BUS_RECORDS, event, partition_of(&event->tenantid),
                     weir_id_format(&event->tenantid, key), on_delivery, access, &err) != WEIR_OK) {
        lose(access, err.msg);
    }
}

void api_access_viewing(struct api_access *access, const struct weir_ev_audit_viewing *record)
{
    struct weir_event event = {.type = WEIR_EV_AUDIT_VIEWING, .has_tenantid = true};
    event.tenantid = record->tenant_id;
    event.u.audit_viewing = *record;
    send(access, &event);
}

void api_access_note(struct api_access *access, const struct weir_http_request *req,
                     const struct api_access_note *note)
{
    struct weir_event event = {.type = WEIR_EV_AUDIT_ACCESS, .has_tenantid = true};
    struct weir_ev_audit_access *record = &event.u.audit_access;
    event.tenantid = *note->tenant_id;
    record->tenant_id = *note->tenant_id;
    WEIR_STR_SET(record->actor, note->actor);
    WEIR_STR_SET(record->action, note->action);
    WEIR_STR_SET(record->object_type, note->object_type);
    if (note->object_id) {
        record->has_object_id = true;
        record->object_id = *note->object_id;
    }
    record->outcome = note->outcome;
    WEIR_STR_SET(record->request_id, weir_http_request_id(req));
    record->has_remote_addr = true;
    WEIR_STR_SET(record->remote_addr, weir_http_remote(req));
    if (note->detail) {
        record->has_detail = true;
        WEIR_STR_SET(record->detail, note->detail);
    }
    send(access, &event);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who did, or tried, what: records for audit.v1. Written after the deed; a record that cannot be
 * sent is counted and logged, it never holds an answer back. Thread-safe.
 */
#ifndef WEIR_API_ACCESS_H
#define WEIR_API_ACCESS_H

#include "api/bus.h"
#include "lib/io/http_server.h"
#include "lib/service/metrics.h"

struct api_access;

struct api_access_note {
    const struct weir_id *tenant_id; /* the tenant that owns the object, or of the caller */
    const char *actor;               /* subject, or "gateway", "worker", "link" */
    const char *action;              /* "camera.create" */
    const char *object_type;         /* "camera" */
    const struct weir_id *object_id; /* may be NULL */
    enum weir_ev_audit_access_outcome outcome;
    const char *detail; /* may be NULL; no credentials */
};

struct api_access *api_access_new(struct api_bus *bus, struct weir_metrics *metrics);
void api_access_free(struct api_access *access);

void api_access_note(struct api_access *access, const struct weir_http_request *req,
                     const struct api_access_note *note);

/* How far somebody's watching has come (api/viewings.h). */
void api_access_viewing(struct api_access *access, const struct weir_ev_audit_viewing *record);

/* A caller who proved nothing has no tenant, so the audit has no place for him: he is counted, and
 * logged a few times a second at most, for a flood must not fill the log. */
void api_access_refused(struct api_access *access, const struct weir_http_request *req,
                        const char *why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "api/routes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/cameras.h"
#include "api/grants.h"
#include "api/groups.h"
#include "api/play.h"
#include "api/reports.h"
#include "api/revoke.h"
#include "api/rewrap.h"
#include "api/snapshot_lapse.h"
#include "api/snapshot_links.h"
#include "api/snapshots.h"
#include "api/streams.h"
#include "api/tenants.h"
#include "api/tickets.h"
#include "api/workers.h"

#define INTERNAL_MAX 16

static const struct weir_http_route public_routes[] = {
    {"GET", "/v1/tenants", api_tenants_list, 0},
    {"POST", "/v1/tenants", api_tenants_create, 0},
    {"GET", "/v1/tenants/{tenant_id}", api_tenants_get, 0},
    {"PATCH", "/v1/tenants/{tenant_id}", api_tenants_patch, 0},
    {"DELETE", "/v1/tenants/{tenant_id}", api_tenants_delete, 0},
    {"GET", "/v1/cameras", api_cameras_list, 0},
    {"POST", "/v1/cameras", api_cameras_create, 0},
    {"GET", "/v1/cameras/{camera_id}", api_cameras_get, 0},
    {"PATCH", "/v1/cameras/{camera_id}", api_cameras_patch, 0},
    {"DELETE", "/v1/cameras/{camera_id}", api_cameras_delete, 0},
    {"GET", "/v1/cameras/{camera_id}/snapshot", api_snapshot_get, 0},
    {"GET", "/v1/cameras/{camera_id}/snapshots", api_snapshot_lapse_get, 0},
    {"POST", "/v1/cameras/{camera_id}/snapshots", api_snapshot_links_create, 0},
    {"GET", "/v1/snapshots/{ticket}/{picture}", api_snapshot_links_get, 0},
    {"GET", "/v1/streams", api_streams_list, 0},
    {"POST", "/v1/streams", api_streams_start, 0},
    {"GET", "/v1/streams/{stream_id}", api_streams_get, WEIR_HTTP_INLINE},
    {"PATCH", "/v1/streams/{stream_id}", api_streams_change, 0},
    {"DELETE", "/v1/streams/{stream_id}", api_streams_stop, 0},
    {"POST", "/v1/streams/{stream_id}/tickets", api_tickets_create, 0},
    {"GET", "/v1/groups", api_groups_list, 0},
    {"POST", "/v1/groups", api_groups_create, 0},
    {"GET", "/v1/groups/{group_id}", api_groups_get, 0},
    {"PATCH", "/v1/groups/{group_id}", api_groups_patch, 0},
    {"DELETE", "/v1/groups/{group_id}", api_groups_delete, 0},
    {"GET", "/v1/groups/{group_id}/cameras", api_groups_list_cameras, 0},
    {"PUT", "/v1/groups/{group_id}/cameras/{camera_id}", api_groups_add_camera, 0},
    {"DELETE", "/v1/groups/{group_id}/cameras/{camera_id}", api_groups_remove_camera, 0},
    {"GET", "/v1/grants", api_grants_list, 0},
    {"POST", "/v1/grants", api_grants_create, 0},
    {"GET", "/v1/grants/{grant_id}", api_grants_get, 0},
    {"PATCH", "/v1/grants/{grant_id}", api_grants_patch, 0},
    {"DELETE", "/v1/grants/{grant_id}", api_grants_delete, 0},
    {"GET", "/v1/revocations", api_revocations_list, 0},
    {"POST", "/v1/revocations", api_revocations_create, 0},
    {"GET", "/v1/workers", api_workers_list, 0},
    {"POST", "/v1/workers/{worker_id}/drain", api_workers_drain, 0},
    {"POST", "/v1/workers/{worker_id}/undrain", api_workers_undrain, 0},
    {"GET", "/v1/audit-events", api_audit_list, 0},
    {"GET", "/v1/viewings", api_viewings_list, 0},
    {"GET", "/openapi.json", api_openapi_get, WEIR_HTTP_INLINE},
};
#define N_PUBLIC (sizeof(public_routes) / sizeof(public_routes[0]))

static const struct weir_http_route worker_routes[] = {
    {"GET", "/internal/v1/cameras/{camera_id}/source", api_cameras_source, 0},
    {"GET", "/internal/v1/seals", api_rewrap_list, 0},
    {"POST", "/internal/v1/seals/{camera_id}", api_rewrap_put, 0},
};
#define N_WORKER (sizeof(worker_routes) / sizeof(worker_routes[0]))

const struct weir_http_route *api_routes_public(size_t *ret_n)
{
    *ret_n = N_PUBLIC;
    return public_routes;
}

const struct weir_http_route *api_routes_internal(size_t *ret_n)
{
    static struct weir_http_route all[INTERNAL_MAX];
    size_t n_play;
    const struct weir_http_route *play = api_play_routes(&n_play);
    assert(n_play + N_WORKER <= INTERNAL_MAX);
    memcpy(all, worker_routes, sizeof(worker_routes));
    memcpy(all + N_WORKER, play, n_play * sizeof(*play));
    *ret_n = N_WORKER + n_play;
    return all;
}

void api_routes_dump(void)
{
    for (size_t i = 0; i < N_PUBLIC; i++) {
        printf("%s %s\n", public_routes[i].method, public_routes[i].pattern);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The api daemon as its handlers see it: context of every route of both listeners. What is here is
 * either immutable after api_run began or thread-safe by itself.
 */
#ifndef WEIR_API_API_H
#define WEIR_API_API_H

#include <stdatomic.h>

#include "api/access.h"
#include "api/activity.h"
#include "api/bus.h"
#include "api/known_cameras.h"
#include "api/settings.h"
#include "api/view.h"
#include "api/wishes.h"
#include "lib/domain/reach.h"
#include "lib/io/auth.h"
#include "lib/io/db.h"
#include "lib/io/http_server.h"
#include "lib/io/seal.h"
#include "lib/io/ticket.h"

struct api_outbox;
struct api_health;
struct api_meters;
struct play_past;
struct revocations;
struct ticket_quota;
struct viewings;
struct playbacks;
struct fetches;
struct api_config;
struct api_cache;
struct api_sources;
struct used_keys;

struct api {
    const struct api_settings *settings;
    struct weir_service *service;
    struct weir_metrics *metrics;
    struct weir_db *db;
    struct weir_auth *auth;
    struct weir_ticket_keys *tickets;
    struct weir_seal_public seal_key;
    struct weir_reach reach; /* of a tenant without networks of its own */
    struct api_bus *bus;
    struct api_access *access;
    struct api_meters *meters;
    struct api_known_cameras *known_cameras;
    struct api_cache *cache;
    struct api_sources *sources;
    struct used_keys *used_keys;
    struct api_activity *activity;
    struct play_past *play_past;
    atomic_int n_held; /* requests of viewers that are being answered here, most of which wait */
    struct revocations *revocations;
    struct ticket_quota *ticket_quota;
    struct viewings *viewings;
    struct playbacks *playbacks;
    struct ticket_quota *snapshot_quota;
    struct fetches *fetches; /* of pictures, from workers' origins */
    struct fetches *live;    /* of cameras' states, likewise */
    struct api_config *config;
    struct api_view *view;
    struct api_wishes *wishes;
    struct api_outbox *outbox;
    struct api_health *health;
    struct weir_timer *tick;
    struct weir_http_server *server;   /* REST */
    struct weir_http_server *internal; /* gateways and workers */
};

/* Opens everything, runs the service's loop until it ends, closes everything. The exit code. */
int api_run(struct weir_service *service, const struct api_settings *settings);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RTSP side of the camera: the listener, digest authentication, and the faults that a client
 * meets before any media flows. Everything runs on the default main context.
 */
#ifndef TESTS_CAMERA_SERVER_H
#define TESTS_CAMERA_SERVER_H

#include "tests/camera/camera.h"

struct server;

/*
 * Listens.
 *
 * `settings`  kept; must outlive the server.
 *
 * Returns NULL when the address cannot be bound; the reason is printed. End it with server_close.
 */
struct server *server_open(const struct camera_settings *settings);

/* Cuts everybody off and forgets the server. Sets *server to NULL; NULL inside is fine. */
void server_close(struct server **server);

/* Behaves as `fault` says from now on, sessions that run included. */
void server_set_fault(struct server *server, enum camera_fault fault);

#endif

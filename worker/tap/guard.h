/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last wall before the network for libavformat, which follows RTSP redirects by itself (status
 * 3xx: to whatever Location says, with no option against it) and sends UDP to whatever a Transport
 * header says.
 *
 * Source: docs/adr/0015, 0027. This program defines connect(2), sendto(2), recv(2) and
 * getaddrinfo(3), and the dynamic linker gives these to libavformat too. On a thread that entered a
 * guard, a connection goes to the one address that was checked, once, and nowhere else; the guard
 * makes the connection itself, with a deadline, so that it knows exactly how it failed. Names are
 * not resolved there: a camera that names another host makes nobody ask a name server about it.
 * Threads without a guard are not touched.
 *
 * It defines gnutls_handshake too, by which libavformat speaks TLS: right behind the handshake, and
 * so before the first byte of RTSP, the certificate is compared with the pin. libavformat itself
 * would take any.
 */
#ifndef WEIR_WORKER_TAP_GUARD_H
#define WEIR_WORKER_TAP_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/domain/tls_pin.h"

struct tap_guard {
    struct sockaddr_storage addr; /* the only one, with its port */
    int64_t connect_ms;           /* deadline of the connection */
    bool is_tls;
    const struct weir_tls_pin *pin; /* of the certificate; with is_tls only */
    const atomic_bool *is_cancelled;
    /* What happened. */
    bool was_led_away; /* a second connection, or one to another address, was tried */
    bool is_connected; /* the first one was made */
    int connect_errno; /* else why not; ETIMEDOUT after the deadline */
    uint64_t received; /* bytes */
    bool is_not_rtsp;  /* the first bytes were not those of RTSP */
    bool is_other_pin; /* who answered has another certificate */
};

/* From now on `guard` (the caller's, until leave) rules this thread. */
void tap_guard_enter(struct tap_guard *guard);
void tap_guard_leave(void);

/* Whether libavformat really comes by here; checked once at the start. */
bool tap_guard_is_in_place(void);

/* Whether TLS does too, so that pins are compared. */
bool tap_guard_sees_tls(void);

#endif

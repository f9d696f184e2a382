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
 * Multicast (docs/adr/0049): it defines bind(2) and setsockopt(2), so that UDP is received from a
 * group only where the camera is meant to be read so, only from one that is fit, and only what the
 * camera's own address sends to it. Nothing is sent there.
 *
 * RTSP over HTTP (docs/adr/0048) needs two connections: one that is read, and, once that was
 * answered by 2xx, one that is written. A 401 there lets libavformat ask once more, with the
 * password. The guard reads the status itself, and ends what was answered by a redirect before
 * libavformat sees it.
 *
 * It defines poll(2) as well, because libavformat asks for a byte, three bytes, and then a packet,
 * and polls before each: whatever has come is read at once, and handed on out of `ahead`.
 *
 * It defines gnutls_handshake too, by which libavformat speaks TLS: right behind the handshake, and
 * so before the first byte of RTSP or HTTP, the certificate is compared with the pin. libavformat
 * itself would take any. Through TLS the status of HTTP is read in gnutls_record_recv.
 */
#ifndef WEIR_WORKER_TAP_GUARD_H
#define WEIR_WORKER_TAP_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/domain/tls_pin.h"

#define TAP_GUARD_AHEAD_BYTES 16384
#define TAP_GUARD_HTTP_HEAD   12 /* bytes of "HTTP/1.1 200" */
#define TAP_GUARD_GROUPS_MAX  8  /* sockets: two of each track, RTP and RTCP */

struct tap_guard {
    struct sockaddr_storage addr; /* the only one, with its port */
    int64_t connect_ms;           /* deadline of the connection */
    bool is_tls;
    bool is_http;                   /* RTSP over HTTP; with is_tls, over HTTPS */
    bool is_multicast;              /* RTP comes by it, and by nothing else */
    const struct weir_tls_pin *pin; /* of the certificate; with is_tls only */
    const atomic_bool *is_cancelled;
    /* When all that came was read: how long to let more come in before it is looked again, ms; half
     * of that behind a large handful. Fewer wakes, where nobody waits for a frame. NULL: the camera
     * does not play. Whoever changes it, or waits after all, says tap_guard_rouse. */
    atomic_int *nap_ms;
    /* What happened. */
    bool was_led_away;   /* a second connection, or one to another address, was tried */
    bool is_connected;   /* the first one was made */
    int connect_errno;   /* else why not; ETIMEDOUT after the deadline */
    uint64_t received;   /* bytes */
    bool is_not_rtsp;    /* the first bytes were not those of RTSP */
    bool is_other_pin;   /* who answered has another certificate */
    const void *session; /* of TLS, of the connection that is read; NULL until it has the pin */
    bool is_bad_group;   /* it named a group that is none, or none of a camera */
    unsigned n_groups;   /* sockets that were bound to one */
    /* With is_http only. */
    char head[TAP_GUARD_HTTP_HEAD]; /* of the newest answer */
    size_t head_len;
    int http_status; /* of that; 0: not known yet */
    unsigned asked;  /* connections that were to be read */
    bool has_out;    /* the one that is written was made */
    /* Of that one connection (with is_http: the one that is read), read and not handed on yet:
     * [ahead_at, ahead_end). */
    int fd;
    size_t ahead_at;
    size_t ahead_end;
    size_t handful; /* bytes that came since the last nap */
    char ahead[TAP_GUARD_AHEAD_BYTES];
    bool waits; /* it was waited for something, the last time in vain; so `ahead` is not read */
};

/* From now on `guard` (the caller's, until leave) rules this thread. */
void tap_guard_enter(struct tap_guard *guard);
void tap_guard_leave(void);

/* Ends the nap that goes by it, if there is one; any thread. */
void tap_guard_rouse(atomic_int *nap_ms);

/* The camera is to be opened anew, after all its connections were closed. */
void tap_guard_begin_anew(struct tap_guard *guard);

/* Whether libavformat really comes by here; checked once at the start. */
bool tap_guard_is_in_place(void);

/* Whether TLS does too, so that pins are compared, and HTTP is seen inside. */
bool tap_guard_sees_tls(void);

#endif

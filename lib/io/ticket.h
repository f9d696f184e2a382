/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Playback tickets: short-lived signed permission to watch one stream, compact enough to stand in
 * a URL path (DESIGN section 6). The api mints them; gateways and the CDN worker verify them with
 * public keys alone.
 *
 * Text form: base64url(payload) "." base64url(signature), Ed25519 (RFC 8032) over the ASCII bytes
 * of the payload's base64url form. A gateway handles a ticket with every request, so the payload is
 * bytes, and short (docs/adr/0041); numbers are big-endian:
 *
 *     version 1 (4) | key id 8 | issued 5, expires 5 (Unix s) |
 *     tenant 16 | camera 16 | stream 16 | viewer 16 | login 16 | ticket 16
 *
 * The generation is not in it: a ticket outlives the replacement of a stream. Viewer and login are
 * pseudonyms. A ticket is a secret: logs carry its id.
 *
 * A ticket by a grant is of version 5 and has two more, so that it is void with them; who does not
 * know them refuses it:
 *
 *     grant 16 (not nil) | membership 16 (pseudonym of the camera in the grant's group)
 *
 * One key signs; up to WEIR_TICKET_KEYS_MAX - 1 further ones are accepted, so that the key can be
 * replaced while people watch (docs/adr/0025).
 *
 *     code = weir_ticket_keys_open(pem, others_pem, &keys, err);
 *     weir_ticket_mint(keys, &ticket, text);
 *     code = weir_ticket_verify(keys, text, strlen(text), now_ms, &ticket, err);
 */
#ifndef WEIR_IO_TICKET_H
#define WEIR_IO_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/domain/id.h"

#define WEIR_TICKET_TEXT_MAX   288 /* bytes, the NUL included */
#define WEIR_TICKET_LIFE_MAX_S 900
#define WEIR_TICKET_LEEWAY_MS  30000 /* of the clocks of two machines (DESIGN "Time") */
#define WEIR_TICKET_KEY_ID_MAX 16
#define WEIR_TICKET_KEYS_MAX   9 /* the one that signs, and those that are accepted */
#define WEIR_TICKET_KEY_BYTES  32

struct weir_ticket {
    char key_id[WEIR_TICKET_KEY_ID_MAX + 1]; /* set by mint */
    struct weir_id tenant_id;
    struct weir_id camera_id;
    struct weir_id stream_id;
    struct weir_id viewer_id; /* pseudonym of the token's subject */
    struct weir_id login_id;  /* pseudonym of the token's session */
    struct weir_id ticket_id;
    struct weir_id grant_id;      /* nil: by a role in the tenant, and then the next one too */
    struct weir_id membership_id; /* pseudonym of the camera in the grant's group */
    int64_t issued_at_ms;         /* Unix, whole seconds */
    int64_t expires_at_ms;        /* Unix, whole seconds */
};

/* A public key that tickets may be signed with. */
struct weir_ticket_key {
    char id[WEIR_TICKET_KEY_ID_MAX + 1]; /* hex; derived from the key */
    uint8_t bytes[WEIR_TICKET_KEY_BYTES];
};

struct weir_ticket_keys;

/*
 * `pem`: the text of an Ed25519 private key, which signs. `others`: public keys in PEM, one after
 * the other, that are accepted too: those before and after the one that signs, which may be among
 * them; "" for none. WEIR_EINVAL for anything else, WEIR_ELIMIT for more than
 * WEIR_TICKET_KEYS_MAX keys.
 */
WEIR_MUST_USE enum weir_code weir_ticket_keys_open(const char *pem, const char *others,
                                                   struct weir_ticket_keys **ret,
                                                   struct weir_err *err);
void weir_ticket_keys_close(struct weir_ticket_keys **keys);

/* Walks the accepted keys; the first is the one that signs. *at starts at 0. */
bool weir_ticket_keys_next(const struct weir_ticket_keys *keys, size_t *at,
                           struct weir_ticket_key *ret);

/* Thread-safe. `ticket->key_id` is ignored. The life is at most WEIR_TICKET_LIFE_MAX_S. */
void weir_ticket_mint(const struct weir_ticket_keys *keys, const struct weir_ticket *ticket,
                      char text[static WEIR_TICKET_TEXT_MAX]);

/*
 * Thread-safe. WEIR_EUNAUTH: malformed, unknown key, wrong signature, a life of more than
 * WEIR_TICKET_LIFE_MAX_S, or issued after `now_ms` (Unix); WEIR_EGONE: signed by us but over at
 * `now_ms`. Both times with WEIR_TICKET_LEEWAY_MS. The message never holds the ticket. Whether it
 * was revoked is not asked here. What was found rightly signed once costs a digest the next time.
 */
WEIR_MUST_USE enum weir_code weir_ticket_verify(const struct weir_ticket_keys *keys,
                                                const char *text, size_t len, int64_t now_ms,
                                                struct weir_ticket *ret, struct weir_err *err);

#endif

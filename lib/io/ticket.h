/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Playback tickets: short-lived signed permission to watch one stream, compact enough to stand in
 * a URL path (DESIGN section 6). The api mints them; gateways and the CDN worker verify them with
 * the public key alone.
 *
 * Text form: base64url(payload) "." base64url(signature). The payload is JSON with short names,
 *     {"v":1,"k":"<key id>","t":"<tenant>","s":"<stream>","u":"<viewer>","i":"<ticket>","e":<Unix
 * s>} signed with Ed25519 (RFC 8032) over the ASCII bytes of its base64url form. The generation is
 * not in it: a ticket outlives the replacement of a stream. A ticket is a secret: logs carry its
 * id.
 *
 *     code = weir_ticket_keys_open(pem, &keys, err);
 *     weir_ticket_mint(keys, &ticket, text);
 *     code = weir_ticket_verify(keys, text, strlen(text), now_ms, &ticket, err);
 */
#ifndef WEIR_IO_TICKET_H
#define WEIR_IO_TICKET_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/domain/id.h"

#define WEIR_TICKET_TEXT_MAX   512 /* bytes, the NUL included */
#define WEIR_TICKET_LIFE_MAX_S 900
#define WEIR_TICKET_LEEWAY_MS  30000 /* of the clocks of two machines (DESIGN "Time") */
#define WEIR_TICKET_KEY_ID_MAX 16

struct weir_ticket {
    char key_id[WEIR_TICKET_KEY_ID_MAX + 1]; /* set by mint */
    struct weir_id tenant_id;
    struct weir_id stream_id;
    struct weir_id viewer_id; /* pseudonym of the token's subject */
    struct weir_id ticket_id;
    int64_t expires_at_ms; /* Unix, whole seconds */
};

struct weir_ticket_keys; /* a key pair */

/* `pem`: the text of an Ed25519 private key. The key id is derived from the public half. */
WEIR_MUST_USE enum weir_code weir_ticket_keys_open(const char *pem, struct weir_ticket_keys **ret,
                                                   struct weir_err *err);
void weir_ticket_keys_close(struct weir_ticket_keys **keys);

/* The public key, 32 bytes (for the CDN worker and tests), and its id. */
void weir_ticket_public_key(const struct weir_ticket_keys *keys, uint8_t ret[static 32]);
const char *weir_ticket_key_id(const struct weir_ticket_keys *keys);

/* Thread-safe. `ticket->key_id` is ignored. */
void weir_ticket_mint(const struct weir_ticket_keys *keys, const struct weir_ticket *ticket,
                      char text[static WEIR_TICKET_TEXT_MAX]);

/*
 * Thread-safe. WEIR_EUNAUTH: malformed, unknown key or wrong signature; WEIR_EGONE: signed by us
 * but over at `now_ms` (Unix). A ticket that would be valid for longer than WEIR_TICKET_LIFE_MAX_S
 * from `now_ms` on is refused as malformed; both with WEIR_TICKET_LEEWAY_MS.
 * The message never holds the ticket.
 */
WEIR_MUST_USE enum weir_code weir_ticket_verify(const struct weir_ticket_keys *keys,
                                                const char *text, size_t len, int64_t now_ms,
                                                struct weir_ticket *ret, struct weir_err *err);

#endif

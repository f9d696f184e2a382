/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/ticket.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"

#define SIGNATURE_BYTES 64
#define BY_ROLE         4 /* versions */
#define BY_GRANT        5
#define KEY_ID_BYTES    (WEIR_TICKET_KEY_ID_MAX / 2)
#define SECOND_BYTES    5
#define ID_BYTES        sizeof(struct weir_id)
#define BY_ROLE_BYTES   (1 + KEY_ID_BYTES + 2 * SECOND_BYTES + 6 * ID_BYTES)
#define BY_GRANT_BYTES  (BY_ROLE_BYTES + 2 * ID_BYTES)
#define SEEN_MAX        32768 /* tickets, 1 MiB; a power of two */
#define PEM_BEGIN       "-----BEGIN"

struct key {
    EVP_PKEY *key;
    struct weir_ticket_key public;
};

/*
 * Digests of whole tickets whose signatures were found good: a front door asks about a ticket every
 * second, and most of the answer's cost is the signature. Each has one place, which the next one
 * there takes. A key set has its own, so what another one held good is forgotten with it.
 */
struct seen {
    pthread_mutex_t mutex;
    uint8_t digests[SEEN_MAX][SHA256_DIGEST_LENGTH];
};

struct weir_ticket_keys {
    struct key keys[WEIR_TICKET_KEYS_MAX]; /* the first is a pair */
    size_t n;
    struct seen *seen;
};

/* Takes the key over. */
static enum weir_code take_key(struct weir_ticket_keys *keys, EVP_PKEY *pkey, struct weir_err *err)
{
    if (!pkey || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pkey);
        return weir_fail(err, WEIR_EINVAL, "a ticket key is no Ed25519 key in PEM");
    }
    struct key key = {.key = pkey};
    size_t len = sizeof(key.public.bytes);
    EVP_PKEY_get_raw_public_key(pkey, key.public.bytes, &len);
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(key.public.bytes, sizeof(key.public.bytes), digest);
    weir_hex_encode(digest, WEIR_TICKET_KEY_ID_MAX / 2, key.public.id);
    for (size_t i = 0; i < keys->n; i++) {
        if (strcmp(keys->keys[i].public.id, key.public.id) == 0) {
            EVP_PKEY_free(pkey);
            return WEIR_OK;
        }
    }
    if (keys->n == WEIR_TICKET_KEYS_MAX) {
        EVP_PKEY_free(pkey);
        return weir_fail(err, WEIR_ELIMIT, "at most %d public ticket keys are accepted",
                         WEIR_TICKET_KEYS_MAX - 1);
    }
    keys->keys[keys->n++] = key;
    return WEIR_OK;
}

static enum weir_code take_private(struct weir_ticket_keys *keys, const char *pem,
                                   struct weir_err *err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pair = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return take_key(keys, pair, err);
}

/* Key by key, since OpenSSL passes over what is no public key. */
static enum weir_code take_public(struct weir_ticket_keys *keys, const char *pem,
                                  struct weir_err *err)
{
    enum weir_code code = WEIR_OK;
    const char *at = pem + strspn(pem, " \t\r\n");
    while (code == WEIR_OK && *at != '\0') {
        const char *next =
            weir_str_starts_with(at, PEM_BEGIN) ? strstr(at + strlen(PEM_BEGIN), PEM_BEGIN) : NULL;
        size_t len = next ? (size_t)(next - at) : strlen(at);
        BIO *bio = BIO_new_mem_buf(at, (int)len);
        EVP_PKEY *public = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
        BIO_free(bio);
        code = take_key(keys, public, err);
        at += len;
    }
    return code;
}

enum weir_code weir_ticket_keys_open(const char *pem, const char *others,
                                     struct weir_ticket_keys **ret, struct weir_err *err)
{
    struct weir_ticket_keys *keys = weir_xalloc(sizeof(*keys));
    keys->seen = weir_xalloc(sizeof(*keys->seen));
    /* All of it is made resident now, not page by page while tickets come; no digest is this. */
    memset(keys->seen->digests, 0xff, sizeof(keys->seen->digests));
    pthread_mutex_init(&keys->seen->mutex, NULL);
    enum weir_code code = take_private(keys, pem, err);
    if (code == WEIR_OK) {
        code = take_public(keys, others, err);
    }
    if (code != WEIR_OK) {
        weir_ticket_keys_close(&keys);
        return code;
    }
    *ret = keys;
    return WEIR_OK;
}

void weir_ticket_keys_close(struct weir_ticket_keys **keys)
{
    if (*keys) {
        for (size_t i = 0; i < (*keys)->n; i++) {
            EVP_PKEY_free((*keys)->keys[i].key);
        }
        pthread_mutex_destroy(&(*keys)->seen->mutex);
        free((*keys)->seen);
        free(*keys);
        *keys = NULL;
    }
}

bool weir_ticket_keys_next(const struct weir_ticket_keys *keys, size_t *at,
                           struct weir_ticket_key *ret)
{
    if (*at >= keys->n) {
        return false;
    }
    *ret = keys->keys[(*at)++].public;
    return true;
}

static const struct key *find_key(const struct weir_ticket_keys *keys, const char *id)
{
    for (size_t i = 0; id && i < keys->n; i++) {
        if (strcmp(keys->keys[i].public.id, id) == 0) {
            return &keys->keys[i];
        }
    }
    return NULL;
}

static void sign(const struct weir_ticket_keys *keys, const char *text, size_t len,
                 uint8_t signature[static SIGNATURE_BYTES])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t signature_len = SIGNATURE_BYTES;
    if (!md || EVP_DigestSignInit(md, NULL, NULL, NULL, keys->keys[0].key) != 1 ||
        EVP_DigestSign(md, signature, &signature_len, (const uint8_t *)text, len) != 1) {
        abort(); /* a key that was read signs; only memory can fail */
    }
    EVP_MD_CTX_free(md);
}

static bool is_signed(const struct key *key, const char *text, size_t len,
                      const uint8_t signature[static SIGNATURE_BYTES])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool is_good =
        md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->key) == 1 &&
        EVP_DigestVerify(md, signature, SIGNATURE_BYTES, (const uint8_t *)text, len) == 1;
    EVP_MD_CTX_free(md);
    return is_good;
}

/* ---- the payload (ticket.h) ---- */

static uint8_t *put(uint8_t *at, const void *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

static uint8_t *put_second(uint8_t *at, int64_t ms)
{
    uint64_t second = (uint64_t)(ms / 1000);
    for (size_t i = SECOND_BYTES; i > 0; i--) {
        at[i - 1] = (uint8_t)second;
        second >>= 8;
    }
    return at + SECOND_BYTES;
}

static const uint8_t *take(const uint8_t *at, void *bytes, size_t n)
{
    memcpy(bytes, at, n);
    return at + n;
}

static const uint8_t *take_second(const uint8_t *at, int64_t *ret_ms)
{
    int64_t second = 0;
    for (size_t i = 0; i < SECOND_BYTES; i++) {
        second = second << 8 | at[i];
    }
    *ret_ms = second * 1000;
    return at + SECOND_BYTES;
}

/* Returns its length. */
static size_t write_payload(const char *key_id, const struct weir_ticket *ticket,
                            uint8_t payload[static BY_GRANT_BYTES])
{
    bool has_grant = !weir_id_is_nil(&ticket->grant_id);
    uint8_t *at = payload;
    *at++ = has_grant ? BY_GRANT : BY_ROLE;
    if (!weir_hex_decode(key_id, strlen(key_id), at, KEY_ID_BYTES)) {
        abort(); /* it was written by weir_hex_encode */
    }
    at = put_second(at + KEY_ID_BYTES, ticket->issued_at_ms);
    at = put_second(at, ticket->expires_at_ms);
    at = put(at, &ticket->tenant_id, ID_BYTES);
    at = put(at, &ticket->camera_id, ID_BYTES);
    at = put(at, &ticket->stream_id, ID_BYTES);
    at = put(at, &ticket->viewer_id, ID_BYTES);
    at = put(at, &ticket->login_id, ID_BYTES);
    at = put(at, &ticket->ticket_id, ID_BYTES);
    if (has_grant) {
        at = put(at, &ticket->grant_id, ID_BYTES);
        at = put(at, &ticket->membership_id, ID_BYTES);
    }
    return (size_t)(at - payload);
}

/* `ret` is zeroed. */
static bool read_payload(const uint8_t *payload, size_t len, struct weir_ticket *ret)
{
    bool has_grant = len == BY_GRANT_BYTES && payload[0] == BY_GRANT;
    if (!has_grant && !(len == BY_ROLE_BYTES && payload[0] == BY_ROLE)) {
        return false;
    }
    weir_hex_encode(payload + 1, KEY_ID_BYTES, ret->key_id);
    const uint8_t *at = take_second(payload + 1 + KEY_ID_BYTES, &ret->issued_at_ms);
    at = take_second(at, &ret->expires_at_ms);
    at = take(at, &ret->tenant_id, ID_BYTES);
    at = take(at, &ret->camera_id, ID_BYTES);
    at = take(at, &ret->stream_id, ID_BYTES);
    at = take(at, &ret->viewer_id, ID_BYTES);
    at = take(at, &ret->login_id, ID_BYTES);
    at = take(at, &ret->ticket_id, ID_BYTES);
    if (has_grant) {
        at = take(at, &ret->grant_id, ID_BYTES);
        take(at, &ret->membership_id, ID_BYTES);
    }
    return !has_grant || !weir_id_is_nil(&ret->grant_id);
}

void weir_ticket_mint(const struct weir_ticket_keys *keys, const struct weir_ticket *ticket,
                      char text[static WEIR_TICKET_TEXT_MAX])
{
    uint8_t payload[BY_GRANT_BYTES];
    size_t payload_len = write_payload(keys->keys[0].public.id, ticket, payload);
    size_t len = weir_base64url_encode(payload, payload_len, text);
    uint8_t signature[SIGNATURE_BYTES];
    sign(keys, text, len, signature);
    text[len] = '.';
    weir_base64url_encode(signature, sizeof(signature), text + len + 1);
}

/* The signed text, its signature and what it says, none of it proven yet. */
struct parts {
    size_t signed_len;
    uint8_t signature[SIGNATURE_BYTES];
    struct weir_ticket ticket;
};

static bool split(const char *text, size_t len, struct parts *ret)
{
    const char *dot = len < WEIR_TICKET_TEXT_MAX ? memchr(text, '.', len) : NULL;
    uint8_t payload[BY_GRANT_BYTES];
    size_t payload_len = 0;
    size_t signature_len = 0;
    if (!dot) {
        return false;
    }
    ret->signed_len = (size_t)(dot - text);
    return weir_base64url_decode(dot + 1, len - ret->signed_len - 1, ret->signature,
                                 sizeof(ret->signature), &signature_len) &&
           signature_len == sizeof(ret->signature) &&
           weir_base64url_decode(text, ret->signed_len, payload, sizeof(payload), &payload_len) &&
           read_payload(payload, payload_len, &ret->ticket);
}

static uint8_t *place_of(struct seen *seen, const uint8_t digest[static SHA256_DIGEST_LENGTH])
{
    uint32_t n;
    memcpy(&n, digest, sizeof(n));
    return seen->digests[n % SEEN_MAX];
}

/* As is_signed(), and remembers a yes by all of `text`: payload and signature. */
static bool is_signed_or_seen(const struct weir_ticket_keys *keys, const struct key *key,
                              const char *text, size_t len, const struct parts *parts)
{
    struct seen *seen = keys->seen;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)text, len, digest);
    pthread_mutex_lock(&seen->mutex);
    bool is_seen = memcmp(place_of(seen, digest), digest, sizeof(digest)) == 0;
    pthread_mutex_unlock(&seen->mutex);
    if (is_seen) {
        return true;
    }
    if (!is_signed(key, text, parts->signed_len, parts->signature)) {
        return false;
    }
    pthread_mutex_lock(&seen->mutex);
    memcpy(place_of(seen, digest), digest, sizeof(digest));
    pthread_mutex_unlock(&seen->mutex);
    return true;
}

enum weir_code weir_ticket_verify(const struct weir_ticket_keys *keys, const char *text, size_t len,
                                  int64_t now_ms, struct weir_ticket *ret, struct weir_err *err)
{
    struct parts parts = {0};
    const struct weir_ticket *ticket = &parts.ticket;
    if (!split(text, len, &parts)) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket is malformed");
    }
    const struct key *key = find_key(keys, ticket->key_id);
    if (!key || !is_signed_or_seen(keys, key, text, len, &parts)) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket is not signed by this deployment");
    }
    if (ticket->expires_at_ms - ticket->issued_at_ms > WEIR_TICKET_LIFE_MAX_S * 1000 ||
        ticket->issued_at_ms > now_ms + WEIR_TICKET_LEEWAY_MS) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket's claims are not valid");
    }
    if (now_ms >= ticket->expires_at_ms + WEIR_TICKET_LEEWAY_MS) {
        return weir_fail(err, WEIR_EGONE, "the ticket is over");
    }
    *ret = *ticket;
    return WEIR_OK;
}

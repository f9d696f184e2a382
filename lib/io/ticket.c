/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/ticket.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/domain/json.h"

#define SIGNATURE_BYTES 64
#define PAYLOAD_MAX     480
#define BY_ROLE         2 /* versions */
#define BY_GRANT        3
#define GRANT_MAX       96
#define SECOND_MAX      99999999999
#define PEM_BEGIN       "-----BEGIN"

struct key {
    EVP_PKEY *key;
    struct weir_ticket_key public;
};

struct weir_ticket_keys {
    struct key keys[WEIR_TICKET_KEYS_MAX]; /* the first is a pair */
    size_t n;
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

void weir_ticket_mint(const struct weir_ticket_keys *keys, const struct weir_ticket *ticket,
                      char text[static WEIR_TICKET_TEXT_MAX])
{
    char payload[PAYLOAD_MAX];
    char grant[GRANT_MAX] = "";
    bool has_grant = !weir_id_is_nil(&ticket->grant_id);
    if (has_grant) {
        snprintf(grant, sizeof(grant), "\"g\":\"%s\",\"m\":\"%s\",",
                 WEIR_ID_TEXT(&ticket->grant_id), WEIR_ID_TEXT(&ticket->membership_id));
    }
    int payload_len = snprintf(
        payload, sizeof(payload),
        "{\"v\":%d,\"k\":\"%s\",\"t\":\"%s\",\"c\":\"%s\",\"s\":\"%s\",\"u\":\"%s\",\"l\":\"%s\","
        "\"i\":\"%s\",%s\"n\":%" PRId64 ",\"e\":%" PRId64 "}",
        has_grant ? BY_GRANT : BY_ROLE, keys->keys[0].public.id, WEIR_ID_TEXT(&ticket->tenant_id),
        WEIR_ID_TEXT(&ticket->camera_id), WEIR_ID_TEXT(&ticket->stream_id),
        WEIR_ID_TEXT(&ticket->viewer_id), WEIR_ID_TEXT(&ticket->login_id),
        WEIR_ID_TEXT(&ticket->ticket_id), grant, ticket->issued_at_ms / 1000,
        ticket->expires_at_ms / 1000);
    size_t len = weir_base64url_encode(payload, (size_t)payload_len, text);
    uint8_t signature[SIGNATURE_BYTES];
    sign(keys, text, len, signature);
    text[len] = '.';
    weir_base64url_encode(signature, sizeof(signature), text + len + 1);
}

static bool read_id(const struct weir_json *json, const char *name, struct weir_id *ret)
{
    const char *text = weir_json_find_str(json, name);
    return text && weir_id_parse(text, strlen(text), ret, NULL) == WEIR_OK;
}

static bool read_time(const struct weir_json *json, const char *name, int64_t *ret_ms)
{
    const struct weir_json *value = weir_json_find(json, name);
    if (!value || value->type != WEIR_JSON_INT || value->integer < 0 ||
        value->integer > SECOND_MAX) {
        return false;
    }
    *ret_ms = value->integer * 1000;
    return true;
}

static bool read_grant(const struct weir_json *json, struct weir_ticket *ret)
{
    const struct weir_json *version = weir_json_find(json, "v");
    if (!version || version->type != WEIR_JSON_INT) {
        return false;
    }
    return version->integer == BY_ROLE ||
           (version->integer == BY_GRANT && read_id(json, "g", &ret->grant_id) &&
            read_id(json, "m", &ret->membership_id) && !weir_id_is_nil(&ret->grant_id));
}

static bool read_claims(const struct weir_json *json, struct weir_ticket *ret)
{
    return read_grant(json, ret) && read_id(json, "t", &ret->tenant_id) &&
           read_id(json, "c", &ret->camera_id) && read_id(json, "s", &ret->stream_id) &&
           read_id(json, "u", &ret->viewer_id) && read_id(json, "l", &ret->login_id) &&
           read_id(json, "i", &ret->ticket_id) && read_time(json, "n", &ret->issued_at_ms) &&
           read_time(json, "e", &ret->expires_at_ms);
}

/* The signed text, its signature and what it says, none of it proven yet. */
struct parts {
    size_t signed_len;
    uint8_t signature[SIGNATURE_BYTES];
    struct weir_json json;
};

static bool split(const char *text, size_t len, struct weir_arena *arena, struct parts *ret)
{
    const char *dot = len < WEIR_TICKET_TEXT_MAX ? memchr(text, '.', len) : NULL;
    char payload[PAYLOAD_MAX];
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
           weir_json_parse(payload, payload_len, arena, &ret->json, NULL) == WEIR_OK;
}

enum weir_code weir_ticket_verify(const struct weir_ticket_keys *keys, const char *text, size_t len,
                                  int64_t now_ms, struct weir_ticket *ret, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(1024);
    struct parts parts;
    struct weir_ticket ticket = {0};
    if (!split(text, len, arena, &parts)) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket is malformed");
    }
    const struct key *key = find_key(keys, weir_json_find_str(&parts.json, "k"));
    if (!key || !is_signed(key, text, parts.signed_len, parts.signature)) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket is not signed by this deployment");
    }
    if (!read_claims(&parts.json, &ticket) ||
        ticket.expires_at_ms - ticket.issued_at_ms > WEIR_TICKET_LIFE_MAX_S * 1000 ||
        ticket.issued_at_ms > now_ms + WEIR_TICKET_LEEWAY_MS) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket's claims are not valid");
    }
    if (now_ms >= ticket.expires_at_ms + WEIR_TICKET_LEEWAY_MS) {
        return weir_fail(err, WEIR_EGONE, "the ticket is over");
    }
    WEIR_STR_SET(ticket.key_id, key->public.id);
    *ret = ticket;
    return WEIR_OK;
}

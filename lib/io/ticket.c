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

#define PUBLIC_BYTES    32
#define SIGNATURE_BYTES 64
#define PAYLOAD_MAX     320

struct weir_ticket_keys {
    EVP_PKEY *pair;
    uint8_t public[PUBLIC_BYTES];
    char key_id[WEIR_TICKET_KEY_ID_MAX + 1];
};

enum weir_code weir_ticket_keys_open(const char *pem, struct weir_ticket_keys **ret,
                                     struct weir_err *err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pair = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!pair || EVP_PKEY_get_base_id(pair) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pair);
        return weir_fail(err, WEIR_EINVAL, "the ticket key is no Ed25519 private key in PEM");
    }
    struct weir_ticket_keys *keys = weir_xalloc(sizeof(*keys));
    keys->pair = pair;
    size_t len = sizeof(keys->public);
    EVP_PKEY_get_raw_public_key(pair, keys->public, &len);
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(keys->public, sizeof(keys->public), digest);
    weir_hex_encode(digest, WEIR_TICKET_KEY_ID_MAX / 2, keys->key_id);
    *ret = keys;
    return WEIR_OK;
}

void weir_ticket_keys_close(struct weir_ticket_keys **keys)
{
    if (*keys) {
        EVP_PKEY_free((*keys)->pair);
        free(*keys);
        *keys = NULL;
    }
}

void weir_ticket_public_key(const struct weir_ticket_keys *keys, uint8_t ret[static 32])
{
    memcpy(ret, keys->public, PUBLIC_BYTES);
}

const char *weir_ticket_key_id(const struct weir_ticket_keys *keys)
{
    return keys->key_id;
}

static void sign(const struct weir_ticket_keys *keys, const char *text, size_t len,
                 uint8_t signature[static SIGNATURE_BYTES])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t signature_len = SIGNATURE_BYTES;
    if (!md || EVP_DigestSignInit(md, NULL, NULL, NULL, keys->pair) != 1 ||
        EVP_DigestSign(md, signature, &signature_len, (const uint8_t *)text, len) != 1) {
        abort(); /* a key that was read signs; only memory can fail */
    }
    EVP_MD_CTX_free(md);
}

static bool is_signed(const struct weir_ticket_keys *keys, const char *text, size_t len,
                      const uint8_t signature[static SIGNATURE_BYTES])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool is_good =
        md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, keys->pair) == 1 &&
        EVP_DigestVerify(md, signature, SIGNATURE_BYTES, (const uint8_t *)text, len) == 1;
    EVP_MD_CTX_free(md);
    return is_good;
}

void weir_ticket_mint(const struct weir_ticket_keys *keys, const struct weir_ticket *ticket,
                      char text[static WEIR_TICKET_TEXT_MAX])
{
    char payload[PAYLOAD_MAX];
    int payload_len = snprintf(
        payload, sizeof(payload),
        "{\"v\":1,\"k\":\"%s\",\"t\":\"%s\",\"s\":\"%s\",\"u\":\"%s\",\"i\":\"%s\",\"e\":%" PRId64
        "}",
        keys->key_id, WEIR_ID_TEXT(&ticket->tenant_id), WEIR_ID_TEXT(&ticket->stream_id),
        WEIR_ID_TEXT(&ticket->viewer_id), WEIR_ID_TEXT(&ticket->ticket_id),
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

static bool read_payload(const char *payload, size_t len, const char *key_id,
                         struct weir_ticket *ret)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(1024);
    struct weir_json json;
    if (weir_json_parse(payload, len, arena, &json, NULL) != WEIR_OK) {
        return false;
    }
    const struct weir_json *version = weir_json_find(&json, "v");
    const struct weir_json *expiry = weir_json_find(&json, "e");
    const char *given_key = weir_json_find_str(&json, "k");
    if (!version || version->integer != 1 || !expiry || expiry->type != WEIR_JSON_INT ||
        expiry->integer < 0 || expiry->integer > INT64_MAX / 1000 || !given_key ||
        strcmp(given_key, key_id) != 0) {
        return false;
    }
    ret->expires_at_ms = expiry->integer * 1000;
    WEIR_STR_SET(ret->key_id, given_key);
    return read_id(&json, "t", &ret->tenant_id) && read_id(&json, "s", &ret->stream_id) &&
           read_id(&json, "u", &ret->viewer_id) && read_id(&json, "i", &ret->ticket_id);
}

enum weir_code weir_ticket_verify(const struct weir_ticket_keys *keys, const char *text, size_t len,
                                  int64_t now_ms, struct weir_ticket *ret, struct weir_err *err)
{
    const char *dot = len < WEIR_TICKET_TEXT_MAX ? memchr(text, '.', len) : NULL;
    size_t payload_text_len = dot ? (size_t)(dot - text) : 0;
    uint8_t signature[SIGNATURE_BYTES];
    size_t signature_len = 0;
    char payload[PAYLOAD_MAX];
    size_t payload_len = 0;
    if (!dot ||
        !weir_base64url_decode(dot + 1, len - payload_text_len - 1, signature, sizeof(signature),
                               &signature_len) ||
        signature_len != sizeof(signature) ||
        !weir_base64url_decode(text, payload_text_len, payload, sizeof(payload), &payload_len)) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket is malformed");
    }
    if (!is_signed(keys, text, payload_text_len, signature)) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket is not signed by this deployment");
    }
    struct weir_ticket ticket = {0};
    if (!read_payload(payload, payload_len, keys->key_id, &ticket) ||
        ticket.expires_at_ms > now_ms + WEIR_TICKET_LIFE_MAX_S * 1000 + WEIR_TICKET_LEEWAY_MS) {
        return weir_fail(err, WEIR_EUNAUTH, "the ticket's claims are not valid");
    }
    if (now_ms >= ticket.expires_at_ms + WEIR_TICKET_LEEWAY_MS) {
        return weir_fail(err, WEIR_EGONE, "the ticket is over");
    }
    *ret = ticket;
    return WEIR_OK;
}

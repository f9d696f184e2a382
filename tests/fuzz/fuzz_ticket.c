/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets that hold anything but are signed rightly, so that what comes after the signature is
 * reached too. The first byte is a version, after which the key's id is put; where it is 0, the
 * rest is a whole payload. What passes must be what its claims say, and can be minted again.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/io/ticket.h"

#define NOW_MS      1795000000000
#define PAYLOAD_MAX 1024
#define TEXT_MAX    (WEIR_BASE64URL_LEN(PAYLOAD_MAX) + 1 + 86 + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MC4CAQAwBQYDK2VwBCIEIGGkwxZat/uGIya7ec18mADYWDkb5KArOqQH4tO+pD5S\n"
                          "-----END PRIVATE KEY-----\n";

static struct weir_ticket_keys *keys;
static struct weir_ticket_key signing;
static EVP_PKEY *pair;

static void prepare(void)
{
    if (keys) {
        return;
    }
    size_t at = 0;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    pair = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (!pair || weir_ticket_keys_open(pem, "", &keys, NULL) != WEIR_OK ||
        !weir_ticket_keys_next(keys, &at, &signing)) {
        abort();
    }
}

static size_t sign(const uint8_t *payload, size_t len, char *text)
{
    uint8_t signature[64];
    size_t signature_len = sizeof(signature);
    size_t at = weir_base64url_encode(payload, len, text);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(md, NULL, NULL, NULL, pair) != 1 ||
        EVP_DigestSign(md, signature, &signature_len, (const uint8_t *)text, at) != 1) {
        abort();
    }
    EVP_MD_CTX_free(md);
    text[at++] = '.';
    return at + weir_base64url_encode(signature, signature_len, text + at);
}

static void check(const struct weir_ticket *ticket)
{
    char text[WEIR_TICKET_TEXT_MAX];
    struct weir_ticket back = {0};
    if (ticket->issued_at_ms > NOW_MS + WEIR_TICKET_LEEWAY_MS ||
        ticket->expires_at_ms + WEIR_TICKET_LEEWAY_MS <= NOW_MS ||
        ticket->expires_at_ms - ticket->issued_at_ms > WEIR_TICKET_LIFE_MAX_S * 1000) {
        abort();
    }
    weir_ticket_mint(keys, ticket, text);
    if (weir_ticket_verify(keys, text, strlen(text), NOW_MS, &back, NULL) != WEIR_OK ||
        memcmp(ticket, &back, sizeof(back)) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t payload[PAYLOAD_MAX];
    char text[TEXT_MAX];
    struct weir_ticket ticket = {0};
    prepare();
    if (size == 0 || size > PAYLOAD_MAX - 64) {
        return 0;
    }
    size_t len = size - 1;
    size_t head = 0;
    if (data[0] != 0) {
        payload[0] = data[0];
        head = 1 + strlen(signing.id) / 2;
        if (!weir_hex_decode(signing.id, strlen(signing.id), payload + 1, head - 1)) {
            abort();
        }
    }
    memcpy(payload + head, data + 1, len);
    len += head;
    size_t text_len = sign(payload, len, text);
    if (weir_ticket_verify(keys, text, text_len, NOW_MS, &ticket, NULL) == WEIR_OK) {
        check(&ticket);
        text[text_len / 2] = text[text_len / 2] == 'A' ? 'B' : 'A';
        if (weir_ticket_verify(keys, text, text_len, NOW_MS, &ticket, NULL) == WEIR_OK) {
            abort();
        }
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A camera's URL, user name and password, each on a line: what the reader gets says the same. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/tap/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Exactly one '@' ends the credentials, and nothing ends the authority before it. */
static void check_written(const char *text)
{
    const char *authority = strstr(text, "://") + 3;
    size_t n = strcspn(authority, "/?#");
    const char *at = memchr(authority, '@', n);
    must(at == NULL || memchr(at + 1, '@', n - (size_t)(at - authority) - 1) == NULL);
    const char *host = at != NULL ? at + 1 : authority;
    must(strncmp(host, "192.0.2.7:", 10) == 0);
    must(strpbrk(text, "\r\n ") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text;
    const char *first = strsep(&rest, "\n");
    const char *username = rest != NULL ? strsep(&rest, "\n") : NULL;
    const char *password = rest;
    struct tap_url url;
    struct sockaddr_storage addr = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&addr;
    v4->sin_family = AF_INET;
    must(inet_pton(AF_INET, "192.0.2.7", &v4->sin_addr) == 1);
    struct weir_buf out = {0};
    if (tap_url_parse(first, &url, NULL) == WEIR_OK) {
        must(url.host[0] != '\0' && url.port > 0 && url.port <= 65535 && url.rest[0] == '/');
        if (tap_url_write(&url, &addr, username, password, &out, NULL) == WEIR_OK)
            check_written(out.bytes);
    }
    weir_buf_done(&out);
    return 0;
}

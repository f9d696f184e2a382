/* SPDX-License-Identifier: Apache-2.0 */
/* The small parsers of lib/base and lib/domain/id: times, ids, numbers, hex, base64url. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/domain/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_base64url(const char *text, size_t len)
{
    uint8_t bytes[256];
    char again[WEIR_BASE64URL_LEN(sizeof(bytes)) + 1];
    size_t n = 0;
    if (weir_base64url_decode(text, len, bytes, sizeof(bytes), &n)) {
        must(weir_base64url_encode(bytes, n, again) == len && memcmp(again, text, len) == 0);
    }
}

static void check_time(const char *text, size_t len)
{
    int64_t ms = 0;
    int64_t back = 0;
    char again[WEIR_TIME_TEXT_MAX];
    if (weir_clock_parse_ms(text, len, &ms, NULL) == WEIR_OK && ms >= 0) {
        weir_clock_format_ms(ms, again);
        must(weir_clock_parse_ms(again, strlen(again), &back, NULL) == WEIR_OK && back == ms);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    struct weir_id id;
    int64_t value;
    uint8_t bytes[8];
    if (weir_id_parse(text, size, &id, NULL) == WEIR_OK) {
        must(strncasecmp(WEIR_ID_TEXT(&id), text, size) == 0);
    }
    if (weir_str_to_int(text, -5, 70000, &value, NULL) == WEIR_OK) {
        must(value >= -5 && value <= 70000);
    }
    (void)weir_hex_decode(text, size, bytes, sizeof(bytes));
    check_base64url(text, size);
    check_time(text, size);
    free(text);
    return 0;
}

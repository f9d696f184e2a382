/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/array.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"

/* The buffer has no ceiling of its own: batches are limited by their settings. */
static void add(struct audit_array *array, const char *bytes, size_t n)
{
    (void)weir_buf_add(&array->text, bytes, n);
}

static void add_separator(struct audit_array *array)
{
    add(array, array->text.len == 0 ? "{" : ",", 1);
}

void audit_array_add(struct audit_array *array, const char *text)
{
    add_separator(array);
    if (!text) {
        add(array, "NULL", 4);
        return;
    }
    add(array, "\"", 1);
    while (*text) {
        size_t plain = strcspn(text, "\"\\");
        add(array, text, plain);
        text += plain;
        if (*text) {
            add(array, "\\", 1);
            add(array, text++, 1);
        }
    }
    add(array, "\"", 1);
}

void audit_array_add_int(struct audit_array *array, int64_t value)
{
    add_separator(array);
    (void)weir_buf_printf(&array->text, "%" PRId64, value);
}

void audit_array_add_bytes(struct audit_array *array, const void *bytes, size_t len)
{
    add_separator(array);
    if (!bytes) {
        add(array, "NULL", 4);
        return;
    }
    char *hex WEIR_CLEANUP(weir_freep) = weir_xalloc(2 * len + 1);
    weir_hex_encode(bytes, len, hex);
    add(array, "\"\\\\x", 4);
    add(array, hex, 2 * len);
    add(array, "\"", 1);
}

const char *audit_array_text(struct audit_array *array)
{
    if (array->text.len == 0)
        add(array, "{", 1);
    add(array, "}", 1);
    return array->text.bytes;
}

void audit_array_done(struct audit_array *array)
{
    weir_buf_done(&array->text);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

static bool reserve(struct weir_buf *buf, size_t n)
{
    if (buf->max && (n > buf->max || buf->len > buf->max - n)) {
        return false;
    }
    size_t need = buf->len + n + 1;
    if (need > buf->cap) {
        size_t cap = buf->cap ? buf->cap * 2 : 256;
        while (cap < need) {
            cap *= 2;
        }
        buf->bytes = weir_xrealloc(buf->bytes, cap, 1);
        buf->cap = cap;
    }
    return true;
}

bool weir_buf_add(struct weir_buf *buf, const void *bytes, size_t n)
{
    if (!reserve(buf, n)) {
        return false;
    }
    if (n) {
        memcpy(buf->bytes + buf->len, bytes, n);
    }
    buf->len += n;
    buf->bytes[buf->len] = '\0';
    return true;
}

bool weir_buf_printf(struct weir_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    bool fits = n >= 0 && reserve(buf, (size_t)n);
    if (fits) {
        vsnprintf(buf->bytes + buf->len, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
    return fits;
}

void weir_buf_consume(struct weir_buf *buf, size_t n)
{
    assert(n <= buf->len);
    if (n == 0) {
        return;
    }
    memmove(buf->bytes, buf->bytes + n, buf->len - n);
    buf->len -= n;
    buf->bytes[buf->len] = '\0';
}

void weir_buf_clear(struct weir_buf *buf)
{
    buf->len = 0;
    if (buf->bytes) {
        buf->bytes[0] = '\0';
    }
}

void weir_buf_done(struct weir_buf *buf)
{
    free(buf->bytes);
    buf->bytes = NULL;
    buf->len = 0;
    buf->cap = 0;
}

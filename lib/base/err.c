/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

struct code_row {
    int status;
    bool retry;
    const char *text;
};

static const struct code_row rows[] = {
#define CODE_ROW(name, status, retry, text) [WEIR_##name] = {status, retry, text},
    WEIR_CODES(CODE_ROW)
#undef CODE_ROW
};

enum weir_code weir_fail(struct weir_err *err, enum weir_code code, const char *fmt, ...)
{
    assert(code != WEIR_OK);
    if (err) {
        va_list args;
        va_start(args, fmt);
        err->code = code;
        vsnprintf(err->msg, sizeof(err->msg), fmt, args);
        va_end(args);
    }
    return code;
}

enum weir_code weir_fail_in(struct weir_err *err, enum weir_code code, const char *fmt, ...)
{
    assert(code != WEIR_OK);
    if (err) {
        char inner[WEIR_ERR_MSG_MAX];
        memcpy(inner, err->msg, sizeof(inner));
        va_list args;
        va_start(args, fmt);
        int n = vsnprintf(err->msg, sizeof(err->msg), fmt, args);
        va_end(args);
        err->code = code;
        if (n >= 0 && (size_t)n < sizeof(err->msg)) {
            size_t at = (size_t)n;
            weir_str_copy(err->msg + at, sizeof(err->msg) - at, ": ");
            at = strlen(err->msg);
            weir_str_copy(err->msg + at, sizeof(err->msg) - at, inner);
        }
    }
    return code;
}

const char *weir_code_text(enum weir_code code)
{
    return rows[code].text;
}

int weir_code_http_status(enum weir_code code)
{
    return rows[code].status;
}

bool weir_code_is_retryable(enum weir_code code)
{
    return rows[code].retry;
}

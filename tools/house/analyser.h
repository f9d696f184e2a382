/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the analysers only (tools/analyse): they do not look into other files, so they are told here
 * that these return the code they are given, which is never WEIR_OK.
 */
#include "lib/base/err.h"

static inline enum weir_code weir_told(enum weir_code returned, enum weir_code code)
{
    (void)returned;
    return code;
}

#define weir_fail(err, code, ...)    weir_told((weir_fail)((err), (code), __VA_ARGS__), (code))
#define weir_fail_in(err, code, ...) weir_told((weir_fail_in)((err), (code), __VA_ARGS__), (code))

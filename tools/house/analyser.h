/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the analysers only (tools/analyse): they do not look into other files, so they are told here
 * that these return the code they are given, which is never WEIR_OK.
 */
#include "lib/base/err.h"

#define weir_fail(err, code, ...)    ((void)(weir_fail)((err), (code), __VA_ARGS__), (code))
#define weir_fail_in(err, code, ...) ((void)(weir_fail_in)((err), (code), __VA_ARGS__), (code))

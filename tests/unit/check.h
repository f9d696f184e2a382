/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka with the headers it needs in their order. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/err.h"

/* A call that must succeed; shows the error's message when it does not. */
#define ASSERT_OK(call, err)                                                                       \
    do {                                                                                           \
        enum weir_code assert_ok_code = (call);                                                    \
        if (assert_ok_code != WEIR_OK) {                                                           \
            fail_msg("%s: %s", weir_code_text(assert_ok_code), (err)->msg);                        \
        }                                                                                          \
    } while (0)

#endif

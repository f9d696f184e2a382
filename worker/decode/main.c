/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-decode: makes one picture after the other out of clips, shut in (lib/io/sandbox.h). Started
 * by weir-still only.
 */
#include <stdio.h>

#include "lib/io/sandbox.h"
#include "worker/decode/serve.h"

int main(void)
{
    struct weir_err err = {0};
    if (weir_sandbox_enter(&err) != WEIR_OK) {
        fprintf(stderr, "weir-decode: cannot be shut in, so nothing is decoded: %s\n", err.msg);
        return 1;
    }
    while (serve_one()) {
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-xcode: makes renditions of one camera, any number from one decoding. It has one socket on
 * descriptor 3 and nothing else: no file, no network, no other process (lib/io/sandbox.h).
 * Started by weir-tap only, once for each camera that needs it.
 *
 * It links libavcodec with libx264 (GPL in Debian's build), so it is a program of its own.
 */
#include <stdio.h>

#include "lib/io/sandbox.h"
#include "worker/xcode/serve.h"

#define CHANNEL_FD 3

int main(void)
{
    struct weir_err err = {0};
    struct serve *serve = serve_new(CHANNEL_FD);
    if (!serve || weir_sandbox_enter(&err) != WEIR_OK) {
        fprintf(stderr, "weir-xcode: cannot be shut in, so nothing is decoded: %s\n", err.msg);
        return 1;
    }
    while (serve_one(serve)) {
    }
    serve_free(serve);
    return 0;
}

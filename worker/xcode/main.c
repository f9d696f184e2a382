/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-xcode: makes renditions of one camera, any number from one decoding. It has one socket on
 * descriptor 3 and nothing else: no file, no network, no other process (lib/io/sandbox.h).
 * Started by weir-tap only, once for each camera that needs it.
 *
 *     weir-xcode           encodes in software
 *     weir-xcode nvenc     opens that engine first, and may encode with it; then its driver has
 * what weir_sandbox_enter_device leaves it
 *
 * It links libavcodec with libx264 (GPL in Debian's build), so it is a program of its own.
 */
#include <stdio.h>

#include "lib/io/sandbox.h"
#include "worker/xcode/engine.h"
#include "worker/xcode/serve.h"

#define CHANNEL_FD 3

static struct engine *open_engine(const char *name)
{
    enum weir_encoder id;
    const char *why = "there is no such engine";
    struct engine *engine = weir_encoder_get(name, &id) == WEIR_OK ? engine_open(id, &why) : NULL;
    if (!engine) {
        fprintf(stderr, "weir-xcode: %s cannot be used: %s\n", name, why);
    }
    return engine;
}

static int fail(const char *why)
{
    fprintf(stderr, "weir-xcode: cannot be shut in, so nothing is decoded: %s\n", why);
    return 1;
}

int main(int argc, char **argv)
{
    struct weir_err err = {0};
    struct engine *engine = argc > 1 ? open_engine(argv[1]) : NULL;
    struct serve *serve = serve_new(CHANNEL_FD, engine);
    if (!serve || (argc > 1 && !serve_say_ready(serve))) {
        return 1;
    }
    if ((engine ? weir_sandbox_enter_device(&err) : weir_sandbox_enter(&err)) != WEIR_OK) {
        return fail(err.msg);
    }
    while (serve_one(serve)) {
    }
    serve_free(serve);
    engine_free(&engine);
    return 0;
}

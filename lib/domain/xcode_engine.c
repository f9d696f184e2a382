/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/xcode_engine.h"

#include <string.h>

const char *weir_xcode_engine_name(enum weir_xcode_engine engine)
{
    return engine == WEIR_XCODE_ENGINE_FFMPEG ? "ffmpeg" : "libav";
}

enum weir_code weir_xcode_engine_parse(const char *name, enum weir_xcode_engine *ret,
                                       struct weir_err *err)
{
    for (int i = 0; i < WEIR_XCODE_ENGINES; i++) {
        enum weir_xcode_engine engine = (enum weir_xcode_engine)i;
        if (strcmp(name, weir_xcode_engine_name(engine)) == 0) {
            *ret = engine;
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_EINVAL, "\"%s\" is no engine: libav and ffmpeg are", name);
}

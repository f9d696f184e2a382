/* SPDX-License-Identifier: Apache-2.0 */
/* What makes renditions: two programs that speak lib/domain/xcode.h. */
#ifndef WEIR_DOMAIN_XCODE_ENGINE_H
#define WEIR_DOMAIN_XCODE_ENGINE_H

#include "lib/base/err.h"

enum weir_xcode_engine {
    WEIR_XCODE_ENGINE_LIBAV,  /* weir-xcode, on FFmpeg's libraries */
    WEIR_XCODE_ENGINE_FFMPEG, /* weir-xcode-ffmpeg, on the ffmpeg that is installed */
    WEIR_XCODE_ENGINES,
};

const char *weir_xcode_engine_name(enum weir_xcode_engine engine); /* "libav", "ffmpeg" */

/* WEIR_EINVAL says which names there are. */
WEIR_MUST_USE enum weir_code weir_xcode_engine_parse(const char *name, enum weir_xcode_engine *ret,
                                                     struct weir_err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "lib/domain/xcode_engine.h"
#include "lib/io/process.h"
#include "worker/worker.h"

#define TAP_ENV_FIRST 8
#define PATH_BYTES    512

const char *programs_find(struct worker *worker, const char *set, const char *name)
{
    char self[PATH_BYTES];
    struct weir_arena *arena = weir_service_arena(worker->service);
    ssize_t n = set[0] ? 0 : readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        return set;
    }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    return weir_arena_printf(arena, "%.*s/%s", (int)(slash - self), self, name);
}

void programs_name_engines(struct worker *worker)
{
    struct weir_arena *arena = weir_service_arena(worker->service);
    const struct worker_settings *settings = worker->settings;
    const char **env = worker->tap_env + TAP_ENV_FIRST;
    env[0] = weir_arena_printf(arena, "WEIR_XCODE=%s",
                               programs_find(worker, settings->xcode, "weir-xcode"));
    env[1] = weir_arena_printf(arena, "WEIR_XCODE_FFMPEG=%s",
                               programs_find(worker, settings->xcode_ffmpeg, "weir-xcode-ffmpeg"));
    env[2] = weir_arena_printf(arena, "WEIR_FFMPEG=%s", settings->ffmpeg);
    env[3] = weir_arena_printf(arena, "WEIR_XCODE_ENGINE=%s", settings->xcode_engine);
}

enum weir_code programs_check_engine(const struct worker *worker, struct weir_err *err)
{
    const struct worker_settings *settings = worker->settings;
    enum weir_xcode_engine engine;
    enum weir_code code = weir_xcode_engine_parse(settings->xcode_engine, &engine, err);
    if (code != WEIR_OK) {
        return weir_fail_in(err, code, "WEIR_XCODE_ENGINE");
    }
    code = engine == WEIR_XCODE_ENGINE_FFMPEG ? weir_process_find(settings->ffmpeg, err) : WEIR_OK;
    return code == WEIR_OK
               ? code
               : weir_fail_in(err, code, "WEIR_FFMPEG, which WEIR_XCODE_ENGINE=ffmpeg needs");
}

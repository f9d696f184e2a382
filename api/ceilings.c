/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ceilings.h"

#include <inttypes.h>

#include "lib/base/str.h"

const char *const ceiling_defaults[] = {"source", "low", "medium", "high", "ultra", NULL};
/* Below the source: a ceiling that is none is null. */
const char *const ceiling_tops[] = {"low", "medium", "high", "ultra", NULL};

static const char *const names[CEILINGS_N] = {"default_quality", "default_fps", "max_quality",
                                              "max_fps"};

static bool is_number(int at)
{
    return at == CEILING_FPS || at == CEILING_MAX_FPS;
}

void ceilings_overlay(const struct api_value *values, struct weir_arena *arena,
                      struct ceiling_texts *texts)
{
    for (int i = 0; i < CEILINGS_N; i++) {
        if (!values[i].is_given) {
            continue;
        }
        if (values[i].is_null) {
            texts->text[i] = NULL;
        } else {
            texts->text[i] = is_number(i) ? weir_arena_printf(arena, "%" PRId64, values[i].integer)
                                          : values[i].str;
        }
    }
}

void ceilings_write(const struct ceiling_texts *texts, struct weir_json_out *out)
{
    for (int i = 0; i < CEILINGS_N; i++) {
        const char *text = texts->text[i];
        if (is_number(i)) {
            weir_json_raw(out, names[i], text ? text : "null");
        } else {
            weir_json_str(out, names[i], text);
        }
    }
}

static enum weir_quality quality_of(const char *text)
{
    enum weir_quality quality = WEIR_QUALITY_SOURCE;
    return text && weir_quality_get(text, &quality) == WEIR_OK ? quality : WEIR_QUALITY_SOURCE;
}

static int64_t fps_of(const char *text)
{
    int64_t fps = 0;
    return text && weir_str_to_int(text, 0, WEIR_FPS_MAX, &fps, NULL) == WEIR_OK ? fps : 0;
}

struct weir_profile ceilings_default(const struct ceiling_texts *texts)
{
    return (struct weir_profile){quality_of(texts->text[CEILING_QUALITY]),
                                 fps_of(texts->text[CEILING_FPS])};
}

struct weir_ceiling ceilings_top(const struct ceiling_texts *texts)
{
    return (struct weir_ceiling){quality_of(texts->text[CEILING_MAX_QUALITY]),
                                 fps_of(texts->text[CEILING_MAX_FPS])};
}

struct weir_profile ceilings_fill(const struct profile_wish *wish,
                                  const struct weir_profile *otherwise)
{
    return (struct weir_profile){
        .quality = wish->names_quality ? wish->profile.quality : otherwise->quality,
        .fps = wish->names_fps ? wish->profile.fps : otherwise->fps,
    };
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Default profile and ceiling as rows and bodies have them, the same of a tenant and of a camera:
 *
 *     default_quality, default_fps     what a start gets that names none; null: nothing is said
 *     max_quality, max_fps             what no stream passes; null: no ceiling
 *
 * docs/adr/0038.
 */
#ifndef WEIR_API_CEILINGS_H
#define WEIR_API_CEILINGS_H

#include "api/fields.h"
#include "lib/domain/profile.h"
#include "lib/io/db.h"

enum { CEILING_QUALITY, CEILING_FPS, CEILING_MAX_QUALITY, CEILING_MAX_FPS, CEILINGS_N };

/* Of the table, in this order. */
#define CEILING_COLUMNS "default_quality, default_fps, max_quality, max_fps"

extern const char *const ceiling_defaults[]; /* names of a default quality */
extern const char *const ceiling_tops[];     /* of a ceiling */

/* CEILINGS_N fields of a body, from the index `first` on. */
#define CEILING_FIELDS(first)                                                                      \
    [(first) + CEILING_QUALITY] = {"/default_quality", API_ENUM, .names = ceiling_defaults,        \
                                   .is_nullable = true},                                           \
               [(first) + CEILING_FPS] = {"/default_fps", API_INT, .max = WEIR_FPS_MAX,            \
                                          .is_nullable = true},                                    \
               [(first) + CEILING_MAX_QUALITY] = {"/max_quality", API_ENUM, .names = ceiling_tops, \
                                                  .is_nullable = true},                            \
               [(first) + CEILING_MAX_FPS] = {"/max_fps", API_INT, .min = 1, .max = WEIR_FPS_MAX,  \
                                              .is_nullable = true}

/* Each value as the text that Postgres takes, NULL for SQL NULL. */
struct ceiling_texts {
    const char *text[CEILINGS_N];
};

/* What a row holds, whose columns begin with `first`. */
static inline struct ceiling_texts ceilings_of_row(const struct weir_db_rows *rows, size_t row,
                                                   size_t first)
{
    struct ceiling_texts texts;
    for (size_t i = 0; i < CEILINGS_N; i++) {
        texts.text[i] = weir_db_text(rows, row, first + i);
    }
    return texts;
}
/* Lays what was given (CEILINGS_N values) over that. Numbers live in the arena. */
void ceilings_overlay(const struct api_value *values, struct weir_arena *arena,
                      struct ceiling_texts *texts);

/* The four as members of the open object. */
void ceilings_write(const struct ceiling_texts *texts, struct weir_json_out *out);

/* As the texts mean it: SOURCE and 0 where nothing is said. */
struct weir_profile ceilings_default(const struct ceiling_texts *texts);
struct weir_ceiling ceilings_top(const struct ceiling_texts *texts);

/* Of a start or a change, which may leave out either. */
struct profile_wish {
    bool names_quality;
    bool names_fps;
    struct weir_profile profile; /* as far as it is named */
};

/* What is not named is as `otherwise` has it. */
struct weir_profile ceilings_fill(const struct profile_wish *wish,
                                  const struct weir_profile *otherwise);

#endif

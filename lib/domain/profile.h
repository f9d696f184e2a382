/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be asked of a camera: a profile, and the ceiling that no profile passes. Pure.
 * Source: docs/adr/0038-ceilings.md.
 *
 *     struct weir_profile profile = {WEIR_QUALITY_SOURCE, 0};
 *     const struct weir_ceiling ceiling = {WEIR_QUALITY_MEDIUM, 10};
 *     weir_profile_cap(&profile, &ceiling);   true: it is medium at 10 frames a second now
 */
#ifndef WEIR_DOMAIN_PROFILE_H
#define WEIR_DOMAIN_PROFILE_H

#include "lib/domain/events.h"

#define WEIR_FPS_MAX 60

struct weir_profile {
    enum weir_quality quality;
    int64_t fps; /* at most so many, 1..60; 0: as the camera sends */
};

struct weir_ceiling {
    enum weir_quality quality; /* SOURCE, which is above all: none */
    int64_t fps;               /* 1..60; 0: none */
};

/* The lower of both, of each part by itself. */
struct weir_ceiling weir_ceiling_lower(const struct weir_ceiling *a, const struct weir_ceiling *b);

bool weir_ceiling_is_none(const struct weir_ceiling *ceiling);

bool weir_ceiling_is_same(const struct weir_ceiling *a, const struct weir_ceiling *b);

/* Lowers the profile to the ceiling; true when it was above. */
bool weir_profile_cap(struct weir_profile *profile, const struct weir_ceiling *ceiling);

/* Whether the profile lies at the ceiling: something better would have become this. */
bool weir_profile_is_at(const struct weir_profile *profile, const struct weir_ceiling *ceiling);

#define WEIR_CEILING_TEXT_MAX 40

/* "the ceiling is medium at 10 fps", "the ceiling is low", "the ceiling is 10 fps"; empty when
 * there is none. Returns `text`. */
const char *weir_ceiling_format(const struct weir_ceiling *ceiling,
                                char text[static WEIR_CEILING_TEXT_MAX]);

/* The box that a picture of this quality fits into, however it is turned. */
struct weir_box {
    int long_side;
    int short_side;
};

/* Source: 65535 each. */
struct weir_box weir_quality_box(enum weir_quality quality);

/* The lowest quality whose box holds the picture; ultra for larger ones. */
enum weir_quality weir_quality_of_picture(int64_t width, int64_t height);

#endif

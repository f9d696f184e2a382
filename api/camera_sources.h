/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sources of a camera as bodies give them: one, `source`, or several by name, `sources`, of
 * which one is called main. Pure. Source: docs/adr/0042-several-sources.md.
 */
#ifndef WEIR_API_CAMERA_SOURCES_H
#define WEIR_API_CAMERA_SOURCES_H

#include "api/fields.h"
#include "api/source_url.h"
#include "lib/base/arena.h"
#include "lib/domain/tls_pin.h"

#define CAMERA_SOURCES_MAX     4 /* main and three more, as schemas/tap.camera.json has them */
#define CAMERA_SOURCE_NAME_MAX 16
#define CAMERA_SOURCE_MAIN     "main"
#define CAMERA_PIN_MIN         64 /* of a pin as it is given */
#define CAMERA_PIN_MAX         95
#define CAMERA_SOURCES_ALONE   "[]" /* main alone, as a row has it */

extern const char *const camera_transports[];

struct camera_source {
    const char *name;
    const char *url;
    char host[API_HOST_MAX + 1];
    const char *username;                /* NULL: none */
    const char *password;                /* with a user name alone; NULL: none */
    const char *transport;               /* one of camera_transports */
    const char *pin_given;               /* NULL: none */
    char tls_pin[WEIR_TLS_PIN_TEXT_MAX]; /* as it is kept; "": none */
    /* As it was declared: */
    const char *codec; /* h264, h265; NULL: not known */
    int64_t width;     /* pixels; 0: not known, as the rest */
    int64_t height;
    int64_t fps;
};

struct camera_sources {
    struct camera_source of[CAMERA_SOURCES_MAX];
    size_t n;
    size_t main; /* index */
};

/* What is wrong with the address, credentials and pin of one that is found at `pointer`; fills its
 * host and the pin as it is kept. WEIR_ESEMANTIC with `fault` filled. */
WEIR_MUST_USE enum weir_code camera_source_check(struct camera_source *source, const char *pointer,
                                                 struct api_fault *fault);

/* Reads `sources`, an array; texts are the document's. WEIR_ESEMANTIC with `fault` filled. */
WEIR_MUST_USE enum weir_code camera_sources_read(const struct weir_json *json,
                                                 struct camera_sources *ret,
                                                 struct api_fault *fault);

/* What of them everybody may see, without user names and passwords: a JSON array in the arena;
 * CAMERA_SOURCES_ALONE of main alone. */
const char *camera_sources_text(const struct camera_sources *sources, struct weir_arena *arena);

bool camera_sources_are_several(const char *text);

/* What everybody may see of main. */
struct camera_source_shown {
    const char *url;
    const char *transport;
    bool has_credentials;
    const char *tls_pin; /* NULL: none */
};

/* As members `source` and `sources` of the open object; `text` as told above. */
void camera_sources_show(const struct camera_source_shown *main, const char *text,
                         struct weir_json_out *out);

/* Those beside main as a member `others` of the open object, with all there is: to be sealed.
 * Nothing of main alone. */
void camera_sources_write_others(const struct camera_sources *sources, struct weir_json_out *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/other_source.h"

#include <string.h>

bool weir_is_same_text(bool has_a, const char *a, bool has_b, const char *b)
{
    return has_a == has_b && (!has_a || strcmp(a, b) == 0);
}

static bool is_same_number(bool has_a, int64_t a, bool has_b, int64_t b)
{
    return has_a == has_b && (!has_a || a == b);
}

bool weir_other_source_is_same(const struct weir_ctl_tap_camera_others *a,
                               const struct weir_ctl_tap_camera_others *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->url, b->url) == 0 &&
           weir_is_same_text(a->has_username, a->username, b->has_username, b->username) &&
           weir_is_same_text(a->has_password, a->password, b->has_password, b->password) &&
           weir_is_same_text(a->has_tls_pin_sha256, a->tls_pin_sha256, b->has_tls_pin_sha256,
                             b->tls_pin_sha256) &&
           a->transport == b->transport &&
           is_same_number(a->has_codec, (int64_t)a->codec, b->has_codec, (int64_t)b->codec) &&
           is_same_number(a->has_width, a->width, b->has_width, b->width) &&
           is_same_number(a->has_height, a->height, b->has_height, b->height) &&
           is_same_number(a->has_fps, a->fps, b->has_fps, b->fps);
}

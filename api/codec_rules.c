/* SPDX-License-Identifier: Apache-2.0 */
#include "api/codec_rules.h"

#include <string.h>

static bool is_word(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncmp(text, word, len) == 0;
}

bool codec_read(const char *text, bool *ret_shows_hvc1)
{
    bool shows_hvc1 = false;
    for (const char *at = text; at; at = *at ? at + 1 : NULL) {
        size_t len = strcspn(at, ",");
        if (is_word(at, len, "hvc1")) {
            shows_hvc1 = true;
        } else if (!is_word(at, len, "avc1")) {
            return false;
        }
        at += len;
    }
    *ret_shows_hvc1 = shows_hvc1;
    return true;
}

/* It says what it is as soon as it plays. */
static bool is_coming(enum weir_stream_state state)
{
    return state == WEIR_STREAM_STATE_QUEUED || state == WEIR_STREAM_STATE_PLACED ||
           state == WEIR_STREAM_STATE_STARTING;
}

enum codec_verdict codec_judge(const struct weir_stream_row *row, bool shows_hvc1)
{
    /* Other qualities are H.264 whatever the camera sends (docs/adr/0034). */
    if (shows_hvc1 || row->quality != WEIR_QUALITY_SOURCE) {
        return CODEC_SHOWN;
    }
    if (row->effective.codec[0] == '\0') {
        return is_coming(row->state) ? CODEC_UNKNOWN : CODEC_SHOWN;
    }
    return strcmp(row->effective.codec, "hvc1") == 0 ? CODEC_RENDITION : CODEC_SHOWN;
}

struct weir_profile codec_rendition(const struct weir_stream_row *row)
{
    const struct weir_effective *is = &row->effective;
    enum weir_quality quality =
        is->width > 0 ? weir_quality_of_picture(is->width, is->height) : WEIR_QUALITY_HIGH;
    /* Ultra is encoded as large as high, for three times the bits. */
    return (struct weir_profile){quality > WEIR_QUALITY_HIGH ? WEIR_QUALITY_HIGH : quality,
                                 row->fps};
}

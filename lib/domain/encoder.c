/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/encoder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIXELS_720P  (INT64_C(1280) * 720)
#define PIXELS_1080P (INT64_C(1920) * 1080)
#define PIXELS_LEAST (INT64_C(640) * 360)

int64_t weir_encoder_budget_kpx(int64_t fps_720p, int64_t fps_1080p)
{
    int64_t small = fps_720p * PIXELS_720P;
    int64_t large = fps_1080p * PIXELS_1080P;
    return (small < large ? small : large) / 1000 * WEIR_ENCODER_USABLE_PCT / 100;
}

int64_t weir_encoder_need_kpx(int64_t width, int64_t height, int64_t fps_milli)
{
    int64_t pixels = width * height > PIXELS_LEAST ? width * height : PIXELS_LEAST;
    int64_t kpx = pixels * fps_milli / 1000000;
    return kpx > 0 ? kpx : 1;
}

/* ---- as text ---- */

#define NUMBERS    6
#define NUMBER_MAX 1000000000

const char *weir_encoders_format(const struct weir_ev_heartbeat_encoding_encoders *rows, size_t n,
                                 char text[static WEIR_ENCODERS_TEXT_MAX])
{
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n && len < WEIR_ENCODERS_TEXT_MAX; i++) {
        const struct weir_ev_heartbeat_encoding_encoders *row = &rows[i];
        int added =
            snprintf(text + len, WEIR_ENCODERS_TEXT_MAX - len,
                     "%s%s:%s:%" PRId64 ":%" PRId64 ":%" PRId64 ":%" PRId64 ":%" PRId64 ":%" PRId64,
                     i > 0 ? " " : "", weir_encoder_name(row->encoder),
                     weir_encoder_state_name(row->state), row->fps_720p, row->fps_1080p,
                     row->kpx_per_s, row->sessions, row->kpx_per_s_used, row->sessions_used);
        len += added > 0 ? (size_t)added : 0;
    }
    return text;
}

/* The next word up to `end`; NULL: it is too long, or not there. */
static const char *take_word(const char *text, char end, char word[static 16])
{
    size_t len = strcspn(text, ": ");
    if (len == 0 || len >= 16 || text[len] != end) {
        return NULL;
    }
    memcpy(word, text, len);
    word[len] = '\0';
    return text + len + 1;
}

/* Behind the last number; NULL: these are none. */
static const char *take_numbers(const char *text, int64_t ret[static NUMBERS])
{
    for (int i = 0; i < NUMBERS; i++) {
        char *end = NULL;
        bool is_number = *text >= '0' && *text <= '9';
        long long value = is_number ? strtoll(text, &end, 10) : -1;
        bool is_last = i == NUMBERS - 1;
        if (value < 0 || value > NUMBER_MAX ||
            (is_last ? *end != ' ' && *end != '\0' : *end != ':')) {
            return NULL;
        }
        ret[i] = value;
        text = is_last ? end : end + 1;
    }
    return text;
}

size_t weir_encoders_parse(const char *text,
                           struct weir_ev_heartbeat_encoding_encoders ret[static WEIR_ENCODER_N])
{
    size_t n = 0;
    while (n < WEIR_ENCODER_N && *text != '\0') {
        struct weir_ev_heartbeat_encoding_encoders row = {.codec = "avc1"};
        char name[16];
        char state[16];
        int64_t numbers[NUMBERS];
        const char *at = take_word(text, ':', name);
        at = at != NULL ? take_word(at, ':', state) : NULL;
        at = at != NULL ? take_numbers(at, numbers) : NULL;
        if (at == NULL || weir_encoder_get(name, &row.encoder) != WEIR_OK ||
            weir_encoder_state_get(state, &row.state) != WEIR_OK) {
            break;
        }
        row.fps_720p = numbers[0];
        row.fps_1080p = numbers[1];
        row.kpx_per_s = numbers[2];
        row.sessions = numbers[3];
        row.kpx_per_s_used = numbers[4];
        row.sessions_used = numbers[5];
        ret[n++] = row;
        text = at + (*at == ' ');
    }
    return n;
}

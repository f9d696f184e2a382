/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/playlist.h"

#include <string.h>

#include "lib/base/str.h"

struct line {
    const char *bytes;
    size_t len;
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static bool has_tail(const char *stem, size_t len, const char *tail)
{
    size_t n = strlen(tail);
    return len >= n && memcmp(stem + len - n, tail, n) == 0;
}

/* "a_seg12" with mark "_part" is none: the mark must be followed by digits up to the end. */
static bool has_counter(const char *stem, size_t len, const char *mark)
{
    size_t digits = 0;
    while (digits < len && stem[len - 1 - digits] >= '0' && stem[len - 1 - digits] <= '9') {
        digits++;
    }
    return digits > 0 && has_tail(stem, len - digits, mark);
}

static enum weir_playlist_file media_kind(const char *stem, size_t len)
{
    if (has_tail(stem, len, "_init")) {
        return WEIR_PLAYLIST_FILE_INIT;
    }
    return has_counter(stem, len, "_part") ? WEIR_PLAYLIST_FILE_PART : WEIR_PLAYLIST_FILE_SEGMENT;
}

enum weir_playlist_file weir_playlist_file(const char *name, size_t len)
{
    size_t stem = 0;
    while (stem < len && is_name_char(name[stem])) {
        stem++;
    }
    if (stem == 0 || len > WEIR_PLAYLIST_NAME_MAX) {
        return WEIR_PLAYLIST_FILE_NONE;
    }
    const char *ext = name + stem;
    size_t ext_len = len - stem;
    if (ext_len == 5 && memcmp(ext, ".m3u8", 5) == 0) {
        bool is_index = stem == 5 && memcmp(name, "index", 5) == 0;
        return is_index ? WEIR_PLAYLIST_FILE_INDEX : WEIR_PLAYLIST_FILE_MEDIA;
    }
    if (ext_len == 4 && (memcmp(ext, ".mp4", 4) == 0 || memcmp(ext, ".m4s", 4) == 0)) {
        return media_kind(name, stem);
    }
    bool is_ts = ext_len == 3 && memcmp(ext, ".ts", 3) == 0;
    return is_ts ? WEIR_PLAYLIST_FILE_SEGMENT : WEIR_PLAYLIST_FILE_NONE;
}

/* Takes the next line off `rest`, without its end. False when nothing is left. */
static bool next_line(struct line *rest, struct line *ret)
{
    if (rest->len == 0) {
        return false;
    }
    const char *end = memchr(rest->bytes, '\n', rest->len);
    size_t len = end != NULL ? (size_t)(end - rest->bytes) : rest->len;
    size_t step = end != NULL ? len + 1 : len;
    *ret = (struct line){.bytes = rest->bytes, .len = len};
    if (len > 0 && ret->bytes[len - 1] == '\r') {
        ret->len--;
    }
    rest->bytes += step;
    rest->len -= step;
    return true;
}

static enum weir_code check_text(const char *bytes, size_t len, struct weir_err *err)
{
    if (len > WEIR_PLAYLIST_BYTES_MAX) {
        return weir_fail(err, WEIR_ELIMIT, "playlist of %zu bytes, the limit is %d", len,
                         WEIR_PLAYLIST_BYTES_MAX);
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) {
            return weir_fail(err, WEIR_EPARSE, "playlist has control byte %u at %zu", c, i);
        }
    }
    struct line rest = {.bytes = bytes, .len = len};
    struct line first = {0};
    if (!next_line(&rest, &first) || first.len != 7 || memcmp(first.bytes, "#EXTM3U", 7) != 0) {
        return weir_fail(err, WEIR_EPARSE, "playlist does not begin with #EXTM3U");
    }
    return WEIR_OK;
}

/* The text after "#TAG:"; false for another tag. */
static bool tag_value(struct line line, const char *tag, struct line *ret)
{
    size_t n = strlen(tag);
    if (line.len <= n || memcmp(line.bytes, tag, n) != 0 || line.bytes[n] != ':') {
        return false;
    }
    *ret = (struct line){.bytes = line.bytes + n + 1, .len = line.len - n - 1};
    return true;
}

/* Digits at the start of `text`; *ret_used says how many. */
static enum weir_code leading_number(struct line text, int64_t *ret, size_t *ret_used,
                                     struct weir_err *err)
{
    int64_t value = 0;
    size_t used = 0;
    for (; used < text.len && text.bytes[used] >= '0' && text.bytes[used] <= '9'; used++) {
        value = value * 10 + (text.bytes[used] - '0');
        if (value > WEIR_PLAYLIST_SEQUENCE_MAX) {
            return weir_fail(err, WEIR_ELIMIT, "playlist has a number above 2^53");
        }
    }
    if (used == 0) {
        return weir_fail(err, WEIR_EPARSE, "playlist has a tag without its number");
    }
    *ret = value;
    *ret_used = used;
    return WEIR_OK;
}

static enum weir_code whole_number(struct line text, int64_t *ret, struct weir_err *err)
{
    int64_t value = 0;
    size_t used = 0;
    enum weir_code code = leading_number(text, &value, &used, err);
    if (code != WEIR_OK) {
        return code;
    }
    if (used != text.len) {
        return weir_fail(err, WEIR_EPARSE, "playlist has a number with more behind it");
    }
    *ret = value;
    return WEIR_OK;
}

/* Finds NAME= in an attribute list, outside quotes; its value runs to the end of `text`. */
static bool find_attribute(struct line text, const char *name, struct line *ret)
{
    size_t n = strlen(name);
    bool is_quoted = false;
    bool is_start = true;
    for (size_t i = 0; i < text.len; i++) {
        if (is_start && i + n < text.len && memcmp(text.bytes + i, name, n) == 0 &&
            text.bytes[i + n] == '=') {
            *ret = (struct line){.bytes = text.bytes + i + n + 1, .len = text.len - i - n - 1};
            return true;
        }
        is_quoted = is_quoted != (text.bytes[i] == '"');
        is_start = !is_quoted && text.bytes[i] == ',';
    }
    return false;
}

static enum weir_code take_name(struct weir_playlist *facts, struct line name, struct weir_err *err)
{
    enum weir_playlist_file file = weir_playlist_file(name.bytes, name.len);
    if (file == WEIR_PLAYLIST_FILE_NONE) {
        return weir_fail(err, WEIR_EPARSE, "playlist names something that is no file beside it");
    }
    const char *mark = memchr(name.bytes, '_', name.len);
    bool is_media = file != WEIR_PLAYLIST_FILE_INDEX && file != WEIR_PLAYLIST_FILE_MEDIA;
    if (is_media && facts->muxer[0] == '\0' && mark != NULL) {
        memcpy(facts->muxer, name.bytes, (size_t)(mark - name.bytes));
    }
    return WEIR_OK;
}

static enum weir_code take_quoted_uri(struct weir_playlist *facts, struct line line,
                                      struct weir_err *err)
{
    const char *colon = memchr(line.bytes, ':', line.len);
    struct line uri = {0};
    if (colon == NULL) {
        return WEIR_OK;
    }
    struct line list = {.bytes = colon + 1, .len = line.len - (size_t)(colon + 1 - line.bytes)};
    if (!find_attribute(list, "URI", &uri)) {
        return WEIR_OK;
    }
    const char *end = uri.len > 1 ? memchr(uri.bytes + 1, '"', uri.len - 1) : NULL;
    if (end == NULL || uri.bytes[0] != '"') {
        return weir_fail(err, WEIR_EPARSE, "playlist has a URI without quotes");
    }
    struct line name = {.bytes = uri.bytes + 1, .len = (size_t)(end - uri.bytes - 1)};
    return take_name(facts, name, err);
}

/* What a tag says about segments; *is_multivariant and facts->is_media as it shows. */
static enum weir_code take_tag(struct weir_playlist *facts, struct line line, bool *is_multivariant,
                               struct weir_err *err)
{
    struct line value = {0};
    int64_t number = 0;
    size_t used = 0;
    enum weir_code code = WEIR_OK;
    if (tag_value(line, "#EXT-X-STREAM-INF", &value)) {
        *is_multivariant = true;
    } else if (tag_value(line, "#EXT-X-TARGETDURATION", &value)) {
        facts->is_media = true;
        code = whole_number(value, &facts->target_duration_s, err);
    } else if (tag_value(line, "#EXT-X-MEDIA-SEQUENCE", &value)) {
        facts->is_media = true;
        code = whole_number(value, &facts->media_sequence, err);
    } else if (tag_value(line, "#EXT-X-DISCONTINUITY-SEQUENCE", &value)) {
        code = whole_number(value, &number, err);
    } else if (tag_value(line, "#EXTINF", &value)) {
        facts->is_media = true;
        facts->n_segments++;
    } else if (tag_value(line, "#EXT-X-SKIP", &value) &&
               find_attribute(value, "SKIPPED-SEGMENTS", &value)) {
        code = leading_number(value, &number, &used, err);
        facts->n_segments += code == WEIR_OK ? number : 0;
    } else if (line.len == 14 && memcmp(line.bytes, "#EXT-X-ENDLIST", 14) == 0) {
        facts->has_end = true;
    }
    return code != WEIR_OK ? code : take_quoted_uri(facts, line, err);
}

static bool is_tag(struct line line)
{
    return line.len > 4 && memcmp(line.bytes, "#EXT", 4) == 0;
}

static enum weir_code take_line(struct weir_playlist *facts, struct line line,
                                bool *is_multivariant, struct weir_err *err)
{
    if (line.len > WEIR_PLAYLIST_LINE_MAX) {
        return weir_fail(err, WEIR_ELIMIT, "playlist has a line of %zu bytes, the limit is %d",
                         line.len, WEIR_PLAYLIST_LINE_MAX);
    }
    if (is_tag(line)) {
        return take_tag(facts, line, is_multivariant, err);
    }
    return line.len == 0 || line.bytes[0] == '#' ? WEIR_OK : take_name(facts, line, err);
}

enum weir_code weir_playlist_parse(const char *bytes, size_t len, struct weir_playlist *ret,
                                   struct weir_err *err)
{
    enum weir_code code = check_text(bytes, len, err);
    struct weir_playlist facts = {0};
    bool is_multivariant = false;
    struct line rest = {.bytes = bytes, .len = len};
    struct line line = {0};
    while (code == WEIR_OK && next_line(&rest, &line)) {
        code = take_line(&facts, line, &is_multivariant, err);
        if (code == WEIR_OK && facts.n_segments > WEIR_PLAYLIST_SEGMENTS_MAX) {
            return weir_fail(err, WEIR_ELIMIT, "playlist has more than %d segments",
                             WEIR_PLAYLIST_SEGMENTS_MAX);
        }
    }
    if (code != WEIR_OK) {
        return code;
    }
    if (is_multivariant == facts.is_media) {
        return weir_fail(err, WEIR_EPARSE, "playlist is neither a media nor a multivariant one");
    }
    *ret = is_multivariant ? (struct weir_playlist){0} : facts;
    return WEIR_OK;
}

/* ---- rewriting: the text was parsed, so numbers are there and in range ---- */

struct rewrite {
    const struct weir_playlist_shift *shift;
    struct weir_buf *out;
    int64_t discontinuity_sequence; /* as it came */
    bool is_media;
    bool has_room;
};

static void put_number(struct rewrite *rw, const char *tag, int64_t number)
{
    rw->has_room = rw->has_room && weir_buf_printf(rw->out, "%s:%lld\n", tag, (long long)number);
}

static void put_sequences(struct rewrite *rw, int64_t media_sequence)
{
    put_number(rw, "#EXT-X-MEDIA-SEQUENCE", media_sequence + rw->shift->media_sequence);
    put_number(rw, "#EXT-X-DISCONTINUITY-SEQUENCE",
               rw->discontinuity_sequence + rw->shift->discontinuity_sequence);
}

static void put_bytes(struct rewrite *rw, const char *bytes, size_t len)
{
    rw->has_room = rw->has_room && weir_buf_add(rw->out, bytes, len);
}

/* "...,LAST-MSN=12,..." */
static void put_report(struct rewrite *rw, struct line line, struct line msn)
{
    int64_t number = 0;
    size_t used = 0;
    if (leading_number(msn, &number, &used, NULL) != WEIR_OK) {
        put_bytes(rw, line.bytes, line.len);
        return;
    }
    put_bytes(rw, line.bytes, (size_t)(msn.bytes - line.bytes));
    rw->has_room = rw->has_room && weir_buf_printf(rw->out, "%lld",
                                                   (long long)(number + rw->shift->media_sequence));
    put_bytes(rw, msn.bytes + used, msn.len - used);
}

static void put_line(struct rewrite *rw, struct line line)
{
    struct line value = {0};
    if (tag_value(line, "#EXT-X-MEDIA-SEQUENCE", &value) ||
        tag_value(line, "#EXT-X-DISCONTINUITY-SEQUENCE", &value)) {
        return;
    }
    if (tag_value(line, "#EXT-X-RENDITION-REPORT", &value) &&
        find_attribute(value, "LAST-MSN", &value)) {
        put_report(rw, line, value);
    } else {
        put_bytes(rw, line.bytes, line.len);
    }
    put_bytes(rw, "\n", 1);
}

static int64_t find_discontinuity_sequence(const char *bytes, size_t len)
{
    struct line rest = {.bytes = bytes, .len = len};
    struct line line = {0};
    struct line value = {0};
    int64_t number = 0;
    while (next_line(&rest, &line)) {
        if (tag_value(line, "#EXT-X-DISCONTINUITY-SEQUENCE", &value)) {
            WEIR_IGNORE(whole_number(value, &number, NULL), "the playlist was parsed");
        }
    }
    return number;
}

static bool is_shiftable(int64_t number, int64_t shift)
{
    return shift >= 0 && number <= WEIR_PLAYLIST_SEQUENCE_MAX &&
           shift <= WEIR_PLAYLIST_SEQUENCE_MAX - number;
}

enum weir_code weir_playlist_rewrite(const char *bytes, size_t len,
                                     const struct weir_playlist_shift *shift, struct weir_buf *out,
                                     struct weir_err *err)
{
    struct weir_playlist facts = {0};
    enum weir_code code = weir_playlist_parse(bytes, len, &facts, err);
    if (code != WEIR_OK) {
        return code;
    }
    struct rewrite rw = {.shift = shift,
                         .out = out,
                         .discontinuity_sequence = find_discontinuity_sequence(bytes, len),
                         .is_media = facts.is_media,
                         .has_room = true};
    if (!is_shiftable(facts.media_sequence + facts.n_segments, shift->media_sequence) ||
        !is_shiftable(rw.discontinuity_sequence, shift->discontinuity_sequence)) {
        return weir_fail(err, WEIR_ELIMIT, "playlist's sequence would pass 2^53");
    }
    size_t len_before = out->len;
    struct line rest = {.bytes = bytes, .len = len};
    struct line line = {0};
    for (bool is_first = true; next_line(&rest, &line); is_first = false) {
        put_line(&rw, line);
        if (is_first && rw.is_media) {
            put_sequences(&rw, facts.media_sequence);
        }
    }
    if (!rw.has_room) {
        out->len = len_before;
        if (out->bytes != NULL) {
            out->bytes[len_before] = '\0';
        }
        return weir_fail(err, WEIR_ELIMIT, "playlist passes the limit of %zu bytes", out->max);
    }
    return WEIR_OK;
}

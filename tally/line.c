/* SPDX-License-Identifier: Apache-2.0 */
#include "tally/line.h"

#include <string.h>

#include "lib/base/str.h"

#define STAMP_LEN  15 /* "Nov 29 08:15:00" */
#define DIGITS_MAX 15

struct reader {
    const char *at;
    const char *end;
};

static size_t left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static bool skip(struct reader *reader, const char *text)
{
    size_t len = strlen(text);
    if (left(reader) < len || memcmp(reader->at, text, len) != 0) {
        return false;
    }
    reader->at += len;
    return true;
}

/* 1 to `max` decimal digits. */
static bool read_digits(struct reader *reader, size_t max, int64_t *ret)
{
    int64_t value = 0;
    size_t n = 0;
    while (n < max && left(reader) > 0 && *reader->at >= '0' && *reader->at <= '9') {
        value = value * 10 + (*reader->at++ - '0');
        n++;
    }
    *ret = value;
    return n > 0;
}

/* "<190>Nov 29 08:15:00 weir: "; the time is the gateway's, and nobody needs it. */
static bool skip_head(struct reader *reader)
{
    int64_t priority;
    if (!skip(reader, "<") || !read_digits(reader, 3, &priority) || !skip(reader, ">") ||
        left(reader) < STAMP_LEN) {
        return false;
    }
    reader->at += STAMP_LEN;
    return skip(reader, " weir: ");
}

static bool skip_secret(struct reader *reader, const char *secret)
{
    size_t len = strlen(secret);
    if (left(reader) < len || !weir_str_equal_secret(reader->at, secret, len)) {
        return false;
    }
    reader->at += len;
    return skip(reader, " ");
}

static bool read_id(struct reader *reader, struct weir_id *ret)
{
    size_t len = WEIR_ID_TEXT_MAX - 1;
    if (left(reader) < len || weir_id_parse(reader->at, len, ret, NULL) != WEIR_OK) {
        return false;
    }
    reader->at += len;
    return skip(reader, " ");
}

static bool read_kind(struct reader *reader, bool *ret_is_segment)
{
    *ret_is_segment = skip(reader, "media ");
    return *ret_is_segment || skip(reader, "playlist ") || skip(reader, "init ");
}

bool tally_line_read(const char *text, size_t len, const char *secret, struct tally_line *ret)
{
    struct reader reader = {text, text + len};
    struct tally_line line = {0};
    if (len > TALLY_LINE_MAX || !skip_head(&reader) || !skip_secret(&reader, secret) ||
        !read_id(&reader, &line.tenant_id) || !read_id(&reader, &line.viewer_id) ||
        !read_id(&reader, &line.stream_id) || !read_id(&reader, &line.ticket_id) ||
        !read_kind(&reader, &line.is_segment) || !read_digits(&reader, DIGITS_MAX, &line.bytes) ||
        left(&reader) != 0) {
        return false;
    }
    *ret = line;
    return true;
}

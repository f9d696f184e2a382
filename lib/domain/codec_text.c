/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/codec.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS 86400000LL

static size_t print_path(const struct codec_path *path, char *text, size_t size)
{
    if (!path) {
        return 0;
    }
    size_t used = print_path(path->up, text, size);
    if (used >= size) {
        return size;
    }
    int n = path->name ? snprintf(text + used, size - used, "%s%s", used ? "." : "", path->name)
                       : snprintf(text + used, size - used, "[%zu]", path->index);
    return used + (size_t)n;
}

enum weir_code codec_fail(const struct codec_path *path, struct weir_err *err, enum weir_code code,
                          const char *fmt, ...)
{
    char where[160] = "";
    char what[256];
    print_path(path, where, sizeof(where));
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    return weir_fail(err, code, "%s%s%s", where, where[0] ? " " : "", what);
}

int codec_find_name(const char *const *names, int n_names, const char *name)
{
    for (int i = 0; i < n_names; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *codec_list_names(const struct codec_field *field, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "is none of:");
    for (int64_t i = 0; i < field->high && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s %s", i ? "," : "", field->names[i]);
    }
    return text;
}

/* Length of the well-formed UTF-8 sequence at `s` (RFC 3629), 0 if there is none. */
static size_t utf8_len(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80) {
        return 1;
    }
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || left < n) {
        return 0;
    }
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

static bool is_text(const unsigned char *s, size_t len)
{
    size_t n;
    for (size_t i = 0; i < len; i += n) {
        n = utf8_len(s + i, len - i);
        if (n == 0 || s[i] < 0x20 || s[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_token(const unsigned char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '!' || s[i] > '~') {
            return false;
        }
    }
    return true;
}

static bool is_snake(const unsigned char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool letter = s[i] >= 'a' && s[i] <= 'z';
        bool later = (s[i] >= '0' && s[i] <= '9') || s[i] == '_';
        if (!letter && (i == 0 || !later)) {
            return false;
        }
    }
    return len > 0;
}

static const char *misfit(enum codec_chars chars, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    switch (chars) {
    case CODEC_TOKEN:
        return is_token(s, len) ? NULL : "holds other than printable ASCII without spaces";
    case CODEC_SOURCE:
        return len >= 6 && memcmp(text, "/weir/", 6) == 0 && is_token(s, len)
                   ? NULL
                   : "does not read /weir/<service>/<name>";
    case CODEC_TEXT:
        return is_text(s, len) ? NULL : "holds control characters or malformed UTF-8";
    case CODEC_SNAKE:
        return is_snake(s, len) ? NULL : "is not snake_case";
    case CODEC_HEX:
        return strspn(text, "0123456789abcdef") >= len ? NULL : "holds other than hex digits";
    }
    return "has an unknown set of characters";
}

enum weir_code codec_check_text(const struct codec_field *field, const char *text, size_t len,
                                const struct codec_path *path, struct weir_err *err)
{
    if (len > (size_t)field->high) {
        return codec_fail(path, err, WEIR_ELIMIT, "is longer than %" PRId64 " bytes", field->high);
    }
    if (len < (size_t)field->low) {
        return codec_fail(path, err, WEIR_EINVAL, "is shorter than %" PRId64 " bytes", field->low);
    }
    const char *wrong = misfit(field->chars, text, len);
    return wrong ? codec_fail(path, err, WEIR_EINVAL, "%s", wrong) : WEIR_OK;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; m in 1..12. */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool digits(const char *text, int n, int *ret)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *ret = value;
    return true;
}

static bool is_day(int y, int m, int d)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (y < 1 || m < 1 || m > 12 || d < 1) {
        return false;
    }
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return d <= days[m - 1] + (m == 2 && leap);
}

bool codec_time_parse(const char *text, size_t len, int64_t *ret_ms)
{
    int y;
    int mon;
    int d;
    int h;
    int min;
    int s;
    int ms;
    if (len != CODEC_TIME_LEN || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
        text[13] != ':' || text[16] != ':' || text[19] != '.' || text[23] != 'Z') {
        return false;
    }
    if (!digits(text, 4, &y) || !digits(text + 5, 2, &mon) || !digits(text + 8, 2, &d) ||
        !digits(text + 11, 2, &h) || !digits(text + 14, 2, &min) || !digits(text + 17, 2, &s) ||
        !digits(text + 20, 3, &ms)) {
        return false;
    }
    if (!is_day(y, mon, d) || h > 23 || min > 59 || s > 59) {
        return false;
    }
    *ret_ms = days_from_civil(y, mon, d) * DAY_MS + ((h * 60LL + min) * 60 + s) * 1000 + ms;
    return true;
}

void codec_time_format(int64_t wall_ms, char text[static CODEC_TIME_LEN + 1])
{
    int64_t days = (wall_ms - CODEC_TIME_MIN_MS) / DAY_MS; /* from 0001-01-01 */
    int64_t left = (wall_ms - CODEC_TIME_MIN_MS) % DAY_MS;
    int64_t z = days + 306; /* from 0000-03-01 */
    int64_t era = z / 146097;
    int64_t doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t m = mp < 10 ? mp + 3 : mp - 9;
    int64_t values[] = {
        yoe + era * 400 + (m <= 2),
        m,
        doy - (153 * mp + 2) / 5 + 1,
        left / 3600000,
        left / 60000 % 60,
        left / 1000 % 60,
    };
    char out[80];
    snprintf(out, sizeof(out),
             "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64
             ".%03" PRId64 "Z",
             values[0], values[1], values[2], values[3], values[4], values[5], left % 1000);
    memcpy(text, out, CODEC_TIME_LEN);
    text[CODEC_TIME_LEN] = '\0';
}

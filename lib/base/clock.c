/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t weir_clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t weir_clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t weir_clock_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t weir_clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t weir_clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

bool weir_clock_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &until) == 0;
}

void weir_clock_format_ms(int64_t wall_ms, char text[static WEIR_TIME_TEXT_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int ms = (int)(wall_ms % 1000);
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[24];
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, WEIR_TIME_TEXT_MAX, "%s.%03dZ", date, ms);
}

/* Reads exactly `n` digits at *pos; -1 when there are fewer. */
static int digits(const char *text, size_t len, size_t *pos, size_t n)
{
    int value = 0;
    if (len - *pos < n) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        char c = text[*pos + i];
        if (c < '0' || c > '9') {
            return -1;
        }
        value = value * 10 + (c - '0');
    }
    *pos += n;
    return value;
}

static bool expect(const char *text, size_t len, size_t *pos, const char *any)
{
    for (; *pos < len && *any; any++) {
        if (text[*pos] == *any) {
            (*pos)++;
            return true;
        }
    }
    return false;
}

/* Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible
 * low-level date algorithms"). */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = y / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static bool parse_fraction(const char *text, size_t len, size_t *pos, int *ret_ms)
{
    int ms = 0;
    int scale = 100;
    if (!expect(text, len, pos, ".")) {
        *ret_ms = 0;
        return true;
    }
    size_t start = *pos;
    while (*pos < len && text[*pos] >= '0' && text[*pos] <= '9') {
        ms += (text[*pos] - '0') * scale;
        scale /= 10;
        (*pos)++;
    }
    *ret_ms = ms;
    return *pos > start;
}

static bool parse_offset(const char *text, size_t len, size_t *pos, int *ret_minutes)
{
    if (expect(text, len, pos, "Zz")) {
        *ret_minutes = 0;
        return true;
    }
    bool minus = *pos < len && text[*pos] == '-';
    if (!expect(text, len, pos, "+-")) {
        return false;
    }
    int hour = digits(text, len, pos, 2);
    bool colon = expect(text, len, pos, ":");
    int minute = digits(text, len, pos, 2);
    if (hour < 0 || hour > 23 || !colon || minute < 0 || minute > 59) {
        return false;
    }
    *ret_minutes = (hour * 60 + minute) * (minus ? -1 : 1);
    return true;
}

static int month_days(int y, int m)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : days[m - 1];
}

enum weir_code weir_clock_parse_ms(const char *text, size_t len, int64_t *ret_wall_ms,
                                   struct weir_err *err)
{
    size_t pos = 0;
    int ms = 0;
    int offset = 0;
    int y = digits(text, len, &pos, 4);
    bool ok = expect(text, len, &pos, "-");
    int mo = digits(text, len, &pos, 2);
    ok = ok && expect(text, len, &pos, "-");
    int d = digits(text, len, &pos, 2);
    ok = ok && expect(text, len, &pos, "Tt ");
    int h = digits(text, len, &pos, 2);
    ok = ok && expect(text, len, &pos, ":");
    int mi = digits(text, len, &pos, 2);
    ok = ok && expect(text, len, &pos, ":");
    int s = digits(text, len, &pos, 2);
    ok = ok && parse_fraction(text, len, &pos, &ms) && parse_offset(text, len, &pos, &offset);
    if (!ok || pos != len || y < 1970 || mo < 1 || mo > 12 || d < 1 || d > month_days(y, mo) ||
        h < 0 || h > 23 || mi < 0 || mi > 59 || s < 0 || s > 60) {
        return weir_fail(err, WEIR_EPARSE, "not an RFC 3339 time such as 2026-01-31T12:00:00.000Z");
    }
    if (s == 60) {
        s = 59;
    }
    int64_t minutes = days_from_civil(y, mo, d) * 1440 + h * 60 + mi - offset;
    *ret_wall_ms = (minutes * 60 + s) * 1000 + ms;
    return WEIR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define LINE_MAX_BYTES  8192
#define VALUE_MAX_BYTES 1024

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *daemon_name = "weir";
static enum weir_log_level lowest = WEIR_LOG_INFO;

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

void weir_log_init(const char *daemon, enum weir_log_level level)
{
    daemon_name = daemon;
    lowest = level;
}

enum weir_code weir_log_level_parse(const char *text, enum weir_log_level *ret,
                                    struct weir_err *err)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret = (enum weir_log_level)i;
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_EINVAL, "'%s' is no log level; use debug, info, warn or error",
                     text);
}

/* Two bytes stay free for the closing brace and the newline. */
static void put(struct line *line, const char *s, size_t n)
{
    if (line->len + n <= sizeof(line->text) - 2) {
        memcpy(line->text + line->len, s, n);
        line->len += n;
    }
}

static void put_string(struct line *line, const char *s)
{
    put(line, "\"", 1);
    for (size_t i = 0; i < VALUE_MAX_BYTES && s[i]; i++) {
        unsigned char c = (unsigned char)s[i];
        char escaped[8];
        if (c == '"' || c == '\\') {
            snprintf(escaped, sizeof(escaped), "\\%c", c);
            put(line, escaped, 2);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            put(line, escaped, 6);
        } else {
            put(line, (const char *)&s[i], 1);
        }
    }
    put(line, "\"", 1);
}

static void put_field(struct line *line, const char *key, const char *value)
{
    /* A field that might not fit whole is left out, so that the line stays JSON. */
    size_t worst = 6 * (strlen(key) + strnlen(value, VALUE_MAX_BYTES)) + 8;
    if (line->len + worst > sizeof(line->text) - 2) {
        return;
    }
    put(line, line->len > 1 ? "," : "", line->len > 1 ? 1 : 0);
    put_string(line, key);
    put(line, ":", 1);
    put_string(line, value);
}

static void begin(struct line *line, enum weir_log_level level, const char *msg)
{
    char ts[WEIR_TIME_TEXT_MAX];
    weir_clock_format_ms(weir_clock_wall_ms(), ts);
    line->len = 0;
    put(line, "{", 1);
    put_field(line, "ts", ts);
    put_field(line, "level", level_names[level]);
    put_field(line, "daemon", daemon_name);
    put_field(line, "msg", msg);
}

static void finish(struct line *line)
{
    line->text[line->len++] = '}';
    line->text[line->len++] = '\n';
    ssize_t n = write(STDERR_FILENO, line->text, line->len);
    (void)n; /* nobody is left to tell */
}

void weir_log(enum weir_log_level level, const char *msg, ...)
{
    if (level < lowest) {
        return;
    }
    struct line line;
    begin(&line, level, msg);
    va_list args;
    va_start(args, msg);
    for (const char *key; (key = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        put_field(&line, key, value ? value : "");
    }
    va_end(args);
    finish(&line);
}

void weir_logf(enum weir_log_level level, const char *fmt, ...)
{
    if (level < lowest) {
        return;
    }
    char msg[VALUE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(msg, sizeof(msg), fmt, args);
    va_end(args);
    struct line line;
    begin(&line, level, msg);
    finish(&line);
}

bool weir_log_allowed(struct weir_log_limit *limit, unsigned burst, int64_t period_ms,
                      int64_t now_mono_ms)
{
    if (limit->window_start_mono_ms == 0 ||
        now_mono_ms - limit->window_start_mono_ms >= period_ms) {
        limit->window_start_mono_ms = now_mono_ms;
        limit->used = 0;
    }
    if (limit->used < burst) {
        limit->used++;
        return true;
    }
    limit->dropped++;
    return false;
}

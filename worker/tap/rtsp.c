/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/rtsp.h"

#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

/* Digits of `text` as a number up to 9 digits; -1 for anything else. */
static int read_number(const char *text, size_t len)
{
    int value = 0;
    if (len == 0 || len > 9)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* "<protocol>/1.x NNN": the status, or -1. */
static int read_status(const char *line, size_t len, const char *protocol)
{
    size_t n = strlen(protocol);
    if (len < n + 6 || memcmp(line, protocol, n) != 0 || line[n] < '0' || line[n] > '9' ||
        line[n + 1] != ' ' || (len > n + 5 && line[n + 5] != ' ' && line[n + 5] != '\r'))
        return -1;
    int status = read_number(line + n + 2, 3);
    return status >= 100 && status <= 599 ? status : -1;
}

/* The value of `line` if it is the header `name`; length in *ret_len. */
static const char *match_header(const char *line, size_t len, const char *name, size_t *ret_len)
{
    size_t n = strlen(name);
    if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return NULL;
    const char *value = line + n + 1;
    const char *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *ret_len = (size_t)(end - value);
    return value;
}

/* Reads one header line; false when its value is impossible. */
static bool read_header(const char *line, size_t len, struct tap_rtsp_answer *answer, int *body)
{
    size_t n;
    const char *value = match_header(line, len, "CSeq", &n);
    if (value != NULL)
        answer->cseq = read_number(value, n);
    value = match_header(line, len, "Content-Length", &n);
    if (value != NULL) {
        *body = read_number(value, n);
        return *body >= 0 && *body <= TAP_RTSP_BODY_MAX;
    }
    value = match_header(line, len, "Session", &n);
    if (value == NULL)
        return true;
    const char *semicolon = memchr(value, ';', n);
    n = semicolon != NULL ? (size_t)(semicolon - value) : n;
    while (n > 0 && value[n - 1] == ' ')
        n--;
    if (n >= sizeof(answer->session))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (value[i] <= ' ' || value[i] > '~')
            return false;
    }
    memcpy(answer->session, value, n);
    answer->session[n] = '\0';
    return true;
}

static enum tap_rtsp_item next_frame(const char *bytes, size_t len, size_t *ret_used)
{
    if (len < 4)
        return TAP_RTSP_MORE;
    size_t used = 4 + ((size_t)(unsigned char)bytes[2] << 8 | (unsigned char)bytes[3]);
    if (len < used)
        return TAP_RTSP_MORE;
    *ret_used = used;
    return TAP_RTSP_FRAME;
}

/* The end of the head (behind its empty line), or 0. */
static size_t find_head_end(const char *bytes, size_t len)
{
    const char *found =
        memmem(bytes, len < TAP_RTSP_HEAD_MAX ? len : TAP_RTSP_HEAD_MAX, "\r\n\r\n", 4);
    return found == NULL ? 0 : (size_t)(found - bytes) + 4;
}

static bool is_request(const char *bytes, size_t len)
{
    size_t i = 0;
    while (i < len && ((bytes[i] >= 'A' && bytes[i] <= 'Z') || bytes[i] == '_'))
        i++;
    return i > 0 && i < 32 && i < len && bytes[i] == ' ';
}

enum tap_rtsp_item tap_rtsp_next(const char *bytes, size_t len, struct tap_rtsp_answer *ret,
                                 size_t *ret_used)
{
    if (len == 0)
        return TAP_RTSP_MORE;
    if (bytes[0] == '$')
        return next_frame(bytes, len, ret_used);
    if (bytes[0] < 'A' || bytes[0] > 'Z')
        return TAP_RTSP_BROKEN;
    size_t head = find_head_end(bytes, len);
    if (head == 0)
        return len >= TAP_RTSP_HEAD_MAX ? TAP_RTSP_BROKEN : TAP_RTSP_MORE;
    struct tap_rtsp_answer answer = {.cseq = -1};
    answer.status = read_status(bytes, head, "RTSP/1.");
    bool asks = answer.status < 0 && is_request(bytes, head);
    if (answer.status < 0 && !asks)
        return TAP_RTSP_BROKEN;
    int body = 0;
    const char *line = (const char *)memchr(bytes, '\n', head) + 1;
    while (line < bytes + head - 2) {
        const char *end = memchr(line, '\n', (size_t)(bytes + head - line));
        size_t n = (size_t)(end - line);
        if (!read_header(line, n > 0 && line[n - 1] == '\r' ? n - 1 : n, &answer, &body))
            return TAP_RTSP_BROKEN;
        line = end + 1;
    }
    if (len < head + (size_t)body)
        return TAP_RTSP_MORE;
    *ret_used = head + (size_t)body;
    if (asks)
        return TAP_RTSP_ASKED;
    *ret = answer;
    return TAP_RTSP_ANSWER;
}

int tap_http_status(const char *bytes, size_t len)
{
    static const char start[] = "HTTP/1.";
    size_t n = len < sizeof(start) - 1 ? len : sizeof(start) - 1;
    if (memcmp(bytes, start, n) != 0)
        return -1;
    if (len < 13)
        return 0;
    return read_status(bytes, len, start);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an RTSP 1.0 server sends on a connection (RFC 2326): answers, and interleaved binary frames
 * between them. Pure; the bytes may be anything and arrive in any pieces.
 *
 *     while ((item = tap_rtsp_next(bytes, len, &answer, &used)) > TAP_RTSP_MORE) drop `used` bytes
 */
#ifndef WEIR_WORKER_TAP_RTSP_H
#define WEIR_WORKER_TAP_RTSP_H

#include <stddef.h>

#define TAP_RTSP_HEAD_MAX 16384 /* bytes of status line and headers */
#define TAP_RTSP_BODY_MAX 65536

enum tap_rtsp_item {
    TAP_RTSP_BROKEN, /* not RTSP, or over a limit */
    TAP_RTSP_MORE,   /* needs more bytes */
    TAP_RTSP_ANSWER,
    TAP_RTSP_FRAME, /* interleaved; of no interest to a publisher */
    TAP_RTSP_ASKED, /* a request of the server's; of no interest either */
};

struct tap_rtsp_answer {
    int status;       /* 100..599 */
    int cseq;         /* -1 when absent */
    char session[65]; /* without its parameters; "" when absent */
};

/* Looks at the start of `bytes`; `ret_used` is set for the last three, `ret` for an answer. */
enum tap_rtsp_item tap_rtsp_next(const char *bytes, size_t len, struct tap_rtsp_answer *ret,
                                 size_t *ret_used);

/*
 * The status of an HTTP/1 answer ("HTTP/1.1 200 OK"), which is all that the engine's API is asked
 * for. 0 when more bytes are needed, -1 when this is no HTTP.
 */
int tap_http_status(const char *bytes, size_t len);

#endif

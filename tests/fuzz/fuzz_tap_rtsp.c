/* SPDX-License-Identifier: Apache-2.0 */
/* What the tap reads from an engine: RTSP answers and frames, HTTP status lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/tap/rtsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void check_answer(const struct tap_rtsp_answer *answer)
{
    must(answer->status >= 100 && answer->status <= 599);
    must(answer->cseq >= -1);
    must(memchr(answer->session, '\0', sizeof(answer->session)) != NULL);
    must(strpbrk(answer->session, "\r\n ;") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    for (size_t at = 0; at <= size;) {
        struct tap_rtsp_answer answer;
        size_t used = 0;
        enum tap_rtsp_item item = tap_rtsp_next(bytes + at, size - at, &answer, &used);
        if (item == TAP_RTSP_BROKEN || item == TAP_RTSP_MORE)
            break;
        must(used > 0 && used <= size - at);
        if (item == TAP_RTSP_ANSWER)
            check_answer(&answer);
        at += used;
    }
    int status = tap_http_status(bytes, size);
    must(status >= -1 && status <= 599);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-still reads from the tap: a line that tells what was found, then the records it told.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/domain/still.h"
#include "worker/still/clip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536 /* a socket takes that at once, so nothing here waits */

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Of what was found as ok, everything is there that the door relies on. */
static void check_found(const struct weir_ctl_clip_answer *found)
{
    must(found->has_codec && found->has_ts && found->has_frame_us && found->has_source);
    must(found->has_from_us && found->has_to_us && found->has_bytes);
    must(found->bytes >= 0 && found->bytes <= WEIR_CLIP_BYTES_MAX);
}

static void read_records(struct still_clip *clip, size_t size)
{
    uint8_t *bytes = still_clip_read(clip);
    size_t len = (size_t)clip->found.bytes;
    must((bytes != NULL) <= (len < size)); /* never more than what was sent */
    for (size_t i = 0; bytes != NULL && i < len; i += 4096)
        must(bytes[i] <= 255); /* it can be read */
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weir_ctl_clip_ask ask = {.mode = WEIR_CTL_CLIP_ASK_MODE_LATEST};
    struct still_clip clip;
    int fds[2];
    if (size == 0 || size > INPUT_MAX)
        return 0;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    must(send(fds[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
    must(shutdown(fds[1], SHUT_WR) == 0);
    enum weir_code code = still_clip_begin(fds[0], &ask, &clip, NULL);
    must(code == WEIR_OK || code == WEIR_EUNAVAILABLE);
    if (code == WEIR_OK && clip.found.status == WEIR_CTL_CLIP_ANSWER_STATUS_OK) {
        check_found(&clip.found);
        read_records(&clip, size);
    }
    still_clip_close(&clip);
    must(clip.fd == -1);
    close(fds[1]);
    return 0;
}

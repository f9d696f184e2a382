/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/clip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/domain/still.h"
#include "worker/still/wire.h"

#define LINE_MAX_BYTES 4096
#define ANSWER_MS      3000 /* beside what the question may wait */

static int connect_to(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(addr.sun_path)) {
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)(void *)&addr, sizeof(addr)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Byte by byte: what follows the line is not ours to read yet. */
static bool read_line(struct still_clip *clip, char line[static LINE_MAX_BYTES], size_t *ret_len)
{
    for (*ret_len = 0; *ret_len < LINE_MAX_BYTES;) {
        char *at = line + *ret_len;
        if (!wire_read(clip->fd, at, 1, clip->deadline_mono_ms)) {
            return false;
        }
        ++*ret_len;
        if (*at == '\n') {
            return true;
        }
    }
    return false;
}

static bool is_whole(const struct weir_ctl_clip_answer *found)
{
    return found->status != WEIR_CTL_CLIP_ANSWER_STATUS_OK ||
           (found->has_codec && found->has_bytes && found->bytes <= WEIR_CLIP_BYTES_MAX &&
            found->has_ts && found->has_frame_us && found->has_source && found->has_from_us &&
            found->has_to_us);
}

static bool talk(struct still_clip *clip, const struct weir_ctl_clip_ask *ask)
{
    struct weir_ctl ctl = {.type = WEIR_CTL_CLIP_ASK, .u.clip_ask = *ask};
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    char line[LINE_MAX_BYTES];
    const char *bytes;
    size_t len;
    if (weir_ctl_dump(&ctl, arena, &bytes, &len, NULL) != WEIR_OK ||
        !wire_write(clip->fd, bytes, len, clip->deadline_mono_ms) || !read_line(clip, line, &len) ||
        weir_ctl_parse(line, len, arena, &ctl, NULL) != WEIR_OK ||
        ctl.type != WEIR_CTL_CLIP_ANSWER) {
        return false;
    }
    clip->found = ctl.u.clip_answer;
    return is_whole(&clip->found);
}

enum weir_code still_clip_open(const char *socket_path, const struct weir_ctl_clip_ask *ask,
                               struct still_clip *ret, struct weir_err *err)
{
    return still_clip_begin(connect_to(socket_path), ask, ret, err);
}

enum weir_code still_clip_begin(int fd, const struct weir_ctl_clip_ask *ask, struct still_clip *ret,
                                struct weir_err *err)
{
    *ret = (struct still_clip){.fd = fd,
                               .deadline_mono_ms = weir_clock_mono_ms() + ask->wait_ms + ANSWER_MS};
    return ret->fd >= 0 && talk(ret, ask)
               ? WEIR_OK
               : weir_fail(err, WEIR_EUNAVAILABLE, "weir-tap does not answer");
}

uint8_t *still_clip_read(struct still_clip *clip)
{
    size_t len = (size_t)clip->found.bytes;
    uint8_t *bytes = malloc(len + 1);
    if (bytes && !wire_read(clip->fd, bytes, len, clip->deadline_mono_ms)) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

void still_clip_close(struct still_clip *clip)
{
    if (clip->fd >= 0) {
        close(clip->fd);
        clip->fd = -1;
    }
}

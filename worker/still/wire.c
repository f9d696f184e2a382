/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/base/clock.h"

/* Whether the call that failed may be tried again, after waiting for `events`. */
static bool wait_for(int fd, short events, int64_t deadline_mono_ms)
{
    if (errno == EINTR) {
        return true;
    }
    int64_t left_ms = deadline_mono_ms - weir_clock_mono_ms();
    if (errno != EAGAIN || left_ms <= 0) {
        return false;
    }
    struct pollfd one = {.fd = fd, .events = events};
    return poll(&one, 1, (int)left_ms) >= 0 || errno == EINTR;
}

bool wire_write(int fd, const void *bytes, size_t len, int64_t deadline_mono_ms)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            at += (size_t)n;
        } else if (!wait_for(fd, POLLOUT, deadline_mono_ms)) {
            return false;
        }
    }
    return true;
}

bool wire_read(int fd, void *bytes, size_t len, int64_t deadline_mono_ms)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, (char *)bytes + at, len - at, MSG_DONTWAIT);
        if (n == 0) {
            return false;
        }
        if (n > 0) {
            at += (size_t)n;
        } else if (!wait_for(fd, POLLIN, deadline_mono_ms)) {
            return false;
        }
    }
    return true;
}

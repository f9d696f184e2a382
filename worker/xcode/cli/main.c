/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-xcode-ffmpeg: what weir-xcode does, done by the ffmpeg that is installed here. It has one
 * socket on descriptor 3, and is started by weir-tap only; the ffmpeg that it starts is shut in
 * (lib/io/sandbox.h).
 *
 *     weir-xcode-ffmpeg FFMPEG                           FFMPEG is the program, absolute
 *     weir-xcode-ffmpeg --shut-in FFMPEG ARGUMENT...     becomes it; what it calls itself as
 *
 * It links none of FFmpeg's libraries.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/io/sandbox.h"
#include "worker/xcode/cli/relay.h"

#define CHANNEL_FD 3
#define PATH_BYTES 4096

static int shut_in(char **argv)
{
    static char *const no_env[] = {NULL};
    struct weir_err err = {0};
    if (weir_sandbox_enter_for(argv[0], &err) != WEIR_OK) {
        fprintf(stderr, "cannot be shut in, so nothing is decoded: %s\n", err.msg);
        return 1;
    }
    execve(argv[0], argv, no_env);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    return 1;
}

static int run(const char *program)
{
    char self[PATH_BYTES];
    struct weir_err err = {0};
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0) {
        fprintf(stderr, "weir-xcode-ffmpeg: /proc/self/exe: %s\n", strerror(errno));
        return 1;
    }
    self[n] = '\0';
    struct child_programs programs = {self, program};
    struct relay *relay = relay_new(CHANNEL_FD, &programs);
    while (relay_turn(relay, &err)) {
    }
    relay_free(&relay);
    if (err.msg[0] == '\0') {
        return 0;
    }
    fprintf(stderr, "weir-xcode-ffmpeg: %s\n", err.msg);
    return 1;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc > 2 && strcmp(argv[1], "--shut-in") == 0) {
        return shut_in(argv + 2);
    }
    if (argc != 2 || argv[1][0] != '/') {
        fprintf(stderr, "weir-xcode-ffmpeg: weir-tap starts this program, with ffmpeg's path\n");
        return 2;
    }
    return run(argv[1]);
}

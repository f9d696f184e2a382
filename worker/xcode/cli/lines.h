/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ffmpeg's muxer framecrc writes, one line a packet: the stream, its dts, its pts, how long it
 * lasts, how many bytes it has, and more that is not needed here.
 *
 *     #tb 0: 1/90000
 *     0,     903600,     903600,     3600,     9596, 0xf52e9bbe, F=0x0
 *
 * It comes from a program that decodes bytes of a camera, and may be anything. Pure.
 */
#ifndef WEIR_WORKER_XCODE_CLI_LINES_H
#define WEIR_WORKER_XCODE_CLI_LINES_H

#include <stddef.h>
#include <stdint.h>

#define LINES_LEN_MAX 4096 /* of one line; one that is longer is none */

enum lines_item {
    LINES_MORE,   /* no whole line yet */
    LINES_SKIP,   /* one about the stream */
    LINES_PACKET, /* `ret` is set */
    LINES_BROKEN, /* none that this muxer writes, or not in 1/90000 s */
};

struct lines_packet {
    int64_t pts; /* 1/90000 s; 18 characters at most */
    size_t len;  /* bytes, up to WEIR_XCODE_UNIT_MAX */
};

/* The first line of `text`; `*ret_used` bytes of it are its, but for MORE and BROKEN. */
enum lines_item lines_next(const char *text, size_t len, struct lines_packet *ret,
                           size_t *ret_used);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a gateway: an answer that a viewer was sent. nginx writes it as a syslog datagram
 * (deploy/compose/nginx.conf.in, log_format tally):
 *
 *     <190>Nov 29 08:15:00 weir: <secret> <tenant> <viewer> <stream> <ticket id> <kind> <bytes>
 *
 * Pure and strict: what is not exactly this is refused.
 */
#ifndef TALLY_LINE_H
#define TALLY_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/id.h"

#define TALLY_LINE_MAX 1024 /* bytes; nginx's are shorter */

struct tally_line {
    struct weir_id tenant_id;
    struct weir_id viewer_id;
    struct weir_id stream_id;
    struct weir_id ticket_id;
    bool is_segment; /* or a part of one; else a playlist or an init section */
    int64_t bytes;   /* of media, 0 <= bytes < 10^15; a playlist only tells that he is there */
};

/* `text` needs no NUL. False, with `ret` untouched, when it is no such line or shows another
 * secret. `secret` is not empty. */
bool tally_line_read(const char *text, size_t len, const char *secret, struct tally_line *ret);

#endif

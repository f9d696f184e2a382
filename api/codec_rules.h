/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which stream a viewer's player can show: H.265 is for those who say that theirs does
 * (`video=hvc1`), all others have a rendition. Pure. Source: docs/adr/0038.
 */
#ifndef WEIR_API_CODEC_RULES_H
#define WEIR_API_CODEC_RULES_H

#include "lib/domain/ledger.h"
#include "lib/domain/profile.h"

/* What a player shows beside avc1, by the words of `video`: names with commas between them, or
 * NULL. False: there is another word. */
WEIR_MUST_USE bool codec_read(const char *text, bool *ret_shows_hvc1);

enum codec_verdict {
    CODEC_SHOWN,     /* the stream will do */
    CODEC_UNKNOWN,   /* it is about to be seen what the camera sends */
    CODEC_RENDITION, /* it will not: codec_rendition() is for him */
};

enum codec_verdict codec_judge(const struct weir_stream_row *row, bool shows_hvc1);

/* As large as the picture, as far as it can be encoded, with as many frames as were asked for. */
struct weir_profile codec_rendition(const struct weir_stream_row *row);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What was rewritten must be a playlist again, with its sequence moved by exactly the shift. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/domain/playlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weir_playlist_shift shift = {.media_sequence = 1000,
                                                     .discontinuity_sequence = 7};
    const char *bytes = (const char *)data;
    struct weir_playlist before = {0};
    struct weir_playlist after = {0};
    struct weir_err err = {0};
    (void)weir_playlist_file(bytes, size);
    struct weir_buf out = {.max = WEIR_PLAYLIST_BYTES_MAX};
    if (weir_playlist_parse(bytes, size, &before, &err) == WEIR_OK &&
        weir_playlist_rewrite(bytes, size, &shift, &out, &err) == WEIR_OK) {
        if (weir_playlist_parse(out.bytes, out.len, &after, &err) != WEIR_OK ||
            after.is_media != before.is_media || after.n_segments != before.n_segments ||
            (after.is_media && after.media_sequence != before.media_sequence + 1000)) {
            abort();
        }
    }
    weir_buf_done(&out);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HLS playlists (RFC 8216bis), as far as an origin must understand them: to move their sequence
 * numbers, so that a player sees one unbroken stream while engines come and go behind it.
 *
 * Pure: bytes in, bytes out, every size bounded. It is no player's parser: durations, codecs and
 * tags that carry no number of a segment go through unread. What it does insist on is that every
 * URI is a plain file name beside the playlist, so that nothing an engine writes can lead a player
 * elsewhere.
 *
 *     struct weir_playlist facts;
 *     weir_playlist_parse(bytes, len, &facts, err);
 *     struct weir_playlist_shift shift = {.media_sequence = 640, .discontinuity_sequence = 640};
 *     weir_playlist_rewrite(bytes, len, &shift, &out, err);
 *
 * turns
 *
 *     #EXT-X-MEDIA-SEQUENCE:3          into    #EXT-X-MEDIA-SEQUENCE:643
 *                                              #EXT-X-DISCONTINUITY-SEQUENCE:640
 */
#ifndef WEIR_DOMAIN_PLAYLIST_H
#define WEIR_DOMAIN_PLAYLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

#define WEIR_PLAYLIST_BYTES_MAX    (512 * 1024)
#define WEIR_PLAYLIST_LINE_MAX     4096
#define WEIR_PLAYLIST_SEGMENTS_MAX 20000
#define WEIR_PLAYLIST_SEQUENCE_MAX ((int64_t)1 << 53) /* what every player's numbers can hold */
#define WEIR_PLAYLIST_NAME_MAX     96

/* What kind of thing a file name beside a playlist is. */
enum weir_playlist_file {
    WEIR_PLAYLIST_FILE_NONE,  /* not a name that is served */
    WEIR_PLAYLIST_FILE_INDEX, /* index.m3u8, the multivariant playlist */
    WEIR_PLAYLIST_FILE_MEDIA, /* any other .m3u8 */
    WEIR_PLAYLIST_FILE_INIT,
    WEIR_PLAYLIST_FILE_SEGMENT,
    WEIR_PLAYLIST_FILE_PART, /* of low-latency HLS: may be asked for before it is there */
};

/*
 * Judges a file name: letters, digits, `_` and `-`, then one of .m3u8 .mp4 .m4s .ts; no longer than
 * WEIR_PLAYLIST_NAME_MAX. Everything else, every path and every escape included, is FILE_NONE.
 */
enum weir_playlist_file weir_playlist_file(const char *name, size_t len);

struct weir_playlist {
    bool is_media;             /* false: a multivariant playlist; the rest is then zero */
    bool has_end;              /* EXT-X-ENDLIST */
    int64_t media_sequence;    /* of its first segment; 0 where it does not say */
    int64_t n_segments;        /* skipped ones of a delta update included */
    int64_t target_duration_s; /* 0 where it does not say */
    char muxer[WEIR_PLAYLIST_NAME_MAX +
               1]; /* what its media names begin with up to the first `_`:
                    * another one is another muxer; "" while none is named */
};

/* WEIR_EPARSE for what is no playlist, WEIR_ELIMIT for one that passes a limit above. */
WEIR_MUST_USE enum weir_code weir_playlist_parse(const char *bytes, size_t len,
                                                 struct weir_playlist *ret, struct weir_err *err);

struct weir_playlist_shift {
    int64_t media_sequence;         /* added, >= 0 */
    int64_t discontinuity_sequence; /* added, >= 0 */
};

/*
 * Appends the playlist to `out` with both sequences moved: EXT-X-MEDIA-SEQUENCE (written even where
 * it was missing), EXT-X-DISCONTINUITY-SEQUENCE (likewise) and LAST-MSN of rendition reports. A
 * multivariant playlist comes out as it went in. Line ends become \n.
 * Errors as weir_playlist_parse, and WEIR_ELIMIT when `out` is full or a number passes
 * WEIR_PLAYLIST_SEQUENCE_MAX; `out` is then as it was.
 */
WEIR_MUST_USE enum weir_code weir_playlist_rewrite(const char *bytes, size_t len,
                                                   const struct weir_playlist_shift *shift,
                                                   struct weir_buf *out, struct weir_err *err);

#endif

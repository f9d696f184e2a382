/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query of GET /v1/cameras/{camera_id}/snapshot: what may be asked, what is meant where nothing
 * is said, and the words weir-origin is asked with. Pure: the time is an argument.
 *
 *     at            RFC 3339 with a zone, or now (default; by the camera's clock, where that is
 *                   known and believed). At most 2 s ahead.
 *     mode          exact (default), keyframe, latest
 *     tolerance_ms  how far from `at` the frame may be: 0..60000; 1000 for exact, else 10000
 *     format        jpeg (default), png, webp, avif
 *     width         at most so wide: 16..8192; default as the camera sends it
 *     quality       1..100, default 85
 *     start         true, false (default): a camera that nothing reads is started; with `at` now
 * only
 */
#ifndef WEIR_API_SNAPSHOT_QUERY_H
#define WEIR_API_SNAPSHOT_QUERY_H

#include "api/fields.h"
#include "lib/domain/profile.h"
#include "lib/domain/still.h"

#define SNAPSHOT_AHEAD_MS 2000

struct snapshot_query {
    int64_t at_us; /* wall clock */
    const char *mode;
    int64_t tolerance_us;
    enum weir_still_format format;
    int64_t width; /* 0: as it is */
    int64_t quality;
    struct weir_box box; /* of the ceiling, into which it is made to fit; 0: none */
    int64_t wait_ms;     /* for what is not captured yet; 0: the moment is long past */
    bool is_now;         /* no time was named */
    bool starts;
    bool has_ts; /* that very frame, as a link names it */
    int64_t ts;  /* 1/90000 s */
};

/* Returns the value of a parameter, or NULL. */
typedef const char *snapshot_value_fn(void *ctx, const char *name);

/*
 * Several pictures at equal distances: `from` and `to` as `at` above, both needed; `every` in
 * milliseconds, 40..60000 (default 1000); mode, format, width and quality as above. At most
 * SNAPSHOT_LAPSE_MAX pictures; each may lie half a distance beside its time.
 */
#define SNAPSHOT_LAPSE_MAX 60

struct snapshot_lapse {
    struct snapshot_query query; /* of each picture, but for at_us and wait_ms */
    int64_t from_us;
    int64_t every_us;
    int64_t n;      /* 1..SNAPSHOT_LAPSE_MAX */
    bool has_ended; /* one was waited for in vain, so none is any more */
};

WEIR_MUST_USE enum weir_code snapshot_lapse_read(snapshot_value_fn *value, void *ctx,
                                                 int64_t now_us, struct snapshot_lapse *ret,
                                                 struct api_fault *ret_fault);
/* Sets the query's moment: the i-th one. */
void snapshot_lapse_aim(struct snapshot_lapse *lapse, int64_t i, int64_t now_us);

/* No frame lies near the query's moment, and `to_us` is the newest that there is. */
void snapshot_lapse_miss(struct snapshot_lapse *lapse, int64_t to_us);

extern const char *const snapshot_lapse_parameters[];

#define SNAPSHOT_NAME_MAX 96

/*
 * One frame and what was made of it, as text for a URL:
 * "<frame_us>.<ts>.<format>.<width>.<quality>.<long side>.<short side>". False when it is too long.
 * Reading takes only what was written; the rest is set for that frame.
 */
WEIR_MUST_USE bool snapshot_name_write(const struct snapshot_query *query, int64_t frame_us,
                                       int64_t ts, char text[static SNAPSHOT_NAME_MAX]);
WEIR_MUST_USE bool snapshot_name_read(const char *text, struct snapshot_query *ret);

/* A camera had to be started first: now is later than it was. */
void snapshot_query_set_now(struct snapshot_query *query, int64_t now_us);

/* WEIR_ESEMANTIC: `ret_fault` says what (422). */
WEIR_MUST_USE enum weir_code snapshot_query_read(snapshot_value_fn *value, void *ctx,
                                                 int64_t now_us, struct snapshot_query *ret,
                                                 struct api_fault *ret_fault);

/* Has the picture made to fit into the ceiling's box (docs/adr/0038). */
void snapshot_query_cap(struct snapshot_query *query, const struct weir_ceiling *ceiling);
/* Several of them are no more a second than it allows, either; WEIR_ESEMANTIC as above. */
WEIR_MUST_USE enum weir_code snapshot_lapse_cap(struct snapshot_lapse *lapse,
                                                const struct weir_ceiling *ceiling,
                                                struct api_fault *ret_fault);

/* Names of the parameters, NULL-ended. */
extern const char *const snapshot_parameters[];

const char *snapshot_format_name(enum weir_still_format format); /* "jpeg" */

#endif

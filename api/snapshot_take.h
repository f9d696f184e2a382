/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the picture that a call asks for: from the worker that has the camera, which is started
 * first where that is wanted. The request waits without a thread and runs again.
 *
 *     return snapshot_run(call, begin, end);     begin: who may, and what is asked; end: the answer
 */
#ifndef WEIR_API_SNAPSHOT_TAKE_H
#define WEIR_API_SNAPSHOT_TAKE_H

#include "api/fetches.h"
#include "api/snapshot_query.h"
#include "api/stream_start.h"
#include "lib/domain/json.h"

struct snapshot_taking;

/* Whether who asks may still have the picture, and no larger than he may; or answers. */
typedef enum weir_code snapshot_may_fn(struct api_call *call, struct snapshot_taking *taking);

/* Over the runs of one call, in its arena. */
struct snapshot_taking {
    struct snapshot_query query;
    struct weir_id camera_id;
    struct weir_id ticket_id; /* of the link that is followed */
    snapshot_may_fn *may;     /* asked again when the call has waited, before the picture is made */
    /* The stream that is started for it. */
    struct api_starting starting;
    bool is_watched;
    uint64_t token;
    int64_t start_until_mono_ms;
    bool is_ahead; /* the call waits for the moment itself */
    /* The picture. */
    struct fetch *fetch;
};

struct snapshot_taken {
    struct weir_json about; /* what weir-still says of it (worker/still/door.c) */
    const char *image;      /* lives as long as the request */
    size_t len;
};

/* A camera of the tenant that the caller sees, and that is not stopped; or answers. */
WEIR_MUST_USE enum weir_code snapshot_check_camera(struct api_call *call,
                                                   const struct weir_id *camera_id,
                                                   struct weir_ceiling *ret);
/* Of who has a token: he and his right to the camera, after a wait. */
enum weir_code snapshot_may(struct api_call *call, struct snapshot_taking *taking);
/* One more of the viewer and of call->tenant_id; or 429. `viewer_id` NULL: of who has a token. */
WEIR_MUST_USE enum weir_code snapshot_check_quota(struct api_call *call,
                                                  const struct weir_id *viewer_id);

/* Reads what is asked for, or answers. */
typedef enum weir_code snapshot_read_fn(struct api_call *call, struct snapshot_query *ret);
/* Of who has a token: the camera of the path, what is asked for, his right to it and to one more
 * picture. What most snapshot_begin_fn are. */
WEIR_MUST_USE enum weir_code snapshot_begin(struct api_call *call, struct snapshot_taking *taking,
                                            snapshot_read_fn *read);

/* For questions in the URL: only parameters of the NULL-ended list are there, or 422; and the
 * snapshot_value_fn of a request. */
WEIR_MUST_USE enum weir_code snapshot_check_parameters(struct api_call *call,
                                                       const char *const *known);
const char *snapshot_parameter(void *req, const char *name);

/* Fills query, camera_id and may of what is zeroed, or answers. */
typedef enum weir_code snapshot_begin_fn(struct api_call *call, struct snapshot_taking *taking);
/* Answers with the picture. */
typedef enum weir_code snapshot_end_fn(struct api_call *call, const struct snapshot_taking *taking,
                                       const struct snapshot_taken *taken);

/* One run of the call, which has no other state. */
enum weir_code snapshot_run(struct api_call *call, snapshot_begin_fn *begin, snapshot_end_fn *end);

/*
 * The parts of that, for who takes several pictures one after the other. `snapshot_fetch` begins
 * and ends the run, or answers; at the next run `snapshot_collect` returns the worker's status:
 * with 200 there is an image, with another one `snapshot_refuse` answers as is due.
 */
WEIR_MUST_USE enum weir_code snapshot_fetch(struct api_call *call, struct snapshot_taking *taking);
int snapshot_collect(struct api_call *call, const struct snapshot_taking *taking,
                     struct snapshot_taken *ret);
enum weir_code snapshot_refuse(struct api_call *call, const struct snapshot_taking *taking,
                               int status, const struct snapshot_taken *taken);

const char *snapshot_media_type(enum weir_still_format format); /* "image/jpeg" */
/* The image with its ETag, or 304; when it was captured, and whether it is damaged. */
void snapshot_show(struct api_call *call, const struct snapshot_query *query,
                   const struct snapshot_taken *taken);
bool snapshot_is_damaged(const struct weir_json *about);

/* A number of `about`; 0 where there is none. */
int64_t snapshot_number(const struct weir_json *about, const char *name);
/* What was looked for: `at`, and where that was now, now by the camera's clock. */
int64_t snapshot_moment(const struct snapshot_query *query, const struct weir_json *about);
/* In the call's arena: RFC 3339 with microseconds (half a frame at 60 fps is 8 ms); milliseconds
 * with one decimal. */
const char *snapshot_time_text(struct api_call *call, int64_t wall_us);
const char *snapshot_ms_text(struct api_call *call, int64_t us);
/* Weir-Ring-From and -To, where the worker says them. */
void snapshot_add_range(struct api_call *call, const struct weir_json *about);

#endif

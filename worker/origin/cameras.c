/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/origin/cameras.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/base/map.h"

struct row {
    struct weir_ctl ctl;
    int64_t said_ms;
};

struct cameras {
    struct weir_map *rows; /* camera id -> struct row */
    int64_t swept_ms;
};

struct cameras *cameras_new(void)
{
    struct cameras *cameras = weir_xalloc(sizeof(*cameras));
    cameras->rows = weir_map_new(sizeof(struct weir_id));
    return cameras;
}

static bool is_old(const struct row *row, int64_t now_ms)
{
    return now_ms - row->said_ms > CAMERAS_OLD_MS;
}

/* Removes what is older than `now_ms` allows; all of it with INT64_MAX. */
static void sweep(struct cameras *cameras, int64_t now_ms)
{
    void *value;
    for (size_t at = 0; weir_map_next(cameras->rows, &at, NULL, &value);) {
        struct row *row = value;
        if (is_old(row, now_ms)) {
            weir_map_remove(cameras->rows, row->ctl.u.camera_status.camera_id.b);
            free(row);
        }
    }
}

void cameras_free(struct cameras *cameras)
{
    if (cameras == NULL) {
        return;
    }
    sweep(cameras, INT64_MAX);
    weir_map_free(cameras->rows);
    free(cameras);
}

void cameras_take(struct cameras *cameras, const struct weir_ctl_camera_status *status,
                  int64_t now_ms)
{
    struct row *row = weir_map_find(cameras->rows, status->camera_id.b);
    if (row == NULL) {
        row = weir_xalloc(sizeof(*row));
        weir_map_put(cameras->rows, status->camera_id.b, row);
    }
    row->ctl = (struct weir_ctl){.type = WEIR_CTL_CAMERA_STATUS, .u.camera_status = *status};
    row->said_ms = now_ms;
    if (now_ms - cameras->swept_ms > CAMERAS_OLD_MS) {
        sweep(cameras, now_ms);
        cameras->swept_ms = now_ms;
    }
}

const struct weir_ctl *cameras_find(const struct cameras *cameras, const struct weir_id *tenant_id,
                                    const struct weir_id *camera_id, int64_t now_ms)
{
    const struct row *row = weir_map_find(cameras->rows, camera_id->b);
    bool is_there = row != NULL && !is_old(row, now_ms) &&
                    weir_id_equal(&row->ctl.u.camera_status.tenant_id, tenant_id);
    return is_there ? &row->ctl : NULL;
}

void cameras_ask(struct cameras *cameras, struct ask *ask, int64_t now_ms)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    const struct weir_ctl *ctl = cameras_find(cameras, &ask->tenant_id, &ask->camera_id, now_ms);
    const char *bytes = NULL;
    size_t len = 0;
    struct weir_err err = {0};
    if (ctl == NULL) {
        ask_answer(ask, 404, NULL);
        return;
    }
    struct weir_buf buf = {.max = WEIR_CTL_BYTES_MAX};
    if (weir_ctl_dump(ctl, arena, &bytes, &len, &err) != WEIR_OK ||
        !weir_buf_add(&buf, bytes, len)) {
        weir_log(WEIR_LOG_ERROR, "camera: its status cannot be written", "why", err.msg, NULL);
        weir_buf_done(&buf);
        ask_answer(ask, 503, NULL);
        return;
    }
    struct blob *blob = blob_new(&buf);
    ask_answer(ask, 200, blob);
    blob_unref(&blob);
}

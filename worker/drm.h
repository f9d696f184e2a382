/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How busy the video engines of a graphics card are with our own children, by what the kernel tells
 * of their descriptors (DRM fdinfo, docs of the kernel: gpu/drm-usage-stats). It needs no right and
 * no library, so it is for cards that NVML does not know.
 *
 *     struct drm_reader reader = {.root = ""};
 *     drm_sample(&reader, getpid(), now_ms, &load);      rates are over the time since the last one
 */
#ifndef WEIR_WORKER_DRM_H
#define WEIR_WORKER_DRM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/domain/events.h"

#define DRM_ROOT_MAX    256
#define DRM_CLIENTS_MAX 256
#define DRM_PDEV_MAX    32

/* One user of a card: a process may have several descriptors of it. */
struct drm_client {
    char pdev[DRM_PDEV_MAX]; /* the card, "0000:00:02.0"; "": not told */
    int64_t id;              /* of all its users */
    int64_t video_ns;        /* that engines for video (video, enc*, dec*) worked for it */
    int64_t capacity;        /* how many engines there are for that; >= 1 */
};

/* The text of a file in fdinfo; false: it is of no card. Pure. */
bool drm_parse(const char *text, struct drm_client *ret);

struct drm_reader {
    char root[DRM_ROOT_MAX]; /* before /proc; "" in earnest */
    bool has_any;            /* there was a card at some time */
    int64_t last_ms;
    size_t n;
    struct drm_client clients[DRM_CLIENTS_MAX]; /* as of the last sample */
};

/*
 * Looks at all that descends from `pid` and is a weir-xcode. Where that has a card, or had one,
 * `ret`'s gpu_permille_used is set: of the engines for video of one card. `now_ms` monotonic.
 */
void drm_sample(struct drm_reader *reader, pid_t pid, int64_t now_ms,
                struct weir_ev_heartbeat_load *ret);

#endif

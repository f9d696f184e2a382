/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine slot: one MediaMTX process with room for a few streams.
 *
 * Its API and HLS are unix sockets in a private folder, RTSP listens on loopback with random
 * credentials, everything else is off; segments lie on tmpfs. One regex path takes every stream, so
 * a stream costs no configuration call. The configuration file is written before each start and
 * never touched while the engine runs (a changed file would make it drop paths).
 *
 *     OFF  -- slot_on -->  STARTING  -- API answers -->  UP  -- exit, hang, too large -->  DOWN
 *
 * A look is a question to its API; one that leaves two in a row unanswered for 1.5 s each hangs.
 * An engine that ended is started again at once, then after 0.5 s doubling to 30 s until one stayed
 * up for a minute. Each start has new credentials and an empty segment folder. Whoever had streams
 * on it hears on_down and places them anew.
 */
#ifndef WEIR_WORKER_SLOT_H
#define WEIR_WORKER_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/domain/events.h"
#include "lib/io/process.h"
#include "worker/probe.h"
#include "worker/respawn.h"

#define SLOT_PATH_MAX   256
#define SLOT_SOCKET_MAX 108
#define SLOT_SECRET_MAX 33 /* 32 hex digits */

enum slot_state { SLOT_OFF, SLOT_DOWN, SLOT_STARTING, SLOT_UP };

struct slot;

struct slot_config {
    const char *program;     /* of the engine */
    const char *run_dir;     /* private */
    const char *segment_dir; /* on tmpfs */
    enum weir_ctl_origin_route_variant variant;
    int64_t mem_max_mib;
    struct weir_loop *loop;
    void (*on_up)(void *ctx, struct slot *slot);
    void (*on_down)(void *ctx, struct slot *slot);
    void *ctx;
};

struct slot {
    /* For reading: */
    int index;
    enum slot_state state;
    size_t n_streams; /* counted by the pool */
    int64_t empty_since_mono_ms;
    char api_socket[SLOT_SOCKET_MAX];
    char hls_socket[SLOT_SOCKET_MAX];
    int64_t rtsp_port;
    char username[SLOT_SECRET_MAX];
    char password[SLOT_SECRET_MAX];
    char cdn_secret[SLOT_SECRET_MAX];
    char segments[SLOT_PATH_MAX];
    int64_t starts;

    /* The slot's own: */
    const struct slot_config *config;
    char folder[SLOT_PATH_MAX];
    struct weir_process process;
    struct weir_timer *timer; /* the next look, or the next start */
    struct respawn respawn;
    int strikes;         /* looks in a row that the engine did not answer */
    struct probe *probe; /* the look under way */
    struct weir_buf line;
    struct weir_log_limit lines;
};

/* `config` is kept. The slot is OFF. */
struct slot *slot_new(const struct slot_config *config, int index);

/* Starts an engine in a slot that is OFF; on_up follows when it answers. */
void slot_on(struct slot *slot);

/* Kills the engine of a slot that nobody uses. */
void slot_off(struct slot *slot);

/* Frees; only after the loop and the calls ended. NULL is fine. */
void slot_free(struct slot *slot);

/* Sends SIGTERM; on_down does not come. For the worker's own end. */
void slot_stop(struct slot *slot);

/* Whether the engine has a playlist of the path to give: whole segments lie in its folder. */
bool slot_has_playlist(const struct slot *slot, const char *path);

/* Writes the engine's configuration (YAML). Pure, for tests. */
void slot_write_config(const struct slot *slot, struct weir_buf *out);

/* The number in a segment's file name ("..._seg12.mp4"), -1 for other files. Pure. */
int64_t slot_segment_number(const char *file);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/room.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "worker/files.h"

#define PATH_BYTES  512
#define LEAK_AGE_S  30
#define SMALL_SHARE 20

bool room_is_full(int64_t free_bytes, int64_t all_bytes, bool was_full)
{
    int64_t least = all_bytes / SMALL_SHARE;
    least = least < ROOM_LEAST_BYTES ? least : ROOM_LEAST_BYTES;
    return free_bytes < (was_full ? 2 * least : least);
}

bool room_look(const char *path, bool was_full)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0 || info.f_blocks == 0) {
        return false;
    }
    int64_t block = (int64_t)info.f_frsize;
    return room_is_full((int64_t)info.f_bavail * block, (int64_t)info.f_blocks * block, was_full);
}

static bool is_old(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && time(NULL) - info.st_mtime >= LEAK_AGE_S;
}

/* Calls `fn` with each name in a folder but the hidden ones. */
static void each(const char *folder, void (*fn)(void *ctx, const char *folder, const char *name),
                 void *ctx)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.') {
            fn(ctx, folder, entry->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

struct sweep {
    const char *stream;
    bool (*has)(void *ctx, const char *path);
    void *ctx;
};

static void sweep_generation(void *ctx, const char *folder, const char *name)
{
    const struct sweep *sweep = ctx;
    char full[2 * PATH_BYTES];
    char path[PATH_BYTES];
    bool fits = snprintf(full, sizeof(full), "%s/%s", folder, name) < (int)sizeof(full) &&
                snprintf(path, sizeof(path), "live/%s/%s", sweep->stream, name) < (int)sizeof(path);
    if (fits && is_old(full) && !sweep->has(sweep->ctx, path)) {
        WEIR_IGNORE(files_remove_dir(full, NULL), "the next sweep comes");
    }
}

static void sweep_stream(void *ctx, const char *folder, const char *name)
{
    struct sweep *sweep = ctx;
    char full[PATH_BYTES];
    if (snprintf(full, sizeof(full), "%s/%s", folder, name) >= (int)sizeof(full)) {
        return;
    }
    sweep->stream = name;
    each(full, sweep_generation, sweep);
    if (is_old(full)) {
        WEIR_IGNORE(rmdir(full), "it still has a generation");
    }
}

void room_sweep(const char *segments, bool (*has)(void *ctx, const char *path), void *ctx)
{
    struct sweep sweep = {.has = has, .ctx = ctx};
    char live[PATH_BYTES];
    snprintf(live, sizeof(live), "%s/live", segments);
    each(live, sweep_stream, &sweep);
}

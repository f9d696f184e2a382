/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/drm.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "worker/files.h"

#define PATH_BYTES    (DRM_ROOT_MAX + 320)
#define TEXT_BYTES    4096
#define DEPTH_MOST    3 /* worker, tap, weir-xcode, and what stands between */
#define CAPACITY_MOST 64
#define NS_PER_MS     1000000

/* ---- one file ---- */

/* The value of a line "name:<blanks>value", behind the blanks; NULL: it is another one. */
static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncmp(line, name, len) != 0 || line[len] != ':') {
        return NULL;
    }
    return line + len + 1 + strspn(line + len + 1, " \t");
}

/* Never negative; what is too large stays the largest. */
static int64_t number(const char *text)
{
    long long value = strtoll(text, NULL, 10);
    return value > 0 ? value : 0;
}

static int64_t sum(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* drm-engine-video, -enc, -enc_1, -dec, and no other one. */
static bool is_for_video(const char *line)
{
    return weir_str_starts_with(line, "drm-engine-video:") ||
           weir_str_starts_with(line, "drm-engine-enc") ||
           weir_str_starts_with(line, "drm-engine-dec");
}

static void take_line(const char *line, struct drm_client *client, bool *ret_has_id)
{
    const char *colon = strchr(line, ':');
    const char *value = value_of(line, "drm-client-id");
    if (value != NULL) {
        client->id = number(value);
        *ret_has_id = true;
    } else if ((value = value_of(line, "drm-pdev")) != NULL) {
        snprintf(client->pdev, sizeof(client->pdev), "%.*s", (int)strcspn(value, " \t"), value);
    } else if ((value = value_of(line, "drm-engine-capacity-video")) != NULL) {
        int64_t capacity = number(value);
        client->capacity = capacity < 1 ? 1 : capacity > CAPACITY_MOST ? CAPACITY_MOST : capacity;
    } else if (colon != NULL && is_for_video(line)) {
        client->video_ns = sum(client->video_ns, number(colon + 1));
    }
}

bool drm_parse(const char *text, struct drm_client *ret)
{
    bool has_id = false;
    *ret = (struct drm_client){.capacity = 1};
    while (*text != '\0') {
        char line[128];
        size_t len = strcspn(text, "\n");
        if (len < sizeof(line)) {
            memcpy(line, text, len);
            line[len] = '\0';
            take_line(line, ret, &has_id);
        }
        text += len + (text[len] == '\n');
    }
    return has_id;
}

/* ---- all of them ---- */

/* What one sample finds. */
struct round {
    const char *root;
    size_t n;
    struct drm_client clients[DRM_CLIENTS_MAX];
};

static struct drm_client *find(struct drm_client *clients, size_t n, const struct drm_client *like)
{
    for (size_t i = 0; i < n; i++) {
        if (clients[i].id == like->id && strcmp(clients[i].pdev, like->pdev) == 0) {
            return &clients[i];
        }
    }
    return NULL;
}

/* Several descriptors tell of the same user. */
static void note(struct round *round, const struct drm_client *client)
{
    struct drm_client *known = find(round->clients, round->n, client);
    if (known != NULL) {
        known->video_ns = client->video_ns > known->video_ns ? client->video_ns : known->video_ns;
    } else if (round->n < DRM_CLIENTS_MAX) {
        round->clients[round->n++] = *client;
    }
}

static void look_at_files(struct round *round, long pid)
{
    char path[PATH_BYTES];
    char text[TEXT_BYTES];
    struct drm_client client;
    snprintf(path, sizeof(path), "%s/proc/%ld/fdinfo", round->root, pid);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/proc/%ld/fdinfo/%s", round->root, pid, entry->d_name);
        if (entry->d_name[0] != '.' && files_read(path, text, sizeof(text)) &&
            drm_parse(text, &client)) {
            note(round, &client);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static bool is_xcode(const struct round *round, long pid)
{
    char path[PATH_BYTES];
    char text[32];
    snprintf(path, sizeof(path), "%s/proc/%ld/comm", round->root, pid);
    return files_read(path, text, sizeof(text)) && strcmp(text, "weir-xcode\n") == 0;
}

/* Its first thread starts all children. */
static void look_at(struct round *round, long pid, int depth)
{
    char path[PATH_BYTES];
    char text[TEXT_BYTES];
    if (is_xcode(round, pid)) {
        look_at_files(round, pid);
    }
    snprintf(path, sizeof(path), "%s/proc/%ld/task/%ld/children", round->root, pid, pid);
    if (depth >= DEPTH_MOST || !files_read(path, text, sizeof(text))) {
        return;
    }
    char *end = text;
    for (long child = strtol(text, &end, 10); child > 0; child = strtol(end, &end, 10)) {
        look_at(round, child, depth + 1);
    }
}

void drm_sample(struct drm_reader *reader, pid_t pid, int64_t now_ms,
                struct weir_ev_heartbeat_load *ret)
{
    struct round *round = weir_xalloc(sizeof(*round));
    int64_t elapsed_ms = now_ms - reader->last_ms;
    int64_t busy_ns = 0;
    int64_t capacity = 1;
    round->root = reader->root;
    look_at(round, pid, 0);
    for (size_t i = 0; i < round->n; i++) {
        /* A user that is new began since. */
        const struct drm_client *before = find(reader->clients, reader->n, &round->clients[i]);
        int64_t before_ns = before != NULL ? before->video_ns : 0;
        int64_t now_ns = round->clients[i].video_ns;
        busy_ns = sum(busy_ns, now_ns > before_ns ? now_ns - before_ns : 0);
        capacity = round->clients[i].capacity > capacity ? round->clients[i].capacity : capacity;
    }
    if (reader->has_any && elapsed_ms > 0) {
        int64_t permille = busy_ns / NS_PER_MS * 1000 / (elapsed_ms * capacity);
        ret->has_gpu_permille_used = true;
        ret->gpu_permille_used = permille < 1000 ? permille : 1000;
    }
    reader->has_any = reader->has_any || round->n > 0;
    reader->n = round->n;
    memcpy(reader->clients, round->clients, round->n * sizeof(round->clients[0]));
    reader->last_ms = now_ms;
    free(round);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"

#define PATH_BYTES 512
#define MAGIC      0x57535032U /* "WSP2" */

/* The begin of a file. The sizes tell another build's files. */
struct head {
    uint32_t magic;
    uint32_t unit_size;
    uint64_t number; /* of the group; one more than that of the file before */
    struct tap_format format;
};

struct tap_spool {
    char path[PATH_BYTES]; /* of the files, without their number */
    uint64_t number;       /* of the group being written */
    int fd;                /* or -1: until the next key unit nothing is written */
    size_t bytes;
    size_t sizes[TAP_SPOOL_FILES]; /* of those written since it was opened */
};

static void file_path(const struct tap_spool *spool, uint64_t number, char path[static PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%.*s.%u", PATH_BYTES - 16, spool->path,
             (unsigned)(number % TAP_SPOOL_FILES));
}

static void end_file(struct tap_spool *spool)
{
    if (spool->fd >= 0)
        close(spool->fd);
    spool->fd = -1;
}

static void give_up_file(struct tap_spool *spool)
{
    char path[PATH_BYTES];
    end_file(spool);
    file_path(spool, spool->number, path);
    WEIR_IGNORE(unlink(path), "it may never have been made");
}

struct tap_spool *tap_spool_open(const char *dir, const struct weir_id *camera_id)
{
    char id[WEIR_ID_TEXT_MAX];
    if (dir[0] == '\0')
        return NULL;
    struct tap_spool *spool = weir_xalloc(sizeof(*spool));
    spool->fd = -1;
    snprintf(spool->path, sizeof(spool->path), "%s/%s", dir, weir_id_format(camera_id, id));
    return spool;
}

size_t tap_spool_bytes(const struct tap_spool *spool)
{
    size_t sum = 0;
    for (size_t i = 0; spool != NULL && i < TAP_SPOOL_FILES; i++)
        sum += spool->sizes[i];
    return sum;
}

void tap_spool_clear(struct tap_spool *spool)
{
    if (spool == NULL)
        return;
    end_file(spool);
    memset(spool->sizes, 0, sizeof(spool->sizes));
    for (uint64_t i = 0; i < TAP_SPOOL_FILES; i++) {
        char path[PATH_BYTES];
        file_path(spool, i, path);
        WEIR_IGNORE(unlink(path), "it may never have been made");
    }
}

void tap_spool_close(struct tap_spool **spool, bool removes)
{
    if (*spool == NULL)
        return;
    if (removes)
        tap_spool_clear(*spool);
    end_file(*spool);
    free(*spool);
    *spool = NULL;
}

/* ---- writing ---- */

static bool put(struct tap_spool *spool, const void *bytes, size_t n)
{
    ssize_t written;
    do {
        written = write(spool->fd, bytes, n);
    } while (written < 0 && errno == EINTR);
    spool->bytes += n;
    spool->sizes[spool->number % TAP_SPOOL_FILES] = spool->bytes;
    return written == (ssize_t)n;
}

static void begin_file(struct tap_spool *spool, const struct tap_format *format)
{
    char path[PATH_BYTES];
    struct head head;
    end_file(spool);
    spool->number++;
    spool->bytes = 0;
    file_path(spool, spool->number, path);
    spool->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    memset(&head, 0, sizeof(head)); /* padding too */
    head.magic = MAGIC;
    head.unit_size = sizeof(struct tap_unit);
    head.number = spool->number;
    head.format = *format;
    if (spool->fd >= 0 && !put(spool, &head, sizeof(head)))
        give_up_file(spool);
}

void tap_spool_add(struct tap_spool *spool, const struct tap_format *format,
                   const struct tap_unit *unit)
{
    if (spool == NULL)
        return;
    if (unit->track == TAP_VIDEO && unit->is_key)
        begin_file(spool, format);
    size_t size = sizeof(*unit) + unit->len;
    if (spool->fd >= 0 && (spool->bytes + size > TAP_SPOOL_FILE_MAX || !put(spool, unit, size)))
        give_up_file(spool);
}

/* ---- reading ---- */

static bool get(int fd, void *bytes, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t more = read(fd, (char *)bytes + got, n - got);
        if (more <= 0 && !(more < 0 && errno == EINTR))
            return false;
        got += more > 0 ? (size_t)more : 0;
    }
    return true;
}

/* -1: there is no such file, or it is none of ours. */
static int open_file(const struct tap_spool *spool, uint64_t slot, struct head *ret)
{
    char path[PATH_BYTES];
    file_path(spool, slot, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    if (!get(fd, ret, sizeof(*ret)) || ret->magic != MAGIC ||
        ret->unit_size != sizeof(struct tap_unit) || ret->number % TAP_SPOOL_FILES != slot) {
        close(fd);
        return -1;
    }
    return fd;
}

static struct tap_unit *read_unit(int fd)
{
    struct tap_unit head;
    if (!get(fd, &head, sizeof(head)) || head.len == 0 || head.len > TAP_SPOOL_FILE_MAX ||
        (head.track != TAP_VIDEO && head.track != TAP_AUDIO))
        return NULL;
    struct tap_unit *unit = weir_xalloc(sizeof(*unit) + head.len);
    *unit = head;
    if (get(fd, unit->bytes, head.len))
        return unit;
    free(unit);
    return NULL;
}

static void read_group(const struct tap_spool *spool, uint64_t number, struct tap_ring *ring)
{
    struct head head;
    struct tap_unit *unit;
    int fd = open_file(spool, number % TAP_SPOOL_FILES, &head);
    if (fd < 0)
        return;
    while ((unit = read_unit(fd)) != NULL)
        WEIR_IGNORE(!tap_ring_push(ring, unit), "a ring that is full gives up its oldest");
    close(fd);
}

/* The newest group, and the first of those that lead up to it. False: there is none. */
static bool find_groups(struct tap_spool *spool, uint64_t *ret_first, struct tap_format *ret_format)
{
    uint64_t numbers[TAP_SPOOL_FILES] = {0};
    uint64_t newest = 0;
    for (uint64_t slot = 0; slot < TAP_SPOOL_FILES; slot++) {
        struct head head;
        int fd = open_file(spool, slot, &head);
        if (fd < 0)
            continue;
        close(fd);
        numbers[slot] = head.number;
        if (head.number > newest) {
            newest = head.number;
            *ret_format = head.format;
        }
    }
    uint64_t first = newest;
    while (first > 1 && newest - first + 1 < TAP_SPOOL_FILES &&
           numbers[(first - 1) % TAP_SPOOL_FILES] == first - 1)
        first--;
    spool->number = newest;
    *ret_first = first;
    return newest > 0;
}

static bool is_recent(const struct tap_ring *ring, int64_t now_wall_us)
{
    const struct tap_unit *unit = tap_ring_find(ring, ring->end - 1);
    return unit != NULL && now_wall_us - unit->arrival_us < TAP_SPOOL_OLD_US &&
           unit->arrival_us <= now_wall_us;
}

bool tap_spool_load(struct tap_spool *spool, int64_t now_wall_us, struct tap_format *ret_format,
                    struct tap_ring *ring)
{
    uint64_t first;
    struct tap_format format;
    if (spool == NULL || !find_groups(spool, &first, &format))
        return false;
    for (uint64_t number = first; number <= spool->number; number++)
        read_group(spool, number, ring);
    if (tap_ring_is_empty(ring))
        return false;
    if (!is_recent(ring, now_wall_us)) {
        int64_t max_ms = ring->max_ms;
        size_t max_bytes = ring->max_bytes;
        tap_ring_done(ring);
        tap_ring_init(ring, max_ms, max_bytes);
        return false;
    }
    *ret_format = format;
    return true;
}

void tap_spool_sweep(const char *dir, bool (*keeps)(void *ctx, const struct weir_id *camera_id),
                     void *ctx)
{
    DIR *all = dir[0] == '\0' ? NULL : opendir(dir);
    for (struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        struct weir_id id;
        const char *dot = strchr(entry->d_name, '.');
        if (dot == NULL ||
            weir_id_parse(entry->d_name, (size_t)(dot - entry->d_name), &id, NULL) != WEIR_OK ||
            keeps(ctx, &id))
            continue;
        WEIR_IGNORE(unlinkat(dirfd(all), entry->d_name, 0), "the next sweep comes");
    }
    if (all != NULL)
        closedir(all);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "worker/files.h"

#define PATH_BYTES 1024
#define TEXT_BYTES 8192
/* v1 says "unlimited" as the largest page-aligned number. */
#define UNLIMITED_BYTES (INT64_MAX / 2)

/* A group's folder: <mount><path>, where `path` is cut part by part on the way up. */
struct group {
    char mount[PATH_BYTES];
    char path[PATH_BYTES];
};

static bool read_file(const struct group *group, const char *file, char text[static TEXT_BYTES])
{
    char path[3 * PATH_BYTES];
    snprintf(path, sizeof(path), "%s%s/%s", group->mount, group->path, file);
    return files_read(path, text, TEXT_BYTES);
}

/* False at the root. */
static bool go_up(struct group *group)
{
    char *slash = strrchr(group->path, '/');
    if (!slash) {
        return false;
    }
    *slash = '\0';
    return true;
}

/* Finds the line of a controller ("" for v2) in /proc/self/cgroup: "4:cpu,cpuacct:/path". */
static bool find_path(const char *lines, const char *controller, char *path, size_t size)
{
    size_t len = strlen(controller);
    for (const char *line = lines; *line;) {
        const char *end = strchrnul(line, '\n');
        const char *names = memchr(line, ':', (size_t)(end - line));
        const char *where = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
        for (const char *name = where ? names + 1 : NULL; name && name <= where;) {
            const char *stop = memchr(name, ',', (size_t)(where - name));
            stop = stop ? stop : where;
            if ((size_t)(stop - name) == len && memcmp(name, controller, len) == 0) {
                snprintf(path, size, "%.*s", (int)(end - where - 1), where + 1);
                return true;
            }
            name = stop + 1;
        }
        line = *end ? end + 1 : end;
    }
    return false;
}

static bool locate(const char *root, const char *lines, const char *controller, const char *probe,
                   struct group *ret)
{
    static const char *const v1_mounts[] = {"cpu,cpuacct", "cpuacct,cpu"};
    char text[TEXT_BYTES];
    if (!find_path(lines, controller, ret->path, sizeof(ret->path))) {
        return false;
    }
    if (strcmp(ret->path, "/") == 0) {
        ret->path[0] = '\0';
    }
    const char *folders[] = {controller, v1_mounts[0], v1_mounts[1]};
    size_t n = *controller ? sizeof(folders) / sizeof(folders[0]) : 1;
    for (size_t i = 0; i < n; i++) {
        snprintf(ret->mount, sizeof(ret->mount), "%s/sys/fs/cgroup%s%s", root,
                 *controller ? "/" : "", folders[i]);
        if (read_file(ret, probe, text)) {
            return true;
        }
        struct group top = *ret;
        top.path[0] = '\0';
        if (read_file(&top, probe, text)) {
            *ret = top;
            return true;
        }
    }
    return false;
}

static bool read_number(const struct group *group, const char *file, int64_t *ret)
{
    char text[TEXT_BYTES];
    char *end;
    if (!read_file(group, file, text)) {
        return false;
    }
    long long value = strtoll(text, &end, 10);
    if (end == text) {
        return false;
    }
    *ret = value;
    return true;
}

/* The number behind a word at the start of a line: "usage_usec 123". */
static bool read_word(const struct group *group, const char *file, const char *word, int64_t *ret)
{
    char text[TEXT_BYTES];
    size_t len = strlen(word);
    if (!read_file(group, file, text)) {
        return false;
    }
    for (const char *line = text; *line;) {
        if (strncmp(line, word, len) == 0 && line[len] == ' ') {
            *ret = strtoll(line + len, NULL, 10);
            return true;
        }
        const char *end = strchrnul(line, '\n');
        line = *end ? end + 1 : end;
    }
    return false;
}

static void tighten(bool *has, int64_t *limit, int64_t value)
{
    if (!*has || value < *limit) {
        *has = true;
        *limit = value;
    }
}

static void take_quota(struct cgroup *ret, int64_t quota, int64_t period)
{
    if (quota > 0 && period > 0) {
        tighten(&ret->has_cpu_limit, &ret->cpu_milli, quota * 1000 / period);
    }
}

static void take_memory_limit(struct cgroup *ret, int64_t bytes)
{
    if (bytes > 0 && bytes < UNLIMITED_BYTES) {
        tighten(&ret->has_mem_limit, &ret->mem_limit_bytes, bytes);
    }
}

static void take_memory_used(const struct group *group, const char *file, const char *word,
                             struct cgroup *ret)
{
    int64_t inactive = 0;
    ret->has_mem_used = read_number(group, file, &ret->mem_used_bytes);
    if (ret->has_mem_used && read_word(group, "memory.stat", word, &inactive) &&
        inactive <= ret->mem_used_bytes) {
        ret->mem_used_bytes -= inactive;
    }
}

static void take_cpuset(const struct group *group, const char *file, struct cgroup *ret)
{
    char text[TEXT_BYTES];
    if (read_file(group, file, text)) {
        ret->cpus = cgroup_count_cpus(text);
        ret->has_cpus = ret->cpus > 0;
    }
}

static void read_v2(struct group group, struct cgroup *ret)
{
    ret->has_cpu_used = read_word(&group, "cpu.stat", "usage_usec", &ret->cpu_used_us);
    take_memory_used(&group, "memory.current", "inactive_file", ret);
    take_cpuset(&group, "cpuset.cpus.effective", ret);
    do {
        char text[TEXT_BYTES];
        long long quota = 0;
        long long period = 0;
        int64_t bytes = 0;
        if (read_file(&group, "cpu.max", text) && sscanf(text, "%lld %lld", &quota, &period) == 2) {
            take_quota(ret, quota, period);
        }
        if (read_number(&group, "memory.max", &bytes)) {
            take_memory_limit(ret, bytes);
        }
        if (read_number(&group, "memory.high", &bytes)) {
            take_memory_limit(ret, bytes);
        }
    } while (go_up(&group));
}

static void read_v1(const char *root, const char *lines, struct cgroup *ret)
{
    struct group group;
    int64_t a = 0;
    int64_t b = 0;
    if (locate(root, lines, "cpuacct", "cpuacct.usage", &group) &&
        read_number(&group, "cpuacct.usage", &a)) {
        ret->has_cpu_used = true;
        ret->cpu_used_us = a / 1000;
    }
    if (locate(root, lines, "cpu", "cpu.cfs_quota_us", &group)) {
        do {
            if (read_number(&group, "cpu.cfs_quota_us", &a) &&
                read_number(&group, "cpu.cfs_period_us", &b)) {
                take_quota(ret, a, b);
            }
        } while (go_up(&group));
    }
    if (locate(root, lines, "memory", "memory.limit_in_bytes", &group)) {
        take_memory_used(&group, "memory.usage_in_bytes", "total_inactive_file", ret);
        do {
            if (read_number(&group, "memory.limit_in_bytes", &a)) {
                take_memory_limit(ret, a);
            }
        } while (go_up(&group));
    }
    if (locate(root, lines, "cpuset", "cpuset.cpus", &group)) {
        take_cpuset(&group, "cpuset.cpus", ret);
    }
}

void cgroup_read(const char *root, struct cgroup *ret)
{
    char path[PATH_BYTES];
    char lines[TEXT_BYTES];
    struct group group;
    *ret = (struct cgroup){0};
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    if (!files_read(path, lines, sizeof(lines))) {
        return;
    }
    if (locate(root, lines, "", "cgroup.controllers", &group)) {
        read_v2(group, ret);
    } else {
        read_v1(root, lines, ret);
    }
}

int64_t cgroup_count_cpus(const char *list)
{
    int64_t n = 0;
    while (*list >= '0' && *list <= '9') {
        char *end;
        long first = strtol(list, &end, 10);
        long last = first;
        if (*end == '-') {
            last = strtol(end + 1, &end, 10);
        }
        n += last >= first ? last - first + 1 : 0;
        list = *end == ',' ? end + 1 : end;
    }
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/cgroup.h"
#include "worker/files.h"

#define PATH_BYTES       512
#define TEXT_BYTES       16384
#define NET_DEFAULT_KBPS 1000000

static bool read_file(const struct load_reader *reader, const char *path,
                      char text[static TEXT_BYTES])
{
    char full[LOAD_ROOT_MAX + PATH_BYTES];
    int size = snprintf(full, sizeof(full), "%s%s", reader->root, path);
    return size > 0 && (size_t)size < sizeof(full) && files_read(full, text, TEXT_BYTES);
}

/* Busy time of the whole machine; what a hypervisor took away (steal) counts as busy. */
static bool machine_cpu_us(const struct load_reader *reader, int64_t *ret)
{
    char text[TEXT_BYTES];
    long long v[8] = {0}; /* user nice system idle iowait irq softirq steal */
    if (!read_file(reader, "/proc/stat", text) ||
        sscanf(text, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &v[0], &v[1], &v[2], &v[3],
               &v[4], &v[5], &v[6], &v[7]) < 4) {
        return false;
    }
    *ret = (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) * (1000000 / sysconf(_SC_CLK_TCK));
    return true;
}

static int64_t machine_cpus(const struct load_reader *reader)
{
    char text[TEXT_BYTES];
    int64_t n = 0;
    if (read_file(reader, "/sys/devices/system/cpu/online", text)) {
        n = cgroup_count_cpus(text);
    }
    return n > 0 ? n : 1;
}

/* A line of /proc/meminfo, in KiB. */
static int64_t meminfo_kib(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

static void sample_cpu(struct load_reader *reader, const struct cgroup *cgroup, int64_t elapsed_ms,
                       struct weir_ev_heartbeat_load *ret)
{
    int64_t cap = machine_cpus(reader) * 1000;
    if (cgroup->has_cpus) {
        cap = at_most(cap, cgroup->cpus * 1000);
    }
    bool is_limited = cgroup->has_cpu_limit && cgroup->cpu_milli < cap;
    if (is_limited) {
        cap = cgroup->cpu_milli;
    }
    int64_t us = 0;
    bool has_us = is_limited && cgroup->has_cpu_used;
    if (has_us) {
        us = cgroup->cpu_used_us;
    } else {
        has_us = machine_cpu_us(reader, &us);
    }
    if (has_us && reader->has_last && elapsed_ms > 0 && us >= reader->last_cpu_us) {
        ret->cpu_milli_used = at_most((us - reader->last_cpu_us) / elapsed_ms, cap);
    }
    ret->cpu_milli_cap = cap;
    reader->last_cpu_us = us;
}

static void sample_memory(const struct load_reader *reader, const struct cgroup *cgroup,
                          struct weir_ev_heartbeat_load *ret)
{
    char text[TEXT_BYTES];
    if (read_file(reader, "/proc/meminfo", text)) {
        int64_t total = meminfo_kib(text, "MemTotal:");
        ret->mem_mib_cap = total / 1024;
        ret->mem_mib_used = (total - meminfo_kib(text, "MemAvailable:")) / 1024;
    }
    int64_t limit_mib = cgroup->mem_limit_bytes / (1024 * 1024);
    if (cgroup->has_mem_limit && (ret->mem_mib_cap == 0 || limit_mib < ret->mem_mib_cap)) {
        ret->mem_mib_cap = limit_mib;
        if (cgroup->has_mem_used) {
            ret->mem_mib_used = cgroup->mem_used_bytes / (1024 * 1024);
        }
    }
}

/* Bytes sent over everything but loopback. */
static bool sent_bytes(const struct load_reader *reader, int64_t *ret)
{
    char text[TEXT_BYTES];
    int64_t sum = 0;
    if (!read_file(reader, "/proc/net/dev", text)) {
        return false;
    }
    for (char *line = text; line && *line;) {
        char name[64];
        long long sent = 0;
        if (sscanf(line, " %63[^:\n]: %*d %*d %*d %*d %*d %*d %*d %*d %lld", name, &sent) == 2 &&
            strcmp(name, "lo") != 0) {
            sum += sent;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    *ret = sum;
    return true;
}

static int64_t cards_kbps(const struct load_reader *reader)
{
    char path[LOAD_ROOT_MAX + PATH_BYTES];
    int64_t sum = 0;
    snprintf(path, sizeof(path), "%s/sys/class/net", reader->root);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char text[TEXT_BYTES];
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lo") == 0) {
            continue;
        }
        /* Fails, or says -1, for a card that is down and for most virtual ones. */
        snprintf(path, sizeof(path), "/sys/class/net/%s/speed", entry->d_name);
        if (read_file(reader, path, text)) {
            int64_t mbps = strtoll(text, NULL, 10);
            sum += mbps > 0 ? mbps * 1000 : 0;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return sum;
}

static void sample_network(struct load_reader *reader, int64_t elapsed_ms,
                           struct weir_ev_heartbeat_load *ret)
{
    int64_t sent = 0;
    if (reader->net_cap_kbps == 0) {
        int64_t cards = cards_kbps(reader);
        reader->net_cap_kbps = cards > 0 ? cards : NET_DEFAULT_KBPS;
    }
    ret->net_kbps_cap = reader->net_cap_kbps;
    if (sent_bytes(reader, &sent) && reader->has_last && elapsed_ms > 0 &&
        sent >= reader->last_tx_bytes) {
        ret->net_kbps_used = (sent - reader->last_tx_bytes) * 8 / elapsed_ms;
    }
    reader->last_tx_bytes = sent;
}

/* "some avg10=12.34 ..." as parts per million of the time. */
static bool pressure_ppm(const struct load_reader *reader, const char *file, int64_t *ret)
{
    char text[TEXT_BYTES];
    double percent = 0;
    if (!read_file(reader, file, text) || sscanf(text, "some avg10=%lf", &percent) != 1 ||
        percent < 0 || percent > 100) {
        return false;
    }
    *ret = (int64_t)(percent * 10000);
    return true;
}

void load_sample(struct load_reader *reader, int64_t now_ms, struct weir_ev_heartbeat_load *ret)
{
    struct cgroup cgroup;
    int64_t elapsed_ms = now_ms - reader->last_ms;
    ret->cpu_milli_used = 0;
    ret->mem_mib_used = 0;
    ret->mem_mib_cap = 0;
    ret->net_kbps_used = 0;
    cgroup_read(reader->root, &cgroup);
    sample_cpu(reader, &cgroup, elapsed_ms, ret);
    sample_memory(reader, &cgroup, ret);
    sample_network(reader, elapsed_ms, ret);
    ret->has_psi_cpu_avg10_ppm =
        pressure_ppm(reader, "/proc/pressure/cpu", &ret->psi_cpu_avg10_ppm);
    ret->has_psi_mem_avg10_ppm =
        pressure_ppm(reader, "/proc/pressure/memory", &ret->psi_mem_avg10_ppm);
    reader->has_last = true;
    reader->last_ms = now_ms;
}

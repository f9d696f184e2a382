/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control group of this process allows and has used: version 2 (one hierarchy) or version
 * 1 (one each for cpu, cpuacct, memory, cpuset), as /proc/self/cgroup tells. In a container the
 * path told may not be visible; then the root of the mount is the group.
 *
 * Limits of all parents count, the tightest wins. Unlimited is "max", -1, or a number close to
 * 2^63 (v1 memory).
 */
#ifndef WEIR_WORKER_CGROUP_H
#define WEIR_WORKER_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

struct cgroup {
    bool has_cpu_limit;
    int64_t cpu_milli; /* quota over period, thousandths of a core */
    bool has_cpu_used;
    int64_t cpu_used_us; /* since the group was made */
    bool has_mem_limit;
    int64_t mem_limit_bytes;
    bool has_mem_used;
    int64_t mem_used_bytes; /* without what the kernel would drop first (inactive files) */
    bool has_cpus;
    int64_t cpus; /* of the cpuset */
};

/* `root` is put before /proc and /sys. Fields that are absent are zero. */
void cgroup_read(const char *root, struct cgroup *ret);

/* Counts the CPUs of a list such as "0-3,8"; 0 when it is not one. */
int64_t cgroup_count_cpus(const char *list);

#endif

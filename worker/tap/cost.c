/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/cost.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECOND_US 1000000

static int64_t rise(int64_t from, int64_t to)
{
    return to > from ? to - from : 0;
}

void tap_cost_begin(struct tap_cost_all *all)
{
    all->looked_us = 0;
    all->looked_bytes = 0;
    all->held_bytes = 0;
    all->n = 0;
}

void tap_cost_look(struct tap_cost *cost, struct tap_cost_all *all, int64_t reader_us,
                   int64_t bytes, int64_t frames, int64_t held_bytes)
{
    /* A new reader counts from zero. */
    int64_t before_us = reader_us < cost->reader_us ? 0 : cost->reader_us;
    cost->looked_us = rise(before_us, reader_us);
    cost->looked_bytes = rise(cost->bytes, bytes);
    cost->reader_us = reader_us;
    cost->bytes = bytes;
    cost->frames = frames;
    all->looked_us += cost->looked_us;
    all->looked_bytes += cost->looked_bytes;
    all->held_bytes += held_bytes;
    all->n++;
}

void tap_cost_rest(struct tap_cost_all *all, int64_t cpu_us, int64_t mem_bytes)
{
    all->rest_us = rise(all->looked_us, rise(all->cpu_us, cpu_us));
    all->rest_bytes = rise(all->held_bytes, mem_bytes);
    all->cpu_us = cpu_us;
}

void tap_cost_share(struct tap_cost *cost, const struct tap_cost_all *all, int64_t own_bytes,
                    int64_t now_us)
{
    int64_t share_us = all->looked_bytes > 0
                           ? (int64_t)((double)all->rest_us * (double)cost->looked_bytes /
                                       (double)all->looked_bytes)
                           : all->rest_us / all->n;
    cost->cpu_us += cost->looked_us + share_us;
    cost->mem_bytes = own_bytes + all->rest_bytes / all->n;
    const struct tap_count count = {
        .at_us = now_us, .bytes = cost->bytes, .frames = cost->frames, .cpu_us = cost->cpu_us};
    tap_meter_add(&cost->meter, &count);
}

static int64_t us_of(const struct timeval *time)
{
    return (int64_t)time->tv_sec * SECOND_US + (int64_t)time->tv_usec;
}

int64_t tap_cost_process_cpu_us(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? us_of(&usage.ru_utime) + us_of(&usage.ru_stime)
                                               : 0;
}

int64_t tap_cost_process_mem_bytes(void)
{
    long long resident = 0;
    long long shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    int n = fscanf(file, "%*s %lld %lld", &resident, &shared);
    fclose(file);
    return n == 2 ? rise(shared, resident) * sysconf(_SC_PAGESIZE) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/used.h"

int64_t tap_used_look(struct tap_used *used, int64_t cpu_us, int64_t now_us)
{
    struct tap_used before = *used;
    *used = (struct tap_used){cpu_us, now_us};
    if (before.at_us == 0 || now_us <= before.at_us)
        return -1;
    int64_t spent_us = cpu_us >= before.cpu_us ? cpu_us - before.cpu_us : cpu_us;
    return spent_us * 1000 / (now_us - before.at_us);
}

int64_t tap_used_part(int64_t cpu_milli, const int64_t *weights, size_t n, size_t which)
{
    double all = 0;
    for (size_t i = 0; i < n; i++)
        all += (double)weights[i];
    return all > 0 ? (int64_t)((double)cpu_milli * (double)weights[which] / all) : 0;
}

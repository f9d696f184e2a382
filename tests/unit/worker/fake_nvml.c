/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for NVIDIA's management library: two cards, the second one tells only its memory. */
#include <stddef.h>

#define NOT_SUPPORTED 3

struct utilization {
    unsigned gpu;
    unsigned memory;
};
struct memory {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
};

static int cards[2];

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetUtilizationRates(void *device, struct utilization *ret);
int nvmlDeviceGetMemoryInfo(void *device, struct memory *ret);
int nvmlDeviceGetEncoderUtilization(void *device, unsigned *percent, unsigned *period_us);

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = 2;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = &cards[index];
    return 0;
}

int nvmlDeviceGetUtilizationRates(void *device, struct utilization *ret)
{
    if (device != &cards[0]) {
        return NOT_SUPPORTED;
    }
    *ret = (struct utilization){.gpu = 30, .memory = 10};
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *ret)
{
    unsigned long long gib = 1ULL << 30;
    *ret = device == &cards[0] ? (struct memory){2 * gib, gib, gib} : (struct memory){gib, gib, 0};
    return 0;
}

int nvmlDeviceGetEncoderUtilization(void *device, unsigned *percent, unsigned *period_us)
{
    if (device != &cards[0]) {
        return NOT_SUPPORTED;
    }
    *percent = 80;
    *period_us = 1000;
    return 0;
}

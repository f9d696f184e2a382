/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gpu.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

#define CARDS_MAX 16
#define MIB       (1024 * 1024)

/* The few types of nvml.h that are needed; its ABI is stable. */
typedef int nvml_fn_void(void);
typedef int nvml_fn_count(unsigned *count);
typedef int nvml_fn_handle(unsigned index, void **device);
struct nvml_utilization {
    unsigned gpu;
    unsigned memory;
};
typedef int nvml_fn_utilization(void *device, struct nvml_utilization *ret);
struct nvml_memory {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
};
typedef int nvml_fn_memory(void *device, struct nvml_memory *ret);
typedef int nvml_fn_encoder(void *device, unsigned *percent, unsigned *period_us);

struct gpu {
    void *library;
    unsigned n_cards;
    void *cards[CARDS_MAX];
    nvml_fn_void *shutdown;
    nvml_fn_utilization *utilization;
    nvml_fn_memory *memory;
    nvml_fn_encoder *encoder;
};

/* dlsym gives an object pointer; ISO C has no cast from it to a function. */
static void find(void *library, const char *name, void *ret_fn)
{
    void *symbol = dlsym(library, name);
    memcpy(ret_fn, &symbol, sizeof(symbol));
}

static bool find_cards(struct gpu *gpu)
{
    nvml_fn_void *init;
    nvml_fn_count *count;
    nvml_fn_handle *handle;
    find(gpu->library, "nvmlInit_v2", &init);
    find(gpu->library, "nvmlDeviceGetCount_v2", &count);
    find(gpu->library, "nvmlDeviceGetHandleByIndex_v2", &handle);
    find(gpu->library, "nvmlShutdown", &gpu->shutdown);
    find(gpu->library, "nvmlDeviceGetUtilizationRates", &gpu->utilization);
    find(gpu->library, "nvmlDeviceGetMemoryInfo", &gpu->memory);
    find(gpu->library, "nvmlDeviceGetEncoderUtilization", &gpu->encoder);
    unsigned n = 0;
    if (!init || !count || !handle || init() != 0 || count(&n) != 0) {
        return false;
    }
    for (unsigned i = 0; i < n && i < CARDS_MAX; i++) {
        if (handle(i, &gpu->cards[gpu->n_cards]) == 0) {
            gpu->n_cards++;
        }
    }
    return gpu->n_cards > 0;
}

struct gpu *gpu_open(const char *library)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        return NULL;
    }
    struct gpu *gpu = weir_xalloc(sizeof(*gpu));
    gpu->library = handle;
    if (!find_cards(gpu)) {
        gpu_close(&gpu);
    }
    return gpu;
}

void gpu_close(struct gpu **gpu)
{
    if (!*gpu) {
        return;
    }
    if ((*gpu)->shutdown) {
        (*gpu)->shutdown();
    }
    dlclose((*gpu)->library);
    free(*gpu);
    *gpu = NULL;
}

unsigned gpu_count(const struct gpu *gpu)
{
    return gpu ? gpu->n_cards : 0;
}

static bool busiest_percent(const struct gpu *gpu, void *card, unsigned *ret)
{
    struct nvml_utilization rates = {0};
    unsigned encoder = 0;
    unsigned period_us = 0;
    bool has_rates = gpu->utilization && gpu->utilization(card, &rates) == 0;
    bool has_encoder = gpu->encoder && gpu->encoder(card, &encoder, &period_us) == 0;
    unsigned busiest = rates.gpu > encoder ? rates.gpu : encoder;
    *ret = busiest < 100 ? busiest : 100;
    return has_rates || has_encoder;
}

void gpu_sample(const struct gpu *gpu, struct weir_ev_heartbeat_load *ret)
{
    unsigned n_busy = 0;
    unsigned percents = 0;
    struct nvml_memory sum = {0};
    for (unsigned i = 0; i < gpu_count(gpu); i++) {
        unsigned percent = 0;
        struct nvml_memory memory = {0};
        if (busiest_percent(gpu, gpu->cards[i], &percent)) {
            percents += percent;
            n_busy++;
        }
        if (gpu->memory && gpu->memory(gpu->cards[i], &memory) == 0) {
            sum.total += memory.total;
            sum.used += memory.used;
        }
    }
    ret->has_gpu_permille_used = n_busy > 0;
    ret->gpu_permille_used = n_busy ? (int64_t)(percents * 10 / n_busy) : 0;
    ret->has_gpu_mem_mib_cap = ret->has_gpu_mem_mib_used = sum.total > 0;
    ret->gpu_mem_mib_cap = (int64_t)(sum.total / MIB);
    ret->gpu_mem_mib_used = (int64_t)(sum.used / MIB);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/meter.h"

#define SECOND_US 1000000

void tap_meter_add(struct tap_meter *meter, const struct tap_count *count)
{
    meter->samples[meter->next] = *count;
    meter->next = (meter->next + 1) % TAP_METER_SAMPLES;
    meter->n += meter->n < TAP_METER_SAMPLES;
}

static int64_t rate(int64_t from, int64_t to, int64_t scale, int64_t took_us)
{
    return to > from ? (int64_t)((double)(to - from) * (double)scale / (double)took_us) : 0;
}

bool tap_meter_rates(const struct tap_meter *meter, struct tap_rates *ret)
{
    if (meter->n < 2) {
        return false;
    }
    size_t newest = (meter->next + TAP_METER_SAMPLES - 1) % TAP_METER_SAMPLES;
    size_t oldest = (meter->next + TAP_METER_SAMPLES - meter->n) % TAP_METER_SAMPLES;
    const struct tap_count *from = &meter->samples[oldest];
    const struct tap_count *to = &meter->samples[newest];
    int64_t took_us = to->at_us - from->at_us;
    if (took_us <= 0) {
        return false;
    }
    ret->bitrate_bps = rate(from->bytes, to->bytes, 8 * (int64_t)SECOND_US, took_us);
    ret->fps_milli = rate(from->frames, to->frames, 1000 * (int64_t)SECOND_US, took_us);
    ret->cpu_ppm = rate(from->cpu_us, to->cpu_us, SECOND_US, took_us);
    return true;
}

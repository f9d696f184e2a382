/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/strain.h"

static const int64_t shares_ppm[] = {STRAIN_ALL_PPM, 700000, 500000, 350000, 250000};
#define LAST_STEP ((int)(sizeof(shares_ppm) / sizeof(shares_ppm[0])) - 1)

int64_t strain_judge(struct strain *strain, int64_t psi_ppm, int64_t at_ppm, int64_t now_ms)
{
    if (at_ppm == 0) {
        *strain = (struct strain){0};
        return STRAIN_ALL_PPM;
    }
    bool is_high = psi_ppm >= at_ppm;
    bool is_low = psi_ppm < at_ppm / 2;
    if (!strain->has_begun || is_high != strain->is_high || is_low != strain->is_low) {
        strain->has_begun = true;
        strain->is_high = is_high;
        strain->is_low = is_low;
        strain->since_ms = now_ms;
    }
    int64_t so_ms = now_ms - strain->since_ms;
    if (is_high && so_ms >= STRAIN_DOWN_MS && strain->step < LAST_STEP) {
        strain->step++;
        strain->since_ms = now_ms;
    } else if (is_low && so_ms >= STRAIN_UP_MS && strain->step > 0) {
        strain->step--;
        strain->since_ms = now_ms;
    }
    return shares_ppm[strain->step];
}

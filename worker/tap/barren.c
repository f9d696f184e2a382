/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/barren.h"

#define TOLD (-1) /* in place of the number of keyframes */

bool tap_barren_key(struct tap_barren *barren, int64_t now_ms)
{
    if (barren->keys == TOLD)
        return false;
    if (barren->keys == 0)
        barren->since_ms = now_ms;
    bool is_enough = barren->keys + 1 >= TAP_BARREN_KEYS;
    barren->keys = is_enough ? TAP_BARREN_KEYS : barren->keys + 1;
    if (!is_enough || now_ms - barren->since_ms < TAP_BARREN_MS)
        return false;
    barren->keys = TOLD;
    return true;
}

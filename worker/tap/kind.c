/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/kind.h"

static bool is_same_param(const struct tap_param *a, const struct tap_param *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

void tap_kind_begin(struct tap_kind *kind, const struct tap_params *params)
{
    kind->sps = params->sps;
    kind->vps = params->vps;
}

void tap_kind_start_over(struct tap_kind *kind, const struct tap_params *params, int64_t now_ms)
{
    tap_kind_begin(kind, params);
    kind->has_over = true;
    kind->over_ms = now_ms;
}

bool tap_kind_is_due(const struct tap_kind *kind, const struct tap_params *params, int64_t now_ms)
{
    bool is_same =
        is_same_param(&kind->sps, &params->sps) && is_same_param(&kind->vps, &params->vps);
    return !is_same && (!kind->has_over || now_ms - kind->over_ms >= TAP_KIND_PAUSE_MS);
}

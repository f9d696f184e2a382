/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/kind.h"

bool tap_param_is_same(const struct tap_param *a, const struct tap_param *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool tap_kind_is_same(const struct tap_params *a, const struct tap_params *b)
{
    return tap_param_is_same(&a->sps, &b->sps) && tap_param_is_same(&a->vps, &b->vps);
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
        tap_param_is_same(&kind->sps, &params->sps) && tap_param_is_same(&kind->vps, &params->vps);
    return !is_same && (!kind->has_over || now_ms - kind->over_ms >= TAP_KIND_PAUSE_MS);
}

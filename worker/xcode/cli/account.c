/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/account.h"

#include <string.h>

_Static_assert(WEIR_XCODE_RENDITIONS_MAX <= 32, "a bit for each");

void account_add(struct account *a, uint32_t rendition, uint32_t fps_milli, int64_t after_ts)
{
    a->renditions |= 1U << rendition;
    a->fps_milli[rendition] = fps_milli;
    a->after_ts[rendition] = after_ts;
    a->made_ts[rendition] = after_ts;
    a->paces[rendition] = (struct fit_pace){0};
    if (after_ts != INT64_MIN) {
        fit_keep(&a->paces[rendition], after_ts, fps_milli);
    }
}

static bool is_wanted_by(const struct account *a, uint32_t rendition, int64_t ts)
{
    return (a->renditions >> rendition & 1U) != 0 && ts > a->after_ts[rendition] &&
           fit_is_due(&a->paces[rendition], ts, a->fps_milli[rendition]);
}

bool account_wants(const struct account *a, int64_t ts)
{
    bool is_wanted = false;
    for (uint32_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX && !is_wanted; i++) {
        is_wanted = is_wanted_by(a, i, ts);
    }
    return is_wanted;
}

bool account_is_full(const struct account *a)
{
    return a->n_units == ACCOUNT_UNITS_MAX;
}

void account_give(struct account *a, int64_t ts, int64_t now_ms)
{
    a->life_ms = a->n_units == 0 ? now_ms : a->life_ms;
    if (!account_is_full(a)) {
        a->units[a->n_units++] = ts;
    }
}

static void drop_picture(struct account *a)
{
    a->n_pictures--;
    memmove(a->pictures, a->pictures + 1, a->n_pictures * sizeof(a->pictures[0]));
}

void account_picture(struct account *a, int64_t ts, int64_t now_ms)
{
    struct account_picture picture = {.ts = ts};
    a->is_alive = true;
    a->life_ms = now_ms;
    for (uint32_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        if (is_wanted_by(a, i, ts)) {
            fit_keep(&a->paces[i], ts, a->fps_milli[i]);
            picture.owed |= a->made_ts[i] < ts ? 1U << i : 0;
        }
    }
    if (a->n_pictures == ACCOUNT_UNITS_MAX) {
        drop_picture(a);
    }
    a->pictures[a->n_pictures++] = picture;
}

void account_made(struct account *a, uint32_t rendition, int64_t ts, int64_t now_ms)
{
    a->is_alive = true;
    a->life_ms = now_ms;
    a->made_ts[rendition] = ts;
    for (size_t i = 0; i < a->n_pictures && a->pictures[i].ts <= ts; i++) {
        a->pictures[i].owed &= ~(1U << rendition);
    }
}

/* Units up to `ts` wait no more. */
static size_t finish(struct account *a, int64_t ts)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_units; i++) {
        if (a->units[i] > ts) {
            a->units[n++] = a->units[i];
        }
    }
    size_t done = a->n_units - n;
    a->n_units = n;
    return done;
}

void account_unread(struct account *a, int64_t now_ms)
{
    a->life_ms = now_ms;
}

size_t account_settle(struct account *a)
{
    size_t done = 0;
    while (a->n_pictures > 0 && a->pictures[0].owed == 0) {
        done += finish(a, a->pictures[0].ts);
        drop_picture(a);
    }
    return done;
}

size_t account_let_go(struct account *a)
{
    size_t done = a->n_units;
    a->n_units = 0;
    a->n_pictures = 0;
    return done;
}

int64_t account_patience_ms(const struct account *a, int64_t now_ms)
{
    if (a->n_units == 0) {
        return -1;
    }
    int64_t most_ms = a->is_alive ? ACCOUNT_PATIENCE_MS : ACCOUNT_BEGIN_MS;
    int64_t left_ms = a->life_ms + most_ms - now_ms;
    return left_ms > 0 ? left_ms : 0;
}

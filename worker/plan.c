/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/plan.h"

static bool is_time_to_repeat(const struct plan_stream_view *view, int64_t now_ms)
{
    return now_ms - view->said_at_ms >= PLAN_REPEAT_MS;
}

static bool is_watched(const struct plan_stream_view *view)
{
    return view->has_request && view->request_age_ms < PLAN_WATCHED_MS;
}

static enum plan_stream_action plan_stop(const struct plan_stream_view *view, int64_t now_ms)
{
    if (view->said == PLAN_SAID_EXITED) {
        return is_time_to_repeat(view, now_ms) ? PLAN_STREAM_END : PLAN_STREAM_NOTHING;
    }
    if (!view->is_idle_stop) {
        return PLAN_STREAM_END;
    }
    if (view->said == PLAN_SAID_WATCHED && !is_time_to_repeat(view, now_ms)) {
        return PLAN_STREAM_NOTHING;
    }
    if (view->ask == PLAN_ASK_NONE) {
        return PLAN_STREAM_ASK;
    }
    if (view->ask == PLAN_ASK_SENT && now_ms - view->asked_at_ms < PLAN_ASK_WAIT_MS) {
        return PLAN_STREAM_NOTHING;
    }
    return is_watched(view) ? PLAN_STREAM_SAY_WATCHED : PLAN_STREAM_END;
}

static enum plan_stream_action plan_failing(const struct plan_stream_view *view, int64_t now_ms)
{
    bool was_playing = view->said == PLAN_SAID_STARTED || view->said == PLAN_SAID_WATCHED;
    bool in_grace =
        was_playing && !view->is_permanent && now_ms - view->down_since_ms < PLAN_GRACE_MS;
    if (in_grace) {
        return PLAN_STREAM_NOTHING;
    }
    if (view->said != PLAN_SAID_FAILING || view->is_failure_news) {
        return PLAN_STREAM_SAY_FAILING;
    }
    bool is_reflected = view->row_state == WEIR_STREAM_STATE_BACKOFF;
    return !is_reflected && is_time_to_repeat(view, now_ms) ? PLAN_STREAM_SAY_FAILING
                                                            : PLAN_STREAM_NOTHING;
}

static enum plan_stream_action plan_playing(const struct plan_stream_view *view, int64_t now_ms)
{
    bool was_said = view->said == PLAN_SAID_STARTED || view->said == PLAN_SAID_WATCHED;
    if (!was_said) {
        return PLAN_STREAM_SAY_STARTED;
    }
    bool is_reflected = view->row_state != WEIR_STREAM_STATE_PLACED &&
                        view->row_state != WEIR_STREAM_STATE_STARTING &&
                        view->row_state != WEIR_STREAM_STATE_BACKOFF;
    bool is_due = !is_reflected || view->is_effective_news;
    return is_due && is_time_to_repeat(view, now_ms) ? PLAN_STREAM_SAY_STARTED
                                                     : PLAN_STREAM_NOTHING;
}

static enum plan_stream_action plan_run(const struct plan_stream_view *view, int64_t now_ms)
{
    if (view->said == PLAN_SAID_NOTHING || view->said == PLAN_SAID_EXITED) {
        return PLAN_STREAM_SAY_STARTING;
    }
    if (view->health == PLAN_HEALTH_FAILING) {
        enum plan_stream_action action = plan_failing(view, now_ms);
        if (action != PLAN_STREAM_NOTHING) {
            return action;
        }
    }
    if (view->is_camera_given && !view->is_published && now_ms >= view->publish_at_ms) {
        return PLAN_STREAM_PUBLISH;
    }
    if (view->health == PLAN_HEALTH_UP && view->is_published && view->has_playlist) {
        return plan_playing(view, now_ms);
    }
    bool is_unheard =
        view->said == PLAN_SAID_STARTING && view->row_state == WEIR_STREAM_STATE_PLACED;
    return is_unheard && is_time_to_repeat(view, now_ms) ? PLAN_STREAM_SAY_STARTING
                                                         : PLAN_STREAM_NOTHING;
}

enum plan_stream_action plan_stream(const struct plan_stream_view *view, int64_t now_ms)
{
    if (!view->is_wanted) {
        return view->is_fading ? PLAN_STREAM_NOTHING : PLAN_STREAM_FORGET;
    }
    switch (view->row_state) {
    case WEIR_STREAM_STATE_PLACED:
    case WEIR_STREAM_STATE_STARTING:
    case WEIR_STREAM_STATE_RUNNING:
    case WEIR_STREAM_STATE_BACKOFF:
    case WEIR_STREAM_STATE_SUSPECT:
    case WEIR_STREAM_STATE_MIGRATING:
    case WEIR_STREAM_STATE_PREEMPTING:
        return plan_run(view, now_ms);
    case WEIR_STREAM_STATE_STOPPING:
        return plan_stop(view, now_ms);
    case WEIR_STREAM_STATE_QUEUED:
    case WEIR_STREAM_STATE_STOPPED:
    case WEIR_STREAM_STATE_REJECTED:
    case WEIR_STREAM_STATE_EXPIRED:
    case WEIR_STREAM_STATE_CANCELLED:
    case WEIR_STREAM_STATE_FAILED:
        break;
    }
    return PLAN_STREAM_FORGET;
}

enum plan_lease_action plan_lease(const struct plan_lease_view *view, int64_t now_ms)
{
    if (!view->is_wanted || view->row_state == WEIR_LEASE_STATE_NONE) {
        return PLAN_LEASE_FORGET;
    }
    if (view->row_state == WEIR_LEASE_STATE_RELEASING) {
        bool is_due = !view->is_released || now_ms - view->said_at_ms >= PLAN_REPEAT_MS;
        return is_due ? PLAN_LEASE_RELEASE : PLAN_LEASE_NOTHING;
    }
    if (view->has_source && !view->is_given) {
        return PLAN_LEASE_GIVE;
    }
    if (view->has_source && !view->is_stale) {
        return PLAN_LEASE_NOTHING;
    }
    bool may_fetch = !view->is_fetching && now_ms >= view->fetch_at_ms;
    return may_fetch ? PLAN_LEASE_FETCH : PLAN_LEASE_NOTHING;
}

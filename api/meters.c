/* SPDX-License-Identifier: Apache-2.0 */
#include "api/meters.h"

#include <stdlib.h>

#include "api/routes.h"
#include "lib/base/arena.h"

#define CLASSES    6
#define ROUTES_MAX 64

struct route_meter {
    const char *pattern; /* compared by address: patterns live in the tables of routes.c */
    struct weir_metric *duration;
};

struct api_meters {
    struct weir_metric *answered[CLASSES]; /* by the status' first digit; from 2 on */
    struct weir_metric *unrouted;
    struct route_meter routes[ROUTES_MAX];
    size_t n_routes;
};

static struct weir_metric *duration_of(struct weir_metrics *metrics, const char *pattern)
{
    static const int64_t bounds_us[] = {1000,   5000,   10000,   25000,   50000,
                                        100000, 250000, 1000000, 5000000, 30000000};
    return weir_metrics_histogram(metrics, "weir_api_request_duration_us",
                                  "Microseconds until a request was answered, waits included",
                                  "route", pattern, bounds_us,
                                  sizeof(bounds_us) / sizeof(bounds_us[0]));
}

static void add_routes(struct api_meters *meters, struct weir_metrics *metrics,
                       const struct weir_http_route *routes, size_t n)
{
    for (size_t i = 0; i < n && meters->n_routes < ROUTES_MAX; i++) {
        meters->routes[meters->n_routes++] = (struct route_meter){
            .pattern = routes[i].pattern, .duration = duration_of(metrics, routes[i].pattern)};
    }
}

struct api_meters *api_meters_new(struct weir_metrics *metrics)
{
    struct api_meters *meters = weir_xalloc(sizeof(*meters));
    for (int i = 2; i < CLASSES; i++) {
        const char text[] = {(char)('0' + i), 'x', 'x', '\0'};
        meters->answered[i] = weir_metrics_counter(metrics, "weir_api_requests_total",
                                                   "Requests answered", "status", text);
    }
    meters->unrouted = duration_of(metrics, "");
    size_t n;
    const struct weir_http_route *routes = api_routes_public(&n);
    add_routes(meters, metrics, routes, n);
    routes = api_routes_internal(&n);
    add_routes(meters, metrics, routes, n);
    return meters;
}

void api_meters_free(struct api_meters *meters)
{
    free(meters);
}

static struct weir_metric *find_duration(const struct api_meters *meters, const char *route)
{
    for (size_t i = 0; i < meters->n_routes; i++) {
        if (meters->routes[i].pattern == route) {
            return meters->routes[i].duration;
        }
    }
    return meters->unrouted;
}

void api_meters_answered(const struct api_meters *meters, const char *route, int status,
                         int64_t duration_us)
{
    int first_digit = status / 100;
    if (first_digit >= 2 && first_digit < CLASSES) {
        weir_metric_add(meters->answered[first_digit], 1);
    }
    weir_metric_observe(find_duration(meters, route), duration_us);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/metrics.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

static void the_exposition_is_prometheus_text(void **state)
{
    (void)state;
    struct weir_metrics *metrics = weir_metrics_new();
    static const int64_t bounds[] = {10, 100};
    struct weir_metric *h =
        weir_metrics_histogram(metrics, "wait_ms", "Waiting", NULL, NULL, bounds, 2);
    weir_metric_observe(h, 10);
    weir_metric_observe(h, 11);
    weir_metric_observe(h, 1000);
    weir_metric_add(weir_metrics_counter(metrics, "requests_total", "Requests", "status", "2\"x"),
                    3);
    weir_metric_set(weir_metrics_gauge(metrics, "depth", "Depth", NULL, NULL), -4);
    struct weir_buf out = {0};
    weir_metrics_write(metrics, &out);
    assert_string_equal(out.bytes, "# HELP wait_ms Waiting\n"
                                   "# TYPE wait_ms histogram\n"
                                   "wait_ms_bucket{le=\"10\"} 1\n"
                                   "wait_ms_bucket{le=\"100\"} 2\n"
                                   "wait_ms_bucket{le=\"+Inf\"} 3\n"
                                   "wait_ms_sum 1021\n"
                                   "wait_ms_count 3\n"
                                   "# HELP requests_total Requests\n"
                                   "# TYPE requests_total counter\n"
                                   "requests_total{status=\"2\\\"x\"} 3\n"
                                   "# HELP depth Depth\n"
                                   "# TYPE depth gauge\n"
                                   "depth -4\n");
    weir_buf_done(&out);
    weir_metrics_free(metrics);
}

static void the_same_name_and_label_is_the_same_metric(void **state)
{
    (void)state;
    struct weir_metrics *metrics = weir_metrics_new();
    struct weir_metric *a = weir_metrics_counter(metrics, "n_total", "N", "kind", "a");
    assert_ptr_equal(weir_metrics_counter(metrics, "n_total", "N", "kind", "a"), a);
    assert_ptr_not_equal(weir_metrics_counter(metrics, "n_total", "N", "kind", "b"), a);
    weir_metrics_free(metrics);
}

static void too_many_label_values_share_one(void **state)
{
    (void)state;
    struct weir_metrics *metrics = weir_metrics_new();
    struct weir_metric *last = NULL;
    for (int i = 0; i < 300; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", i);
        last = weir_metrics_counter(metrics, "n_total", "N", "kind", value);
    }
    assert_ptr_equal(weir_metrics_counter(metrics, "n_total", "N", "kind", "other"), last);
    weir_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exposition_is_prometheus_text),
        cmocka_unit_test(the_same_name_and_label_is_the_same_metric),
        cmocka_unit_test(too_many_label_values_share_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

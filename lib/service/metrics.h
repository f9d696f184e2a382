/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics in Prometheus' text format 0.0.4: counters, gauges and histograms with at most one
 * label of a few values. Labels are route templates, methods, reasons: never a tenant or a camera.
 * Updating is lock-free and thread-safe; making one is not hot and takes a lock.
 *
 *     struct weir_metric *m = weir_metrics_counter(metrics, "weir_api_requests_total",
 *                                                  "HTTP requests answered", "status", "2xx");
 *     weir_metric_add(m, 1);
 */
#ifndef WEIR_SERVICE_METRICS_H
#define WEIR_SERVICE_METRICS_H

#include <stdint.h>

#include "lib/base/buf.h"

struct weir_metrics;
struct weir_metric;

struct weir_metrics *weir_metrics_new(void);
void weir_metrics_free(struct weir_metrics *metrics);

/* The same (name, label value) gives the same metric. `label` NULL: none. Texts are copied. At most
 * 256 label values a name; further ones share one whose value is "other". */
struct weir_metric *weir_metrics_counter(struct weir_metrics *metrics, const char *name,
                                         const char *help, const char *label, const char *value);
struct weir_metric *weir_metrics_gauge(struct weir_metrics *metrics, const char *name,
                                       const char *help, const char *label, const char *value);
/* `bounds`: n (1..16) rising upper bounds in the metric's own unit. */
struct weir_metric *weir_metrics_histogram(struct weir_metrics *metrics, const char *name,
                                           const char *help, const char *label, const char *value,
                                           const int64_t *bounds, size_t n);

void weir_metric_add(struct weir_metric *metric, int64_t n);         /* counter: n >= 0 */
void weir_metric_set(struct weir_metric *metric, int64_t value);     /* gauge */
void weir_metric_observe(struct weir_metric *metric, int64_t value); /* histogram */
int64_t weir_metric_value(const struct weir_metric *metric);

/* Writes the whole exposition. */
void weir_metrics_write(struct weir_metrics *metrics, struct weir_buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"

#define BOUNDS_MAX 16
#define VALUES_MAX 256

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct weir_metric {
    struct weir_list node;
    char *value;           /* of the label; NULL: no label */
    _Atomic int64_t count; /* counter, gauge; histogram: observations */
    _Atomic int64_t sum;
    _Atomic int64_t buckets[BOUNDS_MAX];
    const struct family *family;
};

struct family {
    struct weir_list node;
    struct weir_list metrics;
    size_t n_metrics;
    enum kind kind;
    char *name;
    char *help;
    char *label;
    int64_t bounds[BOUNDS_MAX];
    size_t n_bounds;
};

struct weir_metrics {
    pthread_mutex_t lock; /* guards the lists */
    struct weir_list families;
};

struct weir_metrics *weir_metrics_new(void)
{
    struct weir_metrics *metrics = weir_xalloc(sizeof(*metrics));
    pthread_mutex_init(&metrics->lock, NULL);
    weir_list_init(&metrics->families);
    return metrics;
}

static void family_free(struct family *family)
{
    WEIR_LIST_FOR(pos, &family->metrics)
    {
        struct weir_metric *metric = WEIR_CONTAINER(pos, struct weir_metric, node);
        free(metric->value);
        free(metric);
    }
    free(family->name);
    free(family->help);
    free(family->label);
    free(family);
}

void weir_metrics_free(struct weir_metrics *metrics)
{
    if (!metrics) {
        return;
    }
    WEIR_LIST_FOR(pos, &metrics->families)
    {
        family_free(WEIR_CONTAINER(pos, struct family, node));
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static struct family *find_family(struct weir_metrics *metrics, const char *name)
{
    WEIR_LIST_FOR(pos, &metrics->families)
    {
        struct family *family = WEIR_CONTAINER(pos, struct family, node);
        if (strcmp(family->name, name) == 0) {
            return family;
        }
    }
    return NULL;
}

static struct weir_metric *find_metric(struct family *family, const char *value)
{
    WEIR_LIST_FOR(pos, &family->metrics)
    {
        struct weir_metric *metric = WEIR_CONTAINER(pos, struct weir_metric, node);
        if (value ? metric->value && strcmp(metric->value, value) == 0 : !metric->value) {
            return metric;
        }
    }
    return NULL;
}

static struct weir_metric *make(struct weir_metrics *metrics, const struct family *wanted,
                                const char *value)
{
    assert(!wanted->label == !value);
    pthread_mutex_lock(&metrics->lock);
    struct family *family = find_family(metrics, wanted->name);
    if (!family) {
        family = weir_xalloc(sizeof(*family));
        *family = *wanted;
        family->name = weir_xstrdup(wanted->name);
        family->help = weir_xstrdup(wanted->help);
        family->label = wanted->label ? weir_xstrdup(wanted->label) : NULL;
        weir_list_init(&family->metrics);
        weir_list_push_back(&metrics->families, &family->node);
    }
    assert(family->kind == wanted->kind);
    struct weir_metric *metric = find_metric(family, value);
    if (!metric && family->n_metrics >= VALUES_MAX) {
        value = "other";
        metric = find_metric(family, value);
    }
    if (!metric) {
        metric = weir_xalloc(sizeof(*metric));
        metric->value = value ? weir_xstrdup(value) : NULL;
        metric->family = family;
        weir_list_push_back(&family->metrics, &metric->node);
        family->n_metrics++;
    }
    pthread_mutex_unlock(&metrics->lock);
    return metric;
}

static struct family describe(enum kind kind, const char *name, const char *help, const char *label)
{
    /* Copied before anything is written to, so dropping const is safe. */
    return (struct family){
        .kind = kind, .name = (char *)name, .help = (char *)help, .label = (char *)label};
}

struct weir_metric *weir_metrics_counter(struct weir_metrics *metrics, const char *name,
                                         const char *help, const char *label, const char *value)
{
    struct family family = describe(COUNTER, name, help, label);
    return make(metrics, &family, value);
}

struct weir_metric *weir_metrics_gauge(struct weir_metrics *metrics, const char *name,
                                       const char *help, const char *label, const char *value)
{
    struct family family = describe(GAUGE, name, help, label);
    return make(metrics, &family, value);
}

struct weir_metric *weir_metrics_histogram(struct weir_metrics *metrics, const char *name,
                                           const char *help, const char *label, const char *value,
                                           const int64_t *bounds, size_t n)
{
    assert(n > 0 && n <= BOUNDS_MAX);
    struct family family = describe(HISTOGRAM, name, help, label);
    memcpy(family.bounds, bounds, n * sizeof(*bounds));
    family.n_bounds = n;
    return make(metrics, &family, value);
}

void weir_metric_add(struct weir_metric *metric, int64_t n)
{
    atomic_fetch_add_explicit(&metric->count, n, memory_order_relaxed);
}

void weir_metric_set(struct weir_metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->count, value, memory_order_relaxed);
}

void weir_metric_observe(struct weir_metric *metric, int64_t value)
{
    for (size_t i = 0; i < metric->family->n_bounds; i++) {
        if (value <= metric->family->bounds[i]) {
            atomic_fetch_add_explicit(&metric->buckets[i], 1, memory_order_relaxed);
            break;
        }
    }
    atomic_fetch_add_explicit(&metric->sum, value, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->count, 1, memory_order_relaxed);
}

int64_t weir_metric_value(const struct weir_metric *metric)
{
    return atomic_load_explicit(&metric->count, memory_order_relaxed);
}

static void write_label_value(struct weir_buf *out, const char *value)
{
    for (; *value; value++) {
        const char *escaped = *value == '\\' ? "\\\\" : *value == '"' ? "\\\"" : "\\n";
        bool plain = *value != '\\' && *value != '"' && *value != '\n';
        weir_buf_add(out, plain ? value : escaped, plain ? 1 : 2);
    }
}

/* One sample line; `le` is the bucket's bound or NULL. */
static void write_sample(struct weir_buf *out, const struct weir_metric *metric, const char *suffix,
                         const char *le, int64_t value)
{
    const struct family *family = metric->family;
    weir_buf_printf(out, "%s%s", family->name, suffix);
    if (metric->value || le) {
        weir_buf_printf(out, "{");
        if (metric->value) {
            weir_buf_printf(out, "%s=\"", family->label);
            write_label_value(out, metric->value);
            weir_buf_printf(out, "\"%s", le ? "," : "");
        }
        if (le) {
            weir_buf_printf(out, "le=\"%s\"", le);
        }
        weir_buf_printf(out, "}");
    }
    weir_buf_printf(out, " %" PRId64 "\n", value);
}

static void write_histogram(struct weir_buf *out, const struct weir_metric *metric)
{
    const struct family *family = metric->family;
    int64_t count = weir_metric_value(metric);
    int64_t below = 0;
    for (size_t i = 0; i < family->n_bounds; i++) {
        char le[24];
        snprintf(le, sizeof(le), "%" PRId64, family->bounds[i]);
        below += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        write_sample(out, metric, "_bucket", le, below);
    }
    write_sample(out, metric, "_bucket", "+Inf", count > below ? count : below);
    write_sample(out, metric, "_sum", NULL,
                 atomic_load_explicit(&metric->sum, memory_order_relaxed));
    write_sample(out, metric, "_count", NULL, count > below ? count : below);
}

void weir_metrics_write(struct weir_metrics *metrics, struct weir_buf *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    pthread_mutex_lock(&metrics->lock);
    WEIR_LIST_FOR(pos, &metrics->families)
    {
        struct family *family = WEIR_CONTAINER(pos, struct family, node);
        weir_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                        family->name, kinds[family->kind]);
        WEIR_LIST_FOR(at, &family->metrics)
        {
            struct weir_metric *metric = WEIR_CONTAINER(at, struct weir_metric, node);
            if (family->kind == HISTOGRAM) {
                write_histogram(out, metric);
            } else {
                write_sample(out, metric, "", NULL, weir_metric_value(metric));
            }
        }
    }
    pthread_mutex_unlock(&metrics->lock);
}

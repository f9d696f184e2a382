/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed number of threads and a queue of jobs in front of them, for http_server's handlers.
 */
#ifndef WEIR_IO_HTTP_POOL_H
#define WEIR_IO_HTTP_POOL_H

#include <stdbool.h>

#include "lib/base/list.h"

struct weir_http_pool;

/* A job is part of its owner's object; it is in the queue at most once. */
struct weir_http_job {
    struct weir_list node;
    void (*run)(struct weir_http_job *job);
    void (*drop)(struct weir_http_job *job); /* instead of run, when the pool ends */
};

/* Threads start with all signals blocked. */
struct weir_http_pool *weir_http_pool_new(unsigned threads, unsigned queue_max);

/* Joins the threads after the jobs they run now and drops the jobs that are left in the queue. From
 * then on nothing can be added. */
void weir_http_pool_stop(struct weir_http_pool *pool);

/* After weir_http_pool_stop. */
void weir_http_pool_free(struct weir_http_pool *pool);

/* False when the pool has ended, or queue_max jobs wait already and `force` is not set (it is for
 * work that was let in before). */
bool weir_http_pool_add(struct weir_http_pool *pool, struct weir_http_job *job, bool force);

#endif

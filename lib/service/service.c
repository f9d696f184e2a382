/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/service/service.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/io/http_server.h"
#include "lib/service/memory.h"
#include "lib/service/notify.h"

#define TICK_MS          1000
#define LOOP_STUCK_MS    10000
#define READY_REASON_MAX 256
#define TRIM_MS          30000

struct condition {
    struct weir_list node;
    const char *name;
    bool is_ready;
    char reason[READY_REASON_MAX];
};

struct weir_service {
    const struct weir_service_spec *spec;
    struct weir_arena *arena;
    struct weir_loop *loop;
    struct weir_metrics *metrics;
    struct weir_http_server *admin;
    struct weir_timer *tick;
    struct weir_timer *deadline;
    struct weir_timer *trim;
    struct weir_memory memory;
    int signal_fd;
    _Atomic int64_t ticked_mono_ms;
    pthread_mutex_t lock; /* guards what follows, up to was_ready */
    struct weir_list conditions;
    bool has_begun; /* the loop turns: all conditions are named */
    bool is_draining;
    bool was_ready;
    weir_loop_fn *drain_fn;
    void *drain_ctx;
    int64_t drain_deadline_ms;
};

static void get_livez(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct weir_service *service = ctx;
    (void)req;
    int64_t silent = weir_clock_mono_ms() - atomic_load(&service->ticked_mono_ms);
    bool is_alive = silent < LOOP_STUCK_MS;
    weir_http_text(res, is_alive ? 200 : 503, is_alive ? "ok\n" : "the loop does not turn\n");
}

static void get_readyz(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct weir_service *service = ctx;
    (void)req;
    struct weir_buf text = {0};
    pthread_mutex_lock(&service->lock);
    bool is_ready = service->has_begun && !service->is_draining;
    weir_buf_printf(&text, "%s", service->has_begun ? "" : "starting\n");
    weir_buf_printf(&text, "%s", service->is_draining ? "draining\n" : "");
    WEIR_LIST_FOR(pos, &service->conditions)
    {
        const struct condition *c = WEIR_CONTAINER(pos, struct condition, node);
        is_ready = is_ready && c->is_ready;
        weir_buf_printf(&text, "%s: %s%s\n", c->name, c->is_ready ? "ok" : "not ready, ",
                        c->is_ready ? "" : c->reason);
    }
    pthread_mutex_unlock(&service->lock);
    weir_http_text(res, is_ready ? 200 : 503,
                   weir_arena_strdup(res->arena, text.len ? text.bytes : "ok\n"));
    weir_buf_done(&text);
}

static void get_metrics(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    struct weir_service *service = ctx;
    (void)req;
    struct weir_buf text = {0};
    weir_metrics_write(service->metrics, &text);
    weir_http_text(res, 200, weir_arena_strdup(res->arena, text.len ? text.bytes : ""));
    res->content_type = "text/plain; version=0.0.4; charset=utf-8";
    weir_buf_done(&text);
}

static const struct weir_http_route admin_routes[] = {
    {"GET", "/livez", get_livez, WEIR_HTTP_INLINE},
    {"GET", "/readyz", get_readyz, WEIR_HTTP_INLINE},
    {"GET", "/metrics", get_metrics, WEIR_HTTP_INLINE},
};

static bool all_ready(const struct weir_service *service)
{
    for (const struct weir_list *pos = service->conditions.next; pos != &service->conditions;
         pos = pos->next) {
        if (!WEIR_CONTAINER(pos, struct condition, node)->is_ready) {
            return false;
        }
    }
    return true;
}

/* Call with the lock held. True once. */
static bool is_first_ready(struct weir_service *service)
{
    bool is_first = service->has_begun && !service->was_ready && all_ready(service);
    service->was_ready = service->was_ready || is_first;
    return is_first;
}

static void begin(struct weir_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->has_begun = true;
    bool is_first = is_first_ready(service);
    pthread_mutex_unlock(&service->lock);
    if (is_first) {
        weir_notify("READY=1");
    }
}

static void on_tick(void *ctx)
{
    struct weir_service *service = ctx;
    atomic_store(&service->ticked_mono_ms, weir_clock_mono_ms());
    weir_notify("WATCHDOG=1");
    begin(service);
    weir_timer_set(service->tick, TICK_MS);
}

static void on_trim(void *ctx)
{
    struct weir_service *service = ctx;
    weir_memory_trim(&service->memory);
    weir_timer_set(service->trim, TRIM_MS);
}

static void on_deadline(void *ctx)
{
    struct weir_service *service = ctx;
    weir_log(WEIR_LOG_WARN, "drain took too long, stopping now", NULL);
    weir_loop_stop(service->loop);
}

static void on_signal(void *ctx, unsigned events)
{
    struct weir_service *service = ctx;
    struct signalfd_siginfo info;
    (void)events;
    if (read(service->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    pthread_mutex_lock(&service->lock);
    bool again = service->is_draining;
    service->is_draining = true;
    pthread_mutex_unlock(&service->lock);
    weir_log(WEIR_LOG_INFO, again ? "second signal, stopping now" : "stopping", "signal",
             strsignal((int)info.ssi_signo), NULL);
    weir_notify("STOPPING=1");
    if (again || !service->drain_fn) {
        weir_loop_stop(service->loop);
        return;
    }
    weir_timer_set(service->deadline, service->drain_deadline_ms);
    service->drain_fn(service->drain_ctx);
}

/* Before any thread starts, so that all of them inherit the mask. */
static int block_signals(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Secrets live in these processes: no core files. */
static void forbid_core_dumps(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

static bool has_arg(int argc, char **argv, const char *arg)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], arg) == 0) {
            return true;
        }
    }
    return false;
}

static enum weir_code open_admin(struct weir_service *service, const char *listen,
                                 struct weir_err *err)
{
    struct weir_http_server_config config = {
        .listen = listen,
        .routes = admin_routes,
        .n_routes = sizeof(admin_routes) / sizeof(admin_routes[0]),
        .ctx = service,
        .pool_threads = 1,
        .connections_max = 64,
    };
    return weir_http_server_open(&config, &service->admin, err);
}

static struct weir_service *service_new(const struct weir_service_spec *spec)
{
    struct weir_service *service = weir_xalloc(sizeof(*service));
    service->spec = spec;
    service->arena = weir_arena_new(0);
    service->metrics = weir_metrics_new();
    pthread_mutex_init(&service->lock, NULL);
    weir_list_init(&service->conditions);
    service->signal_fd = block_signals();
    service->loop = weir_loop_new();
    service->tick = weir_timer_new(service->loop, on_tick, service);
    service->deadline = weir_timer_new(service->loop, on_deadline, service);
    service->trim = weir_timer_new(service->loop, on_trim, service);
    weir_loop_watch(service->loop, service->signal_fd, WEIR_LOOP_IN, on_signal, service);
    atomic_store(&service->ticked_mono_ms, weir_clock_mono_ms());
    weir_timer_set(service->tick, 0);
    weir_timer_set(service->trim, TRIM_MS);
    return service;
}

static int complain(const char *name, int exit_code, const struct weir_err *err)
{
    fprintf(stderr, "%s: %s\n", name, err->msg);
    return exit_code;
}

int weir_service_start(const struct weir_service_spec *spec, int argc, char **argv,
                       void *ret_settings, struct weir_service **ret)
{
    struct weir_err err = {0};
    if (has_arg(argc, argv, "--help")) {
        weir_settings_help(stdout, spec->name, spec->what, spec->rows, spec->n_rows);
        return 0;
    }
    if (has_arg(argc, argv, "--version")) {
        printf("%s %s\n", spec->name, WEIR_VERSION);
        return 0;
    }
    forbid_core_dumps();
    weir_memory_bound();
    struct weir_service *service = service_new(spec);
    *ret = service;
    memset(ret_settings, 0, spec->settings_size);
    if (weir_settings_load(spec->rows, spec->n_rows, argc, argv, service->arena, ret_settings,
                           &err) != WEIR_OK) {
        return complain(spec->name, 2, &err);
    }
    const char *const *level_text =
        (const void *)((const char *)ret_settings + spec->log_level_offset);
    const char *const *listen =
        (const void *)((const char *)ret_settings + spec->admin_listen_offset);
    enum weir_log_level level;
    if (weir_log_level_parse(*level_text, &level, &err) != WEIR_OK) {
        return complain(spec->name, 2, &err);
    }
    weir_log_init(spec->name, level);
    if (open_admin(service, *listen, &err) != WEIR_OK) {
        return complain(spec->name, 1, &err);
    }
    return -1;
}

void weir_service_end(struct weir_service **service)
{
    struct weir_service *s = *service;
    if (!s) {
        return;
    }
    weir_http_server_close(&s->admin, 200);
    weir_timer_free(&s->tick);
    weir_timer_free(&s->deadline);
    weir_timer_free(&s->trim);
    weir_loop_free(s->loop);
    close(s->signal_fd);
    WEIR_LIST_FOR(pos, &s->conditions)
    {
        free(WEIR_CONTAINER(pos, struct condition, node));
    }
    weir_metrics_free(s->metrics);
    weir_arena_free(s->arena);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *service = NULL;
}

struct weir_loop *weir_service_loop(struct weir_service *service)
{
    return service->loop;
}

struct weir_arena *weir_service_arena(struct weir_service *service)
{
    return service->arena;
}

struct weir_metrics *weir_service_metrics(struct weir_service *service)
{
    return service->metrics;
}

int weir_service_admin_port(const struct weir_service *service)
{
    return weir_http_server_port(service->admin);
}

void weir_service_on_drain(struct weir_service *service, weir_loop_fn *fn, void *ctx,
                           int64_t deadline_ms)
{
    service->drain_fn = fn;
    service->drain_ctx = ctx;
    service->drain_deadline_ms = deadline_ms;
}

/* Call with the lock held. */
static struct condition *condition_of(struct weir_service *service, const char *name)
{
    WEIR_LIST_FOR(pos, &service->conditions)
    {
        struct condition *c = WEIR_CONTAINER(pos, struct condition, node);
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }
    struct condition *c = weir_xalloc(sizeof(*c));
    c->name = name;
    weir_list_push_back(&service->conditions, &c->node);
    return c;
}

void weir_service_ready(struct weir_service *service, const char *name, bool is_ready,
                        const char *reason)
{
    pthread_mutex_lock(&service->lock);
    struct condition *c = condition_of(service, name);
    bool changed = c->is_ready != is_ready;
    c->is_ready = is_ready;
    WEIR_STR_SET(c->reason, reason ? reason : "");
    bool is_first = is_first_ready(service);
    pthread_mutex_unlock(&service->lock);
    if (changed) {
        weir_log(is_ready ? WEIR_LOG_INFO : WEIR_LOG_WARN,
                 is_ready ? "condition is met" : "condition is not met", "condition", name,
                 "reason", reason ? reason : "", NULL);
    }
    if (is_first) {
        weir_notify("READY=1");
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hiredis 0.14 has no time limit of its own for commands beyond the socket's, so the socket's is
 * set; after any failure the connection is thrown away, since an answer that comes late would be
 * taken for the next command's.
 */
#include "lib/io/store.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

#define CONNECT_DEFAULT_MS 500
#define COMMAND_DEFAULT_MS 500
#define RETRY_DEFAULT_MS   500
#define DEPTH_MAX          8

struct weir_store {
    char host[256];
    int port;
    char *user; /* NULL: none */
    char *password;
    int64_t database;
    int64_t connect_ms;
    int64_t command_ms;
    int64_t retry_ms;
    redisContext *redis; /* NULL: not connected */
    int64_t failed_mono_ms;
    bool has_failed;
    size_t n_queued;
    bool is_batch_lost; /* a queued command could not be sent */
};

/* ---- the URL ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes %XX (RFC 3986 section 2.1); NULL when malformed. */
static char *unescape(const char *text, size_t len)
{
    char *out = weir_xalloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low < 0) {
            free(out);
            return NULL;
        }
        out[n++] = (char)(high * 16 + low);
        i += 2;
    }
    return out;
}

static enum weir_code parse_credentials(struct weir_store *store, const char *text, size_t len,
                                        struct weir_err *err)
{
    const char *colon = memchr(text, ':', len);
    if (!colon)
        return weir_fail(err, WEIR_EINVAL, "redis URL: credentials must be user:password");
    size_t user_len = (size_t)(colon - text);
    store->user = user_len ? unescape(text, user_len) : NULL;
    store->password = unescape(colon + 1, len - user_len - 1);
    if ((user_len && !store->user) || !store->password)
        return weir_fail(err, WEIR_EINVAL, "redis URL: malformed %%XX in the credentials");
    return WEIR_OK;
}

/* `text`: host:port[/db] */
static enum weir_code parse_place(struct weir_store *store, const char *text, struct weir_err *err)
{
    size_t place = strcspn(text, "/");
    const char *colon = memrchr(text, ':', place);
    char port[8] = "6379";
    size_t host_len = colon ? (size_t)(colon - text) : place;
    size_t port_len = colon ? place - host_len - 1 : 0;
    if (host_len == 0 || host_len >= sizeof(store->host) || port_len >= sizeof(port))
        return weir_fail(err, WEIR_EINVAL, "redis URL: host or port is malformed");
    memcpy(store->host, text, host_len);
    store->host[host_len] = '\0';
    if (colon) {
        memcpy(port, colon + 1, port_len);
        port[port_len] = '\0';
    }
    int64_t number = 0;
    if (weir_str_to_int(port, 1, 65535, &number, NULL) != WEIR_OK)
        return weir_fail(err, WEIR_EINVAL, "redis URL: the port must be 1..65535");
    store->port = (int)number;
    const char *database = text[place] == '/' ? text + place + 1 : "";
    if (*database && weir_str_to_int(database, 0, 65535, &store->database, NULL) != WEIR_OK)
        return weir_fail(err, WEIR_EINVAL, "redis URL: the database must be a number");
    return WEIR_OK;
}

static enum weir_code parse_url(struct weir_store *store, const char *url, struct weir_err *err)
{
    static const char scheme[] = "redis://";
    if (!weir_str_starts_with(url, scheme))
        return weir_fail(err, WEIR_EINVAL, "redis URL: must begin with %s", scheme);
    const char *rest = url + sizeof(scheme) - 1;
    const char *at = strrchr(rest, '@');
    if (at) {
        enum weir_code code = parse_credentials(store, rest, (size_t)(at - rest), err);
        if (code != WEIR_OK)
            return code;
        rest = at + 1;
    }
    return parse_place(store, rest, err);
}

/* ---- the connection ---- */

enum weir_code weir_store_open(const struct weir_store_config *config, struct weir_store **ret,
                               struct weir_err *err)
{
    struct weir_store *store = weir_xalloc(sizeof(*store));
    store->connect_ms = config->connect_ms ? config->connect_ms : CONNECT_DEFAULT_MS;
    store->command_ms = config->command_ms ? config->command_ms : COMMAND_DEFAULT_MS;
    store->retry_ms = config->retry_ms ? config->retry_ms : RETRY_DEFAULT_MS;
    enum weir_code code = parse_url(store, config->url, err);
    if (code != WEIR_OK) {
        weir_store_close(&store);
        return code;
    }
    *ret = store;
    return WEIR_OK;
}

static void disconnect(struct weir_store *store)
{
    if (store->redis)
        redisFree(store->redis);
    store->redis = NULL;
    store->n_queued = 0;
}

void weir_store_close(struct weir_store **store)
{
    struct weir_store *self = WEIR_TAKE(*store);
    if (!self)
        return;
    disconnect(self);
    free(self->user);
    free(self->password);
    free(self);
}

/* Notes the failure, so that the next calls do not wait for the same again. */
static enum weir_code lose(struct weir_store *store, enum weir_code code, const char *why,
                           struct weir_err *err)
{
    disconnect(store);
    store->has_failed = true;
    store->failed_mono_ms = weir_clock_mono_ms();
    return weir_fail(err, code, "redis: %s", why);
}

static enum weir_code broken(struct weir_store *store, struct weir_err *err)
{
    char why[160];
    bool is_timeout =
        store->redis->err == REDIS_ERR_IO && (strstr(store->redis->errstr, "temporarily") != NULL);
    WEIR_STR_SET(why, store->redis->errstr);
    return lose(store, is_timeout ? WEIR_ETIMEOUT : WEIR_EUNAVAILABLE,
                is_timeout ? "no answer in time" : why, err);
}

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* A command of the greeting: its answer must not be an error. */
static enum weir_code greet(struct weir_store *store, int argc, const char **args,
                            struct weir_err *err)
{
    redisReply *reply = redisCommandArgv(store->redis, argc, args, NULL);
    if (!reply)
        return broken(store, err);
    bool is_error = reply->type == REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    /* The answer of a refused AUTH may repeat the user's name: it is not shown. */
    if (is_error)
        return lose(store, WEIR_EUNAUTH, "credentials or database refused", err);
    return WEIR_OK;
}

static enum weir_code introduce(struct weir_store *store, struct weir_err *err)
{
    enum weir_code code = WEIR_OK;
    if (store->password && store->user)
        code = greet(store, 3, (const char *[]){"AUTH", store->user, store->password}, err);
    else if (store->password)
        code = greet(store, 2, (const char *[]){"AUTH", store->password}, err);
    if (code == WEIR_OK && store->database != 0) {
        char number[8];
        snprintf(number, sizeof(number), "%d", (int)store->database);
        code = greet(store, 2, (const char *[]){"SELECT", number}, err);
    }
    return code;
}

static enum weir_code connect_now(struct weir_store *store, struct weir_err *err)
{
    if (store->redis)
        return WEIR_OK;
    if (store->has_failed && weir_clock_mono_ms() - store->failed_mono_ms < store->retry_ms)
        return weir_fail(err, WEIR_EUNAVAILABLE, "redis: away a moment ago");
    store->redis = redisConnectWithTimeout(store->host, store->port, timeval_of(store->connect_ms));
    if (!store->redis)
        return lose(store, WEIR_EUNAVAILABLE, "out of memory", err);
    if (store->redis->err)
        return broken(store, err);
    redisSetTimeout(store->redis, timeval_of(store->command_ms));
    redisEnableKeepAlive(store->redis);
    enum weir_code code = introduce(store, err);
    if (code == WEIR_OK)
        store->has_failed = false;
    return code;
}

/* ---- commands ---- */

static struct weir_store_value copy_value(const redisReply *reply, struct weir_arena *arena,
                                          int depth)
{
    struct weir_store_value value = {.type = WEIR_STORE_NIL};
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        value.type = WEIR_STORE_INT;
        value.integer = reply->integer;
        break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        value.type = WEIR_STORE_TEXT;
        value.text = weir_arena_memdup(arena, reply->str, (size_t)reply->len);
        value.len = (size_t)reply->len;
        break;
    case REDIS_REPLY_ARRAY:
        if (depth >= DEPTH_MAX)
            break;
        value.type = WEIR_STORE_ARRAY;
        value.n_items = reply->elements;
        value.items = weir_arena_array(arena, reply->elements + 1, sizeof(*value.items));
        for (size_t i = 0; i < reply->elements; i++)
            value.items[i] = copy_value(reply->element[i], arena, depth + 1);
        break;
    default:
        break;
    }
    return value;
}

enum weir_code weir_store_call(struct weir_store *store, const char *const *args,
                               const size_t *lens, size_t n, struct weir_arena *arena,
                               struct weir_store_value *ret, struct weir_err *err)
{
    assert(store->n_queued == 0);
    enum weir_code code = connect_now(store, err);
    if (code != WEIR_OK)
        return code;
    /* hiredis only reads the arguments; its prototype lacks a const. */
    redisReply *reply =
        redisCommandArgv(store->redis, (int)n, (const char **)(uintptr_t)args, lens);
    if (!reply)
        return broken(store, err);
    if (reply->type == REDIS_REPLY_ERROR)
        code = weir_fail(err, WEIR_EINVAL, "redis: %.200s", reply->str);
    else if (ret)
        *ret = copy_value(reply, arena, 0);
    freeReplyObject(reply);
    return code;
}

void weir_store_queue(struct weir_store *store, const char *const *args, const size_t *lens,
                      size_t n)
{
    if (!store->is_batch_lost && connect_now(store, NULL) == WEIR_OK &&
        redisAppendCommandArgv(store->redis, (int)n, (const char **)(uintptr_t)args, lens) ==
            REDIS_OK)
        store->n_queued++;
    else
        store->is_batch_lost = true;
}

enum weir_code weir_store_flush(struct weir_store *store, size_t *ret_errors, struct weir_err *err)
{
    size_t errors = 0;
    bool is_lost = store->is_batch_lost;
    store->is_batch_lost = false;
    if (is_lost) {
        disconnect(store);
        return weir_fail(err, WEIR_EUNAVAILABLE, "redis: away");
    }
    for (; store->n_queued > 0; store->n_queued--) {
        void *reply = NULL;
        if (redisGetReply(store->redis, &reply) != REDIS_OK)
            return broken(store, err);
        errors += ((redisReply *)reply)->type == REDIS_REPLY_ERROR;
        freeReplyObject(reply);
    }
    if (ret_errors)
        *ret_errors = errors;
    return WEIR_OK;
}

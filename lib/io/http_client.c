/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"

#define CONNECT_MS 2000

struct weir_http_client {
    CURL *curl;
};

/* One call under way: what libcurl's callbacks fill. */
struct call {
    struct weir_arena *arena;
    struct weir_http_answer answer;
    struct weir_buf body;
    bool is_too_large;
};

static void init_library(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        abort();
    }
}

struct weir_http_client *weir_http_client_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    struct weir_http_client *client = weir_xalloc(sizeof(*client));
    client->curl = curl_easy_init();
    if (!client->curl) {
        abort();
    }
    return client;
}

void weir_http_client_free(struct weir_http_client *client)
{
    if (client) {
        curl_easy_cleanup(client->curl);
        free(client);
    }
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct call *call = ctx;
    if (!weir_buf_add(&call->body, bytes, size * n)) {
        call->is_too_large = true;
        return 0;
    }
    return size * n;
}

/* The value of header line `line` if it is `name`'s, trimmed, in the arena; else NULL. */
static const char *header_value(struct weir_arena *arena, const char *line, size_t len,
                                const char *name)
{
    size_t name_len = strlen(name);
    if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0) {
        return NULL;
    }
    const char *begin = line + name_len + 1;
    const char *end = line + len;
    while (begin < end && (*begin == ' ' || *begin == '\t')) {
        begin++;
    }
    while (end > begin && strchr(" \t\r\n", end[-1])) {
        end--;
    }
    return weir_arena_memdup(arena, begin, (size_t)(end - begin));
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct call *call = ctx;
    const struct {
        const char *name;
        const char **slot;
    } wanted[] = {
        {"Content-Type", &call->answer.content_type},
        {"ETag", &call->answer.etag},
        {"Cache-Control", &call->answer.cache_control},
        {"Location", &call->answer.location},
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const char *value = header_value(call->arena, line, size * n, wanted[i].name);
        if (value) {
            *wanted[i].slot = value;
        }
    }
    return size * n;
}

static struct curl_slist *list_headers(const char *const *headers)
{
    /* No "Expect: 100-continue": it costs a round trip with every larger body. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; headers && headers[i]; i++) {
        list = curl_slist_append(list, headers[i]);
    }
    return list;
}

static void set_options(CURL *curl, const struct weir_http_call *wanted, struct call *call,
                        struct curl_slist *headers)
{
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, wanted->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)wanted->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
    if (wanted->unix_socket) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, wanted->unix_socket);
    }
    if (wanted->ca_file) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, wanted->ca_file);
    }
    if (wanted->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)wanted->body_len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, wanted->body);
    }
    if (wanted->method && strcmp(wanted->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, wanted->method ? wanted->method : "GET");
    }
}

static enum weir_code judge(CURLcode result, const struct weir_http_call *wanted,
                            const struct call *call, struct weir_err *err)
{
    if (call->is_too_large) {
        return weir_fail(err, WEIR_ELIMIT, "the answer has more than %zu bytes", wanted->max_bytes);
    }
    if (result == CURLE_OPERATION_TIMEDOUT) {
        return weir_fail(err, WEIR_ETIMEOUT, "no whole answer within %lld ms",
                         (long long)wanted->timeout_ms);
    }
    return weir_fail(err, WEIR_EUNAVAILABLE, "%s", curl_easy_strerror(result));
}

enum weir_code weir_http_client_call(struct weir_http_client *client,
                                     const struct weir_http_call *wanted, struct weir_arena *arena,
                                     struct weir_http_answer *ret, struct weir_err *err)
{
    struct call call = {
        .arena = arena,
        .answer = {.content_type = "", .etag = "", .cache_control = "", .location = ""},
        .body = {.max = wanted->max_bytes ? wanted->max_bytes : 1},
    };
    struct curl_slist *headers = list_headers(wanted->headers);
    set_options(client->curl, wanted, &call, headers);
    CURLcode result = curl_easy_perform(client->curl);
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);

    enum weir_code code = result == CURLE_OK ? WEIR_OK : judge(result, wanted, &call, err);
    if (code == WEIR_OK) {
        call.answer.status = (int)status;
        call.answer.body_len = call.body.len;
        call.answer.body =
            weir_arena_memdup(arena, call.body.bytes ? call.body.bytes : "", call.body.len);
        *ret = call.answer;
    }
    weir_buf_done(&call.body);
    return code;
}

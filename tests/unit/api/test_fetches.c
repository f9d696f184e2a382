/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a thread, on a real server that plays the workers. */
#include "tests/unit/check.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "api/fetches.h"
#include "lib/io/http_server.h"

#define WAIT_MS 30000
#define PICTURE "a picture" /* of nine bytes */

static const struct weir_id acme = {{1}};
static const struct weir_id acme_door = {{1, 1}};
static const struct weir_id acme_yard = {{1, 2}};
static const struct weir_id acme_hall = {{1, 3}};
static const struct weir_id blue = {{2}};
static const struct weir_id blue_door = {{2, 1}};

static struct weir_http_server *server;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_open;
static int n_stalled; /* that wait for that */

static void stall(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    pthread_mutex_lock(&mutex);
    n_stalled++;
    pthread_cond_broadcast(&changed);
    while (!is_open) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    weir_http_text(res, 200, PICTURE);
}

static void answer(void *ctx, struct weir_http_request *req, struct weir_http_response *res)
{
    (void)ctx;
    (void)req;
    weir_http_text(res, 200, PICTURE);
}

static const struct weir_http_route routes[] = {{"GET", "/stalled", stall, 0},
                                                {"GET", "/well", answer, 0}};

static void wait_stalled(int n)
{
    pthread_mutex_lock(&mutex);
    while (n_stalled < n) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}

static void open_gate(void)
{
    pthread_mutex_lock(&mutex);
    is_open = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static int begin(void **state)
{
    (void)state;
    const struct weir_http_server_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .n_routes = 2, .pool_threads = 8};
    is_open = false;
    n_stalled = 0;
    return weir_http_server_open(&config, &server, NULL) == WEIR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    open_gate();
    weir_http_server_close(&server, 1000);
    return 0;
}

static struct fetch *ask(struct fetches *fetches, const struct weir_id *tenant_id,
                         const struct weir_id *camera_id, const char *file,
                         enum weir_fair_verdict verdict)
{
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s", weir_http_server_port(server), file);
    enum weir_fair_verdict is = WEIR_FAIR_OK;
    struct fetch_wish wish = {.tenant_id = *tenant_id,
                              .camera_id = *camera_id,
                              .url = url,
                              .timeout_ms = WAIT_MS,
                              .server = server};
    struct fetch *fetch = fetches_begin(fetches, &wish, &is);
    assert_int_equal(is, verdict);
    assert_int_equal(fetch != NULL, is == WEIR_FAIR_OK);
    return fetch;
}

static void wait_for(struct fetch *fetch)
{
    for (int i = 0; i < WAIT_MS && !fetch_answer(fetch); i++) {
        usleep(1000);
    }
    const struct weir_http_answer *is = fetch_answer(fetch);
    assert_non_null(is);
    assert_int_equal(is->status, 200);
    assert_string_equal(is->body, PICTURE);
}

static void cameras_that_stall_leave_threads_for_another_tenant(void **state)
{
    (void)state;
    struct fetches *fetches = fetches_new(
        &(struct fetches_config){.limits = {.all = {4, 20}, .tenant = {3, 6}, .camera = {2, 4}},
                                 .max_bytes = 100,
                                 .held_max = 1000,
                                 .secret = "s"});
    struct fetch *stalled[6];
    for (size_t i = 0; i < 4; i++) {
        stalled[i] = ask(fetches, &acme, &acme_door, "stalled", WEIR_FAIR_OK);
    }
    ask(fetches, &acme, &acme_door, "stalled", WEIR_FAIR_CAMERA_FULL);
    for (size_t i = 4; i < 6; i++) {
        stalled[i] = ask(fetches, &acme, &acme_yard, "stalled", WEIR_FAIR_OK);
    }
    ask(fetches, &acme, &acme_hall, "well", WEIR_FAIR_TENANT_FULL);
    wait_stalled(3); /* two of one camera, one of the other */
    struct fetch *well = ask(fetches, &blue, &blue_door, "well", WEIR_FAIR_OK);
    wait_for(well);
    fetch_release(well);
    for (size_t i = 0; i < 6; i++) {
        assert_null(fetch_answer(stalled[i]));
    }
    /* Who waits no more leaves his place to another one. */
    fetch_release(stalled[3]);
    stalled[3] = ask(fetches, &acme, &acme_door, "stalled", WEIR_FAIR_OK);
    open_gate();
    for (size_t i = 0; i < 6; i++) {
        wait_for(stalled[i]);
        fetch_release(stalled[i]);
    }
    fetches_free(fetches);
}

static void a_tenant_whose_answers_are_not_read_leaves_memory_for_another(void **state)
{
    (void)state;
    struct fetches *fetches = fetches_new(
        &(struct fetches_config){.limits = {.all = {2, 20}, .tenant = {2, 20}, .camera = {2, 20}},
                                 .max_bytes = 100,
                                 .held_max = 2 * (sizeof(PICTURE) - 1),
                                 .secret = "s"});
    struct fetch *slow = ask(fetches, &acme, &acme_door, "well", WEIR_FAIR_OK);
    wait_for(slow);
    ask(fetches, &acme, &acme_yard, "well", WEIR_FAIR_TENANT_FULL);
    struct fetch *other = ask(fetches, &blue, &blue_door, "well", WEIR_FAIR_OK);
    wait_for(other);
    ask(fetches, &blue, &blue_door, "well", WEIR_FAIR_FULL);
    fetch_release(slow);
    slow = ask(fetches, &acme, &acme_yard, "well", WEIR_FAIR_OK);
    wait_for(slow);
    fetch_release(slow);
    fetch_release(other);
    fetches_free(fetches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cameras_that_stall_leave_threads_for_another_tenant, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_tenant_whose_answers_are_not_read_leaves_memory_for_another, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

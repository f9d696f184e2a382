/* SPDX-License-Identifier: Apache-2.0 */
/* When a daemon says that it is ready. */
#include "lib/service/service.h"

#include <stddef.h>
#include <stdio.h>

#include "lib/base/arena.h"
#include "lib/io/http_client.h"
#include "tests/unit/check.h"

/* The order of these includes matters. */
/* clang-format off */
struct settings {
#include "lib/service/settings_fields.h"
#include "lib/service/settings_common.def"
#include "lib/service/settings_end.h"
};

static const struct weir_setting rows[] = {
#define WEIR_SETTINGS_STRUCT struct settings
#include "lib/service/settings_rows.h"
#include "lib/service/settings_common.def"
#include "lib/service/settings_end.h"
};
/* clang-format on */

static const struct weir_service_spec spec = {
    .name = "weir-test",
    .what = "Is ready, or not.",
    .rows = rows,
    .n_rows = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct settings),
    .admin_listen_offset = offsetof(struct settings, admin_listen),
    .log_level_offset = offsetof(struct settings, log_level),
};

static int readyz(struct weir_service *service, char text[static 64])
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_http_client *client = weir_http_client_new();
    struct weir_http_answer answer = {0};
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/readyz", weir_service_admin_port(service));
    const struct weir_http_call call = {.url = url, .timeout_ms = 30000, .max_bytes = 4096};
    assert_int_equal(weir_http_client_call(client, &call, arena, &answer, NULL), WEIR_OK);
    snprintf(text, 64, "%.*s", (int)answer.body_len, answer.body);
    weir_http_client_free(client);
    return answer.status;
}

struct look {
    struct weir_service *service;
    int status;
    char text[64];
};

static void look_and_stop(void *ctx)
{
    struct look *look = ctx;
    look->status = readyz(look->service, look->text);
    weir_loop_stop(weir_service_loop(look->service));
}

/* After the loop's first turn. */
static struct look turn(struct weir_service *service)
{
    struct look look = {.service = service};
    struct weir_timer *timer = weir_timer_new(weir_service_loop(service), look_and_stop, &look);
    weir_timer_set(timer, 20);
    weir_loop_run(weir_service_loop(service));
    weir_timer_free(&timer);
    return look;
}

static void nobody_is_ready_before_his_loop_turns(void **state)
{
    (void)state;
    char name[] = "weir-test";
    char option[] = "--kafka";
    char brokers[] = "127.0.0.1:1";
    char *argv[] = {name, option, brokers, NULL};
    struct settings settings;
    struct weir_service *service = NULL;
    char text[64];
    assert_int_equal(weir_service_start(&spec, 3, argv, &settings, &service), -1);
    /* Its conditions are not named yet. */
    assert_int_equal(readyz(service, text), 503);
    assert_string_equal(text, "starting\n");
    weir_service_ready(service, "log", false, "it is not read yet");
    struct look look = turn(service);
    assert_int_equal(look.status, 503);
    assert_string_equal(look.text, "log: not ready, it is not read yet\n");
    weir_service_ready(service, "log", true, NULL);
    look = turn(service);
    assert_int_equal(look.status, 200);
    assert_string_equal(look.text, "log: ok\n");
    weir_service_end(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_ready_before_his_loop_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

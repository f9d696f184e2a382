/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/str.h"

#define TENANT "0191a000-0000-7000-8000-000000000001"
#define CAMERA "0191a000-0000-7000-8000-000000000002"
#define OTHER  "0191a000-0000-7000-8000-000000000003"
#define PIN    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY    "0101010101010101010101010101010101010101010101010101010101010101"

struct setup {
    struct weir_arena *arena;
    struct weir_seal_ring key;
    struct weir_id tenant_id;
    struct weir_id camera_id;
};

static int set_up(void **state)
{
    static struct setup setup;
    setup.arena = weir_arena_new(0);
    *state = &setup;
    bool is_good = weir_seal_parse_ring(KEY, &setup.key, NULL) == WEIR_OK &&
                   weir_id_parse(TENANT, strlen(TENANT), &setup.tenant_id, NULL) == WEIR_OK &&
                   weir_id_parse(CAMERA, strlen(CAMERA), &setup.camera_id, NULL) == WEIR_OK;
    return is_good ? 0 : -1;
}

static int tear_down(void **state)
{
    struct setup *setup = *state;
    weir_arena_free(setup->arena);
    return 0;
}

/* The api's answer around a sealed text. */
static struct weir_http_answer answer_with(struct setup *setup, const char *inner, int version,
                                           const char *more)
{
    struct weir_seal_public public_key = weir_seal_public_of(&setup->key.keys[0]);
    const char *sealed = weir_seal(&public_key, inner, strlen(inner), setup->arena);
    char *body = weir_arena_printf(setup->arena,
                                   "{\"camera_id\":\"" CAMERA "\",\"tenant_id\":\"" TENANT
                                   "\",\"version\":%d,\"sealed\":\"%s\","
                                   "\"networks\":\"10.0.0.0/8, public\"%s}",
                                   version, sealed, more);
    return (struct weir_http_answer){.status = 200, .body = body, .body_len = strlen(body)};
}

static struct weir_http_answer answer_of(struct setup *setup, const char *inner, int version)
{
    return answer_with(setup, inner, version, "");
}

static enum weir_code read_inner(struct setup *setup, const char *inner, struct source *ret)
{
    struct weir_http_answer answer = answer_of(setup, inner, 7);
    return source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, ret, NULL);
}

#define INNER(tenant, camera, version, rest)                                                       \
    "{\"tenant_id\":\"" tenant "\",\"camera_id\":\"" camera "\",\"version\":" version "," rest "}"

static void a_sealed_source_is_opened(void **state)
{
    struct source source = {0};
    assert_int_equal(read_inner(*state,
                                INNER(TENANT, CAMERA, "7",
                                      "\"url\":\"rtsp://cam/1\",\"username\":\"viewer\","
                                      "\"password\":\"p@ss:w/\\u00f6 rd\",\"transport\":\"udp\""),
                                &source),
                     WEIR_OK);
    assert_int_equal(source.version, 7);
    assert_string_equal(source.url, "rtsp://cam/1");
    assert_string_equal(source.networks, "public 10.0.0.0/8");
    assert_string_equal(source.username, "viewer");
    assert_string_equal(source.password, "p@ss:w/\xc3\xb6 rd");
    assert_int_equal(source.transport, WEIR_TRANSPORT_UDP);
}

static void a_camera_may_have_no_credentials(void **state)
{
    struct source source = {0};
    assert_int_equal(
        read_inner(*state, INNER(TENANT, CAMERA, "7", "\"url\":\"rtsp://cam/1\",\"username\":null"),
                   &source),
        WEIR_OK);
    assert_false(source.has_username || source.has_password);
    assert_int_equal(source.transport, WEIR_TRANSPORT_TCP);
}

static enum weir_code read_others(void *state, const char *others, struct source *ret)
{
    struct setup *setup = state;
    const char *inner = weir_arena_printf(
        setup->arena, INNER(TENANT, CAMERA, "7", "\"url\":\"rtsp://cam/1\",\"others\":%s"), others);
    return read_inner(setup, inner, ret);
}

static void a_camera_may_have_several_sources(void **state)
{
    struct source source = {0};
    struct source same = {0};
    const char *two = "[{\"name\":\"sub\",\"url\":\"rtsp://cam/2\",\"username\":\"u\","
                      "\"password\":\"p\",\"transport\":\"udp\",\"codec\":\"h265\",\"width\":640,"
                      "\"height\":360,\"fps\":15,\"tls_pin_sha256\":\"" PIN
                      "\"},{\"name\":\"third\",\"url\":\"rtsp://cam/3\"}]";
    assert_int_equal(read_others(*state, two, &source), WEIR_OK);
    assert_int_equal(source.n_others, 2);
    const struct weir_ctl_tap_camera_others *sub = &source.others[0];
    assert_string_equal(sub->name, "sub");
    assert_string_equal(sub->url, "rtsp://cam/2");
    assert_true(sub->has_username && sub->has_password && sub->has_codec && sub->has_fps);
    assert_int_equal(sub->transport, WEIR_TRANSPORT_UDP);
    assert_int_equal(sub->codec, WEIR_CTL_TAP_CAMERA_OTHERS_CODEC_H265);
    assert_string_equal(sub->tls_pin_sha256, PIN);
    assert_true(sub->has_tls_pin_sha256 && !source.others[1].has_tls_pin_sha256);
    assert_true(sub->width == 640 && sub->height == 360 && sub->fps == 15);
    assert_false(source.others[1].has_username || source.others[1].has_width);
    assert_int_equal(read_others(*state, two, &same), WEIR_OK);
    assert_true(source_is_same_place(&source, &same));
    WEIR_STR_SET(same.others[1].url, "rtsp://cam/4");
    assert_false(source_is_same_place(&source, &same));
    same = source;
    same.others[0].fps = 14;
    assert_false(source_is_same_place(&source, &same));
    same = source;
    same.others[0].tls_pin_sha256[0] = 'f';
    assert_false(source_is_same_place(&source, &same));
    same = source;
    WEIR_STR_SET(same.tls_pin, PIN);
    same.has_tls_pin = true;
    assert_false(source_is_same_place(&source, &same));
    same = source;
    same.encoder_delay_ms = 40;
    assert_false(source_is_same_place(&source, &same));
    same = source;
    same.n_others = 1;
    assert_false(source_is_same_place(&source, &same));
}

static void further_sources_that_make_no_sense_are_refused(void **state)
{
    static const char *const bad[] = {
        "{}",
        "7",
        "[7]",
        "[{}]",
        "[{\"name\":\"sub\"}]",
        "[{\"url\":\"rtsp://cam/2\"}]",
        "[{\"name\":\"seventeen_bytes_a\",\"url\":\"rtsp://cam/2\"}]",
        "[{\"name\":\"Sub\",\"url\":\"rtsp://cam/2\"}]",
        "[{\"name\":\"sub\",\"url\":\"rtsp://cam/2\",\"width\":0}]",
        "[{\"name\":\"sub\",\"url\":\"rtsp://cam/2\",\"fps\":241}]",
        "[{\"name\":\"sub\",\"url\":\"rtsp://cam/2\",\"height\":\"9\"}]",
        "[{\"name\":\"sub\",\"url\":\"rtsp://cam/2\",\"password\":5}]",
        "[{\"name\":\"sub\",\"url\":\"rtsps://cam/2\",\"tls_pin_sha256\":\"x\"}]",
        "[{\"name\":\"a\",\"url\":\"b\"},{\"name\":\"b\",\"url\":\"b\"},"
        "{\"name\":\"c\",\"url\":\"b\"},{\"name\":\"d\",\"url\":\"b\"}]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct source source = {0};
        assert_int_equal(read_others(*state, bad[i], &source), WEIR_EINVAL);
        assert_int_equal(source.n_others, 0);
    }
}

static void a_ceiling_is_told_beside_the_seal(void **state)
{
    struct setup *setup = *state;
    struct source source = {0};
    const char *inner = INNER(TENANT, CAMERA, "7", "\"url\":\"rtsp://cam/1\"");
    struct weir_http_answer answer =
        answer_with(setup, inner, 7, ",\"max_quality\":\"low\",\"max_fps\":5");
    assert_int_equal(
        source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, &source, NULL),
        WEIR_OK);
    assert_true(source.ceiling.quality == WEIR_QUALITY_LOW && source.ceiling.fps == 5);
    answer = answer_of(setup, inner, 7);
    assert_int_equal(
        source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, &source, NULL),
        WEIR_OK);
    assert_true(weir_ceiling_is_none(&source.ceiling));
    /* One that cannot be understood is not as good as none. */
    answer = answer_with(setup, inner, 7, ",\"max_quality\":\"tiny\",\"max_fps\":5");
    assert_int_equal(
        source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, &source, NULL),
        WEIR_EINVAL);
}

/* Without the word there is none: an api that knows of no sound lets none be heard. */
static void sound_is_there_only_where_the_api_says_so(void **state)
{
    struct setup *setup = *state;
    static const struct {
        const char *extra;
        bool is_heard;
    } cases[] = {{",\"audio\":true", true},
                 {",\"audio\":false", false},
                 {"", false},
                 {",\"audio\":1", false}};
    const char *inner = INNER(TENANT, CAMERA, "7", "\"url\":\"rtsp://cam/1\",\"audio\":true");
    struct source sources[4];
    for (size_t i = 0; i < 4; i++) {
        struct weir_http_answer answer = answer_with(setup, inner, 7, cases[i].extra);
        assert_int_equal(source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id,
                                     &sources[i], NULL),
                         WEIR_OK);
        assert_true(sources[i].has_audio == cases[i].is_heard);
    }
    assert_false(source_is_same_place(&sources[0], &sources[1])); /* the tap is told */
    assert_true(source_is_same_place(&sources[1], &sources[2]));
}

static void an_encoders_delay_is_told_beside_the_seal(void **state)
{
    struct setup *setup = *state;
    struct source source = {0};
    const char *inner = INNER(TENANT, CAMERA, "7", "\"url\":\"rtsp://cam/1\"");
    struct weir_http_answer answer = answer_with(setup, inner, 7, ",\"encoder_delay_ms\":660");
    assert_int_equal(
        source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, &source, NULL),
        WEIR_OK);
    assert_int_equal(source.encoder_delay_ms, 660);
    answer = answer_of(setup, inner, 7);
    assert_int_equal(
        source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, &source, NULL),
        WEIR_OK);
    assert_int_equal(source.encoder_delay_ms, 0);
    answer = answer_with(setup, inner, 7, ",\"encoder_delay_ms\":5001");
    assert_int_equal(
        source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, &source, NULL),
        WEIR_EINVAL);
}

static void a_sealed_text_about_something_else_is_refused(void **state)
{
    const char *const swapped[] = {
        INNER(OTHER, CAMERA, "7", "\"url\":\"rtsp://cam/1\""),
        INNER(TENANT, OTHER, "7", "\"url\":\"rtsp://cam/1\""),
        INNER(TENANT, CAMERA, "6", "\"url\":\"rtsp://cam/1\""),
        "{\"url\":\"rtsp://cam/1\"}",
    };
    for (size_t i = 0; i < sizeof(swapped) / sizeof(swapped[0]); i++) {
        struct source source = {0};
        assert_int_equal(read_inner(*state, swapped[i], &source), WEIR_EFORBIDDEN);
        assert_string_equal(source.url, "");
    }
}

static void a_text_sealed_for_another_key_is_refused(void **state)
{
    struct setup *setup = *state;
    struct source source = {0};
    struct weir_http_answer answer =
        answer_of(setup, INNER(TENANT, CAMERA, "7", "\"url\":\"rtsp://cam/1\""), 7);
    struct weir_seal_ring other = setup->key;
    other.keys[0].key[5] ^= 1;
    assert_int_equal(
        source_read(&answer, &other, &setup->tenant_id, &setup->camera_id, &source, NULL),
        WEIR_EFORBIDDEN);
    other.keys[0].id[5] ^= 1;
    assert_int_equal(
        source_read(&answer, &other, &setup->tenant_id, &setup->camera_id, &source, NULL),
        WEIR_EUNSUPPORTED);
}

static void a_source_without_an_address_is_refused(void **state)
{
    struct source source = {0};
    assert_int_equal(read_inner(*state, INNER(TENANT, CAMERA, "7", "\"url\":7"), &source),
                     WEIR_EINVAL);
}

static void the_apis_refusals_are_told_apart(void **state)
{
    static const struct {
        int status;
        enum weir_code code;
    } cases[] = {{404, WEIR_ENOTFOUND},
                 {403, WEIR_EFORBIDDEN},
                 {401, WEIR_EFORBIDDEN},
                 {503, WEIR_EUNAVAILABLE}};
    struct setup *setup = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_http_answer answer = {.status = cases[i].status, .body = "{}", .body_len = 2};
        struct source source;
        assert_int_equal(
            source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, &source, NULL),
            cases[i].code);
    }
}

static void an_answer_that_is_no_source_is_refused(void **state)
{
    static const char *const bodies[] = {
        "",    "[]", "{\"version\":1}", "{\"sealed\":\"x\"}", "{\"sealed\":\"x\",\"version\":1}",
        "\xff"};
    struct setup *setup = *state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct weir_http_answer answer = {
            .status = 200, .body = bodies[i], .body_len = strlen(bodies[i])};
        struct source source;
        assert_int_not_equal(
            source_read(&answer, &setup->key, &setup->tenant_id, &setup->camera_id, &source, NULL),
            WEIR_OK);
    }
}

static void the_question_names_camera_and_worker_and_shows_the_secret_in_a_header(void **state)
{
    struct setup *setup = *state;
    struct call call;
    struct source_least least = {.camera_version = 8, .tenant_version = 2};
    source_ask(&call, "s3cret", &setup->tenant_id, &setup->tenant_id, &setup->camera_id, &least);
    assert_string_equal(call.path,
                        "/internal/v1/cameras/" CAMERA "/source?camera_version=8&tenant_version=2");
    assert_true(weir_id_equal(&call.tenant_id, &setup->tenant_id));
    assert_int_equal(call.camera_version, 8);
    assert_int_equal(call.tenant_version, 2);
    assert_string_equal(call.headers[0], "Authorization: Bearer s3cret");
    assert_string_equal(call.headers[1], "X-Weir-Worker-Id: " TENANT);
}

#define IN_SETUP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SETUP(a_sealed_source_is_opened),
        IN_SETUP(a_camera_may_have_no_credentials),
        IN_SETUP(a_camera_may_have_several_sources),
        IN_SETUP(further_sources_that_make_no_sense_are_refused),
        IN_SETUP(a_ceiling_is_told_beside_the_seal),
        IN_SETUP(sound_is_there_only_where_the_api_says_so),
        IN_SETUP(an_encoders_delay_is_told_beside_the_seal),
        IN_SETUP(a_sealed_text_about_something_else_is_refused),
        IN_SETUP(a_text_sealed_for_another_key_is_refused),
        IN_SETUP(a_source_without_an_address_is_refused),
        IN_SETUP(the_apis_refusals_are_told_apart),
        IN_SETUP(an_answer_that_is_no_source_is_refused),
        IN_SETUP(the_question_names_camera_and_worker_and_shows_the_secret_in_a_header),
    };
    return cmocka_run_group_tests_name("worker source", tests, NULL, NULL);
}

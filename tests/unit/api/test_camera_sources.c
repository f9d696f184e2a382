/* SPDX-License-Identifier: Apache-2.0 */
#include "api/camera_sources.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

#define MAIN                                                                                       \
    "{\"name\":\"main\",\"url\":\"rtsp://Cam.example/1\",\"username\":\"u\",\"password\":\"p\"}"
#define SUB(more) "{\"name\":\"sub\",\"url\":\"rtsp://10.0.0.9/2\"" more "}"

static struct weir_arena *arena;
static struct camera_sources sources;
static struct api_fault fault;

static int begin(void **state)
{
    (void)state;
    arena = weir_arena_new(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    weir_arena_free(arena);
    return 0;
}

static enum weir_code read_text(const char *text)
{
    struct weir_json *json = weir_arena_alloc(arena, sizeof(*json));
    struct weir_err err = {0};
    ASSERT_OK(weir_json_parse(text, strlen(text), arena, json, &err), &err);
    memset(&fault, 0, sizeof(fault));
    return camera_sources_read(json, &sources, &fault);
}

static void refused(const char *text, const char *code, const char *pointer)
{
    assert_int_equal(read_text(text), WEIR_ESEMANTIC);
    assert_string_equal(fault.code, code);
    assert_string_equal(fault.pointer, pointer);
    assert_true(fault.detail[0] != '\0');
}

static const char *written(void (*write)(struct weir_json_out *out))
{
    struct weir_json_out out = {0};
    size_t len;
    weir_json_open(&out, NULL, '{');
    write(&out);
    weir_json_close(&out, '}');
    return weir_json_take(&out, arena, &len);
}

static void write_others(struct weir_json_out *out)
{
    camera_sources_write_others(&sources, out);
}

static void show(struct weir_json_out *out)
{
    const struct camera_source_shown main = {"rtsp://a/1", "udp", true, NULL};
    camera_sources_show(&main, camera_sources_text(&sources, arena), out);
}

static void several_are_read_and_main_is_found(void **state)
{
    (void)state;
    assert_int_equal(
        read_text(
            "[" SUB(",\"transport\":\"multicast\",\"codec\":\"h264\",\"width\":640,\"height\":360,"
                    "\"fps\":15") "," MAIN "]"),
        WEIR_OK);
    assert_int_equal(sources.n, 2);
    assert_int_equal(sources.main, 1);
    const struct camera_source *sub = &sources.of[0];
    assert_string_equal(sub->name, "sub");
    assert_string_equal(sub->host, "10.0.0.9");
    assert_string_equal(sub->transport, "multicast");
    assert_null(sub->username);
    assert_true(sub->width == 640 && sub->height == 360 && sub->fps == 15);
    assert_string_equal(sources.of[1].host, "cam.example");
    assert_string_equal(sources.of[1].username, "u");
    assert_string_equal(sources.of[1].transport, "tcp");
}

static void what_is_shown_holds_no_credentials_and_what_is_sealed_does(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("[" MAIN "," SUB(",\"username\":\"v\",\"password\":\"q\",\"fps\":9") "]"),
        WEIR_OK);
    assert_string_equal(
        camera_sources_text(&sources, arena),
        "[{\"name\":\"main\",\"url\":\"rtsp://Cam.example/1\",\"transport\":\"tcp\","
        "\"has_credentials\":true,\"tls_pin_sha256\":null},"
        "{\"name\":\"sub\",\"url\":\"rtsp://10.0.0.9/2\",\"transport\":\"tcp\","
        "\"has_credentials\":true,\"tls_pin_sha256\":null,\"fps\":9}]");
    assert_string_equal(written(write_others),
                        "{\"others\":[{\"name\":\"sub\",\"url\":\"rtsp://10.0.0.9/2\","
                        "\"username\":\"v\",\"password\":\"q\",\"transport\":\"tcp\",\"fps\":9}]}");
    const char *shown = written(show);
    assert_non_null(strstr(shown, "\"source\":{\"url\":\"rtsp://a/1\""));
    assert_non_null(
        strstr(shown, "\"sources\":[{\"name\":\"main\",\"url\":\"rtsp://Cam.example/1\""));
}

static void main_alone_is_as_one_source(void **state)
{
    (void)state;
    assert_int_equal(read_text("[" MAIN "]"), WEIR_OK);
    assert_false(camera_sources_are_several(camera_sources_text(&sources, arena)));
    assert_string_equal(written(write_others), "{}");
    assert_string_equal(written(show),
                        "{\"source\":{\"url\":\"rtsp://a/1\",\"transport\":\"udp\","
                        "\"has_credentials\":true,\"tls_pin_sha256\":null},\"sources\":"
                        "[{\"name\":\"main\",\"url\":\"rtsp://a/1\",\"transport\":\"udp\","
                        "\"has_credentials\":true,\"tls_pin_sha256\":null}]}");
}

#define PIN       "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define UPPER     "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
#define TLS(more) "{\"name\":\"sub\",\"url\":\"RTSPS://10.0.0.9/2\"" more "}"

static void a_source_behind_tls_has_a_pin_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(read_text("[" MAIN "," TLS(",\"tls_pin_sha256\":\"" UPPER "\"") "]"), WEIR_OK);
    assert_string_equal(sources.of[0].tls_pin, "");
    assert_string_equal(sources.of[1].tls_pin, PIN);
    assert_non_null(strstr(camera_sources_text(&sources, arena),
                           "\"has_credentials\":false,\"tls_pin_sha256\":\"" PIN "\"}]"));
    assert_non_null(strstr(written(write_others), "\"tls_pin_sha256\":\"" PIN "\"}]}"));
    assert_int_equal(read_text("[" MAIN "," SUB(",\"tls_pin_sha256\":null") "]"), WEIR_OK);
    assert_null(strstr(written(write_others), "tls_pin"));
    refused("[" MAIN "," TLS("") "]", "missing_field", "/sources/1/tls_pin_sha256");
    assert_int_equal(
        read_text("[" MAIN "," TLS(",\"transport\":\"http\",\"tls_pin_sha256\":\"" PIN "\"") "]"),
        WEIR_OK);
    assert_non_null(
        strstr(written(write_others), "\"transport\":\"http\",\"tls_pin_sha256\":\"" PIN "\"}]}"));
    refused("[" MAIN "," TLS(",\"transport\":\"multicast\",\"tls_pin_sha256\":\"" PIN "\"") "]",
            "bad_transport", "/sources/1/transport");
    refused("[" MAIN "," TLS(",\"transport\":\"http\"") "]", "missing_field",
            "/sources/1/tls_pin_sha256");
    refused("[" MAIN "," SUB(",\"tls_pin_sha256\":\"" PIN "\"") "]", "bad_pin",
            "/sources/1/tls_pin_sha256");
    refused("[" MAIN "," TLS(",\"tls_pin_sha256\":\"x" PIN "\"") "]", "bad_pin",
            "/sources/1/tls_pin_sha256");
    refused("[" MAIN "," TLS(",\"tls_pin_sha256\":\"00\"") "]", "too_short",
            "/sources/1/tls_pin_sha256");
}

static void each_fault_is_named_with_its_place(void **state)
{
    (void)state;
    refused("[]", "missing_field", "/sources");
    refused("[" SUB("") "]", "missing_field", "/sources");
    refused("[" MAIN "," MAIN "]", "duplicate", "/sources/1/name");
    refused("[" MAIN ",{\"name\":\"sub\",\"url\":\"rtsp://Cam.example/1\"}]", "duplicate",
            "/sources/1/url");
    refused("[7]", "wrong_type", "/sources/0");
    refused("[{}]", "missing_field", "/sources/0/name");
    refused("[{\"name\":\"main\"}]", "missing_field", "/sources/0/url");
    refused("[" MAIN "," SUB(",\"x\":1") "]", "unknown_field", "/sources/1/x");
    refused("[" MAIN "," SUB(",\"fps\":0") "]", "out_of_range", "/sources/1/fps");
    refused("[" MAIN "," SUB(",\"codec\":\"mjpeg\"") "]", "unknown_value", "/sources/1/codec");
    refused("[" MAIN "," SUB(",\"password\":\"q\"") "]", "missing_field", "/sources/1/username");
    refused("[{\"name\":\"Main\",\"url\":\"rtsp://a/1\"}]", "bad_name", "/sources/0/name");
    refused("[{\"name\":\"1\",\"url\":\"rtsp://a/1\"}]", "bad_name", "/sources/0/name");
    refused("[{\"name\":\"sixteen_bytes_abc\",\"url\":\"rtsp://a/1\"}]", "too_long",
            "/sources/0/name");
    refused("[{\"name\":\"main\",\"url\":\"http://a/1\"}]", "bad_url", "/sources/0/url");
    refused("[{\"name\":\"main\",\"url\":\"rtsp://u:p@a/1\"}]", "bad_url", "/sources/0/url");
    refused("[{},{},{},{},{}]", "too_many", "/sources");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_are_read_and_main_is_found),
        cmocka_unit_test(what_is_shown_holds_no_credentials_and_what_is_sealed_does),
        cmocka_unit_test(main_alone_is_as_one_source),
        cmocka_unit_test(a_source_behind_tls_has_a_pin_of_its_own),
        cmocka_unit_test(each_fault_is_named_with_its_place),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

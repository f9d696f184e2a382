/* SPDX-License-Identifier: Apache-2.0 */
#include "api/camera_sources.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

#define SIDE_MAX         16384 /* pixels */
#define FPS_MAX          240
#define SHORT_POINTER    32 /* "/sources/3" */
#define CREDENTIAL_BYTES 256

enum {
    S_NAME,
    S_URL,
    S_USERNAME,
    S_PASSWORD,
    S_TRANSPORT,
    S_TLS_PIN,
    S_CODEC,
    S_WIDTH,
    S_HEIGHT,
    S_FPS,
    N_FIELDS,
};

const char *const camera_transports[] = {"tcp", "udp", "http", "multicast", NULL};
static const char *const codecs[] = {"h264", "h265", NULL};

static const struct api_field fields[N_FIELDS] = {
    [S_NAME] = {"/name", API_STR, .min = 1, .max = CAMERA_SOURCE_NAME_MAX, .is_required = true},
    [S_URL] = {"/url", API_STR, .min = 1, .max = API_URL_MAX, .is_required = true},
    [S_USERNAME] = {"/username", API_STR, .max = CREDENTIAL_BYTES, .is_nullable = true},
    [S_PASSWORD] = {"/password", API_STR, .max = CREDENTIAL_BYTES, .is_nullable = true},
    [S_TRANSPORT] = {"/transport", API_ENUM, .names = camera_transports},
    [S_TLS_PIN] = {"/tls_pin_sha256", API_STR, .min = CAMERA_PIN_MIN, .max = CAMERA_PIN_MAX,
                   .is_nullable = true},
    [S_CODEC] = {"/codec", API_ENUM, .names = codecs},
    [S_WIDTH] = {"/width", API_INT, .min = 1, .max = SIDE_MAX},
    [S_HEIGHT] = {"/height", API_INT, .min = 1, .max = SIDE_MAX},
    [S_FPS] = {"/fps", API_INT, .min = 1, .max = FPS_MAX},
};

static enum weir_code fail(struct api_fault *fault, const char *code, const char *pointer,
                           const char *member, const char *fmt, ...) WEIR_PRINTF(5, 6);

static enum weir_code fail(struct api_fault *fault, const char *code, const char *pointer,
                           const char *member, const char *fmt, ...)
{
    fault->code = code;
    snprintf(fault->pointer, sizeof(fault->pointer), "%s%s", pointer, member);
    va_list args;
    va_start(args, fmt);
    vsnprintf(fault->detail, sizeof(fault->detail), fmt, args);
    va_end(args);
    return WEIR_ESEMANTIC;
}

static bool is_tls(const struct camera_source *source)
{
    return strncasecmp(source->url, "rtsps://", 8) == 0;
}

/* Who a camera behind TLS is must be said; nothing is trusted because it was seen first. */
static enum weir_code check_pin(struct camera_source *source, const char *pointer,
                                struct api_fault *fault)
{
    struct weir_tls_pin pin;
    if (is_tls(source) && !source->pin_given) {
        return fail(fault, "missing_field", pointer, "/tls_pin_sha256",
                    "is missing: a camera behind TLS is known by the SHA-256 of its certificate, "
                    "or of the public key in it");
    }
    if (!is_tls(source) && source->pin_given) {
        return fail(fault, "bad_pin", pointer, "/tls_pin_sha256",
                    "has no meaning without rtsps://");
    }
    if (source->pin_given && !weir_tls_pin_read(source->pin_given, &pin)) {
        return fail(fault, "bad_pin", pointer, "/tls_pin_sha256",
                    "must be 64 hex digits, or 32 pairs of them with colons between");
    }
    source->tls_pin[0] = '\0';
    if (source->pin_given) {
        weir_tls_pin_format(&pin, source->tls_pin);
    }
    return WEIR_OK;
}

enum weir_code camera_source_check(struct camera_source *source, const char *pointer,
                                   struct api_fault *fault)
{
    struct weir_err err = {0};
    if (api_source_url_check(source->url, source->host, &err) != WEIR_OK) {
        return fail(fault, "bad_url", pointer, "/url", "%s", err.msg);
    }
    if (source->password && !source->username) {
        return fail(fault, "missing_field", pointer, "/username",
                    "is missing: a password has no meaning alone");
    }
    if (strcmp(source->transport, "multicast") == 0 && is_tls(source)) {
        return fail(
            fault, "bad_transport", pointer, "/transport",
            "must not be multicast with rtsps://: what is sent to a group is not encrypted");
    }
    return check_pin(source, pointer, fault);
}

static bool is_name(const char *text)
{
    return text[0] >= 'a' && text[0] <= 'z' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

/* An empty text is none. */
static const char *given(const struct api_value *value)
{
    return value->str && value->str[0] ? value->str : NULL;
}

static enum weir_code read_one(const struct weir_json *json, const char *pointer,
                               struct camera_source *ret, struct api_fault *fault)
{
    struct api_value values[N_FIELDS];
    if (api_fields_read(fields, N_FIELDS, json, values, fault) != WEIR_OK) {
        char inner[API_POINTER_MAX];
        WEIR_STR_SET(inner, fault->pointer);
        if (snprintf(fault->pointer, sizeof(fault->pointer), "%s%s", pointer, inner) >=
            (int)sizeof(fault->pointer)) {
            WEIR_STR_SET(fault->pointer, pointer);
        }
        return WEIR_ESEMANTIC;
    }
    if (!is_name(values[S_NAME].str)) {
        return fail(fault, "bad_name", pointer, "/name",
                    "must be a letter, then letters, digits and _, all in lower case");
    }
    *ret = (struct camera_source){
        .name = values[S_NAME].str,
        .url = values[S_URL].str,
        .username = given(&values[S_USERNAME]),
        .password = given(&values[S_PASSWORD]),
        .transport = values[S_TRANSPORT].is_given ? values[S_TRANSPORT].str : camera_transports[0],
        .pin_given = values[S_TLS_PIN].str,
        .codec = values[S_CODEC].str,
        .width = values[S_WIDTH].integer,
        .height = values[S_HEIGHT].integer,
        .fps = values[S_FPS].integer,
    };
    return camera_source_check(ret, pointer, fault);
}

/* Each has a name and an address of its own: none is read twice. */
static enum weir_code check_unlike(const struct camera_sources *sources, size_t i,
                                   const char *pointer, struct api_fault *fault)
{
    const struct camera_source *source = &sources->of[i];
    for (size_t k = 0; k < i; k++) {
        if (strcmp(source->name, sources->of[k].name) == 0) {
            return fail(fault, "duplicate", pointer, "/name", "is the name of another one");
        }
        if (strcmp(source->url, sources->of[k].url) == 0) {
            return fail(fault, "duplicate", pointer, "/url", "is the address of another one");
        }
    }
    return WEIR_OK;
}

enum weir_code camera_sources_read(const struct weir_json *json, struct camera_sources *ret,
                                   struct api_fault *fault)
{
    bool has_main = false;
    *ret = (struct camera_sources){0};
    if (json->n > CAMERA_SOURCES_MAX) {
        return fail(fault, "too_many", "/sources", "", "must have at most %d members",
                    CAMERA_SOURCES_MAX);
    }
    for (size_t i = 0; i < json->n; i++) {
        char pointer[SHORT_POINTER];
        snprintf(pointer, sizeof(pointer), "/sources/%zu", i);
        enum weir_code code = read_one(&json->items[i], pointer, &ret->of[i], fault);
        if (code == WEIR_OK) {
            code = check_unlike(ret, i, pointer, fault);
        }
        if (code != WEIR_OK) {
            return code;
        }
        ret->n++;
        if (strcmp(ret->of[i].name, CAMERA_SOURCE_MAIN) == 0) {
            ret->main = i;
            has_main = true;
        }
    }
    return has_main ? WEIR_OK
                    : fail(fault, "missing_field", "/sources", "",
                           "must hold one that is named " CAMERA_SOURCE_MAIN);
}

/* ---- out ---- */

static void write_declared(const struct camera_source *source, struct weir_json_out *out)
{
    if (source->codec) {
        weir_json_str(out, "codec", source->codec);
    }
    if (source->width > 0) {
        weir_json_int(out, "width", source->width);
    }
    if (source->height > 0) {
        weir_json_int(out, "height", source->height);
    }
    if (source->fps > 0) {
        weir_json_int(out, "fps", source->fps);
    }
}

const char *camera_sources_text(const struct camera_sources *sources, struct weir_arena *arena)
{
    struct weir_json_out out = {0};
    size_t len;
    if (sources->n <= 1) {
        return CAMERA_SOURCES_ALONE;
    }
    weir_json_open(&out, NULL, '[');
    for (size_t i = 0; i < sources->n; i++) {
        const struct camera_source *source = &sources->of[i];
        weir_json_open(&out, NULL, '{');
        weir_json_str(&out, "name", source->name);
        weir_json_str(&out, "url", source->url);
        weir_json_str(&out, "transport", source->transport);
        weir_json_bool(&out, "has_credentials", source->username != NULL);
        weir_json_str(&out, "tls_pin_sha256", source->tls_pin[0] ? source->tls_pin : NULL);
        write_declared(source, &out);
        weir_json_close(&out, '}');
    }
    weir_json_close(&out, ']');
    return weir_json_take(&out, arena, &len);
}

bool camera_sources_are_several(const char *text)
{
    return strcmp(text, CAMERA_SOURCES_ALONE) != 0;
}

static void write_shown(const struct camera_source_shown *main, struct weir_json_out *out)
{
    weir_json_str(out, "url", main->url);
    weir_json_str(out, "transport", main->transport);
    weir_json_bool(out, "has_credentials", main->has_credentials);
    weir_json_str(out, "tls_pin_sha256", main->tls_pin);
    weir_json_close(out, '}');
}

void camera_sources_show(const struct camera_source_shown *main, const char *text,
                         struct weir_json_out *out)
{
    weir_json_open(out, "source", '{');
    write_shown(main, out);
    if (camera_sources_are_several(text)) {
        weir_json_raw(out, "sources", text);
        return;
    }
    weir_json_open(out, "sources", '[');
    weir_json_open(out, NULL, '{');
    weir_json_str(out, "name", CAMERA_SOURCE_MAIN);
    write_shown(main, out);
    weir_json_close(out, ']');
}

void camera_sources_write_others(const struct camera_sources *sources, struct weir_json_out *out)
{
    if (sources->n <= 1) {
        return;
    }
    weir_json_open(out, "others", '[');
    for (size_t i = 0; i < sources->n; i++) {
        const struct camera_source *source = &sources->of[i];
        if (i == sources->main) {
            continue;
        }
        weir_json_open(out, NULL, '{');
        weir_json_str(out, "name", source->name);
        weir_json_str(out, "url", source->url);
        if (source->username) {
            weir_json_str(out, "username", source->username);
            weir_json_str(out, "password", source->password ? source->password : "");
        }
        weir_json_str(out, "transport", source->transport);
        if (source->tls_pin[0]) {
            weir_json_str(out, "tls_pin_sha256", source->tls_pin);
        }
        write_declared(source, out);
        weir_json_close(out, '}');
    }
    weir_json_close(out, ']');
}

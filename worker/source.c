/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/domain/json.h"
#include "lib/domain/other_source.h"
#include "lib/domain/source_entry.h"

#define ASK_TIMEOUT_MS 1000  /* of one api; then another one is asked */
#define SIDE_MAX       16384 /* pixels, as schemas/tap.camera.json says */
#define FPS_MAX        240

void source_ask(struct call *call, const char *secret, const struct weir_id *worker_id,
                const struct weir_id *tenant_id, const struct weir_id *camera_id,
                const struct source_least *least)
{
    *call = (struct call){.timeout_ms = ASK_TIMEOUT_MS,
                          .max_bytes = SOURCE_ANSWER_MAX,
                          .id = *camera_id,
                          .tenant_id = *tenant_id,
                          .camera_version = least->camera_version,
                          .tenant_version = least->tenant_version};
    snprintf(call->path, sizeof(call->path),
             "/internal/v1/cameras/%s/source?camera_version=%" PRId64 "&tenant_version=%" PRId64,
             WEIR_ID_TEXT(camera_id), least->camera_version, least->tenant_version);
    snprintf(call->headers[0], sizeof(call->headers[0]), "Authorization: Bearer %s", secret);
    snprintf(call->headers[1], sizeof(call->headers[1]), "X-Weir-Worker-Id: %s",
             WEIR_ID_TEXT(worker_id));
}

static enum weir_code judge_status(int status, struct weir_err *err)
{
    switch (status) {
    case 200:
        return WEIR_OK;
    case 404:
    case 410:
        return weir_fail(err, WEIR_ENOTFOUND, "the api does not know the camera");
    case 401:
    case 403:
        return weir_fail(err, WEIR_EFORBIDDEN, "the api does not give this camera to this worker");
    default:
        return weir_fail(err, WEIR_EUNAVAILABLE, "the api answers with status %d", status);
    }
}

static bool is_id(const struct weir_json *json, const char *name, const struct weir_id *wanted)
{
    struct weir_id id;
    const char *text = weir_json_find_str(json, name);
    return text && weir_id_parse(text, strlen(text), &id, NULL) == WEIR_OK &&
           weir_id_equal(&id, wanted);
}

/* Copies an optional text; false when it is too long or no text. */
static bool take_text(const struct weir_json *json, const char *name, char *ret, size_t size,
                      bool *ret_has)
{
    const struct weir_json *value = weir_json_find(json, name);
    *ret_has = value && value->type == WEIR_JSON_STR;
    if (!*ret_has) {
        return !value || value->type == WEIR_JSON_NULL;
    }
    return weir_str_copy(ret, size, value->str);
}

/* Takes an optional pin; false when it is none. */
static bool take_pin(const struct weir_json *json, char ret[static WEIR_TLS_PIN_TEXT_MAX],
                     bool *ret_has)
{
    struct weir_tls_pin pin;
    return take_text(json, "tls_pin_sha256", ret, WEIR_TLS_PIN_TEXT_MAX, ret_has) &&
           (!*ret_has || weir_tls_pin_read(ret, &pin));
}

/* Takes an optional number of at most `max`; false when it is none. */
static bool take_number(const struct weir_json *json, const char *name, int64_t max, int64_t *ret,
                        bool *ret_has)
{
    const struct weir_json *value = weir_json_find(json, name);
    *ret_has = value != NULL;
    if (!value) {
        return true;
    }
    *ret = value->integer;
    return value->type == WEIR_JSON_INT && value->integer > 0 && value->integer <= max;
}

/* As schemas/tap.camera.json has it. */
static bool is_name(const char *text)
{
    return text[0] >= 'a' && text[0] <= 'z' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

/* One that is not known, of a newer api, is read by TCP. */
static enum weir_transport transport_of(const struct weir_json *json)
{
    const char *name = weir_json_find_str(json, "transport");
    enum weir_transport transport = WEIR_TRANSPORT_TCP;
    return name != NULL && weir_transport_get(name, &transport) == WEIR_OK ? transport
                                                                           : WEIR_TRANSPORT_TCP;
}

static bool take_other(const struct weir_json *json, struct weir_ctl_tap_camera_others *ret)
{
    bool has_name = false;
    bool has_url = false;
    const char *codec = weir_json_find_str(json, "codec");
    *ret = (struct weir_ctl_tap_camera_others){
        .transport = transport_of(json),
        .has_codec = codec,
        .codec = codec && strcmp(codec, "h265") == 0 ? WEIR_CTL_TAP_CAMERA_OTHERS_CODEC_H265
                                                     : WEIR_CTL_TAP_CAMERA_OTHERS_CODEC_H264};
    return json->type == WEIR_JSON_OBJ &&
           take_text(json, "name", ret->name, sizeof(ret->name), &has_name) && has_name &&
           is_name(ret->name) && take_text(json, "url", ret->url, sizeof(ret->url), &has_url) &&
           has_url &&
           take_text(json, "username", ret->username, sizeof(ret->username), &ret->has_username) &&
           take_text(json, "password", ret->password, sizeof(ret->password), &ret->has_password) &&
           take_pin(json, ret->tls_pin_sha256, &ret->has_tls_pin_sha256) &&
           take_number(json, "width", SIDE_MAX, &ret->width, &ret->has_width) &&
           take_number(json, "height", SIDE_MAX, &ret->height, &ret->has_height) &&
           take_number(json, "fps", FPS_MAX, &ret->fps, &ret->has_fps);
}

/* Sources beside the main one; most cameras have none. */
static enum weir_code take_others(const struct weir_json *json, struct source *source,
                                  struct weir_err *err)
{
    const struct weir_json *others = weir_json_find(json, "others");
    bool is_good =
        !others || (others->type == WEIR_JSON_ARR && others->n <= WEIR_CTL_TAP_CAMERA_OTHERS_MAX);
    for (size_t i = 0; is_good && others && i < others->n; i++) {
        is_good = take_other(&others->items[i], &source->others[source->n_others++]);
    }
    return is_good ? WEIR_OK
                   : weir_fail(err, WEIR_EINVAL, "a further sealed source is not as it should be");
}

static enum weir_code take_sealed(const struct weir_json *json, struct source *source,
                                  struct weir_err *err)
{
    bool has_url = false;
    if (!take_text(json, "url", source->url, sizeof(source->url), &has_url) || !has_url ||
        !take_text(json, "username", source->username, sizeof(source->username),
                   &source->has_username) ||
        !take_text(json, "password", source->password, sizeof(source->password),
                   &source->has_password) ||
        !take_pin(json, source->tls_pin, &source->has_tls_pin)) {
        return weir_fail(err, WEIR_EINVAL, "sealed source is not as it should be");
    }
    source->transport = transport_of(json);
    return take_others(json, source, err);
}

static enum weir_code take_networks(const struct weir_json *json, struct source *source,
                                    struct weir_err *err)
{
    struct weir_networks networks;
    const char *text = weir_json_find_str(json, "networks");
    if (!text) {
        return weir_fail(err, WEIR_EINVAL, "the api's answer lacks networks");
    }
    enum weir_code code = weir_networks_parse(text, &networks, err);
    if (code != WEIR_OK) {
        return weir_fail_in(err, code, "networks of the tenant");
    }
    weir_networks_format(&networks, source->networks);
    return WEIR_OK;
}

/* An api from before there were ceilings says nothing of one. */
static enum weir_code take_ceiling(const struct weir_json *json, struct source *source,
                                   struct weir_err *err)
{
    bool is_told = weir_json_find(json, "max_quality") || weir_json_find(json, "max_fps");
    return !is_told || weir_ceiling_read(json, &source->ceiling)
               ? WEIR_OK
               : weir_fail(err, WEIR_EINVAL, "the ceiling is not as it should be");
}

/* An api from before there were such delays says nothing of one. */
static enum weir_code take_delay(const struct weir_json *json, struct source *source,
                                 struct weir_err *err)
{
    return !weir_json_find(json, "encoder_delay_ms") ||
                   weir_encoder_delay_read(json, &source->encoder_delay_ms)
               ? WEIR_OK
               : weir_fail(err, WEIR_EINVAL, "the encoder's delay is not as it should be");
}

static int64_t find_int(const struct weir_json *json, const char *name)
{
    const struct weir_json *value = weir_json_find(json, name);
    return value && value->type == WEIR_JSON_INT ? value->integer : 0;
}

static enum weir_code open_sealed(const char *sealed, const struct weir_seal_ring *ring,
                                  struct weir_arena *arena, struct weir_json *ret,
                                  struct weir_err *err)
{
    const char *text = NULL;
    size_t len = 0;
    enum weir_code code = weir_unseal(ring, sealed, arena, &text, &len, err);
    return code == WEIR_OK ? weir_json_parse(text, len, arena, ret, err) : code;
}

enum weir_code source_read(const struct weir_http_answer *answer, const struct weir_seal_ring *ring,
                           const struct weir_id *tenant_id, const struct weir_id *camera_id,
                           struct source *ret, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_json outer;
    struct weir_json inner;
    struct source source = {0};
    enum weir_code code = judge_status(answer->status, err);
    if (code == WEIR_OK) {
        code = weir_json_parse(answer->body, answer->body_len, arena, &outer, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    const char *sealed = weir_json_find_str(&outer, "sealed");
    const struct weir_json *version = weir_json_find(&outer, "version");
    if (!sealed || !version || version->type != WEIR_JSON_INT) {
        return weir_fail(err, WEIR_EINVAL, "the api's answer lacks sealed or version");
    }
    code = take_networks(&outer, &source, err);
    if (code == WEIR_OK) {
        code = take_ceiling(&outer, &source, err);
    }
    if (code == WEIR_OK) {
        code = take_delay(&outer, &source, err);
    }
    if (code == WEIR_OK) {
        code = open_sealed(sealed, ring, arena, &inner, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    const struct weir_json *inner_version = weir_json_find(&inner, "version");
    if (!is_id(&inner, "tenant_id", tenant_id) || !is_id(&inner, "camera_id", camera_id) ||
        !inner_version || inner_version->integer != version->integer) {
        return weir_fail(err, WEIR_EFORBIDDEN,
                         "sealed source is of another tenant, camera or version");
    }
    const struct weir_json *exclusive = weir_json_find(&outer, "exclusive");
    source.version = version->integer;
    source.camera_version = find_int(&outer, "camera_version");
    source.tenant_version = find_int(&outer, "tenant_version");
    const struct weir_json *audio = weir_json_find(&outer, "audio");
    source.has_audio = audio && audio->type == WEIR_JSON_BOOL && audio->boolean;
    source.is_exclusive = exclusive && exclusive->type == WEIR_JSON_BOOL && exclusive->boolean;
    code = take_sealed(&inner, &source, err);
    if (code == WEIR_OK) {
        *ret = source;
    }
    explicit_bzero(&source, sizeof(source));
    return code;
}

bool source_is_same_place(const struct source *a, const struct source *b)
{
    bool is_same = strcmp(a->url, b->url) == 0 && a->transport == b->transport &&
                   a->is_exclusive == b->is_exclusive &&
                   a->encoder_delay_ms == b->encoder_delay_ms && a->has_audio == b->has_audio &&
                   weir_is_same_text(a->has_username, a->username, b->has_username, b->username) &&
                   weir_is_same_text(a->has_password, a->password, b->has_password, b->password) &&
                   weir_is_same_text(a->has_tls_pin, a->tls_pin, b->has_tls_pin, b->tls_pin) &&
                   strcmp(a->networks, b->networks) == 0 && a->n_others == b->n_others;
    for (size_t i = 0; is_same && i < a->n_others; i++) {
        is_same = weir_other_source_is_same(&a->others[i], &b->others[i]);
    }
    return is_same;
}

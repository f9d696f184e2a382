/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/source_entry.h"

#include <inttypes.h>
#include <string.h>

#include "lib/domain/json.h"

const char *weir_source_entry_write(const struct weir_source_entry *entry, struct weir_arena *arena)
{
    struct weir_json_out out = {0};
    size_t len;
    weir_json_open(&out, NULL, '{');
    weir_json_str(&out, "tenant_id", WEIR_ID_TEXT(&entry->tenant_id));
    weir_json_str(&out, "camera_id", WEIR_ID_TEXT(&entry->camera_id));
    weir_json_int(&out, "version", entry->source_version);
    weir_json_str(&out, "sealed", entry->sealed);
    weir_json_bool(&out, "exclusive", entry->is_exclusive);
    weir_json_int(&out, "encoder_delay_ms", entry->encoder_delay_ms);
    weir_json_str(&out, "networks", entry->networks);
    weir_json_int(&out, "camera_version", entry->camera_version);
    weir_json_int(&out, "tenant_version", entry->tenant_version);
    weir_json_int(&out, "max_streams", entry->max_streams);
    weir_json_bool(&out, "stopped", entry->is_stopped);
    weir_json_str(&out, "default_quality", weir_quality_name(entry->otherwise.quality));
    weir_json_int(&out, "default_fps", entry->otherwise.fps);
    weir_json_str(&out, "max_quality", weir_quality_name(entry->ceiling.quality));
    weir_json_int(&out, "max_fps", entry->ceiling.fps);
    weir_json_bool(&out, "audio", entry->has_audio);
    weir_json_int(&out, "expires_at_ms", entry->expires_at_ms);
    weir_json_close(&out, '}');
    return weir_json_take(&out, arena, &len);
}

static bool read_id(const struct weir_json *json, const char *name, struct weir_id *ret)
{
    const char *text = weir_json_find_str(json, name);
    return text && weir_id_parse(text, strlen(text), ret, NULL) == WEIR_OK;
}

static bool read_int(const struct weir_json *json, const char *name, int64_t *ret)
{
    const struct weir_json *value = weir_json_find(json, name);
    if (!value || value->type != WEIR_JSON_INT || value->integer < 0) {
        return false;
    }
    *ret = value->integer;
    return true;
}

static bool read_bool(const struct weir_json *json, const char *name, bool *ret)
{
    const struct weir_json *value = weir_json_find(json, name);
    if (!value || value->type != WEIR_JSON_BOOL) {
        return false;
    }
    *ret = value->boolean;
    return true;
}

static bool read_quality(const struct weir_json *json, const char *name, enum weir_quality *ret)
{
    const char *text = weir_json_find_str(json, name);
    return text && weir_quality_get(text, ret) == WEIR_OK;
}

static bool read_fps(const struct weir_json *json, const char *name, int64_t *ret)
{
    return read_int(json, name, ret) && *ret <= WEIR_FPS_MAX;
}

bool weir_encoder_delay_read(const struct weir_json *json, int64_t *ret_ms)
{
    int64_t delay_ms = 0;
    bool is_read =
        read_int(json, "encoder_delay_ms", &delay_ms) && delay_ms <= WEIR_ENCODER_DELAY_MAX_MS;
    if (is_read) {
        *ret_ms = delay_ms;
    }
    return is_read;
}

bool weir_ceiling_read(const struct weir_json *json, struct weir_ceiling *ret)
{
    struct weir_ceiling ceiling = {0};
    bool is_read = read_quality(json, "max_quality", &ceiling.quality) &&
                   read_fps(json, "max_fps", &ceiling.fps);
    if (is_read) {
        *ret = ceiling;
    }
    return is_read;
}

enum weir_code weir_source_entry_parse(const char *text, struct weir_arena *arena,
                                       struct weir_source_entry *ret, struct weir_err *err)
{
    struct weir_json json;
    struct weir_source_entry entry = {0};
    size_t len = strlen(text);
    if (len > WEIR_SOURCE_ENTRY_MAX_BYTES) {
        return weir_fail(err, WEIR_ELIMIT, "the entry is longer than %d bytes",
                         WEIR_SOURCE_ENTRY_MAX_BYTES);
    }
    enum weir_code code = weir_json_parse(text, len, arena, &json, err);
    if (code != WEIR_OK) {
        return code;
    }
    entry.sealed = weir_json_find_str(&json, "sealed");
    entry.networks = weir_json_find_str(&json, "networks");
    if (!entry.sealed || !entry.networks || !read_id(&json, "tenant_id", &entry.tenant_id) ||
        !read_id(&json, "camera_id", &entry.camera_id) ||
        !read_int(&json, "version", &entry.source_version) ||
        !read_int(&json, "camera_version", &entry.camera_version) ||
        !read_int(&json, "tenant_version", &entry.tenant_version) ||
        !read_int(&json, "max_streams", &entry.max_streams) ||
        !read_int(&json, "expires_at_ms", &entry.expires_at_ms) ||
        !read_bool(&json, "exclusive", &entry.is_exclusive) ||
        !read_bool(&json, "stopped", &entry.is_stopped) ||
        !read_bool(&json, "audio", &entry.has_audio) ||
        !read_quality(&json, "default_quality", &entry.otherwise.quality) ||
        !read_fps(&json, "default_fps", &entry.otherwise.fps) ||
        !weir_encoder_delay_read(&json, &entry.encoder_delay_ms) ||
        !weir_ceiling_read(&json, &entry.ceiling)) {
        return weir_fail(err, WEIR_EPARSE, "not the entry of a camera's source");
    }
    *ret = entry;
    return WEIR_OK;
}

const char *weir_source_entry_key(int64_t cell, const struct weir_id *camera_id,
                                  struct weir_arena *arena)
{
    return weir_arena_printf(arena, "weir:source:%" PRId64 ":%s", cell, WEIR_ID_TEXT(camera_id));
}

const char *weir_source_tenant_key(int64_t cell, const struct weir_id *tenant_id,
                                   struct weir_arena *arena)
{
    return weir_arena_printf(arena, "weir:source:%" PRId64 ":tenant:%s", cell,
                             WEIR_ID_TEXT(tenant_id));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies: JSON, the table of fields, addresses of cameras, the CDN's reports. And short
 * texts out of URLs: what a player shows, names of pictures. */
#include <stdlib.h>
#include <string.h>

#include "api/camera_sources.h"
#include "api/ceilings.h"
#include "api/codec_rules.h"
#include "api/fields.h"
#include "api/snapshot_query.h"
#include "api/source_url.h"
#include "api/views.h"
#include "lib/base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    NAME,
    URL,
    TRANSPORT,
    SIZE,
    LABELS,
    WARM,
    ID,
    NETWORKS,
    ENDS,
    SOURCES,
    CEILINGS,
    N_FIELDS = CEILINGS + CEILINGS_N
};

static const char *const names[] = {"tcp", "udp", "http", "multicast", NULL};
static const struct api_field fields[N_FIELDS] = {
    [NAME] = {"/name", API_STR, .min = 1, .max = 128, .is_required = true},
    [URL] = {"/source/url", API_STR, .min = 1, .max = API_URL_MAX, .is_required = true},
    [TRANSPORT] = {"/source/transport", API_ENUM, .names = names},
    [SIZE] = {"/idle_timeout_s", API_INT, .min = 1, .max = 86400, .is_nullable = true},
    [LABELS] = {"/labels", API_LABELS, .max = 8},
    [WARM] = {"/warm", API_BOOL},
    [ID] = {"/id", API_ID},
    [NETWORKS] = {"/camera_networks", API_NETWORKS, .is_nullable = true},
    [ENDS] = {"/ends_at", API_TIME, .is_nullable = true},
    [SOURCES] = {"/sources", API_ARRAY, .min = 1, .max = CAMERA_SOURCES_MAX},
    CEILING_FIELDS(CEILINGS),
};

/* All that is sealed of them fits into an entry (lib/domain/source_entry.h) in base64. */
#define SEALED_MOST 20000

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_views(const struct weir_json *json)
{
    struct view_seen seen[VIEWS_MAX];
    struct api_fault fault = {0};
    size_t n = 0;
    if (views_read(json, seen, &n, &fault) == WEIR_OK) {
        must(n <= VIEWS_MAX);
        for (size_t i = 0; i < n; i++) {
            must(seen[i].age_ms >= 0);
        }
    } else {
        must(fault.code && memchr(fault.pointer, '\0', sizeof(fault.pointer)));
    }
}

static void try_sources(const struct weir_json *json, struct weir_arena *arena)
{
    struct camera_sources sources;
    struct api_fault fault = {0};
    struct weir_json_out out = {0};
    struct weir_json shown;
    size_t len;
    if (camera_sources_read(json, &sources, &fault) != WEIR_OK) {
        must(fault.code && memchr(fault.pointer, '\0', sizeof(fault.pointer)));
        return;
    }
    must(sources.n >= 1 && sources.n <= CAMERA_SOURCES_MAX && sources.main < sources.n);
    must(strcmp(sources.of[sources.main].name, CAMERA_SOURCE_MAIN) == 0);
    const char *text = camera_sources_text(&sources, arena);
    must(weir_json_parse(text, strlen(text), arena, &shown, NULL) == WEIR_OK);
    must(shown.n == (sources.n > 1 ? sources.n : 0));
    must(!strstr(text, "\"password\":"));
    weir_json_open(&out, NULL, '{');
    camera_sources_write_others(&sources, &out);
    weir_json_close(&out, '}');
    weir_json_take(&out, arena, &len);
    must(len <= SEALED_MOST);
}

static void try_ceilings(const struct api_value *values, struct weir_arena *arena)
{
    struct ceiling_texts texts = {{NULL}};
    ceilings_overlay(values, arena, &texts);
    struct weir_profile otherwise = ceilings_default(&texts);
    struct weir_ceiling top = ceilings_top(&texts);
    weir_profile_cap(&otherwise, &top);
    must(otherwise.fps >= 0 && otherwise.fps <= WEIR_FPS_MAX);
    must(top.fps >= 0 && (top.fps == 0 || otherwise.fps <= top.fps));
}

static void try_texts(const char *text)
{
    struct snapshot_query query;
    struct snapshot_query again;
    char name[SNAPSHOT_NAME_MAX];
    bool shows_hvc1 = false;
    if (codec_read(text, &shows_hvc1))
        must(shows_hvc1 == (strstr(text, "hvc1") != NULL) &&
             strspn(text, "ahvc1,") == strlen(text));
    if (snapshot_name_read(text, &query)) {
        must(snapshot_name_write(&query, query.at_us, query.ts, name));
        must(snapshot_name_read(name, &again) && again.width == query.width &&
             again.box.short_side == query.box.short_side);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena *arena = weir_arena_new(0);
    try_texts(weir_arena_memdup(arena, data, size));
    struct weir_json json;
    struct api_value values[N_FIELDS];
    struct api_fault fault;
    char host[API_HOST_MAX + 1];
    if (weir_json_parse((const char *)data, size, arena, &json, NULL) == WEIR_OK) {
        if (api_fields_read(fields, N_FIELDS, &json, values, &fault) == WEIR_OK) {
            must(values[NAME].str && strlen(values[NAME].str) <= 128);
            try_ceilings(&values[CEILINGS], arena);
            if (values[SOURCES].is_given) {
                try_sources(values[SOURCES].json, arena);
            }
            must(!values[SIZE].is_given || values[SIZE].is_null || values[SIZE].integer <= 86400);
        } else {
            must(fault.code && memchr(fault.pointer, '\0', sizeof(fault.pointer)));
        }
        try_views(&json);
    }
    if (api_source_url_check(weir_arena_memdup(arena, data, size), host, NULL) == WEIR_OK) {
        must(host[0] && strlen(host) <= API_HOST_MAX && !strchr(host, '@'));
    }
    weir_arena_free(arena);
    return 0;
}

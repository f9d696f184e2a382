/* SPDX-License-Identifier: Apache-2.0 */
#include "api/snapshot_query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

#define TOLERANCE_MAX_MS   60000
#define TOLERANCE_EXACT_MS 1000
#define TOLERANCE_OTHER_MS 10000
#define WIDTH_MIN          16
#define QUALITY_DEFAULT    85
/* For the frame behind the moment, which may be the nearer one. */
#define NEXT_FRAME_MS 2000
/* By a camera's clock that is ten seconds slow, and believed, what was then comes now. */
#define LATE_MS      12000
#define EVERY_MIN_MS 40
#define EVERY_MAX_MS 60000
#define EVERY_MS     1000
#define NUMBER_MAX   ((int64_t)1 << 53)

const char *const snapshot_parameters[] = {"at",    "mode",    "tolerance_ms", "format",
                                           "width", "quality", "start",        NULL};

static const char *const modes[] = {"exact", "keyframe", "latest", NULL};
static const char *const formats[] = {"jpeg", "png", "webp", "avif", NULL};
static const char *const switches[] = {"false", "true", NULL};

const char *snapshot_format_name(enum weir_still_format format)
{
    return formats[format];
}

static enum weir_code fail(struct api_fault *fault, const char *code, const char *detail)
{
    fault->code = code;
    fault->pointer[0] = '\0';
    WEIR_IGNORE(!WEIR_STR_SET(fault->detail, detail), "ours are short");
    return WEIR_ESEMANTIC;
}

static enum weir_code read_name(const char *text, const char *const *names, const char *what,
                                int *ret, struct api_fault *fault)
{
    for (*ret = 0; text && names[*ret]; ++*ret) {
        if (strcmp(text, names[*ret]) == 0) {
            return WEIR_OK;
        }
    }
    *ret = 0;
    return text ? fail(fault, "unknown_value", what) : WEIR_OK;
}

/* `otherwise` where nothing is said. */
static enum weir_code read_number(const char *name, const char *text, int64_t min, int64_t max,
                                  int64_t otherwise, int64_t *ret, struct api_fault *fault)
{
    char detail[96];
    *ret = otherwise;
    if (!text || weir_str_to_int(text, min, max, ret, NULL) == WEIR_OK) {
        return WEIR_OK;
    }
    snprintf(detail, sizeof(detail), "%s must be a whole number from %" PRId64 " to %" PRId64, name,
             min, max);
    return fail(fault, "out_of_range", detail);
}

void snapshot_query_set_now(struct snapshot_query *query, int64_t now_us)
{
    query->at_us = now_us;
    query->wait_ms = NEXT_FRAME_MS;
}

static int64_t wait_ms_for(int64_t at_us, int64_t now_us)
{
    int64_t ahead_ms = (at_us - now_us) / 1000;
    if (ahead_ms < -LATE_MS) {
        return 0;
    }
    return NEXT_FRAME_MS + (ahead_ms > 0 ? ahead_ms : 0);
}

static enum weir_code read_at(const char *text, int64_t now_us, struct snapshot_query *ret,
                              struct api_fault *fault)
{
    int64_t at_ms = 0;
    snapshot_query_set_now(ret, now_us);
    ret->is_now = !text || strcmp(text, "now") == 0;
    if (ret->is_now) {
        return WEIR_OK;
    }
    if (weir_clock_parse_ms(text, strlen(text), &at_ms, NULL) != WEIR_OK) {
        return fail(fault, "wrong_type",
                    "at must be now, or a date and time with a zone, as 2026-11-22T18:17:55.123Z");
    }
    if (at_ms * 1000 > now_us + SNAPSHOT_AHEAD_MS * 1000) {
        return fail(fault, "out_of_range", "at must be at most two seconds ahead");
    }
    /* Before 1970 no camera was read either. */
    ret->at_us = at_ms > 0 ? at_ms * 1000 : 0;
    ret->wait_ms = wait_ms_for(ret->at_us, now_us);
    return WEIR_OK;
}

enum weir_code snapshot_query_read(snapshot_value_fn *value, void *ctx, int64_t now_us,
                                   struct snapshot_query *ret, struct api_fault *fault)
{
    int mode = 0;
    int format = 0;
    int64_t tolerance_ms = 0;
    enum weir_code code = read_at(value(ctx, "at"), now_us, ret, fault);
    if (code == WEIR_OK) {
        code = read_name(value(ctx, "mode"), modes, "mode must be exact, keyframe or latest", &mode,
                         fault);
    }
    if (code == WEIR_OK) {
        code = read_name(value(ctx, "format"), formats, "format must be jpeg, png, webp or avif",
                         &format, fault);
    }
    if (code == WEIR_OK) {
        code =
            read_number("tolerance_ms", value(ctx, "tolerance_ms"), 0, TOLERANCE_MAX_MS,
                        mode == 0 ? TOLERANCE_EXACT_MS : TOLERANCE_OTHER_MS, &tolerance_ms, fault);
    }
    if (code == WEIR_OK) {
        code = read_number("width", value(ctx, "width"), WIDTH_MIN, WEIR_STILL_SIDE_MAX, 0,
                           &ret->width, fault);
    }
    if (code == WEIR_OK) {
        code = read_number("quality", value(ctx, "quality"), 1, 100, QUALITY_DEFAULT, &ret->quality,
                           fault);
    }
    int starts = 0;
    if (code == WEIR_OK) {
        code =
            read_name(value(ctx, "start"), switches, "start must be true or false", &starts, fault);
    }
    if (code == WEIR_OK && starts == 1 && !ret->is_now) {
        code = fail(fault, "out_of_range", "a camera that is started shows now: leave out at");
    }
    ret->mode = modes[mode];
    ret->format = (enum weir_still_format)format;
    ret->tolerance_us = tolerance_ms * 1000;
    ret->starts = starts == 1;
    return code;
}

/* ---- several ---- */

const char *const snapshot_lapse_parameters[] = {"from",   "to",    "every",   "mode",
                                                 "format", "width", "quality", NULL};

/* What is asked of each picture, without its time. */
struct each {
    snapshot_value_fn *value;
    void *ctx;
};

static const char *value_of_each(void *ctx, const char *name)
{
    const struct each *each = ctx;
    static const char *const own[] = {"mode", "format", "width", "quality"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(own[i], name) == 0) {
            return each->value(each->ctx, name);
        }
    }
    return NULL;
}

static enum weir_code read_end(snapshot_value_fn *value, void *ctx, const char *name,
                               int64_t now_us, int64_t *ret_us, struct api_fault *fault)
{
    struct snapshot_query query;
    const char *text = value(ctx, name);
    if (!text) {
        return fail(fault, "missing_parameter", "from and to are needed");
    }
    enum weir_code code = read_at(text, now_us, &query, fault);
    *ret_us = query.at_us;
    return code;
}

enum weir_code snapshot_lapse_read(snapshot_value_fn *value, void *ctx, int64_t now_us,
                                   struct snapshot_lapse *ret, struct api_fault *fault)
{
    struct each each = {value, ctx};
    int64_t to_us = 0;
    int64_t every_ms = 0;
    *ret = (struct snapshot_lapse){0};
    enum weir_code code = read_end(value, ctx, "from", now_us, &ret->from_us, fault);
    if (code == WEIR_OK) {
        code = read_end(value, ctx, "to", now_us, &to_us, fault);
    }
    if (code == WEIR_OK) {
        code = read_number("every", value(ctx, "every"), EVERY_MIN_MS, EVERY_MAX_MS, EVERY_MS,
                           &every_ms, fault);
    }
    if (code == WEIR_OK) {
        code = snapshot_query_read(value_of_each, &each, now_us, &ret->query, fault);
    }
    if (code != WEIR_OK) {
        return code;
    }
    ret->query.is_now = false;
    ret->every_us = every_ms * 1000;
    ret->query.tolerance_us = ret->every_us / 2;
    if (strcmp(ret->query.mode, "latest") == 0) {
        return fail(fault, "unknown_value", "mode must be exact or keyframe");
    }
    if (to_us < ret->from_us) {
        return fail(fault, "out_of_range", "to must not lie before from");
    }
    ret->n = (to_us - ret->from_us) / ret->every_us + 1;
    return ret->n <= SNAPSHOT_LAPSE_MAX
               ? WEIR_OK
               : fail(fault, "out_of_range", "from, to and every make more than 60 pictures");
}

void snapshot_lapse_aim(struct snapshot_lapse *lapse, int64_t i, int64_t now_us)
{
    int64_t at_us = lapse->from_us + i * lapse->every_us;
    lapse->query.at_us = at_us;
    lapse->query.wait_ms = lapse->has_ended ? 0 : wait_ms_for(at_us, now_us);
}

void snapshot_lapse_miss(struct snapshot_lapse *lapse, int64_t to_us)
{
    lapse->has_ended = lapse->has_ended || to_us < lapse->query.at_us;
}

/* ---- ceilings ---- */

void snapshot_query_cap(struct snapshot_query *query, const struct weir_ceiling *ceiling)
{
    bool has_ceiling = ceiling->quality != WEIR_QUALITY_SOURCE;
    query->box = has_ceiling ? weir_quality_box(ceiling->quality) : (struct weir_box){0, 0};
}

enum weir_code snapshot_lapse_cap(struct snapshot_lapse *lapse, const struct weir_ceiling *ceiling,
                                  struct api_fault *fault)
{
    char detail[96];
    char text[WEIR_CEILING_TEXT_MAX];
    snapshot_query_cap(&lapse->query, ceiling);
    if (lapse->n <= 1 || ceiling->fps == 0 || lapse->every_us * ceiling->fps >= 1000000) {
        return WEIR_OK;
    }
    snprintf(detail, sizeof(detail), "every must be at least %d: %s",
             (int)((1000 + ceiling->fps - 1) / ceiling->fps), weir_ceiling_format(ceiling, text));
    return fail(fault, "above_ceiling", detail);
}

/* ---- names of pictures ---- */

bool snapshot_name_write(const struct snapshot_query *query, int64_t frame_us, int64_t ts,
                         char text[static SNAPSHOT_NAME_MAX])
{
    int len = snprintf(text, SNAPSHOT_NAME_MAX,
                       "%" PRId64 ".%" PRId64 ".%s.%" PRId64 ".%" PRId64 ".%d.%d", frame_us, ts,
                       formats[query->format], query->width, query->quality, query->box.long_side,
                       query->box.short_side);
    return len > 0 && len < SNAPSHOT_NAME_MAX;
}

#define N_PARTS 7

/* Cuts at the dots; false unless there are so many parts. */
static bool cut(char *text, char *parts[static N_PARTS])
{
    size_t n = 0;
    for (char *rest = text; rest; n++) {
        char *part = strsep(&rest, ".");
        if (n == N_PARTS) {
            return false;
        }
        parts[n] = part;
    }
    return n == N_PARTS;
}

bool snapshot_name_read(const char *text, struct snapshot_query *ret)
{
    char copy[SNAPSHOT_NAME_MAX];
    char *parts[N_PARTS];
    int format = 0;
    int64_t long_side = 0;
    int64_t short_side = 0;
    struct api_fault fault;
    struct snapshot_query is = {.mode = modes[0], .has_ts = true};
    bool is_good = WEIR_STR_SET(copy, text) && cut(copy, parts) &&
                   weir_str_to_int(parts[0], 0, NUMBER_MAX, &is.at_us, NULL) == WEIR_OK &&
                   weir_str_to_int(parts[1], -NUMBER_MAX, NUMBER_MAX, &is.ts, NULL) == WEIR_OK &&
                   read_name(parts[2], formats, "", &format, &fault) == WEIR_OK &&
                   weir_str_to_int(parts[3], 0, WEIR_STILL_SIDE_MAX, &is.width, NULL) == WEIR_OK &&
                   weir_str_to_int(parts[4], 1, 100, &is.quality, NULL) == WEIR_OK &&
                   weir_str_to_int(parts[5], 0, WEIR_STILL_SIDE_MAX, &long_side, NULL) == WEIR_OK &&
                   weir_str_to_int(parts[6], 0, WEIR_STILL_SIDE_MAX, &short_side, NULL) == WEIR_OK;
    if (is_good) {
        is.box = (struct weir_box){(int)long_side, (int)short_side};
        is.format = (enum weir_still_format)format;
        *ret = is;
    }
    return is_good;
}

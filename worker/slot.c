/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/slot.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "worker/files.h"
#include "worker/starved.h"

#define START_LOOK_MS   20
#define START_MAX_MS    10000
#define LOOK_MS         500
#define LOOK_TIMEOUT_MS 1500
#define STRIKES_MAX     2
#define LOG_LINE_MAX    2048

static void look(void *ctx);
static void start(struct slot *slot);

static void make_secret(char text[static SLOT_SECRET_MAX])
{
    uint8_t bytes[(SLOT_SECRET_MAX - 1) / 2];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        abort();
    }
    weir_hex_encode(bytes, sizeof(bytes), text);
}

static const char *variant_name(enum weir_ctl_origin_route_variant variant)
{
    static const char *const names[] = {"fmp4", "lowLatency", "mpegts"};
    return names[variant];
}

void slot_write_config(const struct slot *slot, struct weir_buf *out)
{
    weir_buf_printf(out,
                    "logLevel: info\nlogDestinations: [stdout]\n"
                    "readTimeout: 10s\nwriteTimeout: 10s\nwriteQueueSize: 8192\n"
                    "api: true\napiAddress: unix://%s\n"
                    "rtsp: true\nrtspTransports: [tcp]\nrtspEncryption: \"no\"\n"
                    "rtspAddress: 127.0.0.1:%lld\n"
                    "hls: true\nhlsAddress: unix://%s\nhlsVariant: %s\nhlsAlwaysRemux: true\n"
                    "hlsSegmentCount: 7\nhlsSegmentDuration: 1s\nhlsCDNSecret: %s\n"
                    "hlsDirectory: %s\n",
                    slot->api_socket, (long long)slot->rtsp_port, slot->hls_socket,
                    variant_name(slot->config->variant), slot->cdn_secret, slot->segments);
    weir_buf_printf(out, "rtmp: false\nwebrtc: false\nsrt: false\nmoq: false\n"
                         "metrics: false\npprof: false\nplayback: false\n");
    /* A client of a unix socket has no address, so the engine's usual rule by address never fits;
     * the folder guards the API instead. */
    weir_buf_printf(out,
                    "authInternalUsers:\n"
                    "- {user: %s, pass: %s, ips: [], permissions: [{action: publish}]}\n"
                    "- {user: any, pass: '', ips: [], permissions: [{action: api}]}\n"
                    "paths:\n  '~^live/.+$':\n    useAbsoluteTimestamp: true\n",
                    slot->username, slot->password);
}

int64_t slot_segment_number(const char *file)
{
    const char *at = strstr(file, "_seg");
    if (!at) {
        return -1;
    }
    char *end;
    long long number = strtoll(at + strlen("_seg"), &end, 10);
    bool is_segment = strcmp(end, ".mp4") == 0 || strcmp(end, ".ts") == 0;
    return is_segment && number >= 0 ? number : -1;
}

/*
 * The engine's playlist appears with its second whole segment (fmp4) or its first (others; low
 * latency counts from 7). A segment's file is made when the one before it is whole.
 */
bool slot_has_playlist(const struct slot *slot, const char *path)
{
    static const int64_t first_open[] = {2, 8, 1};
    char folder[2 * SLOT_PATH_MAX];
    snprintf(folder, sizeof(folder), "%s/%s", slot->segments, path);
    DIR *dir = opendir(folder);
    if (!dir) {
        return false;
    }
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(dir));) {
        found = slot_segment_number(entry->d_name) >= first_open[slot->config->variant];
    }
    closedir(dir);
    return found;
}

/* ---- what the engine says ---- */

/* "2026/11/22 18:00:00 INF [path live/...] ..." */
static void pass_on(struct slot *slot, const char *line)
{
    /* Parameter sets are published before the first sender report, see the tap's publisher. */
    bool is_normal = strstr(line, "received RTP packet without absolute time");
    bool is_bad = !is_normal && (strstr(line, " WAR ") || strstr(line, " ERR ") ||
                                 strstr(line, "panic") || strstr(line, "fatal error"));
    if (!weir_log_allowed(&slot->lines, 50, 10000, weir_clock_mono_ms())) {
        return;
    }
    char index[16];
    snprintf(index, sizeof(index), "%d", slot->index);
    weir_log(is_bad ? WEIR_LOG_WARN : WEIR_LOG_DEBUG, "engine says", "slot", index, "line", line,
             NULL);
}

static void pass_on_lines(struct slot *slot)
{
    char *line = slot->line.bytes;
    char *end;
    size_t done = 0;
    while (line && (end = memchr(line + done, '\n', slot->line.len - done))) {
        *end = '\0';
        pass_on(slot, line + done);
        done = (size_t)(end - line) + 1;
    }
    weir_buf_consume(&slot->line, done);
}

static void on_output(void *ctx, unsigned events)
{
    struct slot *slot = ctx;
    char bytes[4096];
    (void)events;
    ssize_t n = read(slot->process.output_fd, bytes, sizeof(bytes));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        weir_loop_unwatch(slot->config->loop, slot->process.output_fd);
        return;
    }
    if (n > 0 && !weir_buf_add(&slot->line, bytes, (size_t)n)) {
        weir_buf_clear(&slot->line);
        return;
    }
    pass_on_lines(slot);
}

/* ---- life and death ---- */

static void close_wires(struct slot *slot)
{
    probe_cancel(&slot->probe);
    if (slot->process.output_fd > 0) {
        weir_loop_unwatch(slot->config->loop, slot->process.output_fd);
    }
    if (slot->process.pidfd > 0) {
        weir_loop_unwatch(slot->config->loop, slot->process.pidfd);
    }
    weir_process_done(&slot->process);
    weir_buf_clear(&slot->line);
}

static void log_about(const struct slot *slot, enum weir_log_level level, const char *msg,
                      const char *why)
{
    char index[16];
    snprintf(index, sizeof(index), "%d", slot->index);
    weir_log(level, msg, "slot", index, "why", why, NULL);
}

static void go_down(struct slot *slot, const char *why)
{
    bool was_up = slot->state == SLOT_UP;
    log_about(slot, WEIR_LOG_WARN, "engine is down, starting another", why);
    close_wires(slot);
    slot->state = SLOT_DOWN;
    slot->strikes = 0;
    weir_timer_set(slot->timer, respawn_ended(&slot->respawn, weir_clock_mono_ms()));
    if (was_up) {
        slot->config->on_down(slot->config->ctx, slot);
    }
}

static void on_exit_seen(void *ctx, unsigned events)
{
    struct slot *slot = ctx;
    int status = 0;
    char text[64];
    (void)events;
    while (slot->process.output_fd > 0 && slot->line.len < LOG_LINE_MAX) {
        char bytes[1024];
        ssize_t n = read(slot->process.output_fd, bytes, sizeof(bytes));
        if (n <= 0 || !weir_buf_add(&slot->line, bytes, (size_t)n)) {
            break;
        }
        pass_on_lines(slot);
    }
    if (weir_process_reap(&slot->process, &status)) {
        go_down(slot, weir_process_status_text(status, text, sizeof(text)));
    }
}

static bool is_too_large(const struct slot *slot)
{
    char path[64];
    char text[128];
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)slot->process.pid);
    long long pages = 0;
    if (!files_read(path, text, sizeof(text)) || sscanf(text, "%*s %lld", &pages) != 1) {
        return false;
    }
    return pages * sysconf(_SC_PAGESIZE) / (1024 * 1024) > slot->config->mem_max_mib;
}

/* The answer to a look. While the engine starts, silence is normal. */
static void on_looked(void *ctx, int status)
{
    struct slot *slot = ctx;
    bool is_well = status == 200;
    int64_t now = weir_clock_mono_ms();
    slot->probe = NULL;
    if (slot->state == SLOT_STARTING) {
        if (is_well) {
            slot->state = SLOT_UP;
            slot->empty_since_mono_ms = now;
            log_about(slot, WEIR_LOG_INFO, "engine is up", "its api answers");
            slot->config->on_up(slot->config->ctx, slot);
        } else if (now - slot->respawn.started_ms > START_MAX_MS) {
            go_down(slot, "its api never answered");
        }
        return;
    }
    slot->strikes = is_well ? 0 : slot->strikes + 1;
    bool is_late =
        slot->strikes < STARVED_TIMES * STRIKES_MAX && !status && starved_is(slot->process.pid);
    if (slot->strikes >= STRIKES_MAX && !is_late) {
        go_down(slot, status ? "its api answers with errors" : "it hangs: its api does not answer");
    } else if (!is_well) {
        look(slot);
    }
}

static void look(void *ctx)
{
    struct slot *slot = ctx;
    if (slot->state == SLOT_DOWN) {
        start(slot);
        return;
    }
    if (slot->state == SLOT_UP && is_too_large(slot)) {
        go_down(slot, "it grew beyond its limit of memory");
        return;
    }
    weir_timer_set(slot->timer, slot->state == SLOT_STARTING ? START_LOOK_MS : LOOK_MS);
    if (!slot->probe) {
        slot->probe = probe_get(slot->config->loop, slot->api_socket,
                                "/v3/paths/list?itemsPerPage=1", LOOK_TIMEOUT_MS, on_looked, slot);
    }
}

static enum weir_code prepare(struct slot *slot, struct weir_err *err)
{
    char path[SLOT_PATH_MAX + 16];
    struct weir_buf text = {0};
    make_secret(slot->username);
    make_secret(slot->password);
    make_secret(slot->cdn_secret);
    slot->rtsp_port = files_free_port();
    enum weir_code code = files_empty_dir(slot->folder, err);
    if (code == WEIR_OK) {
        code = files_empty_dir(slot->segments, err);
    }
    if (code != WEIR_OK) {
        return code;
    }
    snprintf(path, sizeof(path), "%s/engine.yml", slot->folder);
    slot_write_config(slot, &text);
    code = files_write_private(path, text.bytes, text.len, err);
    weir_buf_done(&text);
    return code;
}

static void start(struct slot *slot)
{
    struct weir_err err = {0};
    char config[SLOT_PATH_MAX + 16];
    snprintf(config, sizeof(config), "%s/engine.yml", slot->folder);
    const char *const argv[] = {"mediamtx", config, NULL};
    struct weir_process_spec spec = {
        .path = slot->config->program, .argv = argv, .cwd = slot->folder, .has_output = true};
    respawn_started(&slot->respawn, weir_clock_mono_ms());
    if (prepare(slot, &err) != WEIR_OK ||
        weir_process_start(&spec, &slot->process, &err) != WEIR_OK) {
        go_down(slot, err.msg);
        return;
    }
    slot->starts++;
    slot->state = SLOT_STARTING;
    weir_loop_watch(slot->config->loop, slot->process.pidfd, WEIR_LOOP_IN, on_exit_seen, slot);
    weir_loop_watch(slot->config->loop, slot->process.output_fd, WEIR_LOOP_IN, on_output, slot);
    weir_timer_set(slot->timer, START_LOOK_MS);
}

struct slot *slot_new(const struct slot_config *config, int index)
{
    struct slot *slot = weir_xalloc(sizeof(*slot));
    slot->config = config;
    slot->index = index;
    slot->line.max = 2 * LOG_LINE_MAX + 4096;
    snprintf(slot->folder, sizeof(slot->folder), "%s/s%d", config->run_dir, index);
    snprintf(slot->segments, sizeof(slot->segments), "%s/s%d", config->segment_dir, index);
    snprintf(slot->api_socket, sizeof(slot->api_socket), "%s/s%d/api", config->run_dir, index);
    snprintf(slot->hls_socket, sizeof(slot->hls_socket), "%s/s%d/hls", config->run_dir, index);
    slot->timer = weir_timer_new(config->loop, look, slot);
    return slot;
}

void slot_on(struct slot *slot)
{
    slot->respawn = (struct respawn){0};
    start(slot);
}

void slot_off(struct slot *slot)
{
    weir_timer_clear(slot->timer);
    close_wires(slot);
    slot->state = SLOT_OFF;
}

void slot_stop(struct slot *slot)
{
    weir_timer_clear(slot->timer);
    if (slot->process.pidfd > 0) {
        weir_loop_unwatch(slot->config->loop, slot->process.pidfd);
    }
    weir_process_signal(&slot->process, SIGTERM);
}

void slot_free(struct slot *slot)
{
    if (!slot) {
        return;
    }
    close_wires(slot);
    weir_timer_free(&slot->timer);
    weir_buf_done(&slot->line);
    free(slot);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs scheduler scenarios: each line of a script is an input or a step of the clock; what the core
 * decides is printed and compared with the golden transcript beside the script.
 *
 *     tenant t max=2 [stopped] | tenant t gone
 *     camera c tenant=t [warm] [exclusive] | camera c gone
 *     set queue_max=2                         a value of core_config, for what follows
 *     join w [cpu= mem= net= gpu= max= boot=] leave w
 *     start s camera=c tenant=t [id=] [quality=] [fps=]         stop s [id=] [reason=]
 *         [expires=] life of the command, [age=] since it was appended, [clock=] of its sender, off
 *     idle s timeout=30000 [id=] [gen=]       watch s
 *     starting s | started s [how= fps=] | failing s reason= [permanent] [detail=] | exited s |
 *     still_watched s age= | released c       facts with the row's tokens; old: of an older life
 *                                             second: of the place a stream moves to
 *     drain w [id=] | undrain w | draining w  asked by somebody; by the worker itself
 *     beat w [cpu=] [without=s]               one heartbeat
 *     engine w kpx= [sessions=] [used= used_sessions=] [suspect]     what these tell from now on
 *     run 5000 [silent=w,w]                   time passes; workers beat each second
 *     pass 5000                               time passes without a tick
 *     deaf on|off, takeover, show, many ...
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "tests/scenario/scheduler_world.h"

#define STEP_MS    250
#define BEAT_MS    1000
#define EXPIRES_MS 30000
#define WORDS_MAX  16
#define SCRIPT_MAX 512
#define MANY_MAX   2000

struct line {
    const char *words[WORDS_MAX];
    size_t n;
};

static void split(char *text, struct line *ret)
{
    ret->n = 0;
    for (char *word = strtok(text, " \t\n"); word != NULL && ret->n < WORDS_MAX;
         word = strtok(NULL, " \t\n")) {
        ret->words[ret->n++] = word;
    }
}

/* The value of `name=value`; `fallback` when it is not given. */
static const char *value(const struct line *line, const char *name, const char *fallback)
{
    size_t len = strlen(name);
    for (size_t i = 1; i < line->n; i++) {
        if (strncmp(line->words[i], name, len) == 0 && line->words[i][len] == '=') {
            return line->words[i] + len + 1;
        }
    }
    return fallback;
}

static int64_t number(const struct line *line, const char *name, int64_t fallback)
{
    const char *text = value(line, name, NULL);
    return text == NULL ? fallback : strtoll(text, NULL, 10);
}

static bool flag(const struct line *line, const char *name)
{
    for (size_t i = 1; i < line->n; i++) {
        if (strcmp(line->words[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *verb(const struct line *line)
{
    return line->words[0];
}

static bool is_verb(const struct line *line, const char *name)
{
    return strcmp(verb(line), name) == 0;
}

static const char *subject(const struct line *line)
{
    assert(line->n > 1);
    return line->words[1];
}

/* ---- configuration and workers ---- */

static int64_t next_version(void)
{
    static int64_t version;
    return ++version;
}

static void tenant(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_CONFIG_TENANT};
    event.u.config_tenant = (struct weir_ev_config_tenant){
        .tenant_id = world_id(world, subject(line)),
        .version = next_version(),
        .deleted = flag(line, "gone"),
        .max_streams = number(line, "max", 1000),
        .has_stopped = flag(line, "stopped"),
        .stopped = flag(line, "stopped"),
    };
    world_input(world, &event);
}

static void camera(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_CONFIG_CAMERA};
    event.u.config_camera = (struct weir_ev_config_camera){
        .camera_id = world_id(world, subject(line)),
        .tenant_id = world_id(world, value(line, "tenant", "t")),
        .version = next_version(),
        .deleted = flag(line, "gone"),
        .warm = flag(line, "warm"),
        .exclusive = flag(line, "exclusive"),
        .max_leases = 1,
    };
    world_input(world, &event);
}

static void set(struct world *world, const struct line *line)
{
    struct core_config *config = &world->config;
    config->queue_max = number(line, "queue_max", config->queue_max);
    config->renditions_max = number(line, "renditions_max", config->renditions_max);
    config->tap_linger_ms = number(line, "tap_linger_ms", config->tap_linger_ms);
    config->ceiling_ppm = number(line, "ceiling_ppm", config->ceiling_ppm);
    config->warm_ceiling_ppm = number(line, "warm_ceiling_ppm", config->warm_ceiling_ppm);
    config->moves_max = number(line, "moves_max", config->moves_max);
    config->queue_ms = number(line, "queue_ms", config->queue_ms);
    core_free(world->core);
    world->core = core_new(config, world->now_ms);
}

static void join(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_FACT_JOINED};
    struct weir_ev_fact_joined *fact = &event.u.fact_joined;
    fact->worker_id = world_id(world, subject(line));
    char boot[64];
    snprintf(boot, sizeof(boot), "%s/%s", subject(line), value(line, "boot", "first"));
    fact->boot_id = world_id(world, boot);
    snprintf(fact->origin_url, sizeof(fact->origin_url), "http://%s:9000", subject(line));
    WEIR_STR_SET(fact->version, "1");
    fact->capacity = (struct weir_capacity){.cpu_milli = number(line, "cpu", 4000),
                                            .mem_mib = number(line, "mem", 8000),
                                            .net_kbps = number(line, "net", 1000000),
                                            .gpu_permille = number(line, "gpu", 0)};
    fact->streams_max = number(line, "max", 100);
    world_input(world, &event);
}

static void leave(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_FACT_LEFT};
    struct weir_ev_fact_left *fact = &event.u.fact_left;
    fact->worker_id = world_id(world, subject(line));
    const struct weir_worker_row *row = weir_ledger_worker(world->ledger, &fact->worker_id);
    fact->incarnation = row != NULL ? row->incarnation : 0;
    WEIR_STR_SET(fact->reason, "shutdown");
    world_input(world, &event);
}

/* ---- commands ---- */

/* A given id, or one nobody had. */
static struct weir_id command_id(struct world *world, const struct line *line)
{
    static int counter;
    char fresh[32];
    snprintf(fresh, sizeof(fresh), "command-%d", ++counter);
    return world_id(world, value(line, "id", fresh));
}

/* Its two times, and how long it lay in its topic. */
static void stamp(struct world *world, const struct line *line, int64_t *ret_issued_at_ms,
                  int64_t *ret_expires_at_ms)
{
    world->age_ms = number(line, "age", 0);
    *ret_issued_at_ms = world->now_ms - world->age_ms + number(line, "clock", 0);
    *ret_expires_at_ms = *ret_issued_at_ms + number(line, "expires", EXPIRES_MS);
}

static void start_one(struct world *world, const struct line *line, const char *stream,
                      const char *camera_name)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_START};
    struct weir_ev_command_start *command = &event.u.command_start;
    command->command_id = command_id(world, line);
    command->tenant_id = world_id(world, value(line, "tenant", "t"));
    command->stream_id = world_id(world, stream);
    command->camera_id = world_id(world, camera_name);
    command->class = number(line, "class", 1);
    command->fps = number(line, "fps", 0);
    enum weir_code code = weir_quality_get(value(line, "quality", "source"), &command->quality);
    assert(code == WEIR_OK);
    (void)code;
    stamp(world, line, &command->issued_at_ms, &command->expires_at_ms);
    world_input(world, &event);
}

static void start(struct world *world, const struct line *line)
{
    start_one(world, line, subject(line), value(line, "camera", "c"));
}

/* `many 100 s c`: starts s1 of c1, s2 of c2 and so on. */
static void many(struct world *world, const struct line *line)
{
    long n = strtol(subject(line), NULL, 10);
    assert(n <= MANY_MAX && line->n >= 4);
    for (long i = 1; i <= n; i++) {
        char stream[64];
        char camera_name[64];
        snprintf(stream, sizeof(stream), "%s%ld", line->words[2], i);
        snprintf(camera_name, sizeof(camera_name), "%s%ld", line->words[3], i);
        start_one(world, line, stream, camera_name);
    }
}

static void stop(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_STOP};
    struct weir_ev_command_stop *command = &event.u.command_stop;
    command->command_id = command_id(world, line);
    command->tenant_id = world_id(world, value(line, "tenant", "t"));
    command->stream_id = world_id(world, subject(line));
    WEIR_STR_SET(command->reason, value(line, "reason", "stop_asked"));
    stamp(world, line, &command->issued_at_ms, &command->expires_at_ms);
    world_input(world, &event);
}

static const struct weir_stream_row *row_of(struct world *world, const struct line *line)
{
    struct weir_id stream_id = world_id(world, subject(line));
    return weir_ledger_stream(world->ledger, &stream_id);
}

static void idle(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_IDLE};
    struct weir_ev_command_idle *command = &event.u.command_idle;
    const struct weir_stream_row *row = row_of(world, line);
    command->command_id = command_id(world, line);
    command->tenant_id = world_id(world, value(line, "tenant", "t"));
    command->stream_id = world_id(world, subject(line));
    command->generation = row != NULL ? row->generation - flag(line, "old") : 0;
    command->timeout_ms = number(line, "timeout", 30000);
    command->idle_ms = command->timeout_ms;
    stamp(world, line, &command->issued_at_ms, &command->expires_at_ms);
    world_input(world, &event);
}

static void watch(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_VIEWERS};
    event.u.viewers.stream_id = world_id(world, subject(line));
    event.u.viewers.viewers = 1;
    world_input(world, &event);
}

static void drain(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_COMMAND_DRAIN};
    struct weir_ev_command_drain *command = &event.u.command_drain;
    command->command_id = command_id(world, line);
    command->worker_id = world_id(world, subject(line));
    command->is_on = is_verb(line, "drain");
    command->issued_at_ms = world->now_ms;
    command->expires_at_ms = world->now_ms + number(line, "expires", EXPIRES_MS);
    world_input(world, &event);
}

static void draining(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_FACT_DRAINING};
    struct weir_ev_fact_draining *to = &event.u.fact_draining;
    to->worker_id = world_id(world, subject(line));
    const struct weir_worker_row *row = weir_ledger_worker(world->ledger, &to->worker_id);
    to->incarnation = row != NULL ? row->incarnation : 0;
    WEIR_STR_SET(to->reason, "shutdown");
    world_input(world, &event);
}

/* ---- facts about a stream ---- */

/* The row with the tokens that the worker of the fact knows. */
static struct weir_stream_row view_of(struct world *world, const struct line *line)
{
    const struct weir_stream_row *row = row_of(world, line);
    assert(row != NULL);
    struct weir_stream_row view = *row;
    if (flag(line, "second")) {
        view.worker_id = row->second.worker_id;
        view.incarnation = row->second.incarnation;
        view.generation = row->second.generation;
    }
    return view;
}

static void set_effective(const struct line *line, struct weir_ev_fact_started *fact)
{
    const char *how = value(line, "how", NULL);
    fact->has_effective =
        how != NULL && weir_rendition_how_get(how, &fact->effective.how) == WEIR_OK;
    WEIR_STR_SET(fact->effective.codec, "avc1");
    fact->effective.width = 640;
    fact->effective.height = 360;
    fact->effective.fps = number(line, "fps", 0);
    const char *encoder = value(line, "encoder", NULL);
    fact->effective.has_encoder =
        encoder != NULL && weir_encoder_get(encoder, &fact->effective.encoder) == WEIR_OK;
}

static void fact(struct world *world, const struct line *line)
{
    const struct weir_stream_row view = view_of(world, line);
    const struct weir_stream_row *row = &view;
    int64_t generation = row->generation - flag(line, "old");
    struct weir_event event = {.type = WEIR_EV_FACT_STARTING};
    if (is_verb(line, "starting")) {
        event.u.fact_starting = (struct weir_ev_fact_starting){
            row->worker_id, row->incarnation, row->tenant_id, row->stream_id, generation};
    } else if (is_verb(line, "started")) {
        event.type = WEIR_EV_FACT_STARTED;
        event.u.fact_started = (struct weir_ev_fact_started){.worker_id = row->worker_id,
                                                             .incarnation = row->incarnation,
                                                             .tenant_id = row->tenant_id,
                                                             .stream_id = row->stream_id,
                                                             .generation = generation};
        set_effective(line, &event.u.fact_started);
    } else if (is_verb(line, "failing")) {
        event.type = WEIR_EV_FACT_FAILING;
        struct weir_ev_fact_failing *to = &event.u.fact_failing;
        *to = (struct weir_ev_fact_failing){.worker_id = row->worker_id,
                                            .incarnation = row->incarnation,
                                            .tenant_id = row->tenant_id,
                                            .stream_id = row->stream_id,
                                            .generation = generation,
                                            .permanent = flag(line, "permanent")};
        WEIR_STR_SET(to->reason, value(line, "reason", "source_silent"));
        to->has_detail = value(line, "detail", NULL) != NULL;
        WEIR_STR_SET(to->detail, value(line, "detail", ""));
    } else if (is_verb(line, "exited")) {
        event.type = WEIR_EV_FACT_EXITED;
        event.u.fact_exited = (struct weir_ev_fact_exited){.worker_id = row->worker_id,
                                                           .incarnation = row->incarnation,
                                                           .tenant_id = row->tenant_id,
                                                           .stream_id = row->stream_id,
                                                           .generation = generation,
                                                           .reason = "stopped"};
    } else {
        event.type = WEIR_EV_FACT_STILL_WATCHED;
        event.u.fact_still_watched =
            (struct weir_ev_fact_still_watched){.worker_id = row->worker_id,
                                                .incarnation = row->incarnation,
                                                .tenant_id = row->tenant_id,
                                                .stream_id = row->stream_id,
                                                .generation = generation,
                                                .last_request_age_ms = number(line, "age", 100)};
    }
    world_input(world, &event);
}

static void released(struct world *world, const struct line *line)
{
    struct weir_event event = {.type = WEIR_EV_FACT_LEASE_RELEASED};
    struct weir_ev_fact_lease_released *to = &event.u.fact_lease_released;
    to->camera_id = world_id(world, subject(line));
    const struct weir_lease_row *row = weir_ledger_lease(world->ledger, &to->camera_id);
    if (row != NULL) {
        to->worker_id = row->worker_id;
        to->incarnation = row->incarnation;
        to->lease_generation = row->lease_generation - flag(line, "old");
    }
    world_input(world, &event);
}

/* ---- time ---- */

static void beat(struct world *world, const struct line *line)
{
    struct weir_id worker_id = world_id(world, subject(line));
    const char *name = value(line, "without", NULL);
    struct weir_id without = world_id(world, name != NULL ? name : "nobody");
    world_beat(world, &worker_id, &without, number(line, "cpu", 100));
    world_due(world);
}

static void engine(struct world *world, const struct line *line)
{
    struct weir_id worker_id = world_id(world, subject(line));
    size_t at = 0;
    while (at < world->n_engines && !weir_id_equal(&world->engines[at].worker_id, &worker_id)) {
        at++;
    }
    assert(at < WORLD_ENGINES_MAX);
    world->n_engines = at == world->n_engines ? at + 1 : world->n_engines;
    bool is_suspect = flag(line, "suspect");
    world->engines[at] = (struct world_engine){
        .worker_id = worker_id,
        .told = {.encoder = WEIR_ENCODER_NVENC,
                 .codec = "avc1",
                 .state = is_suspect ? WEIR_ENCODER_STATE_SUSPECT : WEIR_ENCODER_STATE_READY,
                 .kpx_per_s = is_suspect ? 0 : number(line, "kpx", 0),
                 .sessions = is_suspect ? 0 : number(line, "sessions", 8),
                 .kpx_per_s_used = number(line, "used", 0),
                 .sessions_used = number(line, "used_sessions", 0)}};
    world_beat(world, &worker_id, NULL, 100);
    world_due(world);
}

/* What making the stream takes, as its worker tells from its next heartbeat on. */
static void takes(struct world *world, const struct line *line)
{
    struct weir_id stream_id = world_id(world, subject(line));
    int64_t *cpu_milli = weir_map_find(world->takes, stream_id.b);
    if (cpu_milli == NULL) {
        cpu_milli = weir_xalloc(sizeof(*cpu_milli));
        weir_map_put(world->takes, stream_id.b, cpu_milli);
    }
    *cpu_milli = number(line, "cpu", 0);
}

static bool is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = strstr(list, name); at != NULL; at = strstr(at + 1, name)) {
        bool starts = at == list || at[-1] == ',';
        if (starts && (at[len] == '\0' || at[len] == ',')) {
            return true;
        }
    }
    return false;
}

static void beat_all(struct world *world, const struct line *line)
{
    const char *silent = value(line, "silent", "");
    const char *name = value(line, "without", NULL);
    struct weir_id without = world_id(world, name != NULL ? name : "nobody");
    const struct weir_worker_row *worker;
    for (size_t at = 0; weir_ledger_next_worker(world->ledger, &at, &worker);) {
        bool is_alive =
            worker->state != WEIR_WORKER_STATE_DEAD && worker->state != WEIR_WORKER_STATE_LEFT;
        if (is_alive && !is_listed(silent, world_name(world, &worker->worker_id))) {
            world_beat(world, &worker->worker_id, &without, number(line, "cpu", 100));
        }
    }
}

static void run(struct world *world, const struct line *line)
{
    int64_t until = world->now_ms + strtoll(subject(line), NULL, 10);
    while (world->now_ms < until) {
        world->now_ms += STEP_MS;
        if (world->now_ms % BEAT_MS == 0) {
            beat_all(world, line);
        }
        world_due(world);
    }
}

/* ---- the script ---- */

static bool step(struct world *world, const struct line *line)
{
    static const struct {
        const char *verb;
        void (*fn)(struct world *, const struct line *);
    } verbs[] = {
        {"tenant", tenant},     {"camera", camera},     {"set", set},
        {"join", join},         {"leave", leave},       {"start", start},
        {"many", many},         {"stop", stop},         {"idle", idle},
        {"watch", watch},       {"starting", fact},     {"started", fact},
        {"failing", fact},      {"exited", fact},       {"still_watched", fact},
        {"beat", beat},         {"engine", engine},     {"takes", takes},
        {"released", released}, {"run", run},           {"drain", drain},
        {"undrain", drain},     {"draining", draining},
    };
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (is_verb(line, verbs[i].verb)) {
            verbs[i].fn(world, line);
            return true;
        }
    }
    if (is_verb(line, "pass")) {
        world->now_ms += strtoll(subject(line), NULL, 10);
    } else if (is_verb(line, "deaf")) {
        world->is_deaf = flag(line, "on");
    } else if (is_verb(line, "takeover")) {
        world_takeover(world);
    } else if (is_verb(line, "show")) {
        world_show(world);
    } else {
        return false;
    }
    return true;
}

static bool play(const char *path, FILE *out)
{
    FILE *script = fopen(path, "r");
    if (script == NULL) {
        perror(path);
        return false;
    }
    struct world *world = world_new(out);
    char text[SCRIPT_MAX];
    bool is_good = true;
    while (is_good && fgets(text, sizeof(text), script) != NULL) {
        fputs(text, out);
        struct line line;
        split(text, &line);
        if (line.n > 0 && line.words[0][0] != '#' && !step(world, &line)) {
            fprintf(stderr, "%s: unknown word %s\n", path, line.words[0]);
            is_good = false;
        }
    }
    is_good = is_good && world_check(world);
    world_free(world);
    fclose(script);
    return is_good;
}

static bool is_same(const char *golden_path, const char *text, size_t len)
{
    FILE *golden = fopen(golden_path, "r");
    if (golden == NULL) {
        perror(golden_path);
        return false;
    }
    char *expected = weir_xalloc(len + 2);
    size_t got = fread(expected, 1, len + 1, golden);
    fclose(golden);
    bool is_equal = got == len && memcmp(expected, text, len) == 0;
    free(expected);
    return is_equal;
}

static bool write_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        return false;
    }
    bool is_written = fwrite(text, 1, len, file) == len;
    return fclose(file) == 0 && is_written;
}

static bool run_one(const char *path, bool is_update)
{
    char golden_path[512];
    snprintf(golden_path, sizeof(golden_path), "%.*s.golden", (int)(strlen(path) - 4), path);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    bool is_good = play(path, out);
    fclose(out);
    if (is_good && is_update) {
        is_good = write_file(golden_path, text, len);
    } else if (is_good && !is_same(golden_path, text, len)) {
        fprintf(stderr, "%s differs from its golden transcript; it is now:\n%s", path, text);
        is_good = false;
    }
    if (!is_good) {
        fprintf(stderr, "%s: failed\n", path);
    }
    free(text);
    return is_good;
}

int main(int argc, char **argv)
{
    bool is_update = argc > 1 && strcmp(argv[1], "--update") == 0;
    bool is_good = true;
    for (int i = is_update ? 2 : 1; i < argc; i++) {
        is_good = run_one(argv[i], is_update) && is_good;
    }
    return is_good ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/io/postgres_double.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/io/db.h"

struct postgres_double {
    pid_t pid; /* leads a process group of its own */
    int port;
    char folder[64];
    char bin[128];
    struct weir_arena *arena;
};

static void die(const char *what)
{
    fprintf(stderr, "postgres of the test: %s\n", what);
    exit(1);
}

static int free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        die("no free port");
    close(fd);
    return ntohs(address.sin_port);
}

/* Postgres refuses to run as root. */
static void drop_root(void)
{
    struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
}

static pid_t start_program(const struct postgres_double *postgres, const char *const *argv)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setpgid(0, 0);
    drop_root();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    dup2(null, 2);
    char path[192];
    snprintf(path, sizeof(path), "%s/%s", postgres->bin, argv[0]);
    execv(path, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void start_server(struct postgres_double *postgres)
{
    char port[8];
    snprintf(port, sizeof(port), "%d", postgres->port);
    const char *const argv[] = {
        "postgres",  "-D", postgres->folder,     "-p", port, "-h", "127.0.0.1", "-k", "", "-c",
        "fsync=off", "-c", "max_connections=40", NULL};
    postgres->pid = start_program(postgres, argv);
    struct weir_db *db = NULL;
    struct weir_err err = {0};
    struct weir_db_config config = {.url = postgres_double_url(postgres, "postgres"),
                                    .connections = 1};
    if (weir_db_open(&config, &db, &err) != WEIR_OK)
        die(err.msg);
    int64_t end_ms = weir_clock_mono_ms() + 20000;
    while (weir_db_ping(db, &err) != WEIR_OK) {
        if (weir_clock_mono_ms() > end_ms)
            die(err.msg);
        usleep(20000);
    }
    weir_db_close(&db);
}

struct postgres_double *postgres_double_open(void)
{
    struct postgres_double *postgres = weir_xalloc(sizeof(*postgres));
    postgres->arena = weir_arena_new(0);
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
        die("is not installed");
    snprintf(postgres->bin, sizeof(postgres->bin), "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    snprintf(postgres->folder, sizeof(postgres->folder), "/tmp/weir-postgres-XXXXXX");
    if (!mkdtemp(postgres->folder))
        die("no temporary folder");
    struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && chown(postgres->folder, user->pw_uid, user->pw_gid) != 0)
        die("chown");
    const char *const argv[] = {
        "initdb", "-D",   postgres->folder,   "-U", "postgres", "-A", "trust", "-N",
        "-E",     "UTF8", "--locale=C.UTF-8", NULL};
    int status = 0;
    waitpid(start_program(postgres, argv), &status, 0);
    if (status != 0)
        die("initdb failed");
    postgres->port = free_port();
    start_server(postgres);
    return postgres;
}

static void end_server(struct postgres_double *postgres)
{
    kill(-postgres->pid, SIGCONT);
    kill(postgres->pid, SIGQUIT);
    waitpid(postgres->pid, NULL, 0);
}

static void remove_folder(const char *folder)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", folder, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

void postgres_double_close(struct postgres_double **postgres)
{
    struct postgres_double *self = WEIR_TAKE(*postgres);
    if (!self)
        return;
    end_server(self);
    remove_folder(self->folder);
    weir_arena_free(self->arena);
    free(self);
}

const char *postgres_double_url(struct postgres_double *postgres, const char *role)
{
    return weir_arena_printf(postgres->arena, "postgres://%s@127.0.0.1:%d/postgres", role,
                             postgres->port);
}

/* Backends lead groups of their own, so their parent tells who they are. */
void postgres_double_freeze(struct postgres_double *postgres, int is_frozen)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)postgres->pid,
             (int)postgres->pid);
    FILE *in = fopen(path, "re");
    int child = 0;
    while (in && fscanf(in, "%d", &child) == 1)
        kill(child, is_frozen ? SIGSTOP : SIGCONT);
    if (in)
        fclose(in);
    kill(postgres->pid, is_frozen ? SIGSTOP : SIGCONT);
}

void postgres_double_crash(struct postgres_double *postgres)
{
    end_server(postgres);
    start_server(postgres);
}

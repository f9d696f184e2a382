/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define OUTS_MAX      (1 + 2 * WEIR_XCODE_RENDITIONS_MAX)
#define READ_BYTES    65536
#define STREAM_MAX    (2 * WEIR_XCODE_UNIT_MAX)
#define LINES_MAX     65536
#define ARGUMENTS_MAX 1024

_Static_assert(OUTS_MAX <= WEIR_PROCESS_FDS_MAX, "each is handed to it");

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

/* ---- start ---- */

static bool open_out(struct child_out *out, size_t max, int *ret_end)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    out->fd = ends[0];
    out->bytes.max = max;
    *ret_end = ends[1];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

/* `ends` are what it gets, its descriptor 0 in front. */
static bool open_pipes(struct child *child, int *ends)
{
    int in[2];
    if (pipe2(in, O_CLOEXEC) != 0) {
        return false;
    }
    ends[0] = in[0];
    child->in_fd = in[1];
    bool is_open =
        fcntl(in[1], F_SETFL, O_NONBLOCK) == 0 && open_out(&child->meter, LINES_MAX, &ends[1]);
    for (size_t i = 0; is_open && i < child->n; i++) {
        is_open = open_out(&child->renditions[i].stream, STREAM_MAX, &ends[2 + 2 * i]) &&
                  open_out(&child->renditions[i].lines, LINES_MAX, &ends[3 + 2 * i]);
    }
    return is_open;
}

/* "--shut-in" says that the program is to become the one that is named behind it. */
static const char *const *start_arguments(struct weir_arena *arena,
                                          const struct child_programs *programs,
                                          const char *const *arguments)
{
    const char **all = weir_arena_array(arena, ARGUMENTS_MAX, sizeof(char *));
    size_t n = 0;
    all[n++] = programs->self;
    all[n++] = "--shut-in";
    for (; *arguments != NULL && n + 1 < ARGUMENTS_MAX; arguments++) {
        all[n++] = *arguments;
    }
    return all;
}

enum weir_code child_start(const struct child_programs *programs, enum weir_xcode_codec codec,
                           bool is_fields, const struct graph_rendition *renditions, size_t n,
                           struct child *ret, struct weir_err *err)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    int ends[1 + OUTS_MAX];
    uint8_t head[GRAPH_IVF_HEAD];
    memset(ends, 0xff, sizeof(ends));
    *ret = (struct child){.in_fd = -1, .meter.fd = -1, .n = n};
    for (size_t i = 0; i < n; i++) {
        ret->renditions[i].stream.fd = ret->renditions[i].lines.fd = -1;
    }
    const char *const *arguments =
        graph_arguments(arena, programs->program, codec, is_fields, renditions, n);
    static const char *const no_env[] = {NULL};
    enum weir_code code =
        open_pipes(ret, ends)
            ? weir_process_start(
                  &(struct weir_process_spec){.path = programs->self,
                                              .argv = start_arguments(arena, programs, arguments),
                                              .env = no_env,
                                              .cwd = "/",
                                              .has_output = true,
                                              .stdin_fd = ends[0],
                                              .fds = ends + 1,
                                              .n_fds = 1 + 2 * n},
                  &ret->process, err)
            : weir_fail(err, WEIR_EIO, "pipes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        close_fd(&ends[i]);
    }
    graph_ivf_head(codec, head);
    weir_buf_add(&ret->unsent, head, sizeof(head));
    if (code != WEIR_OK) {
        child_done(ret);
    }
    return code;
}

/* ---- to it ---- */

void child_give(struct child *child, int64_t ts, const uint8_t *bytes, size_t len)
{
    uint8_t head[GRAPH_IVF_FRAME];
    graph_ivf_frame(len, ts, head);
    weir_buf_add(&child->unsent, head, sizeof(head));
    weir_buf_add(&child->unsent, bytes, len);
}

bool child_flush(struct child *child)
{
    while (child->in_fd >= 0 && child->unsent.len > 0) {
        ssize_t n = write(child->in_fd, child->unsent.bytes, child->unsent.len);
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return false;
        }
        weir_buf_consume(&child->unsent, n > 0 ? (size_t)n : 0);
    }
    return true;
}

bool child_has_read_all(const struct child *child)
{
    int waiting = 0;
    return child->unsent.len == 0 && child->in_fd >= 0 &&
           ioctl(child->in_fd, FIONREAD, &waiting) == 0 && waiting == 0;
}

void child_finish(struct child *child)
{
    if (child->unsent.len == 0) {
        close_fd(&child->in_fd);
    }
}

/* ---- from it ---- */

/* As much as was read; 0: nothing now; -1: it is at its end. */
static ssize_t read_some(int fd, char *bytes, size_t size)
{
    ssize_t n = read(fd, bytes, size);
    return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool child_read(struct child_out *out)
{
    char bytes[READ_BYTES];
    if (out->fd < 0) {
        return true;
    }
    ssize_t n = read_some(out->fd, bytes, sizeof(bytes));
    if (n < 0) {
        close_fd(&out->fd);
    }
    return n <= 0 || weir_buf_add(&out->bytes, bytes, (size_t)n);
}

/* The newest of `text` behind what there is, without what could look like another line. */
static void keep_words(struct child *child, const char *text, size_t len)
{
    size_t had = strlen(child->words);
    size_t from = len > CHILD_WORDS_MAX ? len - CHILD_WORDS_MAX : 0;
    size_t n = len - from;
    size_t over = had + n > CHILD_WORDS_MAX ? had + n - CHILD_WORDS_MAX : 0;
    memmove(child->words, child->words + over, had - over);
    for (size_t i = 0; i < n; i++) {
        char c = text[from + i];
        child->words[had - over + i] = (char)(c >= ' ' && c <= '~' ? c : ' ');
    }
    child->words[had - over + n] = '\0';
}

void child_listen(struct child *child)
{
    char bytes[READ_BYTES];
    ssize_t n = read_some(child->process.output_fd, bytes, sizeof(bytes));
    if (n > 0) {
        keep_words(child, bytes, (size_t)n);
    } else if (n < 0) {
        close_fd(&child->process.output_fd);
    }
}

bool child_is_at_end(const struct child *child)
{
    bool is_at_end = child->meter.fd < 0;
    for (size_t i = 0; i < child->n; i++) {
        is_at_end =
            is_at_end && child->renditions[i].stream.fd < 0 && child->renditions[i].lines.fd < 0;
    }
    return is_at_end;
}

static void out_done(struct child_out *out)
{
    close_fd(&out->fd);
    weir_buf_done(&out->bytes);
}

void child_done(struct child *child)
{
    weir_process_done(&child->process);
    close_fd(&child->in_fd);
    weir_buf_done(&child->unsent);
    out_done(&child->meter);
    for (size_t i = 0; i < child->n; i++) {
        out_done(&child->renditions[i].stream);
        out_done(&child->renditions[i].lines);
    }
    *child = (struct child){.in_fd = -1, .meter.fd = -1};
}

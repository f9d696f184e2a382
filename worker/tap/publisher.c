/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/publisher.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "worker/tap/muxer.h"
#include "worker/tap/outlet.h"
#include "worker/tap/rtsp.h"
#include "worker/tap/sdp.h"

#define OUT_BYTES 262144 /* filled up to this from the ring; one unit may pass it */
#define TICK_MS   250
#define PACE_MS   5
#define ALIVE_MS  2000

/* What the engine is being asked; the order of the enum is that of the conversation. */
enum step { STEP_CONNECT, STEP_ANNOUNCE, STEP_SETUP, STEP_RECORD, STEP_MUXER, STEP_LIVE };

struct tap_publisher {
    struct weir_loop *loop;
    struct weir_ctl_tap_publish spec;
    const struct tap_ring *ring;
    const struct tap_format *format;
    tap_publisher_state_fn *fn;
    void *ctx;
    enum tap_publisher_state state;
    enum step step;
    int fd;
    struct weir_buf in;
    struct weir_buf out;
    struct weir_timer *timer; /* answer's deadline; tick while live; start */
    struct tap_muxer *muxer;
    ino_t past_folder; /* of an earlier session's segments; 0: there is none */
    int cseq;
    int track; /* of STEP_SETUP */
    char session[65];
    struct tap_outlet outlet;
    uint64_t cursor; /* number of the next unit */
    int64_t progress_mono_ms;
    bool is_asked; /* OPTIONS, whether it still lives */
    int64_t asked_mono_ms;
};

static void on_socket(void *ctx, unsigned events);

static void tell(struct tap_publisher *p, enum tap_publisher_state state, enum weir_reason reason,
                 const char *detail)
{
    p->state = state;
    p->fn(p->ctx, p, state, reason, detail);
}

static void hang_up(struct tap_publisher *p)
{
    tap_muxer_free(&p->muxer);
    weir_timer_clear(p->timer);
    if (p->fd >= 0) {
        weir_loop_unwatch(p->loop, p->fd);
        close(p->fd);
        p->fd = -1;
    }
    weir_buf_clear(&p->in);
    weir_buf_clear(&p->out);
}

static void fail(struct tap_publisher *p, enum weir_reason reason, const char *detail)
{
    hang_up(p);
    tell(p, TAP_PUBLISHER_FAILED, reason, detail);
}

static void fail_gone(struct tap_publisher *p)
{
    fail(p, WEIR_REASON_engine_failed, "the engine closed the session");
}

/* Writes what it can. False when the session is over. */
static bool flush(struct tap_publisher *p)
{
    while (p->out.len > 0) {
        ssize_t n = send(p->fd, p->out.bytes, p->out.len, MSG_NOSIGNAL);
        if (n > 0) {
            weir_buf_consume(&p->out, (size_t)n);
            p->progress_mono_ms = weir_clock_mono_ms();
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN) {
            break;
        } else {
            fail_gone(p);
            return false;
        }
    }
    unsigned events = WEIR_LOOP_IN | (p->out.len > 0 ? WEIR_LOOP_OUT : 0);
    weir_loop_watch(p->loop, p->fd, events, on_socket, p);
    return true;
}

/* Fills the buffer from the ring up to its size. */
static void fill(struct tap_publisher *p, int64_t now)
{
    const struct tap_unit *unit;
    while (p->out.len < OUT_BYTES && tap_outlet_may_send(&p->outlet, now) &&
           (unit = tap_ring_find(p->ring, p->cursor)) != NULL) {
        tap_outlet_unit(&p->outlet, unit, now, &p->out);
        p->cursor++;
    }
}

static void pump(struct tap_publisher *p)
{
    int64_t now = weir_clock_mono_ms();
    if (p->cursor < p->ring->first) {
        fail(p, WEIR_REASON_publish_failed, "the engine takes packets too slowly");
        return;
    }
    if (p->out.len == 0)
        p->progress_mono_ms = now;
    for (;;) {
        uint64_t before = p->cursor;
        fill(p, now);
        if (!flush(p))
            return;
        if (p->cursor == before || p->out.len > 0)
            break;
    }
    bool waits_for_pace = p->out.len == 0 && p->cursor < p->ring->end;
    if (waits_for_pace)
        weir_timer_set(p->timer, PACE_MS);
    else if (!weir_timer_is_set(p->timer))
        weir_timer_set(p->timer, TICK_MS);
}

static void write_head(struct tap_publisher *p, const char *verb, const char *suffix)
{
    weir_buf_printf(&p->out, "%s rtsp://127.0.0.1:%d/%s%s RTSP/1.0\r\nCSeq: %d\r\n", verb,
                    (int)p->spec.rtsp_port, p->spec.path, suffix, ++p->cseq);
    struct weir_buf credentials = {0};
    weir_buf_printf(&credentials, "%s:%s", p->spec.username, p->spec.password);
    weir_buf_printf(&p->out, "Authorization: Basic ");
    tap_base64_write(credentials.bytes, credentials.len, &p->out);
    weir_buf_printf(&p->out, "\r\n");
    weir_buf_done(&credentials);
    if (p->session[0] != '\0')
        weir_buf_printf(&p->out, "Session: %s\r\n", p->session);
}

static void ask_announce(struct tap_publisher *p)
{
    struct weir_buf sdp = {0};
    tap_sdp_write(&p->outlet.format, &sdp);
    write_head(p, "ANNOUNCE", "");
    weir_buf_printf(&p->out, "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
                    sdp.len, sdp.bytes);
    weir_buf_done(&sdp);
}

static void ask_setup(struct tap_publisher *p)
{
    write_head(p, "SETUP", p->track == 0 ? "/trackID=0" : "/trackID=1");
    weir_buf_printf(&p->out, "Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d;mode=record\r\n\r\n",
                    2 * p->track, 2 * p->track + 1);
}

static void ask_record(struct tap_publisher *p)
{
    write_head(p, "RECORD", "");
    weir_buf_printf(&p->out, "Range: npt=0-\r\n\r\n");
}

static void on_muxer(void *ctx, bool is_there)
{
    struct tap_publisher *p = ctx;
    tap_muxer_free(&p->muxer);
    if (!is_there) {
        fail(p, WEIR_REASON_publish_failed, "the engine made no HLS muxer in time");
        return;
    }
    uint32_t random[6];
    struct tap_format format = p->outlet.format;
    arc4random_buf(random, sizeof(random));
    tap_outlet_init(&p->outlet, &format, random, weir_clock_mono_ms());
    p->step = STEP_LIVE;
    p->cursor = p->ring->first;
    p->progress_mono_ms = weir_clock_mono_ms();
    p->asked_mono_ms = p->progress_mono_ms;
    p->is_asked = false;
    pump(p);
    if (p->state != TAP_PUBLISHER_FAILED)
        tell(p, TAP_PUBLISHER_LIVE, WEIR_REASON_started, "");
}

static void next_step(struct tap_publisher *p, enum step step)
{
    p->step = step;
    weir_timer_set(p->timer, TAP_PUBLISHER_ANSWER_MS);
    if (step == STEP_ANNOUNCE)
        ask_announce(p);
    else if (step == STEP_SETUP)
        ask_setup(p);
    else if (step == STEP_RECORD)
        ask_record(p);
    else
        p->muxer = tap_muxer_await(p->loop, p->spec.api_socket, p->spec.path,
                                   p->spec.has_segments ? p->spec.segments : "", p->past_folder,
                                   on_muxer, p);
    flush(p);
}

static void on_answer(struct tap_publisher *p, const struct tap_rtsp_answer *answer)
{
    if (p->step == STEP_LIVE)
        p->is_asked = false;
    if (p->step >= STEP_MUXER)
        return;
    if (answer->status != 200) {
        fail(p, WEIR_REASON_publish_failed,
             answer->status == 401 ? "the engine refused the credentials"
                                   : "the engine refused the stream");
        return;
    }
    if (answer->session[0] != '\0')
        memcpy(p->session, answer->session, sizeof(p->session));
    if (p->step == STEP_ANNOUNCE) {
        next_step(p, STEP_SETUP);
    } else if (p->step == STEP_SETUP) {
        bool has_more = p->track == 0 && p->outlet.format.audio != TAP_CODEC_NONE;
        p->track++;
        next_step(p, has_more ? STEP_SETUP : STEP_RECORD);
    } else {
        next_step(p, STEP_MUXER);
    }
}

/* Looks at what arrived. The session may be over afterwards. */
static void read_items(struct tap_publisher *p)
{
    while (p->fd >= 0 && p->in.len > 0) {
        struct tap_rtsp_answer answer;
        size_t used;
        enum tap_rtsp_item item = tap_rtsp_next(p->in.bytes, p->in.len, &answer, &used);
        if (item == TAP_RTSP_MORE)
            return;
        if (item == TAP_RTSP_BROKEN) {
            fail(p, WEIR_REASON_publish_failed, "the engine does not speak RTSP");
            return;
        }
        weir_buf_consume(&p->in, used);
        if (item == TAP_RTSP_ANSWER)
            on_answer(p, &answer);
    }
}

/* False when the session is over. */
static bool receive(struct tap_publisher *p)
{
    char bytes[4096];
    ssize_t n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0 || !weir_buf_add(&p->in, bytes, (size_t)n)) {
        fail_gone(p);
        return false;
    }
    read_items(p);
    return p->fd >= 0;
}

static void on_connected(struct tap_publisher *p)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0)
        fail(p, WEIR_REASON_engine_failed, "the engine does not listen");
    else
        next_step(p, STEP_ANNOUNCE);
}

static void on_socket(void *ctx, unsigned events)
{
    struct tap_publisher *p = ctx;
    if (p->step == STEP_CONNECT) {
        on_connected(p);
        return;
    }
    if ((events & (WEIR_LOOP_IN | WEIR_LOOP_HUP)) != 0 && !receive(p))
        return;
    if ((events & WEIR_LOOP_OUT) == 0)
        return;
    if (p->step == STEP_LIVE)
        pump(p);
    else
        flush(p);
}

static void connect_engine(struct tap_publisher *p)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)p->spec.rtsp_port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    tell(p, TAP_PUBLISHER_CONNECTING, WEIR_REASON_starting, "");
    p->outlet.format = *p->format;
    p->past_folder = p->spec.has_segments ? tap_muxer_folder(p->spec.segments) : 0;
    p->step = STEP_CONNECT;
    p->session[0] = '\0';
    p->cseq = 0;
    p->track = 0;
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0 ||
        (connect(p->fd, (const struct sockaddr *)(const void *)&addr, sizeof(addr)) != 0 &&
         errno != EINPROGRESS)) {
        fail(p, WEIR_REASON_engine_failed, "the engine cannot be reached");
        return;
    }
    WEIR_IGNORE(setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), "only slower");
    weir_timer_set(p->timer, TAP_PUBLISHER_ANSWER_MS);
    weir_loop_watch(p->loop, p->fd, WEIR_LOOP_OUT, on_socket, p);
}

/* Socket buffers hide for minutes that nobody reads, so the engine is asked. */
static void ask_whether_alive(struct tap_publisher *p, int64_t now)
{
    if (p->is_asked || now - p->asked_mono_ms < ALIVE_MS)
        return;
    write_head(p, "OPTIONS", "");
    weir_buf_printf(&p->out, "\r\n");
    p->is_asked = true;
    p->asked_mono_ms = now;
}

static void tick_live(struct tap_publisher *p)
{
    int64_t now = weir_clock_mono_ms();
    bool is_stuck = (p->out.len > 0 && now - p->progress_mono_ms > TAP_PUBLISHER_STUCK_MS) ||
                    (p->is_asked && now - p->asked_mono_ms > TAP_PUBLISHER_STUCK_MS);
    if (is_stuck) {
        fail(p, WEIR_REASON_publish_failed, "the engine hangs");
        return;
    }
    if (p->out.len < OUT_BYTES) {
        tap_outlet_tick(&p->outlet, now, &p->out);
        ask_whether_alive(p, now);
    }
    pump(p);
}

static void on_timer(void *ctx)
{
    struct tap_publisher *p = ctx;
    if (p->state == TAP_PUBLISHER_WAITING)
        tap_publisher_wake(p);
    else if (p->step == STEP_LIVE)
        tick_live(p);
    else if (p->step != STEP_MUXER) /* that one has a deadline of its own */
        fail(p, WEIR_REASON_publish_failed, "the engine did not answer in time");
}

struct tap_publisher *tap_publisher_new(struct weir_loop *loop,
                                        const struct weir_ctl_tap_publish *spec,
                                        const struct tap_ring *ring,
                                        const struct tap_format *format, tap_publisher_state_fn *fn,
                                        void *ctx)
{
    struct tap_publisher *p = weir_xalloc(sizeof(*p));
    p->loop = loop;
    p->spec = *spec;
    p->ring = ring;
    p->format = format;
    p->fn = fn;
    p->ctx = ctx;
    p->fd = -1;
    p->in.max = TAP_RTSP_HEAD_MAX + TAP_RTSP_BODY_MAX + 4096;
    p->timer = weir_timer_new(loop, on_timer, p);
    weir_timer_set(p->timer, 0);
    return p;
}

void tap_publisher_free(struct tap_publisher **publisher)
{
    struct tap_publisher *p = *publisher;
    if (p == NULL)
        return;
    *publisher = NULL;
    hang_up(p);
    weir_timer_free(&p->timer);
    weir_buf_done(&p->in);
    weir_buf_done(&p->out);
    explicit_bzero(&p->spec, sizeof(p->spec));
    free(p);
}

const struct weir_ctl_tap_publish *tap_publisher_spec(const struct tap_publisher *publisher)
{
    return &publisher->spec;
}

void tap_publisher_wake(struct tap_publisher *publisher)
{
    if (publisher->state == TAP_PUBLISHER_WAITING && !tap_ring_is_empty(publisher->ring))
        connect_engine(publisher);
    else if (publisher->state == TAP_PUBLISHER_LIVE && publisher->out.len < OUT_BYTES)
        pump(publisher);
}

bool tap_publisher_takes_sound(const struct tap_publisher *publisher,
                               const struct tap_format *format)
{
    const struct tap_format *announced = &publisher->outlet.format;
    bool has_session =
        publisher->state == TAP_PUBLISHER_CONNECTING || publisher->state == TAP_PUBLISHER_LIVE;
    struct tap_silence silence;
    return !has_session || tap_format_has_same_sound(announced, format) ||
           (format->audio == TAP_CODEC_NONE && tap_silence_of(announced, &silence));
}

void tap_publisher_restart(struct tap_publisher *publisher)
{
    if (publisher->state != TAP_PUBLISHER_CONNECTING && publisher->state != TAP_PUBLISHER_LIVE)
        return;
    hang_up(publisher);
    publisher->state = TAP_PUBLISHER_WAITING;
    weir_timer_set(publisher->timer, 0);
}

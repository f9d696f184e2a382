/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/xcode/cli/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "worker/xcode/cli/account.h"
#include "worker/xcode/cli/fields.h"
#include "worker/xcode/cli/lines.h"
#include "worker/xcode/units.h"

#define MESSAGE_MAX (sizeof(struct weir_xcode_head) + WEIR_XCODE_UNIT_MAX)
#define READ_BYTES  65536
#define OUT_BYTES   (4U << 20) /* nothing is read from ffmpeg while so much waits for the tap */
#define FINISH_MS   2000       /* for an ffmpeg that has been told to end */
#define AGAIN_MS    100
#define POLLS_MAX   (4 + 2 * WEIR_XCODE_RENDITIONS_MAX)

struct rendition {
    bool is_there;
    struct weir_xcode_rendition spec; /* `after_ts`: what was sent last counts too */
};

struct relay {
    int fd;
    const struct child_programs *programs;
    struct weir_buf in;  /* from the tap */
    struct weir_buf out; /* to it */
    struct rendition renditions[WEIR_XCODE_RENDITIONS_MAX];
    bool must_begin; /* what runs is not what is wanted any more */
    /* The ffmpeg: */
    bool is_up;
    int64_t finish_ms; /* it was told to end, and must have until then; 0: it was not */
    struct child child;
    struct account account;
    enum weir_xcode_codec codec;
    int64_t zero_ts;   /* of the times that it is given */
    int64_t newest_ts; /* of its units */
    bool is_ordered;   /* units come in the order that they are shown in */
    uint32_t numbers[WEIR_XCODE_RENDITIONS_MAX]; /* of its renditions, in its order */
    struct units units;
};

struct relay *relay_new(int fd, const struct child_programs *programs)
{
    struct relay *r = weir_xalloc(sizeof(*r));
    r->fd = fd;
    r->programs = programs;
    r->in.max = MESSAGE_MAX + READ_BYTES;
    r->child = (struct child){.in_fd = -1, .meter.fd = -1};
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return r;
}

void relay_free(struct relay **relay)
{
    struct relay *r = *relay;
    if (!r) {
        return;
    }
    *relay = NULL;
    child_done(&r->child);
    weir_buf_done(&r->in);
    weir_buf_done(&r->out);
    units_done(&r->units);
    free(r);
}

/* ---- to the tap ---- */

static void say(struct relay *r, struct weir_xcode_head head, const void *bytes)
{
    head.magic = WEIR_XCODE_MAGIC;
    weir_buf_add(&r->out, &head, sizeof(head));
    if (head.len > 0) {
        weir_buf_add(&r->out, bytes, head.len);
    }
}

static void say_done(struct relay *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        say(r, (struct weir_xcode_head){.kind = WEIR_XCODE_DONE}, NULL);
    }
}

/* False when the tap is gone. */
static bool flush(struct relay *r)
{
    while (r->out.len > 0) {
        ssize_t n = write(r->fd, r->out.bytes, r->out.len);
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            return false;
        }
        weir_buf_consume(&r->out, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* ---- the ffmpeg ---- */

static bool begin(struct relay *r, enum weir_xcode_codec codec, const uint8_t *unit, size_t len,
                  int64_t ts, struct weir_err *err)
{
    struct graph_rendition made[WEIR_XCODE_RENDITIONS_MAX];
    size_t n = 0;
    r->account = (struct account){0};
    r->zero_ts = ts - GRAPH_TS_MIN;
    r->newest_ts = ts;
    r->is_ordered = true;
    for (uint32_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        const struct rendition *rendition = &r->renditions[i];
        if (!rendition->is_there) {
            continue;
        }
        made[n].spec = rendition->spec;
        int64_t after = rendition->spec.after_ts;
        made[n].spec.after_ts = after > r->zero_ts ? after - r->zero_ts : 0;
        account_add(&r->account, i, fit_pace_milli(&rendition->spec),
                    after > r->zero_ts ? after : INT64_MIN);
        r->numbers[n++] = i;
    }
    bool is_fields = codec == WEIR_XCODE_H264 && fields_may_be(unit, len);
    if (child_start(r->programs, codec, is_fields, made, n, &r->child, err) != WEIR_OK) {
        return false;
    }
    r->codec = codec;
    r->is_up = true;
    r->finish_ms = 0;
    r->must_begin = false;
    return true;
}

/* It is told that there is no more; it works off what it has. */
static void finish(struct relay *r)
{
    if (r->is_up && r->finish_ms == 0) {
        r->finish_ms = weir_clock_mono_ms() + FINISH_MS;
    }
}

/* It has ended, or is taken to have. */
static void end(struct relay *r)
{
    child_done(&r->child);
    r->is_up = false;
    r->finish_ms = 0;
    say_done(r, account_let_go(&r->account));
}

/*
 * What follows is of another place. A decoder that puts pictures in order would tell, at its end,
 * pictures behind others that it was not given; and what it has not told is given again (the tap
 * goes back to a keyframe), so it is not asked.
 */
static void flush_units(struct relay *r)
{
    if (r->is_up && !r->is_ordered) {
        end(r);
    } else {
        finish(r);
    }
}

static bool has_work(const struct relay *r)
{
    bool has_one = false;
    for (size_t i = 0; i < WEIR_XCODE_RENDITIONS_MAX; i++) {
        has_one = has_one || r->renditions[i].is_there;
    }
    return has_one;
}

/* ---- from the tap ---- */

static void take_rendition(struct relay *r, uint32_t number,
                           const struct weir_xcode_rendition *spec)
{
    struct rendition *rendition = &r->renditions[number];
    struct weir_xcode_rendition now = *spec;
    if (rendition->is_there) {
        int64_t before = rendition->spec.after_ts;
        now.after_ts = now.after_ts > before ? now.after_ts : before;
        struct weir_xcode_rendition same = now;
        same.after_ts = before;
        r->must_begin = r->must_begin || memcmp(&same, &rendition->spec, sizeof(same)) != 0;
    } else {
        r->must_begin = true;
    }
    *rendition = (struct rendition){true, now};
}

static void drop(struct relay *r, uint32_t number)
{
    r->renditions[number] = (struct rendition){0};
    r->must_begin = true;
    if (!has_work(r)) {
        finish(r);
    }
}

/* A key unit waits until the one that runs has ended, where another one is to begin with it. */
static bool must_wait(const struct relay *r, const struct weir_xcode_head *head)
{
    return r->is_up && (r->finish_ms != 0 || (head->is_key != 0 && r->must_begin) ||
                        (enum weir_xcode_codec)head->codec != r->codec);
}

/* False: `err` says why. */
static bool take_unit(struct relay *r, const struct weir_xcode_head *head, uint8_t *bytes,
                      struct weir_err *err)
{
    enum weir_xcode_codec codec = (enum weir_xcode_codec)head->codec;
    bool is_image = codec == WEIR_XCODE_MJPEG;
    bool can_begin = head->is_key != 0 && has_work(r);
    if (!r->is_up && can_begin && !begin(r, codec, bytes, head->len, head->ts, err)) {
        return false;
    }
    /* No image is made from another, and none that nobody wants is decoded. */
    bool is_wanted =
        r->is_up && head->ts > r->zero_ts && (!is_image || account_wants(&r->account, head->ts));
    if (!is_wanted || (!is_image && !units_to_stream(bytes, head->len))) {
        say_done(r, 1);
        return true;
    }
    r->is_ordered = r->is_ordered && head->ts >= r->newest_ts;
    r->newest_ts = head->ts > r->newest_ts ? head->ts : r->newest_ts;
    account_give(&r->account, head->ts, weir_clock_mono_ms());
    child_give(&r->child, head->ts - r->zero_ts, bytes, head->len);
    return true;
}

static bool is_message(const struct weir_xcode_head *head)
{
    bool is_sized = head->kind != WEIR_XCODE_DROP && head->kind != WEIR_XCODE_FLUSH;
    bool is_known = head->kind <= WEIR_XCODE_UNIT || head->kind == WEIR_XCODE_SOUND ||
                    head->kind == WEIR_XCODE_SOUND_UNIT;
    return head->magic == WEIR_XCODE_MAGIC && is_known &&
           head->rendition < WEIR_XCODE_RENDITIONS_MAX && head->len <= WEIR_XCODE_UNIT_MAX &&
           (is_sized || head->len == 0) &&
           (head->kind != WEIR_XCODE_UNIT || head->codec <= WEIR_XCODE_MJPEG) &&
           (head->kind != WEIR_XCODE_RENDITION || head->len == sizeof(struct weir_xcode_rendition));
}

static bool do_message(struct relay *r, const struct weir_xcode_head *head, uint8_t *bytes,
                       struct weir_err *err)
{
    struct weir_xcode_rendition spec;
    switch (head->kind) {
    case WEIR_XCODE_RENDITION:
        memcpy(&spec, bytes, sizeof(spec));
        if (!fit_is_sane(&spec)) {
            return false;
        }
        take_rendition(r, head->rendition, &spec);
        return true;
    case WEIR_XCODE_DROP:
        drop(r, head->rendition);
        return true;
    case WEIR_XCODE_FLUSH:
        flush_units(r);
        return true;
    case WEIR_XCODE_SOUND: /* weir-xcode makes that, chosen or not */
        say(r, (struct weir_xcode_head){.kind = WEIR_XCODE_SOUND_NONE}, NULL);
        return true;
    case WEIR_XCODE_SOUND_UNIT:
        say_done(r, 1);
        return true;
    default:
        return take_unit(r, head, bytes, err);
    }
}

/* Whether the next message can be taken now. */
static bool can_take(const struct relay *r)
{
    return r->child.unsent.len == 0 && !account_is_full(&r->account) && r->out.len < OUT_BYTES;
}

/* Does what whole messages say, as far as it can be done now. */
static bool take_all(struct relay *r, struct weir_err *err)
{
    struct weir_xcode_head head;
    while (can_take(r) && r->in.len >= sizeof(head)) {
        memcpy(&head, r->in.bytes, sizeof(head));
        if (!is_message(&head)) {
            return false;
        }
        size_t len = sizeof(head) + head.len;
        if (r->in.len < len) {
            break;
        }
        if (head.kind == WEIR_XCODE_UNIT && must_wait(r, &head)) {
            finish(r);
            break;
        }
        if (!do_message(r, &head, (uint8_t *)r->in.bytes + sizeof(head), err)) {
            return false;
        }
        weir_buf_consume(&r->in, len);
    }
    return true;
}

/* False when the tap is gone. */
static bool receive(struct relay *r)
{
    char bytes[READ_BYTES];
    ssize_t n = read(r->fd, bytes, sizeof(bytes));
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    return n > 0 && weir_buf_add(&r->in, bytes, (size_t)n);
}

/* ---- from ffmpeg ---- */

/* False when it said what is none. */
static bool take_pictures(struct relay *r)
{
    struct weir_buf *text = &r->child.meter.bytes;
    struct lines_packet packet;
    enum lines_item item;
    size_t used;
    while ((item = lines_next(text->bytes, text->len, &packet, &used)) == LINES_PACKET ||
           item == LINES_SKIP) {
        if (item == LINES_PACKET) {
            account_picture(&r->account, packet.pts + r->zero_ts, weir_clock_mono_ms());
        }
        weir_buf_consume(text, used);
    }
    return item == LINES_MORE;
}

static bool take_made(struct relay *r, uint32_t number, int64_t ts, const char *bytes, size_t len)
{
    struct rendition *rendition = &r->renditions[number];
    account_made(&r->account, number, ts, weir_clock_mono_ms());
    if (!rendition->is_there || ts <= rendition->spec.after_ts) {
        return true; /* it was dropped a moment ago, or begun anew */
    }
    if (!units_from_stream(&r->units, (const uint8_t *)bytes, len)) {
        return false;
    }
    rendition->spec.after_ts = ts;
    say(r,
        (struct weir_xcode_head){.kind = WEIR_XCODE_UNIT,
                                 .rendition = number,
                                 .is_key = units_have_key(r->units.bytes, r->units.len),
                                 .len = (uint32_t)r->units.len,
                                 .ts = ts},
        r->units.bytes);
    return true;
}

/* Units whose line and whose bytes are there. */
static bool take_units(struct relay *r, size_t i)
{
    struct weir_buf *text = &r->child.renditions[i].lines.bytes;
    struct weir_buf *stream = &r->child.renditions[i].stream.bytes;
    struct lines_packet packet = {0};
    enum lines_item item;
    size_t used;
    bool is_good = true;
    while (is_good && ((item = lines_next(text->bytes, text->len, &packet, &used)) == LINES_SKIP ||
                       (item == LINES_PACKET && packet.len <= stream->len))) {
        if (item == LINES_PACKET) {
            is_good =
                take_made(r, r->numbers[i], packet.pts + r->zero_ts, stream->bytes, packet.len);
            weir_buf_consume(stream, packet.len);
        }
        weir_buf_consume(text, used);
    }
    return is_good && item != LINES_BROKEN;
}

static bool take_outs(struct relay *r)
{
    bool is_good = true;
    for (size_t i = 0; is_good && i < r->child.n; i++) {
        is_good = child_read(&r->child.renditions[i].stream) &&
                  child_read(&r->child.renditions[i].lines) && take_units(r, i);
    }
    return is_good && child_read(&r->child.meter) && take_pictures(r);
}

static bool fail_ended(struct relay *r, struct weir_err *err)
{
    child_listen(&r->child); /* it may have said why since */
    WEIR_IGNORE(weir_fail(err, WEIR_EIO, "ffmpeg ended: %s",
                          r->child.words[0] ? r->child.words : "it said nothing"),
                "false says it");
    return false;
}

/* What ffmpeg has to say, and what follows from that. */
static bool tend(struct relay *r, struct weir_err *err)
{
    if (!r->is_up) {
        return true;
    }
    child_listen(&r->child);
    bool is_written = child_flush(&r->child);
    if (r->out.len < OUT_BYTES && !take_outs(r)) {
        WEIR_IGNORE(weir_fail(err, WEIR_ECORRUPT, "ffmpeg said what it may not"), "false says it");
        return false;
    }
    say_done(r, account_settle(&r->account));
    int64_t now_ms = weir_clock_mono_ms();
    if (r->finish_ms != 0) {
        child_finish(&r->child);
        if (child_is_at_end(&r->child) || now_ms > r->finish_ms) {
            end(r);
        }
        return true;
    }
    if (!is_written || child_is_at_end(&r->child)) {
        return fail_ended(r, err);
    }
    if (!child_has_read_all(&r->child)) {
        account_unread(&r->account, now_ms);
    } else if (account_patience_ms(&r->account, now_ms) == 0) {
        say_done(r, account_let_go(&r->account));
    }
    return true;
}

/* ---- waiting ---- */

static void add_poll(struct pollfd *polls, nfds_t *n, int fd, short events)
{
    if (fd > 0 && events != 0) {
        polls[(*n)++] = (struct pollfd){.fd = fd, .events = events};
    }
}

static void wait_for_any(const struct relay *r)
{
    struct pollfd polls[POLLS_MAX];
    nfds_t n = 0;
    bool is_full = r->out.len >= OUT_BYTES;
    bool can_receive = r->in.len < MESSAGE_MAX && can_take(r) && r->finish_ms == 0;
    add_poll(polls, &n, r->fd,
             (short)((can_receive ? POLLIN : 0) | (r->out.len > 0 ? POLLOUT : 0)));
    if (r->is_up) {
        short in = is_full ? 0 : POLLIN;
        add_poll(polls, &n, r->child.in_fd, r->child.unsent.len > 0 ? POLLOUT : 0);
        add_poll(polls, &n, r->child.process.output_fd, POLLIN);
        add_poll(polls, &n, r->child.meter.fd, in);
        for (size_t i = 0; i < r->child.n; i++) {
            add_poll(polls, &n, r->child.renditions[i].stream.fd, in);
            add_poll(polls, &n, r->child.renditions[i].lines.fd, in);
        }
    }
    int64_t now_ms = weir_clock_mono_ms();
    int64_t wait_ms = r->is_up ? account_patience_ms(&r->account, now_ms) : -1;
    /* When it has read all is known that well. */
    wait_ms = wait_ms > AGAIN_MS && !child_has_read_all(&r->child) ? AGAIN_MS : wait_ms;
    if (r->finish_ms != 0) {
        wait_ms = r->finish_ms > now_ms ? r->finish_ms - now_ms + 1 : 0;
    }
    /* Messages may be there that could not be taken before. */
    if (r->in.len >= sizeof(struct weir_xcode_head) && (wait_ms < 0 || wait_ms > AGAIN_MS)) {
        wait_ms = AGAIN_MS;
    }
    poll(polls, n, (int)wait_ms);
}

bool relay_turn(struct relay *r, struct weir_err *err)
{
    wait_for_any(r);
    bool can_receive = r->in.len < MESSAGE_MAX && can_take(r) && r->finish_ms == 0;
    if (can_receive && !receive(r)) {
        return false;
    }
    return take_all(r, err) && tend(r, err) && take_all(r, err) && flush(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka, as Weir uses it: producers that tell what became of each record, readers that follow a
 * partition from an offset they choose, and group members that share a topic's partitions.
 *
 * Nothing here blocks longer than the timeout it is given. Each object belongs to one thread,
 * except that weir_bus_producer_send may be called from any. `wake` callbacks come from a library
 * thread and must only signal (for instance weir_loop_post).
 *
 * Settings that matter are fixed inside, with their reasons (docs/adr/): idempotence and acks=all,
 * linger 0, Nagle off, reconnect back-off 50-250 ms, no transactions, no auto-created topics.
 */
#ifndef WEIR_IO_BUS_H
#define WEIR_IO_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define WEIR_BUS_RECORD_MAX_BYTES (256 * 1024)
#define WEIR_BUS_OFFSET_START     (-2) /* the oldest record kept */
#define WEIR_BUS_OFFSET_END       (-1) /* what is written from now on */

typedef void weir_bus_wake_fn(void *ctx);

struct weir_bus_header {
    const char *name;
    const void *value;
    size_t len;
};

/* A record to send. `key`/`value` are copied. `value` NULL is a tombstone. */
struct weir_bus_record {
    const char *topic;
    int32_t partition; /* always explicit: the cell, or one of the topic's */
    const void *key;
    size_t key_len;
    const void *value;
    size_t value_len;
    const struct weir_bus_header *headers; /* copied */
    size_t n_headers;
};

/* A record read. Pointers live until the next poll, assign or close of the same reader or member.
 */
struct weir_bus_message {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* broker's record timestamp, Unix ms */
    const void *key;
    size_t key_len;
    const void *value; /* NULL: tombstone */
    size_t value_len;
    void *handle; /* private */
};

/* The value of the last header of that name, as long as the message's other pointers; NULL when
 * there is none. Not NUL-terminated. */
const void *weir_bus_message_header(const struct weir_bus_message *message, const char *name,
                                    size_t *ret_len);

/* ---- producing ---- */

enum weir_bus_kind {
    WEIR_BUS_DURABLE, /* idempotent, acks=all: commands, facts, decisions, audit */
    WEIR_BUS_LOSSY,   /* acks=1, 3 s: heartbeats, viewers */
};

struct weir_bus_producer_config {
    const char *brokers;
    const char *client_id;
    enum weir_bus_kind kind;
    int64_t delivery_timeout_ms; /* 1000..300000; after it the outcome is unknown, not absent */
    size_t queue_max_records;    /* 0: 20000; a full queue is WEIR_EFULL */
    int64_t linger_ms;           /* 0..1000: how long a record may wait for others; 0: not at all */
    weir_bus_wake_fn *wake;      /* may be NULL: then poll by time */
    void *wake_ctx;
};

/*
 * What became of a record. `code`: WEIR_OK (in the log at `offset`), WEIR_EUNAVAILABLE (surely not
 * in the log), WEIR_EUNKNOWN (may be in the log). Called inside weir_bus_producer_poll.
 */
struct weir_bus_delivery {
    enum weir_code code;
    int64_t offset;
    const char *detail;
};
typedef void weir_bus_delivery_fn(void *ctx, const struct weir_bus_delivery *delivery);

struct weir_bus_producer;

WEIR_MUST_USE enum weir_code weir_bus_producer_open(const struct weir_bus_producer_config *config,
                                                    struct weir_bus_producer **ret,
                                                    struct weir_err *err);
/* Flushes for at most `flush_ms`; then what is left is given up and reported as such. Sets NULL. */
void weir_bus_producer_close(struct weir_bus_producer **producer, int64_t flush_ms);

/* `fn` may be NULL. WEIR_EFULL when the queue is full, WEIR_ELIMIT for a record too large. */
WEIR_MUST_USE enum weir_code weir_bus_producer_send(struct weir_bus_producer *producer,
                                                    const struct weir_bus_record *record,
                                                    weir_bus_delivery_fn *fn, void *ctx,
                                                    struct weir_err *err);

/*
 * Connects and learns where `topic` lives, so that the first record to it is not half a second
 * late; for before /readyz. WEIR_ENOTFOUND when there is no such topic.
 */
WEIR_MUST_USE enum weir_code weir_bus_producer_warm(struct weir_bus_producer *producer,
                                                    const char *topic, int timeout_ms,
                                                    struct weir_err *err);

/* Serves delivery callbacks. Returns how many were served. */
int weir_bus_producer_poll(struct weir_bus_producer *producer, int timeout_ms);

/* The library gave the instance up for good (idempotence lost): close it and open another; what
 * was not reported delivered has an unknown outcome. */
bool weir_bus_producer_is_fatal(const struct weir_bus_producer *producer);

/* ---- reading one partition, without a group ---- */

struct weir_bus_reader_config {
    const char *brokers;
    const char *client_id;
    /* Nobody waits for what this reader does: records may come together, up to 0.1 s late. At a
     * hundred starts a second, each record by itself to each reader is most of the broker's work.
     */
    bool is_patient;
    weir_bus_wake_fn *wake; /* called when messages may be waiting; may be NULL */
    void *wake_ctx;
};

struct weir_bus_reader;

WEIR_MUST_USE enum weir_code weir_bus_reader_open(const struct weir_bus_reader_config *config,
                                                  struct weir_bus_reader **ret,
                                                  struct weir_err *err);
void weir_bus_reader_close(struct weir_bus_reader **reader);

/* Adds (or moves) a partition. One reader may follow several. Offsets out of range are an error at
 * poll (WEIR_EGONE), never a silent jump. */
WEIR_MUST_USE enum weir_code weir_bus_reader_assign(struct weir_bus_reader *reader,
                                                    const char *topic, int32_t partition,
                                                    int64_t offset, struct weir_err *err);

/*
 * Gives the next message: WEIR_OK with *ret_got true, or false when none came in `timeout_ms`.
 * WEIR_EGONE: the wanted offset is not kept any more (or lies beyond the end). WEIR_ENOTFOUND: no
 * such topic. Broker outages are no error: polls stay empty until it is back.
 *
 * `wake` tells of a first message after a poll that found none, not of each: poll until *ret_got is
 * false before waiting again.
 */
WEIR_MUST_USE enum weir_code weir_bus_reader_poll(struct weir_bus_reader *reader, int timeout_ms,
                                                  struct weir_bus_message *ret, bool *ret_got,
                                                  struct weir_err *err);

/* First kept and next offsets of a partition, asked of the broker. On a reader that follows
 * something it may wait behind a fetch (0.2 s); a second reader answers at once. */
WEIR_MUST_USE enum weir_code weir_bus_reader_bounds(struct weir_bus_reader *reader,
                                                    const char *topic, int32_t partition,
                                                    int timeout_ms, int64_t *ret_first,
                                                    int64_t *ret_next, struct weir_err *err);

/* ---- a member of a group ---- */

/*
 * Both come from inside weir_bus_member_poll; revoke also from weir_bus_member_close. On assign the
 * member starts at the committed offset (the oldest record kept where there is none), or at
 * `ret_offset` when the callback sets one (it is -1 on entry; WEIR_BUS_OFFSET_START is fine).
 */
typedef void weir_bus_assign_fn(void *ctx, const char *topic, int32_t partition,
                                int64_t *ret_offset);
typedef void weir_bus_revoke_fn(void *ctx, const char *topic, int32_t partition, bool lost);

struct weir_bus_member_config {
    const char *brokers;
    const char *client_id;
    const char *group;
    const char *const *topics;
    size_t n_topics;
    int64_t session_timeout_ms;    /* >= 2000 */
    weir_bus_assign_fn *on_assign; /* may be NULL */
    weir_bus_revoke_fn *on_revoke; /* may be NULL */
    void *ctx;
    weir_bus_wake_fn *wake;
    void *wake_ctx;
};

struct weir_bus_member;

WEIR_MUST_USE enum weir_code weir_bus_member_open(const struct weir_bus_member_config *config,
                                                  struct weir_bus_member **ret,
                                                  struct weir_err *err);
/* Leaves the group, so that the others need not wait for the session to end. */
void weir_bus_member_close(struct weir_bus_member **member);
/* As weir_bus_reader_poll. To be called at least once a minute, or the group takes it for dead. */
WEIR_MUST_USE enum weir_code weir_bus_member_poll(struct weir_bus_member *member, int timeout_ms,
                                                  struct weir_bus_message *ret, bool *ret_got,
                                                  struct weir_err *err);
/* Commits `next_offset` for a partition; asynchronous, latest wins. */
WEIR_MUST_USE enum weir_code weir_bus_member_commit(struct weir_bus_member *member,
                                                    const char *topic, int32_t partition,
                                                    int64_t next_offset, struct weir_err *err);

/* ---- topics ---- */

struct weir_bus_topic {
    const char *name;
    int32_t partitions;
    int64_t retention_ms; /* -1 for ever */
    bool is_compacted;
    int64_t max_batch_bytes; /* of records written together; Kafka's max.message.bytes */
};

/* Creates what is missing; existing topics are left alone (a differing partition count is
 * WEIR_ECONFLICT). */
WEIR_MUST_USE enum weir_code weir_bus_topics_create(const char *brokers,
                                                    const struct weir_bus_topic *topics, size_t n,
                                                    int replication, int timeout_ms,
                                                    struct weir_err *err);

/* Whether a broker answers a metadata request within `timeout_ms`; for /readyz. */
WEIR_MUST_USE enum weir_code weir_bus_ping(const char *brokers, int timeout_ms,
                                           struct weir_err *err);

/* The partition of [0, partitions) that belongs to a key, the same in every process: for topics
 * whose partition is not the cell. */
int32_t weir_bus_partition_of(const void *key, size_t len, int32_t partitions);

/* Sends a poison record to weir.dlq.v1 with its origin and reason as `_dlq.errors.*` headers. */
WEIR_MUST_USE enum weir_code weir_bus_dead_letter(struct weir_bus_producer *producer,
                                                  const struct weir_bus_message *message,
                                                  const char *group, enum weir_code code,
                                                  const char *reason, weir_bus_delivery_fn *fn,
                                                  void *ctx, struct weir_err *err);

#endif

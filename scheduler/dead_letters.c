/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/dead_letters.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define DELIVERY_TIMEOUT_MS 60000
#define CLOSE_MS            1000

struct dead_letters {
    char *brokers;
    struct weir_bus_producer *producer; /* NULL: it gave up and no other could be opened yet */
    struct weir_log_limit limit;
};

static enum weir_code open_producer(struct dead_letters *letters, struct weir_err *err)
{
    const struct weir_bus_producer_config config = {
        .brokers = letters->brokers,
        .client_id = "weir-scheduler-dlq",
        .kind = WEIR_BUS_DURABLE,
        .delivery_timeout_ms = DELIVERY_TIMEOUT_MS,
    };
    return weir_bus_producer_open(&config, &letters->producer, err);
}

enum weir_code dead_letters_open(const char *brokers, struct dead_letters **ret,
                                 struct weir_err *err)
{
    struct dead_letters *letters = weir_xalloc(sizeof(*letters));
    letters->brokers = weir_xstrdup(brokers);
    enum weir_code code = open_producer(letters, err);
    if (code != WEIR_OK) {
        dead_letters_close(&letters);
        return code;
    }
    *ret = letters;
    return WEIR_OK;
}

void dead_letters_close(struct dead_letters **letters)
{
    struct dead_letters *self = WEIR_TAKE(*letters);
    if (self == NULL) {
        return;
    }
    weir_bus_producer_close(&self->producer, CLOSE_MS);
    free(self->brokers);
    free(self);
}

static void tell(struct dead_letters *letters, const char *what, const struct weir_err *err)
{
    if (weir_log_allowed(&letters->limit, 1, 10000, weir_clock_mono_ms())) {
        weir_log(WEIR_LOG_WARN, what, "error", err->msg, NULL);
    }
}

void dead_letters_put(struct dead_letters *letters, const struct weir_bus_message *message,
                      const struct weir_err *why)
{
    struct weir_err err = {.msg = "no producer"};
    if (letters->producer == NULL ||
        weir_bus_dead_letter(letters->producer, message, "weir-scheduler", why->code, why->msg,
                             NULL, NULL, &err) != WEIR_OK) {
        tell(letters, "dead letters: one is not written, it stays in its topic", &err);
    }
}

void dead_letters_poll(struct dead_letters *letters)
{
    struct weir_err err;
    if (letters->producer != NULL) {
        weir_bus_producer_poll(letters->producer, 0);
        if (!weir_bus_producer_is_fatal(letters->producer)) {
            return;
        }
        weir_bus_producer_close(&letters->producer, 0);
    }
    if (open_producer(letters, &err) != WEIR_OK) {
        tell(letters, "dead letters: no producer, trying again", &err);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Engines of this machine that encode in hardware: found by really encoding (weir-encprobe), one
 * after the other, each in a child of its own that is killed when it hangs. The worker does not
 * wait for that. What is found is offered to the tap and told in heartbeats.
 *
 *     untried     its turn comes
 *     trying      in a child
 *     absent      it was tried and is no engine; for good
 *     ready       offered
 *     suspect     it failed a rendition: nothing is offered for WEIR_ENCODER_SUSPECT_MS, then it is
 *                 tried again, and is suspect as long again if that fails; else it has the larger
 *                 of what was measured then and before
 *
 * Source: docs/adr/0045-encoders-in-hardware.md.
 */
#ifndef WEIR_WORKER_ENCODERS_H
#define WEIR_WORKER_ENCODERS_H

#include <stdbool.h>

#include "lib/domain/events.h"
#include "lib/service/loop.h"
#include "lib/service/metrics.h"

struct encoders;

struct encoders_config {
    struct weir_loop *loop;
    const char *program;          /* weir-encprobe; kept */
    const char *names;            /* as the setting */
    bool is_used;                 /* false: what makes renditions has none, so none is tried */
    const char *root;             /* before /dev; "" in earnest */
    int64_t timeout_ms;           /* of one trial */
    int64_t suspect_ms;           /* WEIR_ENCODER_SUSPECT_MS in earnest */
    struct weir_metrics *metrics; /* NULL: nobody counts */
    void (*changed)(void *ctx);   /* what is offered is other than before */
    void *ctx;
};

/* Begins on the loop's next turn. WEIR_EINVAL: `names` names something else. */
WEIR_MUST_USE enum weir_code encoders_new(const struct encoders_config *config,
                                          struct encoders **ret, struct weir_err *err);
void encoders_free(struct encoders **encoders); /* sets NULL; NULL is fine */

/* The tap told that it failed. */
void encoders_failed(struct encoders *encoders, enum weir_encoder id, const char *why);

/* The tap tells what is used. */
void encoders_used(struct encoders *encoders, const struct weir_ctl_tap_encoding *told);

/* What may be used; how many. */
size_t encoders_offer(const struct encoders *encoders,
                      struct weir_ctl_tap_encoders_encoders ret[static WEIR_ENCODER_N]);

/* Those that are ready or suspect; how many. NULL has none. */
size_t encoders_fill(const struct encoders *encoders, int64_t now_ms,
                     struct weir_ev_heartbeat_encoding_encoders ret[static WEIR_ENCODER_N]);

/* Whether each was tried, once at least. */
bool encoders_are_known(const struct encoders *encoders);

#endif

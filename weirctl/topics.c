/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lib/domain/events.h"
#include "lib/io/bus.h"
#include "weirctl/command.h"

/* Kafka holds whole batches against this, and other people's producers make batches of up to 1 MB.
 * What Weir itself writes is smaller (WEIR_BUS_RECORD_MAX_BYTES). */
#define BATCH_MAX_BYTES (1024 * 1024)
/* A dead letter is as large as what anybody could write, and has headers. */
#define DEAD_LETTER_MAX_BYTES (1280 * 1024)

enum weir_code ctl_topics(const struct ctl_settings *settings, FILE *out, struct weir_err *err)
{
    struct weir_bus_topic topics[WEIR_N_TOPICS];
    for (size_t i = 0; i < WEIR_N_TOPICS; i++) {
        bool is_dlq = strcmp(weir_topics[i].name, WEIR_TOPIC_DLQ) == 0;
        topics[i] = (struct weir_bus_topic){
            .name = weir_topics[i].name,
            .partitions = weir_topics[i].partitions,
            .retention_ms = weir_topics[i].retention_ms,
            .is_compacted = weir_topics[i].compact,
            .max_batch_bytes = is_dlq ? DEAD_LETTER_MAX_BYTES : BATCH_MAX_BYTES,
        };
    }
    enum weir_code code =
        weir_bus_topics_create(settings->kafka, topics, WEIR_N_TOPICS, (int)settings->replication,
                               (int)settings->timeout_ms, err);
    if (code == WEIR_OK)
        fprintf(out, "%d topics are there\n", WEIR_N_TOPICS);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Workers' encoders as they stand in Redis: what is understood is written and understood again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/domain/encoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_ev_heartbeat_encoding_encoders rows[WEIR_ENCODER_N];
    struct weir_ev_heartbeat_encoding_encoders again[WEIR_ENCODER_N];
    char text[WEIR_ENCODERS_TEXT_MAX];
    char *told = calloc(1, size + 1);
    if (told == NULL)
        abort();
    memcpy(told, data, size);
    size_t n = weir_encoders_parse(told, rows);
    if (n > WEIR_ENCODER_N || weir_encoders_parse(weir_encoders_format(rows, n, text), again) != n)
        abort();
    for (size_t i = 0; i < n; i++) {
        if (rows[i].encoder != again[i].encoder || rows[i].state != again[i].state ||
            rows[i].kpx_per_s != again[i].kpx_per_s ||
            rows[i].sessions_used != again[i].sessions_used)
            abort();
    }
    free(told);
    return 0;
}

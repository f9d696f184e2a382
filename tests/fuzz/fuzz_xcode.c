/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-xcode says to the tap, where sound of it is put, and the forms of units that it turns
 * into each other. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/tap/sound_line.h"
#include "worker/tap/xcode_wire.h"
#include "worker/xcode/units.h"

#define FRAME_S 20 /* where the newest frame lies */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* Only near the newest frame, and behind what came before. */
static void place(struct tap_sound_line *line, const struct weir_xcode_head *head,
                  const uint8_t *bytes)
{
    must(head->len > 0 && head->len <= WEIR_XCODE_SOUND_MADE_MAX);
    int64_t before = line->end_ts;
    bool had_end = line->has_end;
    struct tap_unit *unit = tap_sound_line_unit(line, head->ts, bytes, head->len);
    if (unit == NULL)
        return;
    must(!had_end || unit->ts >= before);
    must(unit->ts >= (FRAME_S - TAP_SOUND_BEHIND_S) * WEIR_XCODE_SOUND_HZ &&
         unit->ts <= (FRAME_S + TAP_SOUND_AHEAD_S) * WEIR_XCODE_SOUND_HZ);
    must(unit->len == head->len && memcmp(unit->bytes, bytes, unit->len) == 0);
    free(unit);
}

static void read_messages(const uint8_t *data, size_t size)
{
    struct tap_unit frame = {.track = TAP_VIDEO, .ts = FRAME_S * TAP_VIDEO_RATE};
    struct tap_sound_line line = {0};
    tap_sound_line_frame(&line, &frame);
    for (size_t at = 0; at <= size;) {
        struct weir_xcode_head head;
        const uint8_t *unit = NULL;
        size_t used = 0;
        enum tap_xcode_item item =
            tap_xcode_next((const char *)data + at, size - at, &head, &unit, &used);
        if (item == TAP_XCODE_MORE || item == TAP_XCODE_BROKEN)
            return;
        must(used >= sizeof(head) && used <= size - at);
        must(head.rendition < WEIR_XCODE_RENDITIONS_MAX);
        must(unit + head.len == data + at + used);
        if (item == TAP_XCODE_SOUND_UNIT)
            place(&line, &head, unit);
        at += used;
    }
}

/* What came out of a byte stream makes one again, with the same NAL units in it. */
static void turn(const uint8_t *data, size_t size)
{
    struct units units = {0};
    struct units again = {0};
    if (units_from_stream(&units, data, size)) {
        uint8_t *copy = malloc(units.len);
        must(copy != NULL);
        memcpy(copy, units.bytes, units.len);
        must(units_to_stream(copy, units.len));
        must(units_from_stream(&again, copy, units.len));
        must(again.len == units.len && memcmp(again.bytes, units.bytes, units.len) == 0);
        free(copy);
    }
    units_done(&units);
    units_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    must(copy != NULL);
    memcpy(copy, data, size);
    (void)units_to_stream(copy, size);
    free(copy);
    read_messages(data, size);
    turn(data, size);
    return 0;
}

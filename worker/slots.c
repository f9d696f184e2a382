/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/slots.h"

#include "lib/base/clock.h"

void slots_init(struct slots *slots, const struct slot_config *config, size_t streams_per_slot)
{
    *slots = (struct slots){.config = *config, .streams_per_slot = streams_per_slot};
}

void slots_done(struct slots *slots)
{
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        slot_free(slots->slots[i]);
        slots->slots[i] = NULL;
    }
}

struct slot *slots_pick(const struct slots *slots)
{
    struct slot *best = NULL;
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        struct slot *slot = slots->slots[i];
        if (slot && slot->state == SLOT_UP && slot->n_streams < slots->streams_per_slot &&
            (!best || slot->n_streams > best->n_streams)) {
            best = slot;
        }
    }
    return best;
}

void slots_take(struct slots *slots, struct slot *slot)
{
    slot->n_streams++;
    slots_tend(slots, weir_clock_mono_ms());
}

void slots_give_back(struct slots *slots, struct slot *slot)
{
    (void)slots;
    slot->n_streams--;
    if (slot->n_streams == 0) {
        slot->empty_since_mono_ms = weir_clock_mono_ms();
    }
}

static void add_one(struct slots *slots)
{
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        if (!slots->slots[i]) {
            slots->slots[i] = slot_new(&slots->config, (int)i);
        }
        if (slots->slots[i]->state == SLOT_OFF) {
            slot_on(slots->slots[i]);
            return;
        }
    }
}

void slots_tend(struct slots *slots, int64_t now_mono_ms)
{
    size_t n_empty = 0;
    struct slot *surplus = NULL;
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        struct slot *slot = slots->slots[i];
        if (!slot || slot->state == SLOT_OFF || slot->n_streams) {
            continue;
        }
        n_empty++;
        /* The last one found, so that engines gather at the low numbers. */
        if (slot->state == SLOT_UP &&
            now_mono_ms - slot->empty_since_mono_ms >= SLOTS_SURPLUS_KEEP_MS) {
            surplus = slot;
        }
    }
    if (n_empty == 0) {
        add_one(slots);
    } else if (n_empty > 1 && surplus) {
        slot_off(surplus);
    }
}

void slots_stop(struct slots *slots)
{
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        if (slots->slots[i]) {
            slot_stop(slots->slots[i]);
        }
    }
}

size_t slots_count(const struct slots *slots, enum slot_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        n += slots->slots[i] && slots->slots[i]->state == state;
    }
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which program makes the renditions of a camera: the one that was chosen, and where that breaks
 * again and again before it makes anything, the other one for a while. Pure: time is an argument.
 */
#ifndef WEIR_WORKER_TAP_ENGINES_H
#define WEIR_WORKER_TAP_ENGINES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/domain/xcode_engine.h"

#define TAP_ENGINE_FAILURES 3 /* in a row, with nothing made: then it is the other one's turn */
#define TAP_ENGINE_BACK_MS  600000 /* after that the first one is tried again */

struct tap_engine {
    bool is_there;
    const char *program;  /* absolute */
    const char *argument; /* its only one, or NULL */
};

struct tap_engines {
    struct tap_engine all[WEIR_XCODE_ENGINES];
    enum weir_xcode_engine first;
};

struct tap_engine_turn {
    enum weir_xcode_engine now;
    unsigned failures;    /* of it, in a row, with nothing made */
    int64_t back_mono_ms; /* when the first one has its turn again; 0: it has it */
};

void tap_engine_begin(struct tap_engine_turn *turn, const struct tap_engines *engines);

/* It broke; `has_made`: something came of it since it was started. True when the other one goes on
 * from here. */
bool tap_engine_broke(struct tap_engine_turn *turn, const struct tap_engines *engines,
                      bool has_made, int64_t now_mono_ms);

/* Whether it can encode in hardware: weir-xcode alone can, and it is asked to where it was chosen,
 * not where it stands in for the other one, which would have to end that. */
bool tap_engine_is_hard(const struct tap_engine_turn *turn, const struct tap_engines *engines);

/* Whether it is the first one's turn again; then it is. */
bool tap_engine_is_back(struct tap_engine_turn *turn, const struct tap_engines *engines,
                        int64_t now_mono_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is there life in what the camera shows? Told from a small grey picture of it every now and then.
 * Docs: docs/adr/0039-scenes-from-samples.md.
 *
 *     frozen    the same picture again and again: even the sensor's noise stands still
 *     black     nothing but black, with noise or without
 *     covered   a view that had detail has none any more: a hand, a bag, paint
 *
 * What is usual is learnt from the camera itself: its noise is the least difference between two
 * looks of the last ten minutes, its view a slow mean of the pictures. All that leaves no trace of
 * a sudden change in them (dusk, night, rain, an empty room) is well. A picture that changes as a
 * whole, as when a light is switched or the camera turns, begins what is known of its noise anew.
 * Each fault takes three looks to come and two to go. Much movement that ends at once (a fountain
 * is switched off) looks like a frozen picture, until what is left of the noise stays the same for
 * SCENE_LIVES looks: the camera has as little at times, and that is remembered for a day.
 *
 *     struct scene scene = {0};
 *     scene_look(now, has_before ? before : NULL, &look);
 *     if (scene_judge(&scene, &look, now_ms)) ... scene.faults
 *
 * Pure: no clock is read. `now_ms` is monotonic. Levels are of 0 (black) to 255, in thousandths.
 */
#ifndef WEIR_WORKER_STILL_SCENE_H
#define WEIR_WORKER_STILL_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/domain/fault.h"
#include "lib/domain/still.h"

#define SCENE_COLUMNS 40
#define SCENE_ROWS    20
#define SCENE_BLOCKS  (SCENE_COLUMNS * SCENE_ROWS)

#define SCENE_SOON_MS  2000   /* to the next look while something is suspected */
#define SCENE_LIVES    36     /* looks after which less noise that stays as it is counts as life */
#define SCENE_STALE_MS 600000 /* looks further apart have nothing to do with each other */
#define SCENE_FLOORS   64

/* One picture, and how it differs from the one before. */
struct scene_look {
    int64_t blocks[SCENE_BLOCKS]; /* their mean levels */
    int64_t mean;
    int64_t detail;     /* between neighbouring blocks, on average */
    int64_t dark_milli; /* thousandths of the blocks that are black */
    bool has_before;
    int64_t changed; /* between pixels, on average */
    int64_t rest;    /* the same without the twentieth of the blocks that changed most: a clock
                        that is written into the picture */
    int64_t moved;   /* between the means of blocks, their median */
};

/* Of one camera; zeroed storage is ready, or is resumed. */
struct scene {
    unsigned faults; /* bits: 1 << enum weir_fault; of FROZEN, BLACK, COVERED */
    int64_t looked_ms;
    size_t n_looks;

    int64_t floors[SCENE_FLOORS]; /* `rest` of looks without suspicion */
    size_t n_floors;              /* ever, since the whole picture changed */
    int64_t told_floor;           /* until they are known; 0: none */
    bool has_life;                /* no two pictures were the same, at some time */
    int64_t same_ms;              /* the newest run of equal pictures began then */
    int n_same;                   /* in a row, as all of these: */
    int n_close;
    int n_quiet;
    int64_t first_rest; /* of n_close looks: that of the first, and the least */
    int64_t least_rest;
    bool is_dead;        /* it fell further and further, or to nothing */
    int64_t proven_rest; /* so little was life once; 0: not known */
    int64_t proven_ms;   /* then */
    int n_alive;

    size_t n_usual; /* looks that `usual` is made of */
    int64_t usual[SCENE_BLOCKS];
    int64_t usual_contrast; /* detail by brightness, thousandths */
    int64_t usual_detail;
    int64_t usual_dark_milli;
    int n_black;
    int n_lit;
    int n_flat;
    int n_clear;
};

/* `now` and `before` (NULL: none) are WEIR_LUMA_BYTES each. */
void scene_look(const uint8_t *now, const uint8_t *before, struct scene_look *ret);

/* Before the first look: these faults stood when another process knew the camera, with this noise.
 * They stand until two looks speak against them: what is not black, differs, or has detail, for
 * nothing else is known of it yet. */
void scene_resume(struct scene *scene, unsigned faults, int64_t noise);

/* The least difference between two looks, as far as it is known; else 0. */
int64_t scene_noise(const struct scene *scene, int64_t now_ms);

/* True when the faults are other than before. */
bool scene_judge(struct scene *scene, const struct scene_look *look, int64_t now_ms);

/* Whether the next look should come in SCENE_SOON_MS. */
bool scene_is_pressing(const struct scene *scene);

#endif

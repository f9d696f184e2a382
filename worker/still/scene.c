/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/still/scene.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_W  (WEIR_LUMA_WIDTH / SCENE_COLUMNS)
#define BLOCK_H  (WEIR_LUMA_HEIGHT / SCENE_ROWS)
#define BLOCK_PX (BLOCK_W * BLOCK_H)

#define COMES 3 /* looks in a row */
#define GOES  2

#define CALM_BLOCKS   (SCENE_BLOCKS - SCENE_BLOCKS / 20) /* see scene_look.rest */
#define SAME          10     /* less than one pixel in a hundred by one level */
#define FLOORS_LEAST  6      /* looks until the noise is known */
#define FLOOR_LEAST   60     /* less noise than that tells nothing */
#define CLOSE_PARTS   2      /* half of the noise is suspicious, */
#define QUIET_MILLI   400    /* less than that of it is none */
#define CLOSE_MOST    6      /* so many that are no less are another noise */
#define MOVED_MOST    4000   /* as a whole, else */
#define LIFELESS_MS   120000 /* of a camera that never was otherwise */
#define PRESSING_MOST 4
#define DYING_PARTS   4        /* of the first difference: it falls on, so nothing lives there */
#define PROVEN_MS     86400000 /* noise that was seen to be life is remembered so long */

#define DARK_LEVEL   10000
#define DARK_MOSTLY  950 /* thousandths of the blocks: a clock may be written over them */
#define DARK_USUALLY 700
#define FAINT        500 /* detail of noise alone is at most that much above what it gives */
#define NOISE_PARTS  8   /* of a pixel's noise is left in a block's mean */

#define USUAL_LEAST     6
#define USUAL_PARTS     8 /* a look's share of what is usual */
#define DETAIL_LEAST    2000
#define CONTRAST_OFFSET 8000
#define FLAT_PARTS      4 /* of the usual contrast */
#define CLEAR_PARTS     2
#define ALIKE           0.25 /* the square of the correlation of two views of one scene, at least */

/* ---- looking ---- */

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* Sums of a block's pixels, and of how far they are from those before. */
static void add_block(const uint8_t *now, const uint8_t *before, int64_t *level, int64_t *off)
{
    int64_t sum = 0;
    int64_t far = 0;
    for (int y = 0; y < BLOCK_H; y++) {
        for (int x = 0; x < BLOCK_W; x++) {
            int at = y * WEIR_LUMA_WIDTH + x;
            sum += now[at];
            far += before ? abs(now[at] - before[at]) : 0;
        }
    }
    *level = sum * 1000 / BLOCK_PX;
    *off = far * 1000 / BLOCK_PX;
}

static int64_t detail_of(const int64_t *blocks)
{
    int64_t sum = 0;
    int64_t n = 0;
    for (int y = 0; y < SCENE_ROWS; y++) {
        for (int x = 0; x < SCENE_COLUMNS; x++) {
            const int64_t *block = &blocks[y * SCENE_COLUMNS + x];
            sum += x + 1 < SCENE_COLUMNS ? llabs(block[0] - block[1]) : 0;
            sum += y + 1 < SCENE_ROWS ? llabs(block[0] - block[SCENE_COLUMNS]) : 0;
            n += (x + 1 < SCENE_COLUMNS) + (y + 1 < SCENE_ROWS);
        }
    }
    return sum / n;
}

static int64_t mean_of(const int64_t *values, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return n > 0 ? sum / (int64_t)n : 0;
}

void scene_look(const uint8_t *now, const uint8_t *before, struct scene_look *ret)
{
    int64_t off[SCENE_BLOCKS];
    int64_t moved[SCENE_BLOCKS];
    int64_t n_dark = 0;
    for (int i = 0; i < SCENE_BLOCKS; i++) {
        int64_t level_before = 0;
        int64_t none;
        size_t at =
            (size_t)(i / SCENE_COLUMNS * BLOCK_H * WEIR_LUMA_WIDTH + i % SCENE_COLUMNS * BLOCK_W);
        const uint8_t *old = before ? before + at : NULL;
        add_block(now + at, old, &ret->blocks[i], &off[i]);
        if (old) {
            add_block(old, NULL, &level_before, &none);
        }
        moved[i] = llabs(ret->blocks[i] - level_before);
        n_dark += ret->blocks[i] <= DARK_LEVEL;
    }
    ret->mean = mean_of(ret->blocks, SCENE_BLOCKS);
    ret->detail = detail_of(ret->blocks);
    ret->dark_milli = n_dark * 1000 / SCENE_BLOCKS;
    ret->has_before = before != NULL;
    qsort(off, SCENE_BLOCKS, sizeof(off[0]), by_size);
    qsort(moved, SCENE_BLOCKS, sizeof(moved[0]), by_size);
    ret->changed = mean_of(off, SCENE_BLOCKS);
    ret->rest = mean_of(off, CALM_BLOCKS);
    ret->moved = moved[SCENE_BLOCKS / 2];
}

/* ---- what is usual ---- */

/* Detail by brightness. Noise alone makes some, as much as an eighth of its own between blocks. */
static int64_t contrast_of(const struct scene_look *look)
{
    bool is_noise = look->has_before && look->moved <= MOVED_MOST;
    int64_t detail = look->detail - (is_noise ? look->rest / NOISE_PARTS : 0);
    return detail > 0 ? detail * 1000 / (look->mean + CONTRAST_OFFSET) : 0;
}

static void follow(int64_t *usual, int64_t is, size_t n)
{
    int64_t parts = n < USUAL_PARTS ? (int64_t)n + 1 : USUAL_PARTS;
    *usual += (is - *usual) / parts;
}

static void learn_view(struct scene *scene, const struct scene_look *look)
{
    for (int i = 0; i < SCENE_BLOCKS; i++) {
        follow(&scene->usual[i], look->blocks[i], scene->n_usual);
    }
    follow(&scene->usual_contrast, contrast_of(look), scene->n_usual);
    follow(&scene->usual_detail, look->detail, scene->n_usual);
    follow(&scene->usual_dark_milli, look->dark_milli, scene->n_usual);
    scene->n_usual++;
}

struct likeness {
    double ab;
    double aa;
    double bb;
};

static void compare(struct likeness *likeness, int64_t a, int64_t b)
{
    likeness->ab += (double)a * (double)b;
    likeness->aa += (double)a * (double)a;
    likeness->bb += (double)b * (double)b;
}

/* Whether the usual view can be made out in it, however bright either is: by its edges, for a slope
 * of brightness is like any other. */
static bool is_alike(const struct scene *scene, const struct scene_look *look)
{
    struct likeness is = {0};
    for (int i = 0; i < SCENE_BLOCKS; i++) {
        const int64_t *a = &look->blocks[i];
        const int64_t *b = &scene->usual[i];
        if (i % SCENE_COLUMNS + 1 < SCENE_COLUMNS) {
            compare(&is, a[1] - a[0], b[1] - b[0]);
        }
        if (i + SCENE_COLUMNS < SCENE_BLOCKS) {
            compare(&is, a[SCENE_COLUMNS] - a[0], b[SCENE_COLUMNS] - b[0]);
        }
    }
    return is.ab > 0 && is.ab * is.ab >= ALIKE * is.aa * is.bb;
}

static bool has(const struct scene *scene, enum weir_fault fault)
{
    return (scene->faults >> fault & 1U) != 0;
}

/* ---- black and covered ---- */

static bool is_black(const struct scene *scene, const struct scene_look *look)
{
    bool is_known = scene->n_usual >= USUAL_LEAST;
    if (is_known && is_alike(scene, look)) {
        return false; /* a dark night */
    }
    int64_t noise = look->has_before ? look->rest / (NOISE_PARTS / 2) : 0;
    if (look->dark_milli == 1000) {
        return look->detail <= noise + FAINT;
    }
    bool is_unusual =
        is_known ? scene->usual_dark_milli < DARK_USUALLY : has(scene, WEIR_FAULT_BLACK);
    return is_unusual && look->dark_milli >= DARK_MOSTLY;
}

/* `parts`: of the usual contrast, that it must fall below. */
static bool is_flat(const struct scene *scene, const struct scene_look *look, int64_t parts)
{
    if (scene->n_usual < USUAL_LEAST) {
        return has(scene, WEIR_FAULT_COVERED) && look->detail < DETAIL_LEAST;
    }
    return scene->usual_detail >= DETAIL_LEAST &&
           contrast_of(look) * parts < scene->usual_contrast && !is_alike(scene, look);
}

/* Counts looks in a row that speak for and against a fault; sets it by them. */
static void weigh(struct scene *scene, enum weir_fault fault, bool is_for, bool is_against,
                  int *n_for, int *n_against)
{
    *n_for = is_for ? *n_for + 1 : 0;
    *n_against = is_against ? *n_against + 1 : 0;
    if (*n_for >= COMES) {
        scene->faults |= 1U << fault;
    } else if (*n_against >= GOES) {
        scene->faults &= ~(1U << fault);
    }
}

/* True while the view is none to learn from. */
static bool judge_view(struct scene *scene, const struct scene_look *look)
{
    bool is_dark = is_black(scene, look);
    bool is_blind = !is_dark && is_flat(scene, look, FLAT_PARTS);
    bool is_clear = is_dark || !is_flat(scene, look, CLEAR_PARTS);
    weigh(scene, WEIR_FAULT_BLACK, is_dark, !is_dark, &scene->n_black, &scene->n_lit);
    weigh(scene, WEIR_FAULT_COVERED, is_blind, is_clear, &scene->n_flat, &scene->n_clear);
    return is_dark || is_blind || has(scene, WEIR_FAULT_BLACK) || has(scene, WEIR_FAULT_COVERED);
}

/* ---- frozen ---- */

static int64_t floor_of(const struct scene *scene, int64_t now_ms)
{
    size_t n = scene->n_floors < SCENE_FLOORS ? scene->n_floors : SCENE_FLOORS;
    int64_t least = n >= FLOORS_LEAST ? scene->floors[0] : 0;
    for (size_t i = 0; i < n; i++) {
        least = scene->floors[i] < least ? scene->floors[i] : least;
    }
    least = least == 0 ? scene->told_floor : least;
    bool is_proven = scene->proven_rest > 0 && now_ms - scene->proven_ms < PROVEN_MS;
    least = is_proven && scene->proven_rest < least ? scene->proven_rest : least;
    return least >= FLOOR_LEAST ? least : 0;
}

static void learn_floor(struct scene *scene, int64_t rest)
{
    scene->floors[scene->n_floors++ % SCENE_FLOORS] = rest;
}

static void forget_noise(struct scene *scene)
{
    scene->n_floors = 0;
    scene->told_floor = 0;
}

static void end_run(struct scene *scene)
{
    scene->n_same = scene->n_close = scene->n_quiet = 0;
    scene->is_dead = false;
}

/* What was suspicious turned out to be how the camera is at times. */
static void prove(struct scene *scene, int64_t now_ms)
{
    bool is_old = now_ms - scene->proven_ms >= PROVEN_MS;
    if (scene->proven_rest == 0 || is_old || scene->least_rest < scene->proven_rest) {
        scene->proven_rest = scene->least_rest;
    }
    scene->proven_ms = now_ms;
}

static void take_life(struct scene *scene, const struct scene_look *look, int64_t now_ms)
{
    if (scene->n_close > 0 && !scene->is_dead) {
        prove(scene, now_ms);
    }
    if (look->moved > MOVED_MOST) {
        forget_noise(scene);
    } else {
        learn_floor(scene, look->rest);
    }
    scene->has_life = true;
    end_run(scene);
}

static void count_run(struct scene *scene, const struct scene_look *look, bool is_same,
                      int64_t floor, int64_t now_ms)
{
    if (is_same && scene->n_same == 0) {
        scene->same_ms = now_ms;
    }
    if (scene->n_close == 0) {
        scene->first_rest = scene->least_rest = look->rest;
    }
    scene->least_rest = look->rest < scene->least_rest ? look->rest : scene->least_rest;
    scene->is_dead =
        scene->is_dead || look->rest < FLOOR_LEAST || look->rest * DYING_PARTS < scene->first_rest;
    scene->n_same = is_same ? scene->n_same + 1 : 0;
    scene->n_close++;
    bool is_quiet = is_same || look->rest * 1000 < floor * QUIET_MILLI;
    scene->n_quiet = is_quiet ? scene->n_quiet + 1 : 0;
    bool is_less = scene->n_close >= CLOSE_MOST && scene->n_quiet == 0;
    if (is_less || (scene->n_close >= SCENE_LIVES && !scene->is_dead)) {
        take_life(scene, look, now_ms); /* it has less noise now, but has it */
    }
}

static void judge_frozen(struct scene *scene, const struct scene_look *look, int64_t now_ms)
{
    int64_t floor = floor_of(scene, now_ms);
    bool is_same = look->changed < SAME;
    bool is_close = is_same || look->rest * CLOSE_PARTS < floor;
    scene->n_alive = is_close ? 0 : scene->n_alive + 1;
    bool was_close = scene->n_close > 0;
    if (is_close) {
        count_run(scene, look, is_same, floor, now_ms);
    } else {
        take_life(scene, look, now_ms);
    }
    bool is_taken_back = was_close && is_close && scene->n_close == 0;
    if (scene->n_alive >= GOES || is_taken_back) {
        scene->faults &= ~(1U << WEIR_FAULT_FROZEN);
    }
    bool is_certain = scene->has_life || now_ms - scene->same_ms >= LIFELESS_MS;
    if (scene->n_close >= COMES && scene->n_quiet >= COMES - 1 && is_certain) {
        scene->faults |= 1U << WEIR_FAULT_FROZEN;
    }
}

/* ---- together ---- */

void scene_resume(struct scene *scene, unsigned faults, int64_t noise)
{
    *scene = (struct scene){.faults = faults & WEIR_FAULTS_VISIBLE, .told_floor = noise};
    scene->has_life = noise > 0;
}

int64_t scene_noise(const struct scene *scene, int64_t now_ms)
{
    return floor_of(scene, now_ms);
}

bool scene_judge(struct scene *scene, const struct scene_look *look, int64_t now_ms)
{
    unsigned before = scene->faults;
    if (scene->n_looks > 0 && now_ms - scene->looked_ms > SCENE_STALE_MS) {
        *scene = (struct scene){0};
    }
    bool is_strange = judge_view(scene, look);
    if (is_strange) {
        /* Nothing to see does not move either. */
        end_run(scene);
        forget_noise(scene);
        scene->faults &= ~(1U << WEIR_FAULT_FROZEN);
    } else if (look->has_before) {
        judge_frozen(scene, look, now_ms);
    }
    if (!is_strange && scene->n_close == 0) {
        learn_view(scene, look);
    }
    scene->looked_ms = now_ms;
    scene->n_looks++;
    return scene->faults != before;
}

static bool is_open(bool is_there, int n_for, int n_against)
{
    return is_there ? n_against > 0 && n_against < GOES : n_for > 0 && n_for < PRESSING_MOST;
}

bool scene_is_pressing(const struct scene *scene)
{
    return is_open(has(scene, WEIR_FAULT_FROZEN), scene->n_close, scene->n_alive) ||
           is_open(has(scene, WEIR_FAULT_BLACK), scene->n_black, scene->n_lit) ||
           is_open(has(scene, WEIR_FAULT_COVERED), scene->n_flat, scene->n_clear);
}

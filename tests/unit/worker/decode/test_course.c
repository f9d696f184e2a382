/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder that is gone on with shows what one that begins anew shows, bit for bit. */
#include "worker/decode/course.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/worker/decode/film.h"
#include "worker/decode/frame.h"

static const struct frame_limits any_size = {0, 0, 0};

static const struct film_kind kinds[] = {
    {WEIR_STILL_H264, 320, 0, "scenecut=0", 1},
    {WEIR_STILL_H264, 320, 0, "scenecut=0:bframes=0:intra-refresh=0:ref=4:cabac=0", 2},
    {WEIR_STILL_H264, 320, 2, "scenecut=0:b-adapt=0:b-pyramid=none", 3},
    {WEIR_STILL_H264, 320, 3, "scenecut=0:b-adapt=0:b-pyramid=normal", 4},
    {WEIR_STILL_H264, 320, 0, "scenecut=0:tff=1", 7},
    {WEIR_STILL_H264, 320, 2, "scenecut=0:bff=1:b-adapt=0:b-pyramid=none", 8},
    {WEIR_STILL_H265, 320, 0, "scenecut=0:open-gop=0:bframes=0:log-level=none", 5},
    {WEIR_STILL_H265, 320, 3, "scenecut=0:open-gop=0:b-adapt=0:log-level=none", 6},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct tally {
    int shown;
    int gone_on;
    int damaged;
    int gone_on_damaged;
};

/* Record `last`, by a decoder that may be parked and by one that never is. */
static void compare(const struct film *film, size_t last, struct course **parked,
                    struct tally *tally)
{
    struct frame_picture is;
    struct frame_picture anew;
    struct frame_wish wish = {.codec = film->codec, .ts = film->records[last].ts};
    wish.clip = film_clip(film, last, &wish.len);
    enum weir_decode_status status = frame_decode(&wish, &any_size, parked, &is);
    assert_int_equal(frame_decode(&wish, &any_size, NULL, &anew), status);
    assert_int_equal(is.is_damaged, anew.is_damaged);
    assert_false(anew.has_gone_on || anew.is_parked);
    assert_int_equal(is.is_parked, *parked != NULL);
    if (status == WEIR_DECODE_OK) {
        assert_true(is.width == anew.width && is.height == anew.height);
        assert_memory_equal(is.rgb, anew.rgb, (size_t)is.width * is.height * 3);
        tally->shown++;
    }
    tally->gone_on += is.has_gone_on;
    tally->damaged += is.is_damaged;
    tally->gone_on_damaged += is.has_gone_on && is.is_damaged;
    frame_picture_done(&is);
    frame_picture_done(&anew);
}

/* As questions about now come, and in any order. */
static struct tally ask_all(const struct film *film)
{
    struct course *parked = NULL;
    struct tally tally = {0};
    uint32_t dice = 5;
    for (size_t step = 1; step <= 7; step += 3) {
        for (size_t last = step; last < film->n; last += step) {
            compare(film, last, &parked, &tally);
        }
    }
    for (int i = 0; i < 40; i++) {
        dice = dice * 1664525 + 1013904223;
        compare(film, (dice >> 16) % film->n, &parked, &tally);
    }
    course_free(&parked);
    return tally;
}

static void going_on_shows_what_beginning_anew_shows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KINDS; i++) {
        struct film film;
        film_shoot(&kinds[i], &film);
        struct tally tally = ask_all(&film);
        print_message("codec %d, %d B-frames: %d shown, %d gone on\n", (int)kinds[i].codec,
                      kinds[i].bframes, tally.shown, tally.gone_on);
        assert_true(tally.shown > 100);
        assert_int_equal(tally.damaged, 0);
        if (kinds[i].bframes == 0) {
            assert_true(tally.gone_on > tally.shown / 2);
        }
        film_done(&film);
    }
}

static void damage_is_told_by_who_goes_on_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KINDS; i++) {
        struct film film;
        film_shoot(&kinds[i], &film);
        /* A broken picture in the first group, a lost one in the second, nothing in the third. */
        const struct film_record *broken = &film.records[8];
        memset(film.bytes + broken->at + (broken->end - broken->at) / 2, 0xaa, 24);
        film_lose(&film, 33);
        struct tally tally = ask_all(&film);
        /* Not each decoder sees each hole; what one sees, the other one tells. */
        if (kinds[i].codec == WEIR_STILL_H264 && kinds[i].bframes == 0) {
            assert_true(tally.damaged > 10 && tally.damaged < tally.shown);
            assert_true(tally.gone_on_damaged > 0);
        }

        film_done(&film);
    }
}

static void what_begins_with_other_bytes_is_begun_anew(void **state)
{
    (void)state;
    /* Two cameras with the same times; the second one's pictures have another size, too. */
    const struct film_kind larger = {WEIR_STILL_H264, 480, 0, "scenecut=0", 9};
    struct film films[3];
    struct course *parked = NULL;
    struct tally tally = {0};
    film_shoot(&kinds[0], &films[0]);
    film_shoot(&kinds[1], &films[1]);
    film_shoot(&larger, &films[2]);
    for (size_t last = 3; last < 20; last++) {
        compare(&films[last % 3], last, &parked, &tally);
    }
    assert_int_equal(tally.gone_on, 0);
    assert_int_equal(tally.shown, 17);
    compare(&films[2], 20, &parked, &tally);
    compare(&films[2], 22, &parked, &tally);
    assert_int_equal(tally.gone_on, 1);
    /* One bit that was fed is another one now. */
    films[2].bytes[films[2].records[10].end - 1] ^= 1;
    compare(&films[2], 24, &parked, &tally);
    assert_int_equal(tally.gone_on, 1);
    course_free(&parked);
    for (size_t i = 0; i < 3; i++) {
        film_done(&films[i]);
    }
}

/* The first group of one film and the second one of a larger one, as one camera. */
static void other_parameters_are_followed(void **state)
{
    (void)state;
    const struct film_kind larger = {WEIR_STILL_H264, 480, 0, "scenecut=0", 9};
    struct film film;
    struct film next;
    struct course *parked = NULL;
    struct tally tally = {0};
    film_shoot(&kinds[0], &film);
    film_shoot(&larger, &next);
    for (size_t last = 20; last < FILM_GOP; last++) {
        compare(&film, last, &parked, &tally);
    }
    for (size_t last = FILM_GOP; last < FILM_GOP + 5; last++) {
        compare(&next, last, &parked, &tally);
    }
    assert_int_equal(tally.shown, 10);
    assert_int_equal(tally.gone_on, 8);
    course_free(&parked);
    film_done(&film);
    film_done(&next);
}

static void an_earlier_frame_and_the_same_one_are_begun_anew(void **state)
{
    (void)state;
    struct film film;
    struct course *parked = NULL;
    struct tally tally = {0};
    film_shoot(&kinds[0], &film);
    compare(&film, 12, &parked, &tally);
    compare(&film, 12, &parked, &tally);
    compare(&film, 7, &parked, &tally);
    assert_int_equal(tally.gone_on, 0);
    /* A time that came before: the first frame of it is meant, and that one was fed. */
    struct weir_clip_unit head;
    memcpy(&head, film.bytes + film.records[9].at, sizeof(head));
    head.ts = film.records[9].ts = film.records[3].ts;
    memcpy(film.bytes + film.records[9].at, &head, sizeof(head));
    compare(&film, 9, &parked, &tally);
    assert_int_equal(tally.gone_on, 0);
    assert_int_equal(tally.shown, 4);
    course_free(&parked);
    film_done(&film);
}

/* Record 3 with `nal` behind it; whether the decoder is parked there. */
static bool is_parked_behind(const struct film *film, const uint8_t *nal, size_t nal_len)
{
    struct course *parked = NULL;
    struct frame_picture picture;
    const struct film_record *record = &film->records[3];
    uint8_t *clip = calloc(1, record->end + 4 + nal_len);
    assert_non_null(clip);
    memcpy(clip, film->bytes, record->end);
    struct weir_clip_unit head = {
        .len = (uint32_t)(record->end - record->at - sizeof(head) + 4 + nal_len), .ts = record->ts};
    memcpy(clip + record->at, &head, sizeof(head));
    clip[record->end + 3] = (uint8_t)nal_len;
    memcpy(clip + record->end + 4, nal, nal_len);
    struct frame_wish wish = {WEIR_STILL_H264, clip, record->end + 4 + nal_len, head.ts};
    assert_int_equal(frame_decode(&wish, &any_size, &parked, &picture), WEIR_DECODE_OK);
    assert_int_equal(picture.is_parked, parked != NULL);
    frame_picture_done(&picture);
    course_free(&parked);
    free(clip);
    return picture.is_parked;
}

static void behind_what_would_be_left_out_nothing_is_parked(void **state)
{
    (void)state;
    struct film film;
    film_shoot(&kinds[0], &film);
    static const uint8_t message[] = {6, 5, 1, 0, 0x80};
    static const uint8_t unreferred_set[] = {8, 0xee, 0x3c, 0x80};
    static const uint8_t harmless[] = {0x7e, 0xee, 0x3c, 0x80}; /* of a type without meaning */
    static const uint8_t hidden[] = {0x7e, 1, 0, 0, 1, 8, 0xee, 0x3c, 0x80};
    assert_true(is_parked_behind(&film, message, sizeof(message)));
    assert_true(is_parked_behind(&film, harmless, sizeof(harmless)));
    assert_false(is_parked_behind(&film, unreferred_set, sizeof(unreferred_set)));
    assert_false(is_parked_behind(&film, hidden, sizeof(hidden)));
    film_done(&film);
}

static void behind_a_clip_that_is_long_nothing_is_parked(void **state)
{
    (void)state;
    struct course *parked = NULL;
    struct tally tally = {0};
    struct film film;
    film_shoot(&kinds[0], &film);
    compare(&film, 3, &parked, &tally);
    assert_non_null(parked);
    /* Longer than what is kept: the last record is filled up with a NAL unit of no meaning. */
    size_t from = film.records[4].at;
    size_t len = COURSE_CLIP_MAX;
    uint8_t *clip = calloc(1, from + len);
    assert_non_null(clip);
    memcpy(clip, film.bytes, film.records[4].end);
    size_t unit = film.records[4].end - from - sizeof(struct weir_clip_unit);
    struct weir_clip_unit head = {.len = (uint32_t)(len - sizeof(head)), .ts = film.records[4].ts};
    memcpy(clip + from, &head, sizeof(head));
    uint8_t *filler = clip + from + sizeof(head) + unit;
    size_t filler_len = head.len - unit - 4;
    filler[1] = (uint8_t)(filler_len >> 16);
    filler[2] = (uint8_t)(filler_len >> 8);
    filler[3] = (uint8_t)filler_len;
    filler[4] = 12; /* filler data (ITU-T H.264 table 7-1) */
    memset(filler + 5, 0xff, filler_len - 1);
    struct frame_wish wish = {WEIR_STILL_H264, clip, from + len, head.ts};
    struct frame_picture picture;
    assert_int_equal(frame_decode(&wish, &any_size, &parked, &picture), WEIR_DECODE_OK);
    assert_true(picture.has_gone_on);
    assert_false(picture.is_parked);
    assert_null(parked);
    frame_picture_done(&picture);
    free(clip);
    film_done(&film);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(going_on_shows_what_beginning_anew_shows),
        cmocka_unit_test(damage_is_told_by_who_goes_on_too),
        cmocka_unit_test(what_begins_with_other_bytes_is_begun_anew),
        cmocka_unit_test(other_parameters_are_followed),
        cmocka_unit_test(an_earlier_frame_and_the_same_one_are_begun_anew),
        cmocka_unit_test(behind_what_would_be_left_out_nothing_is_parked),
        cmocka_unit_test(behind_a_clip_that_is_long_nothing_is_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

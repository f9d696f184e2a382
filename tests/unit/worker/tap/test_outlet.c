/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tap/outlet.h"

#include <stdlib.h>

#include "tests/unit/check.h"
#include "tests/unit/worker/tap/units.h"

#define FRAME 3600

static const uint32_t random_start[6] = {1, 2, 3, 4, 5, 6};

/* The conversation in short: p a packet, r a report, of video; P and R of audio. */
static const char *shape(const struct weir_buf *out, char text[64])
{
    static const char letters[] = "prPR";
    size_t n = 0;
    const uint8_t *p = (const uint8_t *)out->bytes;
    for (size_t at = 0; at < out->len && n < 63; n++) {
        text[n] = letters[p[at + 1]];
        at += 4 + ((size_t)p[at + 2] << 8 | p[at + 3]);
    }
    text[n] = '\0';
    return text;
}

static struct tap_outlet outlet_of(enum tap_codec audio)
{
    struct tap_format format = {.video = TAP_CODEC_H264,
                                .audio = audio,
                                .audio_rate = 48000,
                                .params = {.sps = {2, {0x67, 1}}, .pps = {2, {0x68, 1}}}};
    struct tap_outlet outlet;
    tap_outlet_init(&outlet, &format, random_start, 0);
    return outlet;
}

static void send(struct tap_outlet *outlet, enum tap_track track, int64_t ts, int64_t capture_us,
                 int64_t now, struct weir_buf *out)
{
    static const uint8_t nal[] = {0, 0, 0, 2, 0x41, 9};
    struct tap_unit *unit = unit_new(track, false, ts, nal, sizeof(nal));
    unit->capture_us = capture_us;
    tap_outlet_unit(outlet, unit, now, out);
    free(unit);
}

static void the_first_report_comes_after_a_packet_and_before_the_first_picture(void **state)
{
    (void)state;
    char text[64];
    struct weir_buf out = {0};
    struct tap_outlet outlet = outlet_of(TAP_CODEC_OPUS);
    send(&outlet, TAP_VIDEO, 0, 0, 0, &out);
    send(&outlet, TAP_VIDEO, FRAME, 40000, 0, &out);
    send(&outlet, TAP_AUDIO, 0, 0, 0, &out);
    send(&outlet, TAP_AUDIO, 960, 20000, 0, &out);
    assert_string_equal(shape(&out, text), "prPRppPP");
    weir_buf_done(&out);
}

/* Where the engine puts a track follows from what came right before its first packet. */
static void sound_begins_with_the_time_of_the_first_picture(void **state)
{
    (void)state;
    char text[64];
    struct weir_buf out = {0};
    struct tap_outlet outlet = outlet_of(TAP_CODEC_OPUS);
    send(&outlet, TAP_AUDIO, 90000, 1875000, 0, &out); /* no picture was sent yet */
    assert_int_equal(out.len, 0);
    send(&outlet, TAP_VIDEO, 180000, 2000000, 0, &out);
    assert_string_equal(shape(&out, text), "prPRp");
    /* The third packet: its timestamp (RFC 3550 section 5.1) is that of the picture, at 48 kHz. */
    const uint8_t *p = (const uint8_t *)out.bytes;
    for (int skip = 0; skip < 2; skip++)
        p += 4 + ((size_t)p[2] << 8 | p[3]);
    uint32_t ts = (uint32_t)p[8] << 24 | (uint32_t)p[9] << 16 | (uint32_t)p[10] << 8 | p[11];
    assert_int_equal(ts - random_start[4], 96000);
    assert_true(outlet.tracks[TAP_AUDIO].tie_us == 2000000);
    weir_buf_clear(&out);
    send(&outlet, TAP_AUDIO, 95999, 1999979, 0, &out); /* behind its time */
    assert_int_equal(out.len, 0);
    send(&outlet, TAP_AUDIO, 96960, 2020000, 0, &out);
    assert_string_equal(shape(&out, text), "P");
    weir_buf_done(&out);
}

static struct tap_outlet outlet_of_aac(int channels)
{
    struct tap_format format = {.video = TAP_CODEC_H264,
                                .audio = TAP_CODEC_AAC,
                                .audio_rate = 16000,
                                .audio_channels = channels,
                                .audio_config_len = 2,
                                .audio_config = {0x14, 0x08},
                                .params = {.sps = {2, {0x67, 1}}, .pps = {2, {0x68, 1}}}};
    struct tap_outlet outlet;
    tap_outlet_init(&outlet, &format, random_start, 0);
    return outlet;
}

/* A second in frames of 100 ms from `from_ms` on; how many packets of sound came of it. */
static int second_of_frames(struct tap_outlet *outlet, int64_t from_ms)
{
    char text[64];
    int n = 0;
    for (int64_t ms = from_ms; ms < from_ms + 1000; ms += 100) {
        struct weir_buf out = {0};
        send(outlet, TAP_VIDEO, ms * 90, ms * 1000, 0, &out);
        for (const char *p = shape(&out, text); *p != '\0'; p++)
            n += *p == 'P';
        weir_buf_done(&out);
    }
    return n;
}

static void where_no_sound_comes_there_is_silence(void **state)
{
    (void)state;
    char text[64];
    struct weir_buf out = {0};
    struct tap_outlet outlet = outlet_of_aac(1);
    /* The first one carries nothing; 300 ms of silence are due at 900 ms: 4 units of 64 ms. */
    assert_int_equal(second_of_frames(&outlet, 0), 1 + 4);
    assert_int_equal(second_of_frames(&outlet, 1000), 16);
    /* Sound is back: of what is over there is none, a hole is filled, the rest goes through. */
    send(&outlet, TAP_AUDIO, 18 * 1024, 0, 0, &out);
    assert_int_equal(out.len, 0);
    send(&outlet, TAP_AUDIO, 20 * 1024, 1280000, 0, &out);
    assert_string_equal(shape(&out, text), "P");
    weir_buf_clear(&out);
    send(&outlet, TAP_AUDIO, 24 * 1024 + 7, 1536000, 0, &out);
    assert_string_equal(shape(&out, text), "PPPP");
    /* What was wiped is nothing. */
    struct tap_unit empty = {.track = TAP_AUDIO, .ts = 25 * 1024};
    weir_buf_clear(&out);
    tap_outlet_unit(&outlet, &empty, 0, &out);
    assert_int_equal(out.len, 0);
    weir_buf_done(&out);
}

static void silence_of_a_kind_that_nobody_knows_is_not_made_up(void **state)
{
    (void)state;
    struct tap_outlet outlet = outlet_of_aac(6);
    assert_int_equal(second_of_frames(&outlet, 0), 1);
    assert_int_equal(second_of_frames(&outlet, 1000), 0);
    outlet = outlet_of_aac(1);
    outlet.format.audio_config[1] |= 4; /* frames of 960 samples */
    tap_outlet_init(&outlet, &outlet.format, random_start, 0);
    assert_int_equal(second_of_frames(&outlet, 0), 1);
    outlet = outlet_of_aac(2);
    assert_int_equal(second_of_frames(&outlet, 0), 1 + 4);
    outlet = outlet_of(TAP_CODEC_OPUS); /* 20 ms a unit */
    assert_int_equal(second_of_frames(&outlet, 0), 1 + 15);
}

static void a_report_is_sent_at_once_when_the_tie_of_times_moves(void **state)
{
    (void)state;
    char text[64];
    struct weir_buf out = {0};
    struct tap_outlet outlet = outlet_of(TAP_CODEC_NONE);
    send(&outlet, TAP_VIDEO, 0, 0, 0, &out);
    weir_buf_clear(&out);
    send(&outlet, TAP_VIDEO, FRAME, 40000, 0, &out);
    send(&outlet, TAP_VIDEO, 2 * FRAME, 8080000, 0, &out);
    send(&outlet, TAP_VIDEO, 3 * FRAME, 8120000, 0, &out);
    assert_string_equal(shape(&out, text), "prpp");
    weir_buf_done(&out);
}

static void reports_go_on_every_2_s_and_every_second_while_nothing_comes(void **state)
{
    (void)state;
    char text[64];
    struct weir_buf out = {0};
    struct tap_outlet outlet = outlet_of(TAP_CODEC_NONE);
    tap_outlet_tick(&outlet, 100, &out);
    assert_int_equal(out.len, 0);
    send(&outlet, TAP_VIDEO, 0, 0, 1000, &out);
    weir_buf_clear(&out);
    for (int64_t ms = 1250; ms <= 3000; ms += 250) {
        send(&outlet, TAP_VIDEO, (ms - 1000) * 90, (ms - 1000) * 1000, ms, &out);
        weir_buf_clear(&out);
        tap_outlet_tick(&outlet, ms, &out);
        assert_string_equal(shape(&out, text), ms == 3000 ? "r" : "");
    }
    weir_buf_clear(&out);
    for (int64_t ms = 3250; ms <= 6000; ms += 250)
        tap_outlet_tick(&outlet, ms, &out);
    assert_string_equal(shape(&out, text), "rrr");
    weir_buf_done(&out);
}

static void a_burst_is_paced(void **state)
{
    (void)state;
    struct weir_buf out = {0};
    struct tap_outlet outlet = outlet_of(TAP_CODEC_NONE);
    int n = 0;
    while (tap_outlet_may_send(&outlet, 0)) {
        send(&outlet, TAP_VIDEO, n * FRAME, n * INT64_C(40000), 0, &out);
        n++;
    }
    assert_in_range(n, TAP_OUTLET_BURST - 2, TAP_OUTLET_BURST);
    assert_true(tap_outlet_may_send(&outlet, 1));
    for (int i = 0; i < TAP_OUTLET_PER_MS; i++)
        send(&outlet, TAP_VIDEO, (n + i) * FRAME, (n + i) * INT64_C(40000), 1, &out);
    assert_false(tap_outlet_may_send(&outlet, 1));
    weir_buf_done(&out);
}

static void audio_that_was_not_announced_is_not_sent(void **state)
{
    (void)state;
    struct weir_buf out = {0};
    struct tap_outlet outlet = outlet_of(TAP_CODEC_NONE);
    send(&outlet, TAP_AUDIO, 0, 0, 0, &out);
    assert_int_equal(out.len, 0);
    weir_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_report_comes_after_a_packet_and_before_the_first_picture),
        cmocka_unit_test(sound_begins_with_the_time_of_the_first_picture),
        cmocka_unit_test(where_no_sound_comes_there_is_silence),
        cmocka_unit_test(silence_of_a_kind_that_nobody_knows_is_not_made_up),
        cmocka_unit_test(a_report_is_sent_at_once_when_the_tie_of_times_moves),
        cmocka_unit_test(reports_go_on_every_2_s_and_every_second_while_nothing_comes),
        cmocka_unit_test(a_burst_is_paced),
        cmocka_unit_test(audio_that_was_not_announced_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

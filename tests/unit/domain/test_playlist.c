/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "lib/domain/playlist.h"

#define GOLDEN "tests/unit/domain/playlist/"

static const struct weir_playlist_shift shift = {.media_sequence = 640,
                                                 .discontinuity_sequence = 64};

static size_t read_file(const char *name, const char *tail, char *text, size_t size)
{
    char path[256];
    snprintf(path, sizeof(path), GOLDEN "%s%s", name, tail);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(text, 1, size - 1, file);
    fclose(file);
    text[n] = '\0';
    return n;
}

static void an_engines_playlist_comes_out_as_its_golden_file(void **state)
{
    static const char *const names[] = {"fmp4", "low_latency", "mpegts", "delta", "multivariant"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char in[8192];
        char want[8192];
        struct weir_err err = {0};
        struct weir_buf out = {.max = 65536};
        size_t len = read_file(names[i], ".m3u8", in, sizeof(in));
        read_file(names[i], ".moved.m3u8", want, sizeof(want));
        ASSERT_OK(weir_playlist_rewrite(in, len, &shift, &out, &err), &err);
        assert_string_equal(out.bytes, want);
        weir_buf_done(&out);
    }
}

static struct weir_playlist parsed(const char *text)
{
    struct weir_playlist ret = {0};
    struct weir_err err = {0};
    ASSERT_OK(weir_playlist_parse(text, strlen(text), &ret, &err), &err);
    return ret;
}

static enum weir_code verdict(const char *text)
{
    struct weir_playlist ret = {0};
    return weir_playlist_parse(text, strlen(text), &ret, NULL);
}

static void facts_of_a_media_playlist_are_read(void **state)
{
    (void)state;
    char in[8192];
    read_file("low_latency", ".m3u8", in, sizeof(in));
    struct weir_playlist facts = parsed(in);
    assert_true(facts.is_media);
    assert_false(facts.has_end);
    assert_int_equal(facts.media_sequence, 2);
    assert_int_equal(facts.n_segments, 7);
    assert_int_equal(facts.target_duration_s, 1);
    assert_string_equal(facts.muxer, "496975616a28");
}

static void skipped_segments_of_a_delta_update_count(void **state)
{
    (void)state;
    char in[8192];
    read_file("delta", ".m3u8", in, sizeof(in));
    assert_int_equal(parsed(in).n_segments, 4);
}

static void a_multivariant_playlist_is_told_apart(void **state)
{
    (void)state;
    char in[8192];
    read_file("multivariant", ".m3u8", in, sizeof(in));
    struct weir_playlist facts = parsed(in);
    assert_false(facts.is_media);
    assert_string_equal(facts.muxer, "");
}

static void a_missing_sequence_counts_as_zero_and_is_written(void **state)
{
    static const char in[] = "#EXTM3U\r\n#EXT-X-TARGETDURATION:1\r\n#EXTINF:1,\r\na_seg0.ts\r\n";
    struct weir_buf out = {.max = 4096};
    struct weir_err err = {0};
    (void)state;
    ASSERT_OK(weir_playlist_rewrite(in, strlen(in), &shift, &out, &err), &err);
    assert_string_equal(out.bytes, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:640\n"
                                   "#EXT-X-DISCONTINUITY-SEQUENCE:64\n#EXT-X-TARGETDURATION:1\n"
                                   "#EXTINF:1,\na_seg0.ts\n");
    weir_buf_done(&out);
}

static void what_is_no_playlist_is_refused(void **state)
{
    (void)state;
    assert_int_equal(verdict(""), WEIR_EPARSE);
    assert_int_equal(verdict("#EXTM3U"), WEIR_EPARSE);
    assert_int_equal(verdict("<html>"), WEIR_EPARSE);
    assert_int_equal(verdict("#EXTM3U8\n#EXT-X-TARGETDURATION:1\n"), WEIR_EPARSE);
    assert_int_equal(verdict("#EXTM3U\n#EXT-X-TARGETDURATION:x\n"), WEIR_EPARSE);
    assert_int_equal(verdict("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1 2\n"), WEIR_EPARSE);
    assert_int_equal(verdict("#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n"),
                     WEIR_EPARSE);
    assert_int_equal(weir_playlist_parse("#EXTM3U\n#EXTINF:1,\na\0.ts\n", 26, NULL, NULL),
                     WEIR_EPARSE);
}

static void a_uri_that_leads_elsewhere_is_refused(void **state)
{
    static const char *const uris[] = {
        "../a.ts",   "/a.ts",  "http://x/a.ts", "a/b.ts", "a.ts?token=abc",
        "%2e%2e.ts", "a.html", "a.ts#x",        ".ts",    "a.b.ts"};
    (void)state;
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "#EXTM3U\n#EXTINF:1,\n%s\n", uris[i]);
        assert_int_equal(verdict(text), WEIR_EPARSE);
        snprintf(text, sizeof(text), "#EXTM3U\n#EXT-X-MAP:URI=\"%s\"\n#EXTINF:1,\na.ts\n", uris[i]);
        assert_int_equal(verdict(text), WEIR_EPARSE);
    }
    assert_int_equal(verdict("#EXTM3U\n#EXT-X-MAP:URI=a.mp4\n#EXTINF:1,\na.ts\n"), WEIR_EPARSE);
    assert_int_equal(verdict("#EXTM3U\n#EXT-X-MAP:URI=\"a.mp4\n#EXTINF:1,\na.ts\n"), WEIR_EPARSE);
}

static void numbers_above_two_to_the_53_are_refused(void **state)
{
    static const char text[] =
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:9007199254740990\n#EXTINF:1,\na.ts\n";
    struct weir_buf out = {.max = 4096};
    (void)state;
    assert_int_equal(verdict("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:9007199254740993\n"), WEIR_ELIMIT);
    assert_int_equal(verdict("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:99999999999999999999999\n"),
                     WEIR_ELIMIT);
    assert_int_equal(weir_playlist_rewrite(text, strlen(text), &shift, &out, NULL), WEIR_ELIMIT);
    assert_int_equal(out.len, 0);
    weir_buf_done(&out);
}

static void more_than_the_limits_is_refused(void **state)
{
    static char text[WEIR_PLAYLIST_BYTES_MAX + 16];
    (void)state;
    memset(text, '\n', sizeof(text) - 1);
    memcpy(text, "#EXTM3U\n#EXTINF:1,\na.ts", 23);
    assert_int_equal(verdict(text), WEIR_ELIMIT);
    memset(text + 24, '#', WEIR_PLAYLIST_LINE_MAX + 1);
    text[WEIR_PLAYLIST_LINE_MAX + 64] = '\0';
    assert_int_equal(verdict(text), WEIR_ELIMIT);
    assert_int_equal(verdict("#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-SKIP:SKIPPED-SEGMENTS=20001\n"),
                     WEIR_ELIMIT);
}

static void a_full_buffer_stays_as_it_was(void **state)
{
    static const char in[] = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na_seg0.ts\n";
    struct weir_buf out = {.max = 60};
    (void)state;
    assert_true(weir_buf_add(&out, "kept", 4));
    assert_int_equal(weir_playlist_rewrite(in, strlen(in), &shift, &out, NULL), WEIR_ELIMIT);
    assert_int_equal(out.len, 4);
    assert_string_equal(out.bytes, "kept");
    weir_buf_done(&out);
}

static enum weir_playlist_file kind(const char *name)
{
    return weir_playlist_file(name, strlen(name));
}

static void file_names_tell_what_they_are(void **state)
{
    (void)state;
    assert_int_equal(kind("index.m3u8"), WEIR_PLAYLIST_FILE_INDEX);
    assert_int_equal(kind("video1_stream.m3u8"), WEIR_PLAYLIST_FILE_MEDIA);
    assert_int_equal(kind("c8b938b47dd6_video1_init.mp4"), WEIR_PLAYLIST_FILE_INIT);
    assert_int_equal(kind("c8b938b47dd6_video1_seg12.mp4"), WEIR_PLAYLIST_FILE_SEGMENT);
    assert_int_equal(kind("c8b938b47dd6_video1_part12.mp4"), WEIR_PLAYLIST_FILE_PART);
    assert_int_equal(kind("c8b938b47dd6_video1_part.mp4"), WEIR_PLAYLIST_FILE_SEGMENT);
    assert_int_equal(kind("c8b938b47dd6_main_seg3.ts"), WEIR_PLAYLIST_FILE_SEGMENT);
    assert_int_equal(kind(""), WEIR_PLAYLIST_FILE_NONE);
    assert_int_equal(kind("index.html"), WEIR_PLAYLIST_FILE_NONE);
    assert_int_equal(kind("a"), WEIR_PLAYLIST_FILE_NONE);
    assert_int_equal(kind("a\xc3\xb6.ts"), WEIR_PLAYLIST_FILE_NONE);
    char longest[WEIR_PLAYLIST_NAME_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + WEIR_PLAYLIST_NAME_MAX - 2, ".ts", 4);
    assert_int_equal(kind(longest), WEIR_PLAYLIST_FILE_NONE);
    assert_int_equal(kind(longest + 1), WEIR_PLAYLIST_FILE_SEGMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engines_playlist_comes_out_as_its_golden_file),
        cmocka_unit_test(facts_of_a_media_playlist_are_read),
        cmocka_unit_test(skipped_segments_of_a_delta_update_count),
        cmocka_unit_test(a_multivariant_playlist_is_told_apart),
        cmocka_unit_test(a_missing_sequence_counts_as_zero_and_is_written),
        cmocka_unit_test(what_is_no_playlist_is_refused),
        cmocka_unit_test(a_uri_that_leads_elsewhere_is_refused),
        cmocka_unit_test(numbers_above_two_to_the_53_are_refused),
        cmocka_unit_test(more_than_the_limits_is_refused),
        cmocka_unit_test(a_full_buffer_stays_as_it_was),
        cmocka_unit_test(file_names_tell_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

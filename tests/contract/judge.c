/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C side as a judge of documents, for tests/contract/test_codec.py.
 *
 * Input: any number of "<kind> <length>\n<bytes>" with kind `event` or `control`. Output: a line
 * each, "ok <dumped bytes as JSON>" or "bad <code> <message>". A document that is read must come
 * out, be read again and come out the same; otherwise the line is "broken <message>".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/domain/events.h"

#define DOCUMENT_MAX (4 * 1024 * 1024)

struct bytes {
    const char *at;
    size_t len;
};

/* Reads `in` and writes it out again. */
static enum weir_code pass(const char *kind, struct bytes in, struct weir_arena *arena,
                           struct bytes *ret_out, bool *ret_read, struct weir_err *err)
{
    *ret_read = false;
    if (strcmp(kind, "event") == 0) {
        struct weir_event *ev = weir_arena_alloc(arena, sizeof(*ev));
        enum weir_code code = weir_ev_parse(in.at, in.len, arena, ev, err);
        *ret_read = code == WEIR_OK;
        return code == WEIR_OK ? weir_ev_dump(ev, arena, &ret_out->at, &ret_out->len, err) : code;
    }
    struct weir_ctl *ctl = weir_arena_alloc(arena, sizeof(*ctl));
    enum weir_code code = weir_ctl_parse(in.at, in.len, arena, ctl, err);
    *ret_read = code == WEIR_OK;
    return code == WEIR_OK ? weir_ctl_dump(ctl, arena, &ret_out->at, &ret_out->len, err) : code;
}

static void judge(const char *kind, struct bytes in)
{
    struct weir_arena *arena WEIR_CLEANUP(weir_arena_cleanup) = weir_arena_new(0);
    struct weir_err err = {0};
    struct bytes once = {0};
    struct bytes twice = {0};
    bool was_read;
    enum weir_code code = pass(kind, in, arena, &once, &was_read, &err);
    if (!was_read) {
        printf("bad %s %s\n", weir_code_text(code), err.msg);
        return;
    }
    if (code == WEIR_OK) {
        code = pass(kind, once, arena, &twice, &was_read, &err);
    }
    if (code != WEIR_OK || once.len != twice.len || memcmp(once.at, twice.at, once.len) != 0) {
        printf("broken %s\n", code == WEIR_OK ? "the second dump differs" : err.msg);
        return;
    }
    size_t len = once.at[once.len - 1] == '\n' ? once.len - 1 : once.len;
    printf("ok %.*s\n", (int)len, once.at);
}

int main(void)
{
    char kind[8];
    size_t len;
    while (scanf("%7s %zu", kind, &len) == 2) {
        if (getchar() != '\n' || len > DOCUMENT_MAX) {
            fprintf(stderr, "judge: a length over %d, or no newline after it\n", DOCUMENT_MAX);
            return 2;
        }
        /* Exactly as long as the document, so that a sanitizer sees a read behind its end. */
        char *bytes WEIR_CLEANUP(weir_freep) = weir_xalloc(len);
        if (fread(bytes, 1, len, stdin) != len) {
            fprintf(stderr, "judge: the input ends within a document\n");
            return 2;
        }
        judge(kind, (struct bytes){bytes, len});
    }
    return 0;
}

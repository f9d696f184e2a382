/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/reason.h"

#include <string.h>

#include "tests/unit/check.h"

static void every_reason_has_a_short_name_and_a_sentence(void **state)
{
    (void)state;
    static const enum weir_reason all[] = {
#define WEIR_REASON(name, sentence) WEIR_REASON_##name,
#include "lib/domain/reason.def"
#undef WEIR_REASON
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const char *name = weir_reason_name(all[i]);
        assert_in_range(strlen(name), 1, 64);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        const char *sentence = weir_reason_sentence(name);
        assert_int_equal(sentence[strlen(sentence) - 1], '.');
    }
}

static void a_name_of_a_newer_writer_has_no_sentence(void **state)
{
    (void)state;
    assert_null(weir_reason_sentence("struck_by_lightning"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_short_name_and_a_sentence),
        cmocka_unit_test(a_name_of_a_newer_writer_has_no_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/str.h"

static void assert_hash(const char *hex, const void *bytes, size_t n, size_t step)
{
    struct weir_sha256 sha;
    uint8_t hash[WEIR_SHA256_BYTES];
    char text[2 * WEIR_SHA256_BYTES + 1];
    weir_sha256_init(&sha);
    for (size_t at = 0; at < n; at += step)
        weir_sha256_add(&sha, (const char *)bytes + at, n - at < step ? n - at : step);
    weir_sha256_done(&sha, hash);
    weir_hex_encode(hash, sizeof(hash), text);
    assert_string_equal(text, hex);
}

/* NIST, FIPS 180-4 example values. */
static void the_examples_of_the_standard_come_out(void **state)
{
    (void)state;
    assert_hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "", 0, 1);
    assert_hash("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc", 3, 3);
    assert_hash("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 56);
}

static void a_million_letters_come_out_in_any_portions(void **state)
{
    (void)state;
    static char letters[1000000];
    memset(letters, 'a', sizeof(letters));
    const char *hex = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    assert_hash(hex, letters, sizeof(letters), sizeof(letters));
    assert_hash(hex, letters, sizeof(letters), 1);
    assert_hash(hex, letters, sizeof(letters), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_standard_come_out),
        cmocka_unit_test(a_million_letters_come_out_in_any_portions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

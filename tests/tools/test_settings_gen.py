# SPDX-License-Identifier: Apache-2.0
import pytest

COMMON = """/* SPDX-License-Identifier: Apache-2.0 */
WEIR_SETTING_INT(cell, "WEIR_CELL", 0, 0, 1023, "", "The cell this daemon belongs to")
"""
API = """/* SPDX-License-Identifier: Apache-2.0 */
WEIR_SETTING_STR(listen, "WEIR_API_LISTEN", NULL, 64,
                 "Where the api listens, "
                 "host:port") /* a comment */
WEIR_SETTING_INT(body_bytes, "WEIR_BODY_BYTES", 64 * 1024, 1, 1024 * 1024, "bytes",
                 "Longest body of a request (\\"413\\" over it)")
WEIR_SETTING_BOOL(hs256, "WEIR_HS256", false, "Takes tokens signed by a shared secret")
WEIR_SETTING_SECRET(postgres, "WEIR_POSTGRES", 1024, "URL of the database with its password")
"""

WRONG = {
    "a default outside its limits": ("64 * 1024, 1,", "0, 1,", "default 0 is outside 1..1048576"),
    "a variable twice": ('"WEIR_HS256"', '"WEIR_BODY_BYTES"', "is there twice"),
    "a field twice": ("(hs256,", "(listen,", "is there twice"),
    "a variable of the common ones": ('"WEIR_HS256"', '"WEIR_CELL"', "is common to all already"),
    "no WEIR_ name": ('"WEIR_HS256"', '"HS256"', "'HS256' is no WEIR_NAME"),
    "no sentence": ('"Takes tokens signed by a shared secret"', '"HS256"', "wants one sentence"),
    "an argument less": ("false, ", "", "has 3 arguments, not 4"),
    "an unknown macro": ("WEIR_SETTING_BOOL", "WEIR_SETTING_FLOAT", "WEIR_SETTING_FLOAT is no"),
    "an open bracket": ('password")', 'password"', "is not closed"),
}


@pytest.fixture
def settings(tree):
    tree.write("lib/service/settings_common.def", COMMON)
    tree.write("api/settings.def", API)
    return tree


def test_the_page_shows_every_setting(settings):
    settings.assert_clean("settings-gen")
    page = (settings.root / "docs/settings.md").read_text()
    assert "| `WEIR_CELL` | `0` | 0..1023 |  | The cell this daemon belongs to |" in page
    assert "| `WEIR_API_LISTEN` | **required** | at most 64 bytes |  | Where the api listens, host:port |" in page
    assert '| `WEIR_BODY_BYTES` | `65536` | 1..1048576 | bytes | Longest body of a request ("413" over it) |' in page
    assert "| `WEIR_HS256` | `false` | true, false |" in page
    assert "| `WEIR_POSTGRES` | secret | at most 1024 bytes |" in page
    settings.assert_clean("settings-gen", "--check")


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_table_is_refused(settings, what):
    old, new, said = WRONG[what]
    settings.edit("api/settings.def", old, new)
    settings.assert_found(said, "settings-gen")


def test_a_tool_without_the_common_ones_may_name_its_own(settings):
    settings.write("weirctl/settings.c", "int rows;\n")
    settings.write("weirctl/settings.def", COMMON)
    settings.assert_clean("settings-gen")
    assert "## weirctl\n" in (settings.root / "docs/settings.md").read_text()


def test_a_stale_page_is_found(settings):
    settings.assert_clean("settings-gen")
    settings.edit("api/settings.def", "64 * 1024, 1,", "64 * 1000, 1,")
    settings.assert_found("docs/settings.md is stale", "settings-gen", "--check")

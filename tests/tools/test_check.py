# SPDX-License-Identifier: Apache-2.0
"""headers-alone, analyse, and the one command over all."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"

CMAKE = """# SPDX-License-Identifier: Apache-2.0
cmake_minimum_required(VERSION 3.25)
project(small LANGUAGES C)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_library(small STATIC api/small.c)
target_include_directories(small PRIVATE ${CMAKE_SOURCE_DIR})
"""
PRESETS = """{"version": 6, "configurePresets": [{"name": "dev", "generator": "Ninja",
 "binaryDir": "${sourceDir}/build/dev", "cacheVariables": {"CMAKE_C_COMPILER": "gcc"}}]}"""

SMALL = SPDX + """#include <stddef.h>

int api_small(const int *x);

int api_small(const int *x)
{
    return x ? *x : 0;
}
"""

LABYRINTH = """
int api_maze(int a);

int api_maze(int a)
{
    for (int i = 0; i < a; i++) {
        if (i % 2) {
            for (int j = 0; j < i; j++) {
                if (j % 3) {
                    while (a > j) {
                        if (a % 5) {
                            if (a % 7) {
                                a--;
                            }
                        }
                        a--;
                    }
                }
            }
        }
    }
    return a;
}
"""


def buildable(tree, source):
    for path in tree.root.rglob("*.c"):
        path.unlink()
    tree.write("CMakeLists.txt", CMAKE)
    tree.write("CMakePresets.json", PRESETS)
    tree.write("lib/base/err.h", (ROOT / "lib/base/err.h").read_text())
    tree.write("api/small.c", source)


def test_headers_that_bring_what_they_need_pass(tree):
    (tree.root / "lib/io/bus/internal.h").unlink()
    tree.assert_clean("headers-alone")


def test_a_header_that_leans_on_others_is_found(tree):
    tree.write("api/x.h", SPDX + "size_t api_x(void);\n")
    tree.assert_found("api/x.h does not compile alone", "headers-alone")


def test_a_fragment_of_a_table_is_left_out(tree):
    tree.write("api/x.h", SPDX + "/* weir: fragment */\nsize_t api_x(void);\n")
    (tree.root / "lib/io/bus/internal.h").unlink()
    tree.assert_clean("headers-alone")


def test_a_file_that_nobody_builds_is_found(tree):
    buildable(tree, SMALL)
    tree.write("api/forgotten.c", SMALL)
    tree.assert_found("api/forgotten.c is in no target", "analyse")


def test_clean_code_passes_the_analysis(tree):
    buildable(tree, SMALL)
    tree.assert_clean("analyse")


def test_each_analyser_finds_its_planted_trouble(tree):
    planted = {
        "bugprone": SMALL.replace("*x : 0;", "*x : 0;;").replace(
            "return x", "char text[4] = {1};\n    if (x && *x == 1); {\n        text[0] = 2;\n    }\n    return text[0] ? 1 : x"),
        "cognitive complexity": SMALL + LABYRINTH,
        "cppcheck": SMALL.replace("return x", "int shift = 1 << 40;\n    return shift ? 1 : x"),
        "analyzer-double-free": SMALL.replace("#include <stddef.h>", "#include <stddef.h>\n#include <stdlib.h>")
        .replace("return x", "char *p = malloc(4);\n    free(p);\n    free(p);\n    return x"),
    }
    for said, source in planted.items():
        buildable(tree, source)
        tree.assert_found(said, "analyse")


def test_what_was_clean_is_looked_at_again_when_it_changes(tree):
    buildable(tree, SMALL)
    tree.assert_clean("analyse")
    tree.edit("api/small.c", "return x ?", "int shift = 1 << 40;\n    return shift ? 1 : x ?")
    tree.assert_found("cppcheck", "analyse")


def test_bad_layout_is_found_and_mended(tree):
    tree.write("api/x.h", SPDX + "int  api_x(void) ;\n")
    tree.assert_found("api/x.h is not as clang-format-14 lays it out", "check", "format")


def test_broken_python_and_shell_are_found(tree):
    tree.write("tools/x.py", "# SPDX-License-Identifier: Apache-2.0\ndef f(:\n")
    tree.assert_found("python: tools/x.py:2", "check", "python")
    tree.write("tools/y.sh", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\nif true; then\n")
    tree.assert_found("y.sh", "check", "shell")


def test_the_command_names_what_failed_and_what_there_is(tree):
    tree.write("api/x.c", SPDX + '#include "worker/plan.h"\n')
    tree.assert_found("check: failed: layers", "check", "habits", "layers")
    tree.assert_clean("check", "habits")
    code, said = tree.run("check", "nonsense")
    assert code == 1 and "no check is called nonsense" in said

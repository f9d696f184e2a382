# SPDX-License-Identifier: Apache-2.0
import pytest

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"

PLANTED = {
    "base includes domain": (
        "lib/base/list.h", '#include "lib/domain/json.h"\n', "lib/base must not include lib/domain"),
    "domain includes io": (
        "lib/domain/id.h", '#include "lib/io/bus.h"\n', "lib/domain must not include lib/io"),
    "io includes service": (
        "lib/io/db.h", '#include "lib/service/loop.h"\n', "lib/io must not include lib/service"),
    "one adapter includes another": (
        "lib/io/db.h", '#include "lib/io/store.h"\n', "adapter db includes store"),
    "lib includes a daemon": (
        "lib/service/x.h", '#include "api/routes.h"\n', "lib/service must not include api"),
    "a daemon includes another": (
        "api/x.h", '#include "worker/plan.h"\n', "api must not include worker"),
    "the tap includes the worker": (
        "worker/tap/x.h", '#include "worker/plan.h"\n', "worker/tap must not include worker"),
    "the worker includes the tap": (
        "worker/x.h", '#include "worker/tap/ring.h"\n', "worker must not include worker/tap"),
    "an adapter's private header outside its folder": (
        "lib/io/bus.c", '#include "lib/io/bus/internal.h"\n', "is internal to its folder"),
    "an adapter's private header in a daemon": (
        "api/x.c", '#include "lib/io/bus/internal.h"\n', "is internal to its folder"),
    "an outside library in a daemon": (
        "api/x.c", "#include <libpq-fe.h>\n", "libpq has no business in api"),
    "an outside library in base": (
        "lib/base/x.c", "#include <jansson.h>\n", "jansson has no business in lib/base"),
    "FFmpeg outside tap and xcode": (
        "worker/x.c", "#include <libavformat/avformat.h>\n", "libavformat has no business in worker"),
    "an outside library in a header": (
        "lib/io/db.h", "#include <libpq-fe.h>\n", "libpq in a header"),
    "a library in a second file": (
        "lib/domain/other.c", "#include <jansson.h>\n", "jansson has more than one place"),
    "an unknown library": (
        "lib/io/x.c", "#include <leveldb/c.h>\n", "<leveldb/c.h> is no libc"),
    "I/O in the domain": (
        "lib/domain/x.c", "#include <unistd.h>\n", "<unistd.h> in lib/domain: no I/O, no clock"),
    "a clock in the domain": (
        "lib/domain/x.c", "#include <time.h>\n", "<time.h> in lib/domain: no I/O, no clock"),
    "a relative include": (
        "api/x.c", '#include "routes.h"\n', '"routes.h" is not there'),
    "the own header not first": (
        "api/routes.c", '#include <stdio.h>\n\n#include "api/routes.h"\n', "comes first"),
    "a system header after ours": (
        "api/routes.c", '#include "api/routes.h"\n\n#include "lib/io/bus.h"\n#include <stdio.h>\n',
        "<stdio.h> after ours"),
    "an include with spaces around": (
        "api/x.h", '  #  include   "worker/plan.h"\n', "api must not include worker"),
}


def test_the_good_tree_is_clean(tree):
    tree.assert_clean("layers")


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_violation_is_found(tree, what):
    path, text, said = PLANTED[what]
    tree.write(path, SPDX + text)
    tree.assert_found(said, "layers")


def test_an_adapter_is_a_target_of_the_build(tree):
    tree.write("lib/io/db_pool.h", SPDX + "int weir_pool(void);\n")
    tree.write("lib/io/db.c", SPDX + '#include "lib/io/db_pool.h"\n')
    tree.assert_found("adapter db includes db_pool", "layers")
    tree.write("lib/io/CMakeLists.txt", "weir_library(weir_io_db\n  SOURCES db.c db_pool.c DEPS weir_base)\n")
    tree.assert_clean("layers")
    tree.write("lib/io/db.c", SPDX + '#include "lib/io/store.h"\n')
    tree.assert_found("adapter weir_io_db includes store", "layers")


def test_one_adapter_may_name_its_library_in_several_files(tree):
    for name in ("db", "db_pool"):
        tree.write(f"lib/io/{name}.c", SPDX + "#include <libpq-fe.h>\n")
    tree.assert_found("libpq has more than one place: db, db_pool", "layers")
    tree.write("lib/io/CMakeLists.txt", "weir_library(weir_io_db SOURCES db.c db_pool.c)\n")
    tree.assert_clean("layers")


def test_tests_may_include_anything_but_from_the_root(tree):
    tree.write("tests/unit/api/test_x.c", SPDX + '#include "api/routes.h"\n#include <jansson.h>\n')
    tree.assert_clean("layers")
    tree.write("tests/unit/api/test_x.c", SPDX + '#include "helper.h"\n')
    tree.assert_found('"helper.h" is not there', "layers")


def test_the_finding_names_file_and_line(tree):
    tree.write("api/x.c", SPDX + "\n\n#include <libpq-fe.h>\n")
    tree.assert_found("api/x.c:4:", "layers")

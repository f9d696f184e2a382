# SPDX-License-Identifier: Apache-2.0
"""A small tree that keeps every house rule, to plant one violation at a time in."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

GOOD = {
    "lib/base/err.h": """/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

int weir_err(void);

#endif
""",
    "lib/base/err.c": """/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/err.h"

#include <stdio.h>

int weir_err(void)
{
    return puts("http://no/comment");
}
""",
    "lib/domain/json.h": """/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_DOMAIN_JSON_H
#define WEIR_DOMAIN_JSON_H

#include "lib/base/err.h"

#endif
""",
    "lib/domain/json.c": """/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/domain/json.h"

#include <jansson.h>
""",
    "lib/io/bus.h": "/* SPDX-License-Identifier: Apache-2.0 */\nint weir_bus(void);\n",
    "lib/io/bus/internal.h": """/* SPDX-License-Identifier: Apache-2.0 */
#include <librdkafka/rdkafka.h>
""",
    "lib/io/bus/client.c": """/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/bus.h"

#include "lib/io/bus/internal.h"
""",
    "lib/io/store.h": "/* SPDX-License-Identifier: Apache-2.0 */\nint weir_store(void);\n",
    "lib/io/store.c": '/* SPDX-License-Identifier: Apache-2.0 */\n#include "lib/io/store.h"\n',
    "lib/service/loop.h": """/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/io/bus.h"
int weir_loop(void);
""",
    "api/main.c": """/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "lib/service/loop.h"

int main(void)
{
    exit(0);
}
""",
    "api/routes.h": "/* SPDX-License-Identifier: Apache-2.0 */\nint api_routes(void);\n",
    "worker/plan.h": "/* SPDX-License-Identifier: Apache-2.0 */\nint worker_plan(void);\n",
    "worker/tap/ring.h": "/* SPDX-License-Identifier: Apache-2.0 */\nint tap_ring(void);\n",
}


class Tree:
    def __init__(self, root):
        self.root = root

    def write(self, path, text):
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def edit(self, path, old, new):
        text = (self.root / path).read_text()
        assert old in text, f"{path} no longer holds {old!r}"
        self.write(path, text.replace(old, new, 1))

    def run(self, tool, *argv):
        """Runs the tree's own copy of a tool."""
        done = subprocess.run([self.root / "tools" / tool, *argv], cwd=self.root,
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def assert_clean(self, tool, *argv):
        code, said = self.run(tool, *argv)
        assert code == 0, said

    def assert_found(self, said, tool, *argv):
        """The tool fails and says where and what."""
        code, output = self.run(tool, *argv)
        assert code == 1 and said in output, f"exit {code}, wanted {said!r} in:\n{output}"


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools",
                    ignore=shutil.ignore_patterns("__pycache__", "dev"))
    for name in (".clang-format", ".clang-tidy"):
        shutil.copy(ROOT / name, tmp_path / name)
    for path, text in GOOD.items():
        made.write(path, text)
    return made


@pytest.fixture
def schemas(tree):
    """The tree with the real schemas and what is generated from them."""
    shutil.copytree(ROOT / "schemas", tree.root / "schemas")
    tree.assert_clean("schema-gen")
    return tree

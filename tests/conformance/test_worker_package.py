# SPDX-License-Identifier: Apache-2.0
"""The CDN Worker's package: its types, its bundle, and its own tests in workerd (cdn/tests)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

CDN = Path(__file__).resolve().parents[2] / "cdn"


def run(*argv: str) -> str:
    done = subprocess.run(
        argv, cwd=CDN, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    failed = re.findall(r"^ *not ok .*(?:\n.*){0,16}", done.stdout, re.MULTILINE) or [done.stdout[-4000:]]
    assert done.returncode == 0, "\n".join([" ".join(argv), *failed, done.stderr[-2000:]])
    return done.stdout


def test_types_hold() -> None:
    run("node_modules/.bin/tsc", "--noEmit")


def test_it_can_be_deployed(tmp_path: Path) -> None:
    told = run("node_modules/.bin/wrangler", "deploy", "--dry-run", "--outdir", str(tmp_path))
    assert "REGION_URL" in told and "CDN_SECRET" not in told
    assert (tmp_path / "index.js").read_text() == (CDN / "dist" / "index.js").read_text()


def test_it_holds_in_workerd() -> None:
    told = run("node", "--test", "tests/")
    assert re.search(r"^# fail 0$", told, re.MULTILINE), told
    ran = re.search(r"^# pass (\d+)$", told, re.MULTILINE)
    assert ran and int(ran[1]) >= 20, told


def test_the_lock_names_no_place() -> None:
    """Packages come from whatever registry is set up, by their checksums."""
    locked = json.loads((CDN / "package-lock.json").read_text())["packages"]
    assert not [name for name, package in locked.items() if "resolved" in package]
    wanted = json.loads((CDN / "package.json").read_text())["devDependencies"]
    assert all(re.fullmatch(r"[0-9][0-9a-z.\-]*", version) for version in wanted.values())

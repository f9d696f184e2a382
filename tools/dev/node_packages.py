# SPDX-License-Identifier: Apache-2.0
"""npm packages, as their lock files pin them: what tests play, mint and sign in with, and the CDN
Worker's tools."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dev.instance import ROOT
from dev.pins import cached, pins
from dev.shell import run_logged
from dev.ui import Step

PLAYER = ROOT / "tests" / "integration" / "player"
MINTER = ROOT / "tests" / "integration" / "minter"
SUPABASE = ROOT / "tests" / "supabase"
CDN = ROOT / "cdn"

# wrangler asks nobody anything: it only bundles here.
QUIET = {"WRANGLER_SEND_METRICS": "false", "CLOUDFLARE_CF_FETCH_ENABLED": "false"}


def install(folder: Path, title: str, log: Path) -> None:
    with Step(title):
        done = folder / "node_modules" / ".package-lock.json"
        locked = folder / "package-lock.json"
        if not done.is_file() or done.stat().st_mtime < locked.stat().st_mtime:
            run_logged(["npm", "ci", "--no-audit", "--no-fund"], log, cwd=folder)
            done.touch()


def player(log: Path) -> None:
    install(PLAYER, "browser player (hls.js)", log)


def minter(log: Path) -> None:
    install(MINTER, "token minter (jose)", log)


def supabase(log: Path) -> None:
    install(SUPABASE, "supabase-js", log)


def worker(log: Path) -> None:
    """The CDN's Worker: its tools, and its bundle as it is deployed (cdn/dist)."""
    install(CDN, "tools of the CDN's Worker (wrangler, workerd)", log)
    with Step("bundle of the CDN's Worker"):
        run_logged(["npm", "run", "build"], log, cwd=CDN, env=environment(log))


def environment(log: Path) -> Mapping[str, str]:
    """For programs of cdn/: with a Node that is new enough first in PATH."""
    folder = newer_node(log)
    path = os.environ.get("PATH", "")
    return {**QUIET, "PATH": path if folder is None else f"{folder}{os.pathsep}{path}"}


def newer_node(log: Path) -> Path | None:
    """The folder of a Node from the cache; None when the one in PATH will do. Debian's is too old."""
    pinned = pins()["node"]
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", done.stdout)
    wanted = tuple(int(part) for part in pinned["minimum"].split("."))
    if found and (int(found[1]), int(found[2])) >= wanted:
        return None

    def fetch(folder: Path) -> None:
        what = f"{pinned['package']}@{pinned['version']}"
        run_logged(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), what], log)

    with Step(f"Node {pinned['version']}"):
        place = cached(f"node-{pinned['version']}", fetch)
    return place / "node_modules" / pinned["package"] / "bin"

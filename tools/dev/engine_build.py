# SPDX-License-Identifier: Apache-2.0
"""Builds the engine (MediaMTX) from its pinned Go module."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from dev import packages
from dev.pins import cached, pins, short_hash
from dev.shell import run_logged
from dev.ui import DevError

# Its own player is not used; the file only has to exist for the module to compile.
PLAYER = Path("internal/servers/hls/hls.min.js")
VERSION = Path("internal/core/VERSION")
CAMERA_STUB = Path("internal/staticsources/rpicamera/mtxrpicam_64/unused")


def engine(log: Path) -> Path:
    """The engine's binary. Made once for a version; its licence lies beside it."""
    pin = pins()["mediamtx"]

    def make(folder: Path) -> None:
        go = find_go(log)
        source = folder / "source"
        shutil.copytree(download(go, log), source)
        for path in [source, *source.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        (source / VERSION).write_text(pin["version"])
        (source / PLAYER).write_text("/* not used */\n")
        (source / CAMERA_STUB).parent.mkdir(parents=True, exist_ok=True)
        (source / CAMERA_STUB).write_text("")
        argv = [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"]
        run_logged([*argv, "-o", str(folder / "mediamtx"), "."], log, cwd=source, env=go_env())
        shutil.copy(source / "LICENSE", folder / "LICENSE")
        shutil.rmtree(source)

    hashed = short_hash(pin["module"], pin["sum"], pins()["go"]["toolchain"])
    return cached(f"mediamtx-{pin['version']}-{hashed}", make) / "mediamtx"


def go_env() -> dict[str, str]:
    """Some machines preset these; the build is the same everywhere only when they are ours."""
    return {
        "CGO_ENABLED": "0",
        "GOFLAGS": "",
        "GOTOOLCHAIN": pins()["go"]["toolchain"],
        "GOWORK": "off",
    }


def download(go: str, log: Path) -> Path:
    """Fetches the module (Go verifies it) and compares its checksum with ours."""
    pin = pins()["mediamtx"]
    argv = ["env", *(f"{name}={value}" for name, value in go_env().items())]
    argv += [go, "mod", "download", "-json", f"{pin['module']}@{pin['version']}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")
    with log.open("a") as file:
        file.write(done.stdout + done.stderr)
    if done.returncode != 0:
        raise DevError(f"{pin['module']} {pin['version']} cannot be downloaded", log)
    told = json.loads(done.stdout)
    if told["Sum"] != pin["sum"]:
        raise DevError(f"{pin['module']} has checksum {told['Sum']}, not the pinned {pin['sum']}")
    return Path(told["Dir"])


def find_go(log: Path) -> str:
    pin = pins()["go"]
    for candidate in ("go", pin["backport_path"]):
        if new_enough(candidate, pin["minimum"]):
            return str(candidate)
    packages.require_debian()
    packages.ensure_backports(log)
    packages.install([pin["backport"]], log, release=f"{pins()['debian']['release']}-backports")
    if not new_enough(pin["backport_path"], pin["minimum"]):
        raise DevError(f"{pin['backport']} brought no Go {pin['minimum']} or newer", log)
    return str(pin["backport_path"])


def new_enough(go: str, minimum: str) -> bool:
    if shutil.which(go) is None:
        return False
    done = subprocess.run([go, "version"], capture_output=True, text=True, check=False)
    found = re.search(r"go(\d+)\.(\d+)", done.stdout)
    if found is None:
        return False
    wanted = tuple(int(part) for part in minimum.split("."))
    return (int(found.group(1)), int(found.group(2))) >= wanted

# SPDX-License-Identifier: Apache-2.0
"""Compiles Weir with its CMake presets, each into `build/<preset>`."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.instance import ROOT
from dev.shell import run_logged
from dev.ui import Step

DAEMONS = {
    "weir-api": "api/weir-api",
    "weir-scheduler": "scheduler/weir-scheduler",
    "weir-worker": "worker/weir-worker",
    "weir-tap": "worker/tap/weir-tap",
    "weir-origin": "worker/origin/weir-origin",
    "weir-still": "worker/still/weir-still",
    "weir-decode": "worker/decode/weir-decode",
    "weir-xcode": "worker/xcode/weir-xcode",
    "weir-xcode-ffmpeg": "worker/xcode/cli/weir-xcode-ffmpeg",
    "weir-encprobe": "worker/xcode/weir-encprobe",
    "weir-reaper": "reaper/weir-reaper",
    "weir-audit": "audit/weir-audit",
    "weir-tally": "tally/weir-tally",
    "weirctl": "weirctl/weirctl",
    "weir-testcamera": "tests/camera/weir-testcamera",
    "weir-fakeencoder": "tests/encoder/weir-fakeencoder.so",
    "weir-linkproxy": "tests/faults/weir-linkproxy",
    "weir-linkshim": "tests/faults/weir-linkshim.so",
}


def other_build() -> Path | None:
    """`WEIR_TEST_BUILD`: a folder with programs built otherwise (sanitizers), to be run as they are."""
    named = os.environ.get("WEIR_TEST_BUILD")
    return Path(named).resolve() if named else None


def folder(preset: str) -> Path:
    return ROOT / "build" / preset


def binary(program: str, preset: str = "release") -> Path:
    return (other_build() or folder(preset)) / DAEMONS[program]


def compile_preset(preset: str, log: Path, targets: Sequence[str] = ()) -> Path:
    """Configures once and builds; a build with nothing to do takes a fraction of a second."""
    with Step(f"build {preset}"):
        place = folder(preset)
        with locked(preset):
            configure_and_build(preset, place, log, targets)
        return place


@contextlib.contextmanager
def locked(preset: str) -> Iterator[None]:
    """Two builds in one folder at once break each other's files; the second one waits."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / f".{preset}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def configure_and_build(preset: str, place: Path, log: Path, targets: Sequence[str]) -> None:
    if not (place / "build.ninja").is_file():
        run_logged(["cmake", "--preset", preset, "-B", str(place)], log, cwd=ROOT)
    argv = ["cmake", "--build", str(place), "-j", str(os.cpu_count() or 2)]
    if targets:
        argv += ["--target", *targets]
    run_logged(argv, log, cwd=ROOT)


def compile_daemons(log: Path) -> None:
    if other_build() is None:
        compile_preset("release", log, tuple(DAEMONS))

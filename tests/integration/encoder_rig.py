# SPDX-License-Identifier: Apache-2.0
"""Engines that encode in hardware, played by libx264 (tests/encoder/fake_encoder.c)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tap_rig import BUILD, XCODE

ENCPROBE = BUILD / "worker" / "xcode" / "weir-encprobe"
FAKE = BUILD / "tests" / "encoder" / "weir-fakeencoder.so"


def environment(encoders: str, sessions: int = 8) -> dict[str, str]:
    return {"LD_PRELOAD": str(FAKE), "WEIR_FAKE_ENCODERS": encoders, "WEIR_FAKE_SESSIONS": str(sessions)}


def wrapped(folder: Path, program: Path, encoders: str, sessions: int = 8) -> Path:
    """The program, with engines: its parent gives it no environment."""
    script = folder / program.name
    told = " ".join(f"{name}='{value}'" for name, value in environment(encoders, sessions).items())
    # Written beside and moved there: it may be running.
    fresh = folder / f"{program.name}.new"
    fresh.write_text(f'#!/bin/sh\n{told} exec {program} "$@"\n')
    fresh.chmod(0o755)
    fresh.rename(script)
    return script


def xcode(folder: Path, encoders: str) -> Path:
    return wrapped(folder, XCODE, encoders)


def probe(*engines: str, encoders: str = "", sessions: int = 8) -> list[dict[str, Any]]:
    made = subprocess.run([ENCPROBE, *engines], env={**os.environ, **environment(encoders, sessions)},
                          capture_output=True, check=True, timeout=120)  # fmt: skip
    return [json.loads(line) for line in made.stdout.splitlines()]

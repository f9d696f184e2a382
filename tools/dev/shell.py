# SPDX-License-Identifier: Apache-2.0
"""Runs other programs: quietly into a log, or for their output."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.ui import DevError


def run_logged(
    argv: Sequence[str],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Runs `argv` with all output appended to `log`; a failure names the program and the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"$ {shorten(argv)}\n".encode())
        output.flush()
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                check=False,
            )
        except FileNotFoundError as error:
            raise DevError(f"{argv[0]} is not installed") from error
    if done.returncode != 0:
        raise DevError(f"{Path(argv[0]).name} failed (exit code {done.returncode})", log)


def output_of(
    argv: Sequence[str], *, feed: bytes | None = None, env: Mapping[str, str] | None = None
) -> bytes:
    """Runs `argv` and returns what it prints; `feed` is its standard input."""
    whole = {**os.environ, **(env or {})}
    try:
        done = subprocess.run(argv, input=feed, capture_output=True, check=False, env=whole)
    except FileNotFoundError as error:
        raise DevError(f"{argv[0]} is not installed") from error
    if done.returncode != 0:
        why = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise DevError(f"{argv[0]} failed (exit code {done.returncode}): {why}")
    return done.stdout


def shorten(argv: Sequence[str]) -> str:
    """A command line for a log: a class path is of no interest there."""
    return " ".join(part if len(part) <= 200 else part[:200] + "..." for part in argv)

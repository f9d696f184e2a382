# SPDX-License-Identifier: Apache-2.0
"""Processes of one instance: found by what `./dev` wrote down, never by a name alone."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def pid_of(home: Path, name: str) -> int:
    """Of a process as `./dev status` names it ("worker-1")."""
    return int(json.loads((home / "pid" / f"{name}.json").read_text())["pid"])


def stat_of(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; [] when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    fields = stat_of(pid)
    return bool(fields) and fields[0] not in "ZX"


def program_of(pid: int) -> str:
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return Path(argv[0].decode()).name
    except (OSError, UnicodeDecodeError):
        return ""


def family(pid: int) -> list[int]:
    """The process and all that descend from it, the oldest first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        fields = stat_of(int(entry.name)) if entry.name.isdigit() else []
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def children(home: Path, name: str, program: str) -> list[int]:
    """Those below the process `name` that run `program`: all engines of a worker, say."""
    return [pid for pid in family(pid_of(home, name))[1:] if program_of(pid) == program]


def tell(pids: Iterable[int], what: signal.Signals) -> None:
    """Signals all that are still there."""
    for pid in pids:
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            continue


def kill(pids: Iterable[int], seconds: float = 10) -> None:
    """kill -9, and waits until they are gone (or wait for their parent)."""
    doomed = list(pids)
    tell(doomed, signal.SIGKILL)
    deadline = time.monotonic() + seconds
    while any(is_alive(pid) for pid in doomed) and time.monotonic() < deadline:
        time.sleep(0.01)


def is_stopped(pid: int) -> bool:
    return stat_of(pid)[:1] == ["T"]


@contextmanager
def paused(pids: Iterable[int]) -> Iterator[None]:
    """Stopped (SIGSTOP) inside of the block; they go on at its end, whatever happened in it."""
    chosen = list(pids)
    tell(chosen, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 5
        while not all(is_stopped(pid) or not is_alive(pid) for pid in chosen):
            assert time.monotonic() < deadline, "SIGSTOP has no effect"
            time.sleep(0.01)
        yield
    finally:
        tell(chosen, signal.SIGCONT)

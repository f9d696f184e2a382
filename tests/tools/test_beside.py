# SPDX-License-Identifier: Apache-2.0
"""What runs beside the tests takes nothing from them, and does not outlive them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dev.beside import Beside


def lines(log: Path, n: int) -> list[str]:
    """The log's lines once there are `n`."""
    deadline = time.monotonic() + 60
    while len(found := log.read_text().splitlines()) < n:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def is_gone(pid: int) -> bool:
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True
    return state == "Z"


def test_its_output_and_its_exit_code_are_told(tmp_path: Path) -> None:
    made = Beside(["sh", "-c", "echo out; echo err >&2; exit 3"], tmp_path / "log")
    assert made.wait() == 3
    assert sorted(lines(tmp_path / "log", 2)) == ["err", "out"]
    made.end()


def test_it_and_its_children_run_when_nobody_else_wants_to_and_end_together(tmp_path: Path) -> None:
    made = Beside(["sh", "-c", "sleep 600 & echo $!; echo $$; wait"], tmp_path / "log")
    child, shell = (int(line) for line in lines(tmp_path / "log", 2))
    for pid in (child, shell):
        assert os.sched_getscheduler(pid) == os.SCHED_IDLE
        assert os.getsid(pid) != os.getsid(0)
    made.end()
    deadline = time.monotonic() + 60
    while not (is_gone(child) and is_gone(shell)):
        assert time.monotonic() < deadline
        time.sleep(0.02)

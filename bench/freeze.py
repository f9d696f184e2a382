# SPDX-License-Identifier: Apache-2.0
"""What a viewer sees when a part dies: the longest time without a new picture, in a real browser.

hls.js in headless Chromium, one page with several players, no reload, the same URL; the means are
those of the survival tests (tests/integration/survival.py), which also demand that no fatal error
comes and no sequence goes back. A player that its fault does not touch is not counted.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path

from common.report import Report
from common.samples import median, quantile
from conftest import free_port_base
from stack import wait_for
from survival import Scene, scene

PLAYERS = ("yard", "gate", "hall")
REPEATS = 3
WORKER_REPEATS = 3
DRAINS = 2
SEGMENT_S = 1.0


def told(values: list[float]) -> str:
    return f"median {median(values):.2f}, worst {max(values):.2f} s (n {len(values)})"


def over(cell: Scene, program: str) -> list[float]:
    found: list[float] = []
    for _ in range(REPEATS):
        cell.heal()
        with cell.watching.over(f"{program} killed", limit_s=60) as fault:
            cell.stack.kill(program)
        found += fault.freezes.values()
    return found


def on_worker(cell: Scene, worker: str) -> list[str]:
    return [name for name in cell.streams if cell.worker_of(name) == worker]


def worker_killed(cell: Scene) -> list[float]:
    found: list[float] = []
    for _ in range(WORKER_REPEATS):
        cell.heal()
        worker = cell.worker_of("yard")
        touched = on_worker(cell, worker)
        with cell.watching.over("worker killed", touched, limit_s=90) as fault:
            cell.kill(worker, signal.SIGKILL)
        found += fault.freezes.values()
    return found


def drained(cell: Scene) -> list[float]:
    found: list[float] = []
    for _ in range(DRAINS):
        cell.heal()
        worker_id = str(cell.stream("yard")["worker_id"])
        touched = on_worker(cell, cell.worker_of("yard"))

        def state(worker_id: str = worker_id) -> str:
            items = cell.user.call("GET", "/v1/workers").expect(200).json["items"]
            return str(next(item["state"] for item in items if item["id"] == worker_id))

        with cell.watching.over("worker drained", touched, limit_s=90) as fault:
            cell.stack.weirctl("worker", "drain", f"--worker={worker_id}").check_returncode()
            wait_for("the worker is empty", lambda state=state: state() == "drained", 90)
        found += fault.freezes.values()
        cell.stack.weirctl("worker", "undrain", f"--worker={worker_id}").check_returncode()
        wait_for("the worker is ready", lambda state=state: state() == "ready", 60)
    return found


def main() -> int:
    report = Report("freeze")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
        with scene(Path(scratch) / "home", free_port_base(), workers=2) as cell:
            for name in PLAYERS:
                cell.add(name)
            for part, program in (("engine", "mediamtx"), ("tap", "weir-tap"),
                                  ("origin", "weir-origin")):  # fmt: skip
                values = over(cell, program)
                report.keep(f"{part}_s", values)
                report.at_most(f"freeze, {part} killed, median", 1.5, median(values), "s",
                               told(values))  # fmt: skip
            values = worker_killed(cell)
            report.keep("worker_s", values)
            report.at_most("freeze, worker killed, p95", 8, quantile(values, 0.95), "s",
                           told(values))  # fmt: skip
            values = drained(cell)
            report.keep("drain_s", values)
            report.at_most("freeze, worker drained, worst", SEGMENT_S, max(values), "s",
                           told(values))  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

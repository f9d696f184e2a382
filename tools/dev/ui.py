# SPDX-License-Identifier: Apache-2.0
"""What the developer sees: progress, and errors that say which step, why, and where to read."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

_print_lock = threading.Lock()


class DevError(Exception):
    """A failure that the developer can act on. `log` is the file that tells more."""

    def __init__(self, why: str, log: Path | None = None) -> None:
        super().__init__(why)
        self.log = log
        self.step: str | None = None


def say(line: str = "") -> None:
    with _print_lock:
        print(line, flush=True)


def complain(line: str) -> None:
    with _print_lock:
        print(line, file=sys.stderr, flush=True)


class Step:
    """One line of progress: `with Step("kafka") as step: ...; step.note = "port 18003"`.

    Steps run in parallel too, so each prints whole lines: one when it takes noticeable time,
    one when it is done. A failing step names itself in the DevError that leaves it.
    """

    def __init__(self, name: str, quiet_s: float = 1.0) -> None:
        self.name = name
        self.note = ""
        self._timer = threading.Timer(quiet_s, self._announce)
        self._timer.daemon = True
        self._since = 0.0

    def _announce(self) -> None:
        say(f"  ... {self.name}")

    def __enter__(self) -> Step:
        self._since = time.monotonic()
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        took = time.monotonic() - self._since
        if error is None:
            note = f"  {self.note}" if self.note else ""
            say(f"  ok  {self.name}{note}" + (f"  ({took:.1f} s)" if took >= 0.1 else ""))
        elif isinstance(error, DevError) and error.step is None:
            error.step = self.name


def report(error: DevError) -> None:
    """Prints a failure: the step, the reason, the end of its log, and the log's place."""
    complain(f"FAILED  {error.step}: {error}" if error.step else f"FAILED  {error}")
    if error.log is None:
        return
    for line in tail(error.log, 12):
        complain(f"    | {line}")
    complain(f"    log: {error.log}")


def tail(path: Path, lines: int) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 32768))
            return file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return []


def together(*jobs: Callable[[], Any]) -> None:
    """Runs the jobs in parallel and waits for all. The first failure is raised, the rest told."""
    with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
        futures = [pool.submit(job) for job in jobs]
    failures = [error for error in (future.exception() for future in futures) if error is not None]
    for error in failures[1:]:
        if isinstance(error, DevError):
            report(error)
    if failures:
        raise failures[0]

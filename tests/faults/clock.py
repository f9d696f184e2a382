# SPDX-License-Identifier: Apache-2.0
"""The wall clock of one daemon, wrong by as much as wanted, by libfaketime; the machine's stays right.

    clock = Clock(home, "scheduler")     # before the daemon starts
    ... ./dev up ...
    with clock.off_by(3600):
        ...

Only the wall clock jumps: CLOCK_MONOTONIC and CLOCK_BOOTTIME go on, as they do when a machine's
time is set. A wait that librdkafka began before the jump ends when it would have ended without
one. Children that are started with a clean environment (a worker's) keep the right time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults import settings

LIBRARY = "faketime/libfaketime.so.1"

# The file is read again this often; a call for the time in between costs almost nothing. libfaketime
# counts whole seconds and wants one more.
CACHED_S = 1
SEEN_S = CACHED_S + 1.1


def library() -> Path:
    found = sorted(Path("/usr/lib").glob(f"*/{LIBRARY}"))
    assert found, "libfaketime is not installed (Debian package faketime)"
    return found[0]


class Clock:
    def __init__(self, home: Path, name: str) -> None:
        self.file = home / "local" / f"{name}.clock"
        settings.add(home, name, self.overrides())
        self.set(0)

    def overrides(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": str(CACHED_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, offset_s: int) -> None:
        """From at most SEEN_S on the daemon's clock is off by this."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{offset_s:+d}\n")
        new.replace(self.file)

    def close(self) -> None:
        """Removes what libfaketime leaves in /dev/shm when its process is killed."""
        for path in Path("/dev/shm").glob("*faketime_*_*"):
            pid = path.name.rpartition("_")[2]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                path.unlink(missing_ok=True)

    @contextmanager
    def off_by(self, offset_s: int) -> Iterator[None]:
        """Wrong inside of the block, for the whole of it."""
        try:
            self.set(offset_s)
            time.sleep(SEEN_S)
            yield
        finally:
            self.set(0)
            time.sleep(SEEN_S)

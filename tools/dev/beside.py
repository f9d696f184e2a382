# SPDX-License-Identifier: Apache-2.0
"""Work for the gaps that everything else leaves."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

# Where the kernel shares processors between sessions first, a session's nice value counts.
LEAST = "19"


class Beside:
    """A program with its children that runs while nobody else wants a processor."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["chrt", "--idle", "0", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with suppress(OSError):
            Path(f"/proc/{self.process.pid}/autogroup").write_text(LEAST)

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait()

    def end(self) -> None:
        """Kills it with its children if it still runs."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

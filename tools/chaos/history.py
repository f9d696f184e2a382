# SPDX-License-Identifier: Apache-2.0
"""The history of a run: one JSON object a line, in the order in which things were known.

Every line has `t` (seconds since the run's start, monotonic) and `what`:

    invoke ok fail unknown   an attempt of a command, by `op` and `attempt`
    seen                     a playlist as a watching client got it
    fault healed             what was broken, and mended
    unwell                   a process that is not ready long after the last fault
    note                     anything else, for people
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any


class History:
    def __init__(self, path: Path) -> None:
        self.since = time.monotonic()
        self._lock = threading.Lock()
        self._file = path.open("w", buffering=1)

    def now(self) -> float:
        return time.monotonic() - self.since

    def add(self, what: str, **fields: Any) -> None:
        with self._lock:
            line = {"t": round(self.now(), 3), "what": what, **fields}
            self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        with self._lock:
            self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]

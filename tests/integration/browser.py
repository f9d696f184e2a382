# SPDX-License-Identifier: Apache-2.0
"""A viewer's browser: hls.js in Chromium (player/), started in the background and judged at the end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

PLAYER = Path(__file__).resolve().parent / "player"


class Browser:
    """Plays `url` for `seconds`; the URL travels on standard input, for it holds a ticket."""

    def __init__(self, url: str, seconds: float, **options: Any) -> None:
        self.process = subprocess.Popen(
            ["node", str(PLAYER / "play.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.seconds = seconds
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"url": url, "seconds": seconds, "options": options}))
        self.process.stdin.close()
        self.process.stdin = None

    def end(self) -> dict[str, Any]:
        """Waits until the time is over; returns the summary (see play.mjs)."""
        out, err = self.process.communicate(timeout=self.seconds + 30)
        assert self.process.returncode == 0, f"{err}\n{out[-1000:]}"
        return dict(json.loads(out.splitlines()[-1])["summary"])

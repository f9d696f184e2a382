# SPDX-License-Identifier: Apache-2.0
"""When others would notice that a camera stands still: their rules, re-stated, over the times at which
an ffmpeg of the bench's own got packets from the same camera.

Kerberos Agent (machinery/src/components/Kerberos.go, ControlAgent): every 5 s the number of packets
is compared with the one before; once it was the same three times in a row, the agent is restarted.
Frigate (frigate/video.py, CameraWatchdog): every second, whether the last frame is more than 20 s old;
then its ffmpeg is restarted. Both count frames that arrive, so a frozen picture is none of their faults.
"""

from __future__ import annotations

import bisect
import subprocess
import threading
import time
from collections.abc import Sequence

KERBEROS_POLL_S, KERBEROS_EQUAL = 5.0, 3
FRIGATE_LOOP_S, FRIGATE_AFTER_S = 1.0, 20.0


def kerberos_finds(arrivals: Sequence[float], begin: float, until: float) -> float | None:
    """When the rule fires that polls at `begin` and every 5 s from there; None: not before `until`."""
    before, n_equal, at = -1, 0, begin
    while at <= until:
        now = bisect.bisect_right(arrivals, at)
        n_equal = n_equal + 1 if now == before else 0
        if n_equal == KERBEROS_EQUAL:
            return at
        before = now
        at += KERBEROS_POLL_S
    return None


def frigate_finds(arrivals: Sequence[float], begin: float, until: float) -> float | None:
    at = begin
    while at <= until:
        n = bisect.bisect_right(arrivals, at)
        last = arrivals[n - 1] if n > 0 else begin
        if at - last > FRIGATE_AFTER_S:
            return at
        at += FRIGATE_LOOP_S
    return None


class Reader:
    """An ffmpeg that takes the camera's packets and does nothing else; when each came."""

    def __init__(self, url: str) -> None:
        self.began = time.monotonic()
        self.arrivals: list[float] = []
        self.process = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-map", "0:v",
             "-c", "copy", "-flush_packets", "1", "-f", "framecrc", "-"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if not line.startswith(b"#"):
                self.arrivals.append(time.monotonic())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

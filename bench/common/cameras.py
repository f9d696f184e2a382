# SPDX-License-Identifier: Apache-2.0
"""Several test cameras, so that none of them is what limits a benchmark with many streams."""

from __future__ import annotations

import atexit
import itertools
from pathlib import Path

from tap_rig import Camera

N = 5


class Cameras:
    """`next_url()` goes round; every camera has the same options."""

    def __init__(self, folder: Path, *options: str, n: int = N) -> None:
        self.cameras = [Camera(folder / f"camera{i}", *options) for i in range(n)]
        atexit.register(self.close)  # a benchmark that is ended leaves none behind
        self.turn = itertools.cycle(camera.url for camera in self.cameras)

    def next_url(self) -> str:
        return next(self.turn)

    def close(self) -> None:
        for camera in self.cameras:
            camera.kill()

# SPDX-License-Identifier: Apache-2.0
"""A worker beside one `ffmpeg -c copy` for each camera: the same cameras, the same number of times,
at the same time; what each side takes of CPU and memory.

    costs = beside(32, begin, check)      begin: makes ours of that many cameras
                                          check: that both sides did what they were measured at
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.alternative import Copies
from common.cameras import Cameras
from common.picture import pictures, wait_playlist
from common.process import cpu_us_of, folder_bytes, pss_bytes
from common.rig import Rig, rig
from common.samples import median

PICTURE = ("--noise", "--bitrate", "1400", "--fps", "25", "--gop", "25")
MBPS_LEAST, MBPS_MOST = 1.35, 1.75
FILL_S = 14  # a whole ring, and a whole playlist
WINDOWS = 5
WINDOW_S = 4.0
COPIES_S = 240  # until every ffmpeg has a playlist
TMPFS = Path("/dev/shm")


@dataclass
class Costs:
    """Of all cameras together; ours is the whole worker with all its children."""

    n: int
    cpu: list[float]  # percent of a core, a window each
    cpu_copies: list[float]
    memory: int  # bytes, what lies on tmpfs included
    memory_copies: int
    mbps: float  # of a camera

    @property
    def cpu_each(self) -> tuple[float, float]:
        return median(self.cpu) / self.n, median(self.cpu_copies) / self.n

    @property
    def mb_each(self) -> tuple[float, float]:
        return self.memory / self.n / 1e6, self.memory_copies / self.n / 1e6


def beside(
    n: int,
    begin: Callable[[Rig, Cameras], list[str]],
    check: Callable[[Rig, list[str], Path], None],
    **settings: dict[str, str],
) -> Costs:
    """`check` gets what `begin` returned, and the folder of the copies, one below it for each."""
    with tempfile.TemporaryDirectory(prefix="weir-bench-", dir=TMPFS) as scratch:
        cameras = Cameras(Path(scratch), *PICTURE, n=2)
        with rig(1, **settings) as made:
            ids = begin(made, cameras)
            copies = Copies(Path(scratch) / "copies", [cameras.next_url() for _ in range(n)])
            try:
                costs = measured(made, copies)
                check(made, ids, copies.folder)
            finally:
                copies.close()
        cameras.close()
    return costs


def measured(made: Rig, copies: Copies) -> Costs:
    copies.wait(COPIES_S)
    time.sleep(FILL_S)
    ours = made.tree("worker-0")
    cpu, cpu_copies = windows(ours, copies.pids)
    segments = made.instance.segments / "worker-0"
    costs = Costs(
        copies.n, cpu, cpu_copies,
        sum(pss_bytes(pid) for pid in ours) + folder_bytes(segments),
        sum(pss_bytes(pid) for pid in copies.pids) + folder_bytes(copies.folder),
        rate_mbps(copies.folder / "0"),
    )  # fmt: skip
    assert MBPS_LEAST < costs.mbps < MBPS_MOST, f"the camera sends {costs.mbps:.2f} Mb/s"
    assert sorted(made.tree("worker-0")) == sorted(ours), "no process was replaced"
    return costs


def windows(ours: list[int], theirs: list[int]) -> tuple[list[float], list[float]]:
    """Percent of a core of each side, a window each, measured over the same time."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(WINDOWS):
        before = [cpu_us_of(side) for side in (ours, theirs)]
        began = time.monotonic()
        time.sleep(WINDOW_S)
        spent = [cpu_us_of(side) - first for side, first in zip((ours, theirs), before)]
        wall_us = (time.monotonic() - began) * 1e6
        for side, us in zip(found, spent):
            side.append(us / wall_us * 100)
    return found


def rate_mbps(folder: Path) -> float:
    """What the camera really sends, by the segments that a playlist names."""
    text = (folder / "index.m3u8").read_text()
    names = [line for line in text.splitlines() if line and not line.startswith("#")]
    seconds = sum(float(found) for found in re.findall(r"#EXTINF:([0-9.]+)", text))
    return sum((folder / name).stat().st_size for name in names) * 8 / seconds / 1e6


def plays(made: Rig, stream: str) -> bool:
    """A first playlist comes, and its newest segment decodes."""
    api, gateway = made.connect(), made.gateway()
    ticket = api.call("POST", f"/v1/streams/{stream}/tickets").expect(200, 201)
    media = wait_playlist(gateway, str(ticket.json["url"]))
    return len(pictures(gateway, media)) == 1

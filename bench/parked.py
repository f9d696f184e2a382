# SPDX-License-Identifier: Apache-2.0
"""A picture of now, asked for once a second: with the decoder parked behind the last one, and anew.

One 1080p25 camera of 4 Mb/s at a time, with a keyframe every two and every four seconds, in one ring.
Two weir-still are asked about the same moment in turn, each in turn first: one keeps its decoder where
the last picture ended (WEIR_STILL_PARK_S, as it is by default), the other one begins at the keyframe
each time. The moment is a tenth of a second ago, so that nobody waits for a frame.

Both get slower the longer the keyframe is ago, so what is compared are medians of the same moments.

Checked: both show the same frame, and every byte of the two images is the same.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from common.keepalive import ms_since
from common.process import cpu_us_of
from common.report import Report
from common.samples import median, told
from still_rig import Still
from tap_rig import Camera, Tap, wait_until

FPS = 25
ROUNDS = int(os.environ.get("WEIR_BENCH_ROUNDS") or 50)
EVERY_S = 1.02  # so that it wanders through the group
BEHIND_US = 100_000
# Seconds between keyframes, and how many times as fast it is to be.
GOPS = ((2, 1.1), (4, 1.5))
SIDES = ("parked", "anew")


class Side:
    def __init__(self, folder: Path, clips: Path, park_s: int) -> None:
        self.still = Still(folder, clips, WEIR_STILL_PARK_S=str(park_s), WEIR_STILL_CACHE_MIB="0")
        self.took_ms: list[float] = []
        self.cpu_ms: list[float] = []

    def take(self, camera_id: str, at_us: int) -> tuple[int, bytes]:
        pids = [self.still.process.pid, *self.still.decoders()]
        before, began = cpu_us_of(pids), time.monotonic()
        picture = self.still.take(camera_id, at_us, format="jpeg", tolerance_us=40_000)
        took_ms = ms_since(began)
        if picture.status != 200:
            return 0, b""
        assert not picture.head["is_damaged"]
        self.took_ms.append(took_ms)
        self.cpu_ms.append((cpu_us_of(pids) - before) / 1000)
        return int(picture.head["ts"]), picture.image


def ask(camera_id: str, sides: dict[str, Side]) -> None:
    """Each moment counts for both, or for none."""
    for i in range(ROUNDS):
        began = time.monotonic()
        at_us = time.time_ns() // 1000 - BEHIND_US
        order = SIDES if i % 2 == 0 else SIDES[::-1]
        found = {name: sides[name].take(camera_id, at_us) for name in order}
        parked, anew = found["parked"], found["anew"]
        if parked[0] == 0 or parked[0] != anew[0]:
            for name in SIDES:
                if found[name][0]:  # the camera lost a frame here
                    sides[name].took_ms.pop()
                    sides[name].cpu_ms.pop()
        else:
            assert parked[1] == anew[1], "two pictures of one frame differ"
        time.sleep(max(0.0, began + EVERY_S - time.monotonic()))


def measure(report: Report, scratch: Path, gop_s: int, target: float) -> None:
    options = ("--size", "1920x1080", "--fps", str(FPS), "--gop", str(FPS * gop_s), "--bitrate", "4000")
    with contextlib.ExitStack() as ends:
        camera = Camera(scratch / f"camera{gop_s}", *options)
        ends.callback(camera.kill)
        assert camera.process is not None
        with contextlib.suppress(PermissionError):  # it shares no processor with who asks
            os.setpriority(os.PRIO_PROCESS, camera.process.pid, -10)
        clips = scratch / f"clips{gop_s}.sock"
        tap = Tap(scratch / f"tap{gop_s}", WEIR_TAP_CLIP_SOCKET=str(clips))
        ends.callback(tap.close)
        sides = {name: Side(scratch / f"{name}{gop_s}", clips, 10 if name == "parked" else 0)
                 for name in SIDES}  # fmt: skip
        for side in sides.values():
            ends.callback(side.still.close)
        camera_id = tap.camera(camera.url)

        def is_up() -> bool:
            at_us = time.time_ns() // 1000 - BEHIND_US
            return sides["anew"].still.take(camera_id, at_us, tolerance_us=40_000).status == 200

        wait_until("pictures", is_up, 60)
        time.sleep(gop_s)
        ask(camera_id, sides)
        stats = sides["parked"].still.counted()
        assert sides["anew"].still.counted()["gone_on"] == 0
    parked, anew = sides["parked"], sides["anew"]
    n = len(parked.took_ms)
    assert n > ROUNDS / 2, f"the camera hardly sends: {n} moments of {ROUNDS}"
    for name, side in sides.items():
        report.keep(f"{name}_gop_{gop_s}_ms", side.took_ms)
        report.keep(f"{name}_gop_{gop_s}_cpu_ms", side.cpu_ms)
    mean_cpu = {name: sum(side.cpu_ms) / n for name, side in sides.items()}
    report.at_least(
        f"a picture of now once a second, GOP {gop_s} s, decoder parked: times as fast, median", target,
        median(anew.took_ms) / median(parked.took_ms), "x",
        f"{n} moments, {stats['gone_on']} gone on with; parked {told(parked.took_ms)}; "
        f"anew {told(anew.took_ms)}; processor a picture, mean: {mean_cpu['parked']:.0f} ms against "
        f"{mean_cpu['anew']:.0f} ms",
    )  # fmt: skip
    report.at_least(
        f"the same, GOP {gop_s} s: processor for a picture, mean", target,
        mean_cpu["anew"] / mean_cpu["parked"], "x", "of weir-still and its decoders",
    )  # fmt: skip


def main() -> int:
    report = Report("parked")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
        for gop_s, target in GOPS:
            measure(report, Path(scratch), gop_s, target)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

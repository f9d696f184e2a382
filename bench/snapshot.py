# SPDX-License-Identifier: Apache-2.0
"""A picture of a moment, against one FFmpeg run for each picture.

One 1080p camera with a keyframe every two seconds. Ours is `GET /v1/cameras/{id}/snapshot` with a
random time of the last eight seconds, exact and nearest keyframe; FFmpeg reads it by RTSP (from a
MediaMTX that has it already) and writes the first frame it gets, as its users do it, with its defaults
and with its probing cut down. It can name no time, so it has the easier task. All in turn, over and
over. The picture is one that two encoders beside all this can keep up with. Pictures that were made are
not kept for who asks again (WEIR_STILL_CACHE_MIB=0), so that each of them is made.

- latency: one request after the other.
- throughput: four at a time, in the CPU time of everything that made them (tap, origin, decoders and
  api; the FFmpeg processes), as snapshots a second and core.

Checked: the clock that the camera draws into each of our pictures lies within half a frame and 5 ms of
the time asked for (exact), or is that of the frame that the answer names (all); each of FFmpeg's
pictures holds a clock of these minutes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common.keepalive import ms_since
from common.process import cpu_us_of
from common.report import Report
from common.rig import rig
from common.samples import median, quantile, told
from common.shots import FPS, GOP_S, LIMIT_MS, SETTINGS, Shots, begin, camera_of, drawn_ms
from stack import wait_for
from tap_rig import Engine

ROUNDS = int(os.environ.get("WEIR_BENCH_ROUNDS") or 100)
FFMPEG_EVERY = 10
AT_ONCE = 4
MANY = 48
TUNED = ("-probesize", "32", "-analyzeduration", "0", "-fflags", "nobuffer")


class Ours(Shots):
    def pids(self) -> list[int]:
        return [*self.made.tree("worker-0"), self.made.pid("api")]


def ffmpeg(url: str, flags: tuple[str, ...]) -> bytes:
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", *flags, "-i", url, "-frames:v",
         "1", "-q:v", "3", "-f", "image2pipe", "-c:v", "mjpeg", "-"],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def theirs(url: str, flags: tuple[str, ...]) -> float:
    began = time.monotonic()
    image = ffmpeg(url, flags)
    took_ms = ms_since(began)
    assert abs(drawn_ms(image) - time.time() * 1000) < 60000
    return took_ms


def cpu_of_children() -> float:
    """Seconds of CPU of processes that ended and were waited for."""
    used = os.times()
    return used.children_user + used.children_system


def many(one: Callable[[int], object]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(MANY)))


def per_core(ours: Ours, mode: str, idle_us_a_s: float) -> float:
    """Snapshots a second of CPU: what the worker uses without any is taken off."""
    free = [ours.made.connect() for _ in range(AT_ONCE)]
    pids = ours.pids()
    before, began = cpu_us_of(pids), time.monotonic()

    def one(_: int) -> None:
        connection = free.pop()
        ours.take(connection, mode)
        free.append(connection)

    many(one)
    used = cpu_us_of(pids) - before - idle_us_a_s * (time.monotonic() - began)
    return MANY / (used / 1e6)


def idle_us_a_s(ours: Ours) -> float:
    pids = ours.pids()
    before = cpu_us_of(pids)
    time.sleep(4)
    return (cpu_us_of(pids) - before) / 4


def ffmpeg_per_core(url: str) -> float:
    before = cpu_of_children()
    many(lambda _: ffmpeg(url, TUNED))
    return MANY / (cpu_of_children() - before)


def latency(report: Report, ours: Ours, url: str) -> None:
    took: dict[str, list[float]] = {"exact": [], "keyframe": [], "default": [], "tuned": []}
    api = ours.made.connect()
    for i in range(ROUNDS):
        took["exact"].append(ours.timed(api, "exact"))
        took["keyframe"].append(ours.timed(api, "keyframe"))
        if i % FFMPEG_EVERY == 0:
            took["default"].append(theirs(url, ()))
            took["tuned"].append(theirs(url, TUNED))
    for side, values in took.items():
        report.keep(f"{side}_ms", values)
    exact, keyframe = took["exact"], took["keyframe"]
    what = "exact snapshot, 1080p, GOP 2 s"
    report.at_most(f"{what}, median", 300, median(exact), "ms", told(exact))
    report.at_most(f"{what}, p99", 700, quantile(exact, 0.99), "ms")
    report.at_least(f"{what}, times as fast as ffmpeg", 10, median(took["default"]) / median(exact),
                    "x", f"ffmpeg {told(took['default'])}")  # fmt: skip
    report.at_least(f"{what}, times as fast as ffmpeg tuned", 5, median(took["tuned"]) / median(exact),
                    "x", f"ffmpeg {told(took['tuned'])}")  # fmt: skip
    report.at_most("its drawn clock against the time asked for, worst", LIMIT_MS, max(ours.errors), "ms",
                   f"{len(ours.errors)} pictures")  # fmt: skip
    report.at_most("keyframe snapshot, median", 50, median(keyframe), "ms", told(keyframe))


def throughput(report: Report, ours: Ours, url: str) -> None:
    idle = idle_us_a_s(ours)
    found: dict[str, list[float]] = {"exact": [], "keyframe": [], "ffmpeg": []}
    for _ in range(3):
        for mode in ("exact", "keyframe"):
            found[mode].append(per_core(ours, mode, idle))
        found["ffmpeg"].append(ffmpeg_per_core(url))
    for side, values in found.items():
        report.keep(f"{side}_per_core_s", values)
    peer = median(found["ffmpeg"])
    for mode, target in (("exact", 3), ("keyframe", 8)):
        report.at_least(f"{mode} snapshots a second and core, against ffmpeg tuned", target,
                        median(found[mode]) / peer, "x",
                        f"Weir {told(found[mode])}; ffmpeg {told(found['ffmpeg'])}")  # fmt: skip


@contextlib.contextmanager
def relay_of(folder: Path, url: str) -> Iterator[str]:
    """The camera as MediaMTX has it, for FFmpeg to read: the test camera encodes anew for each of its
    readers, which would be measured instead."""
    engine = Engine(folder)
    place = f"127.0.0.1:{engine.port}/live/camera"
    pusher = subprocess.Popen(
        ["ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", url, "-c", "copy", "-f",
         "rtsp", "-rtsp_transport", "tcp", f"rtsp://{engine.user}:{engine.password}@{place}"]
    )  # fmt: skip
    try:
        wait_for("the relay", lambda: has_ready(engine.api("/v3/paths/list")[1]), 60, 0.2)
        yield f"rtsp://{place}"
    finally:
        pusher.kill()
        pusher.wait()
        engine.kill()


def has_ready(paths: Any) -> bool:
    return any(path["ready"] for path in paths["items"])


def main() -> int:
    report = Report("snapshot")
    options = ("--size", "1920x1080", "--fps", str(FPS), "--gop", str(FPS * GOP_S), "--bitrate", "4000")
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch,
        rig(1, weir_api=SETTINGS, weir_worker={"WEIR_STILL_CACHE_MIB": "0"}) as made,
        camera_of(Path(scratch) / "camera", *options) as camera,
        relay_of(Path(scratch) / "relay", camera.url) as relay,
    ):
        ours = Ours(made, begin(made, camera.url, "tcp"), 1)
        latency(report, ours, relay)
        throughput(report, ours, relay)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""A picture of a moment, against one FFmpeg run for each picture.

One 1080p camera with a keyframe every two seconds. Ours is `GET /v1/cameras/{id}/snapshot` with a
random time of the last eight seconds, exact and nearest keyframe; FFmpeg reads it by RTSP (from a
MediaMTX that has it already) and writes the first frame it gets, as its users do it, with its defaults
and with its probing cut down. It can name no time, so it has the easier task. All in turn, over and
over. The picture is one that two encoders beside all this can keep up with.

- latency: one request after the other.
- throughput: four at a time, in the CPU time of everything that made them (tap, origin, decoders and
  api; the FFmpeg processes), as snapshots a second and core.
- accuracy: a hundred pictures each of cameras with B-frames, with H.265, over UDP, and over UDP with one
  packet in a hundred lost, where what is not said to be damaged counts.

Checked: the clock that the camera draws into each of our pictures lies within half a frame and 5 ms of
the time asked for (exact), or is that of the frame that the answer names (all); each of FFmpeg's
pictures holds a clock of these minutes.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from common.keepalive import Connection, ms_since
from common.process import cpu_us_of
from common.report import Report
from common.rig import Rig, rig
from common.samples import median, quantile, told
from stack import wait_for
from tap_rig import Camera, Engine

WIDTH, HEIGHT, FPS, GOP_S = 1920, 1080, 25, 2
SMALL_WIDTH = 640  # of the test camera, where nothing is said
CELLS, BITS = 40, 39
ROUNDS = 100
FFMPEG_EVERY = 10
BACK_S = 8
AT_ONCE = 4
MANY = 48
LIMIT_MS = 1000 / FPS / 2 + 5
# Cameras beside the large one: flags, transport, fault.
OTHERS = {
    "B-frames": (("--bframes", "2"), "tcp", "none"),
    "H.265": (("--codec", "h265"), "tcp", "none"),
    "UDP": ((), "udp", "none"),
    "UDP, 1 % lost": ((), "udp", "lossy"),
}
TUNED = ("-probesize", "32", "-analyzeduration", "0", "-fflags", "nobuffer")


def drawn_ms(image: bytes) -> int:
    """The time that the camera drew, milliseconds (tests/camera/stamp.h)."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", "-", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        input=image, capture_output=True, check=True,
    )  # fmt: skip
    width = WIDTH if len(done.stdout) == WIDTH * HEIGHT else SMALL_WIDTH
    row, cell = done.stdout[8 * width : 9 * width], width // CELLS
    bits = [row[i * cell + cell // 2] > 128 for i in range(CELLS)]
    assert sum(bits) % 2 == 0, "the stamp's parity"
    low = int("".join("1" if bit else "0" for bit in bits[:BITS]), 2)
    return int(time.time() * 1000) >> BITS << BITS | low


def text_of(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


class Ours:
    def __init__(self, made: Rig, camera: str, seed: int) -> None:
        self.made, self.camera = made, camera
        self.dice = random.Random(seed)
        self.errors: list[float] = []
        self.damaged = self.missed = 0

    def take(self, api: Connection, mode: str) -> tuple[datetime, dict[str, str], bytes]:
        at = datetime.now(timezone.utc) - timedelta(seconds=self.dice.uniform(0.2, BACK_S))
        path = f"/v1/cameras/{self.camera}/snapshot?at={text_of(at)}&mode={mode}"
        answer = api.call("GET", path)
        if answer.status == 409 and answer.json["code"] == "no_picture_near":
            # A camera that gets no processor has holes, and the answer says so.
            self.missed += 1
            assert self.missed < ROUNDS, "the camera hardly sends"
            return self.take(api, mode)
        return at, answer.expect(200).headers, answer.body

    def timed(self, api: Connection, mode: str) -> float:
        missed = self.missed
        began = time.monotonic()
        at, headers, body = self.take(api, mode)
        took_ms = ms_since(began)
        if self.missed > missed:  # it was asked more than once
            return self.timed(api, mode)
        frame = datetime.fromisoformat(headers["weir-frame-time"].replace("Z", "+00:00"))
        if headers.get("weir-frame-damaged") == "true":
            self.damaged += 1
            return took_ms
        drawn = drawn_ms(body)
        off_ms = abs(drawn - frame.timestamp() * 1000)
        assert off_ms < 500 / FPS, f"not the frame that is named: {off_ms} ms beside it"
        if mode == "exact":
            self.errors.append(abs(drawn - at.timestamp() * 1000))
        return took_ms

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


def accuracy(report: Report, made: Rig, name: str, scratch: Path) -> None:
    """A hundred exact pictures of a small camera; no time is taken."""
    flags, transport, fault = OTHERS[name]
    with camera_of(scratch / name, "--fps", str(FPS), "--gop", str(FPS * GOP_S), *flags) as camera:
        ours = Ours(made, begin(made, camera.url, transport), 2)
        camera.fault(fault)
        time.sleep(0 if fault == "none" else BACK_S)
        api = made.connect()
        while len(ours.errors) < ROUNDS:
            ours.timed(api, "exact")
            assert ours.damaged < 10 * ROUNDS, "hardly a picture is whole"
    report.keep(f"{name}_error_ms", ours.errors)
    report.at_most(f"drawn clock against the time asked for, {name}, worst", LIMIT_MS, max(ours.errors),
                   "ms", f"{len(ours.errors)} pictures; beside them {ours.damaged} said to be damaged, "
                   f"{ours.missed} refused")  # fmt: skip


@contextlib.contextmanager
def camera_of(folder: Path, *options: str) -> Iterator[Camera]:
    camera = Camera(folder, *options)
    assert camera.process is not None
    with contextlib.suppress(PermissionError):  # a camera shares no processor with who asks for pictures
        os.setpriority(os.PRIO_PROCESS, camera.process.pid, -10)
    try:
        yield camera
    finally:
        camera.kill()


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


def begin(made: Rig, url: str, transport: str) -> str:
    """A camera that is read, with its clock known and a whole ring; its id."""
    api = made.connect()
    source = {"url": url, "transport": transport}
    camera_id = made.add_camera(api, url, source=source, idle_timeout_s=86400)
    body = {"camera_id": camera_id, "quality": "source"}
    api.call("POST", "/v1/streams", body).expect(200, 202)
    path = f"/v1/cameras/{camera_id}/snapshot?mode=latest&tolerance_ms=1000"
    wait_for(
        "the camera's clock, and pictures of this second",
        lambda: api.call("GET", path).headers.get("weir-time-source") == "rtcp_sr", 60, 0.2,
    )  # fmt: skip
    time.sleep(BACK_S + GOP_S + 1)
    return camera_id


def main() -> int:
    report = Report("snapshot")
    options = ("--size", f"{WIDTH}x{HEIGHT}", "--fps", str(FPS), "--gop", str(FPS * GOP_S),
               "--bitrate", "4000")  # fmt: skip
    settings = {"WEIR_SNAPSHOTS_VIEWER_MAX": "100000", "WEIR_SNAPSHOTS_TENANT_MAX": "1000000"}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch, rig(1, weir_api=settings) as made:
        with (
            camera_of(Path(scratch) / "camera", *options) as camera,
            relay_of(Path(scratch) / "relay", camera.url) as relay,
        ):
            ours = Ours(made, begin(made, camera.url, "tcp"), 1)
            latency(report, ours, relay)
            throughput(report, ours, relay)
        for name in OTHERS:
            accuracy(report, made, name, Path(scratch))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""A hundred pictures of random moments of the last eight seconds, of each kind of camera.

Cameras of 640x360 with a keyframe every two seconds: over TCP, with B-frames, with H.265, over UDP, and
over UDP with one packet in a hundred lost. Asked is `GET /v1/cameras/{id}/snapshot`, exact, for a frame no
further away than half a frame. What is said to be damaged, or is refused because the frame of
the moment never came, is counted and told; a hundred others are taken. No time is measured.

A camera that loses so many packets is read by TCP before long (docs/adr/0036). So there are several of them,
and a picture by UDP counts while its camera is still read so; then a hundred more are taken of the last one,
from the moment on at which it is read by TCP.

All are read at once, and each for a minute before: its clock is a line through its sender reports, each of
which lies some milliseconds beside the truth, and the first few tell it less well (docs/adr/0016).

Checked: the clock that the camera draws into each picture is that of the frame that the answer names. A
picture that shows another time and is not said to be damaged ends the benchmark. Where nothing is lost, no
moment is without its frame.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from common.keepalive import Connection
from common.report import Report
from common.rig import Rig, rig
from common.shots import BACK_S, FPS, GOP_S, LIMIT_MS, SETTINGS, Shots, begin, camera_of
from stack import wait_for
from tap_rig import Camera

ROUNDS = int(os.environ.get("WEIR_BENCH_ROUNDS") or 100)
# Flags, transport.
KINDS = {
    "TCP": ((), "tcp"),
    "B-frames": (("--bframes", "2"), "tcp"),
    "H.265": (("--codec", "h265"), "tcp"),
    "UDP": ((), "udp"),
}
LOSSY = [f"UDP, 1 % lost, {i}" for i in range(4)]
DAMAGED_MAX = 10 * ROUNDS
SETTLED_S = 60  # a dozen reports
NEAR_MS = round(500 / FPS) + 1  # half a frame, and a jitter of frames


@dataclass
class Eye:
    name: str
    camera: Camera
    shots: Shots
    since: float  # that it is read


def open_eye(made: Rig, name: str, scratch: Path, cameras: ExitStack) -> Eye:
    flags, transport = KINDS.get(name, KINDS["UDP"])
    camera = cameras.enter_context(
        camera_of(scratch / name, "--fps", str(FPS), "--gop", str(FPS * GOP_S), *flags)
    )
    since = time.monotonic()
    return Eye(name, camera, Shots(made, begin(made, camera.url, transport), 2, NEAR_MS), since)


def settle(eye: Eye) -> None:
    time.sleep(max(0.0, SETTLED_S - (time.monotonic() - eye.since)))


def hundred(api: Connection, shots: Shots) -> None:
    until = len(shots.errors) + ROUNDS
    while len(shots.errors) < until:
        shots.timed(api, "exact")
        assert shots.damaged < DAMAGED_MAX, "hardly a picture is whole"


def tell(report: Report, name: str, all_shots: list[Shots]) -> None:
    errors = [error for shots in all_shots for error in shots.errors]
    clocks = [off for shots in all_shots for off in shots.clocks]
    damaged, missed = sum(x.damaged for x in all_shots), sum(x.missed for x in all_shots)
    report.keep(f"{name}_error_ms", errors)
    report.at_most(f"drawn clock against the time asked for, {name}, worst", LIMIT_MS, max(errors), "ms",
                   f"{len(errors)} pictures; beside them {damaged} said to be damaged, {missed} refused; the "
                   f"time that is named lies {max(clocks):.1f} ms from the drawn one at most")  # fmt: skip


def transport_of(api: Connection, shots: Shots) -> str | None:
    """By which the camera is read at this moment."""
    live = api.call("GET", f"/v1/cameras/{shots.camera}").expect(200).json["live"]
    return str(live["transport"]) if live else None


def by_udp(api: Connection, eye: Eye, most: int) -> None:
    """Pictures of seconds in which packets were lost, until the camera is read by TCP."""
    settle(eye)
    eye.camera.fault("lossy")
    time.sleep(BACK_S)
    taken = []
    while len(taken) < DAMAGED_MAX and transport_of(api, eye.shots) == "udp":
        _, at, headers, body = eye.shots.take(api, "exact")
        taken.append((at, headers, body))
    # To read the drawn clock takes longer than to take the picture.
    for one in taken:
        if len(eye.shots.errors) < most:
            eye.shots.judge("exact", *one)


def lossy(report: Report, api: Connection, eyes: list[Eye]) -> None:
    used: list[Eye] = []
    while (n := sum(len(eye.shots.errors) for eye in used)) < ROUNDS:
        assert eyes, f"{n} pictures of all cameras are whole"
        used.append(eyes.pop(0))
        by_udp(api, used[-1], ROUNDS - n)
    tell(report, "UDP, 1 % lost", [eye.shots for eye in used])
    last = used[-1].shots
    wait_for("the camera by TCP", lambda: transport_of(api, last) == "tcp", 60, 0.1)
    after = Shots(last.made, last.camera, 3, NEAR_MS)
    hundred(api, after)
    tell(report, "by TCP for that", [after])


def main() -> int:
    report = Report("snapshot_times")
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch,
        rig(1, weir_api=SETTINGS) as made,
        ExitStack() as cameras,
    ):
        eyes = {name: open_eye(made, name, Path(scratch), cameras) for name in [*KINDS, *LOSSY]}
        api = made.connect()
        for name in KINDS:
            settle(eyes[name])
            hundred(api, eyes[name].shots)
            tell(report, name, [eyes[name].shots])
        missed = sum(eyes[name].shots.missed for name in KINDS)
        report.at_most("moments without their frame, where nothing is lost", 2 * len(KINDS), missed, "")
        lossy(report, api, [eyes[name] for name in LOSSY])
        api.close()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

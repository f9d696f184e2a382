# SPDX-License-Identifier: Apache-2.0
"""A hundred pictures of random moments of the last eight seconds, of each kind of camera.

Cameras of 640x360 with a keyframe every two seconds: over TCP, with B-frames, with H.265, over UDP, and
over UDP with one packet in a hundred lost. Asked is `GET /v1/cameras/{id}/snapshot`, exact, for a frame no
further away than half a frame. What is said to be damaged, or is refused because the frame of
the moment never came, is counted and told; a hundred others are taken. No time is measured.

All are read at once, and each for a minute before: its clock is a line through its sender reports, each of
which lies some milliseconds beside the truth, and the first few tell it less well (docs/adr/0016).

Checked: the clock that the camera draws into each picture is that of the frame that the answer names. A
picture that shows another time and is not said to be damaged ends the benchmark.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from common.report import Report
from common.rig import Rig, rig
from common.shots import BACK_S, FPS, GOP_S, LIMIT_MS, SETTINGS, Shots, begin, camera_of
from tap_rig import Camera

ROUNDS = int(os.environ.get("WEIR_BENCH_ROUNDS") or 100)
# Flags, transport, fault.
KINDS = {
    "TCP": ((), "tcp", "none"),
    "B-frames": (("--bframes", "2"), "tcp", "none"),
    "H.265": (("--codec", "h265"), "tcp", "none"),
    "UDP": ((), "udp", "none"),
    "UDP, 1 % lost": ((), "udp", "lossy"),
}
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
    flags, transport, _ = KINDS[name]
    camera = cameras.enter_context(
        camera_of(scratch / name, "--fps", str(FPS), "--gop", str(FPS * GOP_S), *flags)
    )
    since = time.monotonic()
    return Eye(name, camera, Shots(made, begin(made, camera.url, transport), 2, NEAR_MS), since)


def hundred(report: Report, made: Rig, eye: Eye) -> None:
    shots, fault = eye.shots, KINDS[eye.name][2]
    time.sleep(max(0.0, SETTLED_S - (time.monotonic() - eye.since)))
    eye.camera.fault(fault)
    time.sleep(0 if fault == "none" else BACK_S)
    api = made.connect()
    while len(shots.errors) < ROUNDS:
        shots.timed(api, "exact")
        assert shots.damaged < DAMAGED_MAX, "hardly a picture is whole"
    api.close()
    report.keep(f"{eye.name}_error_ms", shots.errors)
    report.at_most(f"drawn clock against the time asked for, {eye.name}, worst", LIMIT_MS, max(shots.errors),
                   "ms", f"{len(shots.errors)} pictures; beside them {shots.damaged} said to be damaged, "
                   f"{shots.missed} refused; the time that is named lies {max(shots.clocks):.1f} ms from the "
                   "drawn one at most")  # fmt: skip


def main() -> int:
    report = Report("snapshot_times")
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch,
        rig(1, weir_api=SETTINGS) as made,
        ExitStack() as cameras,
    ):
        for eye in [open_eye(made, name, Path(scratch), cameras) for name in KINDS]:
            hundred(report, made, eye)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

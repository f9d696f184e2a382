# SPDX-License-Identifier: Apache-2.0
"""How soon a camera that stands still, and one whose picture is frozen, are told; against two others.

Three cameras each, which the test camera is told to spoil. Ours is when `GET /v1/cameras/{id}` shows
the fault in `live.health`, asked twenty times a second. Kerberos and Frigate are their rules, re-stated
(common/peers.py), over what an ffmpeg beside it gets from the same cameras in the same seconds; a
stall's time runs from the last packet that came there, for all three. A frozen camera sends on, so those
two rules never end: what they say of it is told, not compared.

False alarms: the scripted hour of one camera in which all is well (tests/unit/worker/test_hour.c: rain,
night, jitter, loss below its limit, clocks that drift, cars' lights) is played through the same judges
on a fake clock, and faults of cameras that nobody spoiled are counted here.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common.keepalive import Connection
from common.peers import Reader, frigate_finds, kerberos_finds
from common.report import ROOT, Report
from common.rig import Rig, rig
from common.samples import median
from stack import wait_for
from tap_rig import BUILD, Camera

N = 3
POLL_S = 0.05
STALL_S, FROZEN_S = 2.0, 30.0
LEARN_S = 100  # looks until the camera's noise is known: at one in ten seconds, some more than eight
STALL_LIMIT_S, FROZEN_LIMIT_S = 45.0, 60.0
PICTURE = ("--fps", "15", "--gop", "30")
ROOM = (*PICTURE, "--picture", "room", "--bitrate", "6000")
HOUR = BUILD / "tests" / "unit" / "worker" / "test_worker_hour"


class Watched:
    """A camera that is read, and what the api says of its picture."""

    def __init__(self, made: Rig, api: Connection, camera: Camera) -> None:
        self.api, self.camera = api, camera
        self.id = made.add_camera(api, camera.url, warm=True)

    def faults(self) -> list[str] | None:
        """None while it is not known yet."""
        live = self.api.call("GET", f"/v1/cameras/{self.id}").expect(200).json["live"]
        health = live and live.get("health")
        return [str(one) for one in health["faults"]] if health else None


def spoil(cameras: list[Watched], fault: str, found: str, limit_s: float) -> dict[Watched, tuple[float, float]]:
    """When each was spoilt, and when the api told it."""
    begun = {}
    for one in cameras:
        one.camera.control.write_text(fault)
        begun[one] = time.monotonic()
    told: dict[Watched, tuple[float, float]] = {}
    deadline = time.monotonic() + limit_s
    while len(told) < len(cameras):
        for one in cameras:
            if one not in told and found in (one.faults() or []):
                told[one] = (begun[one], time.monotonic())
        assert time.monotonic() < deadline, f"{fault}: {len(told)} of {len(cameras)} in {limit_s} s"
        time.sleep(POLL_S)
    return told


def seconds(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def stalls(report: Report, cameras: list[Watched], readers: list[Reader]) -> None:
    took, kerberos, frigate = [], [], []
    told = spoil(cameras, "freeze", "stalled", STALL_LIMIT_S)
    # Their rules take 21 s at most; by then ours has connected anew, theirs has not.
    time.sleep(max(0.0, max(at for _, at in told.values()) + 24 - time.monotonic()))
    for one, reader in zip(cameras, readers, strict=True):
        assert reader.arrivals, "ffmpeg got nothing of the camera"
        last, until = reader.arrivals[-1], time.monotonic()
        others = (kerberos_finds(reader.arrivals, reader.began, until),
                  frigate_finds(reader.arrivals, reader.began, until))  # fmt: skip
        assert others[0] and others[1], f"their rules do not find it: {others}"
        took.append(told[one][1] - last)
        kerberos.append(others[0] - last)
        frigate.append(others[1] - last)
    for name, values in (("weir", took), ("kerberos", kerberos), ("frigate", frigate)):
        report.keep(f"stalled_{name}_s", values)
    detail = f"Weir {seconds(took)}; Kerberos {seconds(kerberos)}; Frigate {seconds(frigate)} s"
    report.at_most("a camera that sends no more: told after, worst", STALL_S, max(took), "s", detail)
    report.at_least("the same, times as soon as Kerberos' rule", 5, median(kerberos) / median(took), "x")
    report.at_least("the same, times as soon as Frigate's rule", 5, median(frigate) / median(took), "x")


def frozen(report: Report, cameras: list[Watched], readers: list[Reader]) -> None:
    told = spoil(cameras, "frozen", "frozen", FROZEN_LIMIT_S)
    time.sleep(max(0.0, max(begun for begun, _ in told.values()) + FROZEN_S - time.monotonic()))
    took = [at - begun for begun, at in told.values()]
    until = time.monotonic()
    n_theirs = sum(
        rule(reader.arrivals, reader.began, until) is not None
        for reader in readers for rule in (kerberos_finds, frigate_finds)
    )  # fmt: skip
    report.keep("frozen_s", took)
    report.at_most("a picture that is frozen: told after, worst", FROZEN_S, max(took), "s",
                   f"{seconds(took)} s; the rules of Kerberos and Frigate found "
                   f"{n_theirs} of {2 * len(readers)} in that time")  # fmt: skip


def false_alarms_of_the_hour() -> tuple[int, str]:
    """Faults found in the hour in which all is well; and that those of the other one are found."""
    if not HOUR.is_file():
        subprocess.run(["cmake", "--build", str(BUILD), "--target", HOUR.name], check=True, cwd=ROOT,
                       capture_output=True)  # fmt: skip
    done = subprocess.run([str(HOUR)], capture_output=True, text=True, check=False)
    passed = re.findall(r"^\[ +OK \] (\w+)", done.stdout + done.stderr, re.MULTILINE)
    failed = re.findall(r"^\[ +FAILED +\] (\w+)$", done.stdout + done.stderr, re.MULTILINE)
    assert passed or failed, f"{HOUR.name} says nothing: {done.stdout}{done.stderr}"
    return len(set(failed)), f"scripts that passed: {', '.join(passed) or 'none'}"


def main() -> int:
    report = Report("faults_found")
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch,
        rig(1) as made,
        contextlib.ExitStack() as ends,
    ):
        api = made.connect()

        def begin(kind: str, options: tuple[str, ...]) -> tuple[list[Watched], list[Reader]]:
            found, readers = [], []
            for i in range(N):
                camera = Camera(Path(scratch) / f"{kind}{i}", *options)
                ends.callback(camera.kill)
                found.append(Watched(made, api, camera))
                readers.append(Reader(camera.url))
                ends.callback(readers[-1].close)
                time.sleep(0.7)  # so that neither keyframes nor polls come together
            return found, readers

        rooms, room_readers = begin("room", ROOM)
        standing, readers = begin("standing", PICTURE)
        for one in [*rooms, *standing]:
            wait_for("its health", lambda one=one: one.faults() == [], 90, 0.2)
        learnt = time.monotonic() + LEARN_S
        # What a camera of a busy machine stumbles over at first is over by then.
        time.sleep(10)
        stalls(report, standing, readers)
        false = set()
        while time.monotonic() < learnt:
            false |= {(one.id, fault) for one in rooms for fault in one.faults() or []}
            time.sleep(0.5)
        frozen(report, rooms, room_readers)
        api.close()
    alarms, scripts = false_alarms_of_the_hour()
    report.at_most("false alarms in a scripted hour of what is well", 0, alarms, "", scripts)
    report.at_most("false alarms of cameras that were well here", 0, len(false), "",
                   f"{N} cameras for {LEARN_S} s; {sorted(fault for _, fault in false)}")  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

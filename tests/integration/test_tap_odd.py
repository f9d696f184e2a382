# SPDX-License-Identifier: Apache-2.0
"""Cameras that send what no good camera would, all at one tap: each gets a name for it, the tap's memory
stays bounded, and a neighbour who is well notices nothing."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from odd_rig import PPS, SPS, OddCamera, clip
from tap_rig import Engine, Tap, segments, sequence, wait_until

RSS_MAX = 200 << 20
RING_BYTES = 8 << 20
PARAMETERS, OVERSPEED = 1 << 5, 1 << 9


class Rig:
    def __init__(self, folder: Path) -> None:
        self.engine, self.tap = Engine(folder / "engine"), Tap(folder / "tap")
        small, large = clip("320x180", 25, 25), clip("640x360", 25, 25)
        endless = clip("320x180", 250, 250)
        self.cameras = {
            "well": OddCamera(small, 25),
            "no parameter sets": OddCamera([frame.without(SPS, PPS) for frame in small], 25),
            "500 frames a second": OddCamera(small, 500),
            "one group for ever": OddCamera(endless[1:], 25, first=endless[:1]),
            "another size each second": OddCamera(small + large, 25),
            "16384 wide": OddCamera(clip("16384x64", 2, 1), 5),
        }
        self.ids = {
            name: self.tap.camera(camera.url, ring_bytes=RING_BYTES) for name, camera in self.cameras.items()
        }
        self.well = self.tap.publish(self.ids["well"], self.engine)

    def close(self) -> None:
        for camera in self.cameras.values():
            camera.close()
        self.tap.process.kill()
        self.tap.process.wait()
        self.engine.kill()

    def end(self) -> int:
        """Of the playlist of the camera that is well; -1: there is none."""
        with contextlib.suppress(AssertionError):
            text = self.engine.playlist(self.well)
            return sequence(text) + len(segments(text))
        return -1

    def faults(self, name: str) -> int:
        row = self.tap.stats.get(self.ids[name], {})
        return int(row.get("faults", 0)) if row.get("health") == "degraded" else 0


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("odd"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def who_is_well_notices_nothing(rig: Rig) -> Iterator[None]:
    wait_until("the neighbour plays", lambda: rig.end() > 0, 60)
    before, pid = rig.end(), rig.tap.process.pid
    yield
    wait_until("the neighbour plays on", lambda: rig.end() > before, 60)
    row = rig.tap.stats[rig.ids["well"]]
    assert (row["reconnects"], row["gaps"], row["clock"]) == (0, 0, "arrival")
    status = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    assert int(status.stdout) << 10 < RSS_MAX
    assert all(stats["ring_bytes"] <= RING_BYTES for stats in rig.tap.stats.values())


def test_frames_that_nobody_can_decode(rig: Rig) -> None:
    failing = rig.tap.await_line(
        "tap.source", 60, state="failing", camera_id=rig.ids["no parameter sets"]
    )
    assert (failing["reason"], failing["permanent"]) == ("no_parameter_sets", False)
    assert failing["detail"]


def test_a_group_that_does_not_end(rig: Rig) -> None:
    camera_id = rig.ids["one group for ever"]
    failing = rig.tap.await_line("tap.source", 60, state="failing", camera_id=camera_id)
    assert failing["reason"] == "no_keyframe"
    rig.tap.await_line("tap.remedy", camera_id=camera_id, remedy="reconnect")


def test_another_size_each_second(rig: Rig) -> None:
    wait_until("the fault", lambda: rig.faults("another size each second") & PARAMETERS, 60)
    # It can be watched all the same; its picture is followed now and then.
    path = rig.tap.publish(rig.ids["another size each second"], rig.engine, quality="low", fps=5)
    rig.tap.await_line("tap.stream", 60, stream_id=path.split("/")[1], state="publishing")


def test_500_frames_a_second(rig: Rig) -> None:
    wait_until("the fault", lambda: rig.faults("500 frames a second") & OVERSPEED, 60)
    path = rig.tap.publish(rig.ids["500 frames a second"], rig.engine, quality="low", fps=5)
    made = rig.tap.await_line("tap.stream", 60, stream_id=path.split("/")[1], state="publishing")
    assert made["effective"]["fps"] == 5


def test_a_picture_of_16384_pixels_in_a_row(rig: Rig) -> None:
    camera_id = rig.ids["16384 wide"]
    assert rig.tap.await_line("tap.source", 60, state="up", camera_id=camera_id)["width"] == 16384
    path = rig.tap.publish(camera_id, rig.engine, quality="low", fps=5)
    failed = rig.tap.await_line("tap.stream", 60, stream_id=path.split("/")[1], state="failing")
    assert failed["reason"] == "transcode_failed" and "16384x64" in failed["detail"]

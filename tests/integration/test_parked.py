# SPDX-License-Identifier: Apache-2.0
"""A decoder that stays where it came to: one weir-still that parks them and one that never does, over
the same ring, are asked about the same moments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from still_rig import Picture, Still
from tap_rig import Camera, Tap, wait_until

FPS, GOP_S = 15, 4
BEHIND_US = 300_000  # so that both are asked about what is there
CAMERAS = {
    "tcp": ((), "tcp"),
    "bframes": (("--bframes", "2"), "tcp"),
    "hevc": (("--codec", "h265"), "tcp"),
    "lossy": ((), "udp"),
}
QUESTIONS = 10


class Rig:
    def __init__(self, folder: Path) -> None:
        clips = folder / "clips.sock"
        self.tap = Tap(folder / "tap", WEIR_TAP_CLIP_SOCKET=str(clips))
        self.parking = Still(folder / "parking", clips)
        self.brief = Still(folder / "brief", clips, WEIR_STILL_PARK_S="1", WEIR_STILL_DECODERS="1")
        self.anew = Still(folder / "anew", clips, WEIR_STILL_PARK_S="0")
        self.gone_on = 0  # with `parking`, so far
        self.cameras: dict[str, Camera] = {}
        self.ids: dict[str, str] = {}
        for name, (flags, transport) in CAMERAS.items():
            options = ("--fps", str(FPS), "--gop", str(FPS * GOP_S), "--bitrate", "500", *flags)
            self.cameras[name] = Camera(folder / name, *options)
            self.ids[name] = self.tap.camera(self.cameras[name].url, transport=transport)
        for camera_id in self.ids.values():
            self.tap.await_line("tap.source", 60, state="up", camera_id=camera_id)
        for camera_id in self.ids.values():
            wait_until("pictures", lambda one=camera_id: self.now(self.anew, one).status == 200, 60)

    def now(self, still: Still, camera_id: str) -> Picture:
        return still.take(camera_id, time.time_ns() // 1000 - BEHIND_US)

    def close(self) -> None:
        for part in (self.parking, self.brief, self.anew, self.tap):
            part.close()
        for camera in self.cameras.values():
            camera.kill()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("parked"))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("name", CAMERAS)
def test_the_same_picture_bit_for_bit(rig: Rig, name: str) -> None:
    camera_id = rig.ids[name]
    before = rig.gone_on
    if name == "lossy":
        rig.cameras[name].fault("very-lossy")
    same = damaged = 0
    n_asked = 0
    # As many, and with losses until one of them is seen.
    while n_asked < QUESTIONS or (name == "lossy" and not damaged and n_asked < 8 * QUESTIONS):
        n_asked += 1
        at_us = time.time_ns() // 1000 - BEHIND_US
        parked, anew = (still.take(camera_id, at_us) for still in (rig.parking, rig.anew))
        time.sleep(0.25)
        if (parked.status, parked.head.get("ts")) != (anew.status, anew.head.get("ts")):
            continue  # the ring went on between the two questions
        if parked.status == 200:
            assert parked.head["is_damaged"] == anew.head["is_damaged"]
            assert parked.image == anew.image
            same += 1
            damaged += parked.head["is_damaged"]
    rig.cameras[name].fault("none")
    rig.gone_on = rig.parking.counted()["gone_on"]
    gone_on = rig.gone_on - before
    print(f"{name}: {same} of {n_asked} the same, {gone_on} gone on with, {damaged} damaged")
    assert same > QUESTIONS / 2 or (name == "lossy" and same > 0)
    assert (damaged > 0) == (name == "lossy")
    # Where frames come out in another order than they go in, decoders are emptied and not parked.
    assert gone_on > 0 or name == "bframes"
    assert rig.anew.stats["gone_on"] == 0


def test_a_decoder_is_given_up_in_its_time(rig: Rig) -> None:
    still, camera_id = rig.brief, rig.ids["tcp"]

    def ask(at_us: int) -> int:
        assert still.take(camera_id, at_us).status == 200
        return still.counted()["gone_on"]

    def keyframe_us() -> int | None:
        now_us = time.time_ns() // 1000
        found = still.take(camera_id, now_us - 2_500_000, mode="keyframe", tolerance_us=4_000_000)
        age_us = now_us - found.head.get("frame_us", 0)
        return int(found.head["frame_us"]) if 2_000_000 < age_us < 3_500_000 else None

    begin_us = wait_until("a keyframe with two seconds behind it", keyframe_us, 60)
    assert still.take(camera_id, begin_us + 200_000).status == 200
    before = still.stats["gone_on"]
    assert still.take(camera_id, begin_us + 400_000).status == 200  # at once
    assert still.counted()["gone_on"] == before + 1
    # Counting took longer than it stays parked.
    assert ask(begin_us + 600_000) == before + 1


def test_a_camera_that_was_connected_to_anew_is_begun_anew(rig: Rig) -> None:
    camera = rig.cameras["tcp"]
    camera_id = rig.ids["tcp"]
    since = len(rig.tap.lines)
    camera.kill()
    rig.tap.await_line("tap.source", 60, since, state="failing", camera_id=camera_id)
    assert rig.now(rig.parking, camera_id).status in (200, 409)
    camera.start()
    rig.tap.await_line("tap.source", 60, since, state="up", camera_id=camera_id)

    def both() -> bool:
        at_us = time.time_ns() // 1000 - BEHIND_US
        parked, anew = (
            still.take(camera_id, at_us, tolerance_us=60_000) for still in (rig.parking, rig.anew)
        )
        is_same = (parked.status, anew.status) == (200, 200) and parked.head["ts"] == anew.head["ts"]
        assert not is_same or parked.image == anew.image
        return is_same

    wait_until("pictures of the new session", both, 60)

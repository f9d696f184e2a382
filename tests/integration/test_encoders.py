# SPDX-License-Identifier: Apache-2.0
"""Engines that encode in hardware: what is found of them, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from encoder_rig import probe, xcode
from tap_rig import Camera, Decoded, Engine, Tap, segments, sequence, wait_until
from xcode_rig import TICKS, Unit, Xcode, apart, clip, planes, stream_of

ENGINES = ["nvenc", "qsv", "vaapi", "v4l2"]


def test_an_engine_that_works_is_measured() -> None:
    found = probe(*ENGINES, encoders="nvenc=ok vaapi=ok", sessions=3)
    assert [engine["encoder"] for engine in found] == ENGINES
    assert [engine["is_good"] for engine in found] == [True, False, True, False]
    for good in (found[0], found[2]):
        print(good)
        assert good["fps_720p"] > 0 and good["fps_1080p"] > 0
        assert good["sessions"] == 3 and good["why"] == ""
    assert "libavcodec" in found[1]["why"]


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("fail_open", "no encoder can be opened"),
        ("fail:20", "it fails while it encodes"),
        ("empty:10", "makes nothing of them"),
        ("die:9", "its driver ended the process"),
        ("lie_picture", "it makes another picture"),
        ("lie_picture:23", "it makes another picture"),
        ("lie_key", "no keyframe where one is asked for"),
        ("lie_size", "a picture of another size"),
    ],
)
def test_one_that_fails_or_lies_is_none(mode: str, why: str) -> None:
    (found,) = probe("nvenc", encoders=f"nvenc={mode}")
    assert why in found["why"]
    assert (found["is_good"], found["fps_720p"], found["fps_1080p"], found["sessions"]) == (False, 0, 0, 0)


# How an engine failed, as weir-xcode says it (lib/domain/xcode.h).
OPEN, ENCODE, SILENT, KEY, PICTURE = range(5)
FPS = 25
SIZE = (320, 180)
FRAME = SIZE[0] * SIZE[1] * 3 // 2


@pytest.fixture(scope="module")
def source() -> list[Unit]:
    return clip("320x180", FPS, 4)


@pytest.fixture
def transcoders(tmp_path: Path) -> Iterator[list[Xcode]]:
    made: list[Xcode] = []
    try:
        yield made
    finally:
        for each in made:
            each.close()


def make(xcode: Xcode, source: list[Unit], encoder: int) -> list[Unit]:
    xcode.rendition(0, SIZE, 1500, FPS, encoder=encoder)
    return [unit for given in source for unit in xcode.give(given).get(0, [])]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rendition_is_encoded_by_an_engine(
    tmp_path: Path, transcoders: list[Xcode], source: list[Unit], engine: str
) -> None:
    transcoder = Xcode(tmp_path, engine, program=xcode(tmp_path, f"{engine}=ok"))
    transcoders.append(transcoder)
    made = make(transcoder, source, 1 + ENGINES.index(engine))
    assert transcoder.faults == [] and transcoder.entered == len(source)
    assert [unit.ts for unit in made] == [unit.ts for unit in source]
    assert [unit.ts for unit in made if unit.is_key] == [n * TICKS for n in range(4)]
    truth, shown = planes(stream_of(source)), planes(stream_of(made))
    assert len(shown) == len(truth) == len(source) * FRAME
    last = slice(len(shown) - FRAME, len(shown))
    assert apart(shown[last], truth[last]) < 8


@pytest.mark.parametrize(
    ("mode", "fault", "at"),
    [
        ("fail_open", OPEN, 0),
        ("fail:30", ENCODE, 30),
        # Some frames are lost: an engine may keep a few for itself.
        ("empty:30", SILENT, 38),
        ("lie_key:30", KEY, 50),
        # The first keyframe is looked at, and then one in 32.
        ("lie_picture", PICTURE, 0),
    ],
)
def test_a_rendition_goes_on_in_software_once_its_engine_fails(
    tmp_path: Path, transcoders: list[Xcode], source: list[Unit], mode: str, fault: int, at: int
) -> None:
    transcoder = Xcode(tmp_path, "qsv", program=xcode(tmp_path, f"qsv={mode}"))
    transcoders.append(transcoder)
    made = make(transcoder, source, 2)
    assert transcoder.faults == [(0, fault)]
    times = [unit.ts for unit in made]
    lost = 8 if fault == SILENT else 0
    assert times == [unit.ts for unit in source if not at - lost <= unit.ts * FPS // TICKS < at]
    # With a keyframe, on the very frame that the engine failed.
    assert next(unit for unit in made if unit.ts == at * TICKS // FPS).is_key
    truth, shown = planes(stream_of(source)), planes(stream_of(made))
    assert len(shown) == (len(source) - lost) * FRAME
    last = slice(len(shown) - FRAME, len(shown)), slice(len(truth) - FRAME, len(truth))
    assert apart(shown[last[0]], truth[last[1]]) < 8


def test_without_the_engine_that_was_named_software_does_it(
    tmp_path: Path, transcoders: list[Xcode], source: list[Unit]
) -> None:
    transcoder = Xcode(tmp_path, "vaapi")
    transcoders.append(transcoder)
    made = make(transcoder, source[:30], 3)
    assert transcoder.faults == [(0, OPEN)] and len(made) == 30


# ---- weir-tap, with a camera and an engine's publisher ----


class Rig:
    """A tap whose renditions may be encoded by engines; the script that has them can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine(folder / "engine")
        self.tap = Tap(folder / "tap", WEIR_XCODE=str(xcode(folder, "nvenc=ok")))
        self.cameras: list[Camera] = []

    def offer(self, sessions: int = 8, kpx_per_s: int = 1000000) -> None:
        row = {"encoder": "nvenc", "kpx_per_s": kpx_per_s, "sessions": sessions}
        # As the worker does with one that failed: it is not there, and then found good again.
        self.tap.tell("tap.encoders", encoders=[])
        self.tap.tell("tap.encoders", encoders=[row])

    def camera(self) -> str:
        options = ("--size", "640x360", "--fps", "15", "--gop", "15", "--bitrate", "300")
        self.cameras.append(Camera(self.folder / f"camera{len(self.cameras)}", *options))
        camera_id = self.tap.camera(self.cameras[-1].url)
        self.tap.await_line("tap.source", 60, state="up", camera_id=camera_id)
        return camera_id

    def publish(self, camera_id: str, fps: int) -> str:
        path = self.tap.publish(camera_id, self.engine, quality="low", fps=fps)
        self.tap.await_line("tap.stream", 60, state="publishing", stream_id=path.split("/")[1])
        return path

    def told(self, path: str) -> dict[str, Any]:
        stream_id = path.split("/")[1]
        said = [x for x in self.tap.lines if x["type"] == "tap.stream" and x["stream_id"] == stream_id]
        return dict(said[-1].get("effective", {}))

    def used(self) -> list[dict[str, Any]]:
        said = [x for x in self.tap.lines if x["type"] == "tap.encoding"]
        return list(said[-1]["encoders"]) if said else []

    def drop(self, *camera_ids: str) -> None:
        for camera_id in camera_ids:
            self.tap.tell("tap.drop", camera_id=camera_id)

    def close(self) -> None:
        self.tap.close()
        for camera in self.cameras:
            camera.kill()
        self.engine.kill()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("encoders"))
    try:
        yield made
    finally:
        made.close()


def grows(rig: Rig, path: str, by: int = 3) -> None:
    """The stream plays on."""

    def end() -> int:
        if rig.engine.hls(path, "index.m3u8")[0] != 200:
            return -1
        playlist = rig.engine.playlist(path)
        return sequence(playlist) + len(segments(playlist))

    before = wait_until("a playlist", lambda: end() + 1, 60)
    wait_until("further segments", lambda: end() + 1 >= before + by, 60)


def test_renditions_share_what_an_engine_can_do(rig: Rig) -> None:
    xcode(rig.folder, "nvenc=ok")
    first = rig.camera()
    soft = rig.publish(first, 5)
    assert "encoder" not in rig.told(soft)
    rig.drop(first)
    # Two sessions: the third rendition is software's.
    rig.offer(sessions=2)
    second, third = rig.camera(), rig.camera()
    paths = [rig.publish(second, 5), rig.publish(second, 8), rig.publish(third, 5)]
    assert [rig.told(path).get("encoder") for path in paths] == ["nvenc", "nvenc", None]
    kpx = 640 * 360 * 13 // 1000
    expected = [{"encoder": "nvenc", "kpx_per_s": kpx, "sessions": 2}]
    wait_until("what is used is told", lambda: abs(rig.used()[0]["kpx_per_s"] - kpx) < 3, 60)
    assert rig.used()[0]["sessions"] == expected[0]["sessions"]
    decoded = Decoded(rig.engine, paths[1], rig.folder, 3)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    assert len(decoded.frames) == 8 * len(segments(decoded.playlist))
    rig.drop(second, third)
    wait_until("nothing is used", lambda: rig.used()[0]["sessions"] == 0, 60)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("hang:20", "it hung"),
        ("die:20", "its driver ended the process"),
        ("lie_picture", "it made another picture"),
    ],
)
def test_a_stream_goes_on_in_software_when_its_engine_fails(rig: Rig, mode: str, why: str) -> None:
    xcode(rig.folder, f"nvenc={mode}")
    rig.offer()
    since = len(rig.tap.lines)
    camera_id = rig.camera()
    path = rig.publish(camera_id, 10)
    failed = rig.tap.await_line("tap.encoder_failed", 60, since, camera_id=camera_id)
    assert (failed["encoder"], failed["why"]) == ("nvenc", why)
    wait_until("it is told", lambda: "nvenc failed, software" in rig.told(path).get("why", ""), 60)
    assert "encoder" not in rig.told(path)
    grows(rig, path)
    # The next one is not given to it.
    other = rig.camera()
    assert "encoder" not in rig.told(rig.publish(other, 10))
    failures = [x for x in rig.tap.lines[since:] if x["type"] == "tap.encoder_failed"]
    assert len(failures) == 1
    rig.drop(camera_id, other)

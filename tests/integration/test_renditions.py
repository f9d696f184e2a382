# SPDX-License-Identifier: Apache-2.0
"""Renditions of real cameras: weir-tap, weir-xcode, engines and decoders; no Kafka, no worker."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from profiles import sessions
from tap_rig import (
    XCODE, Camera, Decoded, Engine, Tap, children, dates, is_sanitized, media_of, segments, sequence, wait_until,
)
from tls_rig import Certificate, TlsProxy

# The camera draws its clock 16 rows high; made half as large, its middle is here.
HALF_ROW = 4
STAMP_BITS = (1 << 39) - 1


class Rig:
    """Makes parts, and ends them with the test."""

    def __init__(self, folder: Path, **environment: str) -> None:
        """`environment`: of the tap."""
        self.folder = folder
        self.engine = Engine(folder / "engine")
        self.tap = Tap(folder / "tap", **environment)
        self.cameras: list[Camera] = []
        self.kept: set[str] = set()

    def camera(self, *options: str) -> str:
        self.cameras.append(Camera(self.folder / f"camera{len(self.cameras)}", *options))
        camera_id = self.tap.camera(self.cameras[-1].url)
        self.kept.add(camera_id)
        self.tap.await_line("tap.source", state="up", camera_id=camera_id)
        return camera_id

    def drop(self, *camera_ids: str) -> None:
        for camera_id in camera_ids:
            self.tap.tell("tap.drop", camera_id=camera_id)
        self.kept -= set(camera_ids)
        wait_until(
            "no transcoder is left", lambda: self.xcodes() == [] and self.xcodes("weir-xcode-ffmpeg") == []
        )

    def publish(self, camera_id: str, **profile: Any) -> tuple[str, dict[str, Any]]:
        """The engine's path, and what the tap says that it publishes."""
        stream_id = str(uuid.uuid4())
        path = self.tap.publish(camera_id, self.engine, stream_id, **profile)
        line = self.tap.await_line("tap.stream", 60, state="publishing", stream_id=stream_id)
        return path, line["effective"]

    def told(self, path: str) -> dict[str, Any]:
        """What the tap said last of what it publishes there."""
        stream_id = path.split("/")[1]
        said = [x for x in self.tap.lines if x["type"] == "tap.stream" and x["stream_id"] == stream_id]
        return dict(said[-1]["effective"])

    def decode(self, path: str, n: int) -> Decoded:
        return Decoded(self.engine, path, self.folder, n)

    def probe(self, path: str) -> dict[str, Any]:
        """What ffprobe says of the video of the segments that are there."""

        def whole() -> bytes | None:
            return media_of(self.engine, path, self.engine.playlist(path))

        file = self.folder / f"{uuid.uuid4().hex}.mp4"
        file.write_bytes(wait_until("whole segments", whole))
        done = subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-of", "json", file],
            capture_output=True, check=True,
        )  # fmt: skip
        return dict(json.loads(done.stdout)["streams"][0])

    def xcodes(self, name: str = "weir-xcode") -> list[int]:
        """The processes of weir-xcode, which the tap's first thread starts."""
        return children(self.tap.process.pid, name)

    def close(self) -> None:
        self.tap.close()
        for camera in self.cameras:
            camera.kill()
        self.engine.kill()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("renditions"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(autouse=True)
def dropped(rig: Rig) -> Iterator[None]:
    """One test's failure is not the next one's."""
    yield
    if rig.kept:
        rig.drop(*rig.kept)


def steps(decoded: Decoded, row: int) -> list[int]:
    stamps = [decoded.stamp_ms(n, row) for n in range(len(decoded.frames))]
    return [b - a for a, b in zip(stamps, stamps[1:], strict=False)]


def stream_id_of(path: str) -> str:
    return path.split("/")[1]


def all_used(rig: Rig) -> list[dict[str, Any]]:
    return [row for line in rig.tap.lines if line["type"] == "tap.used" for row in line["streams"]]


def used(rig: Rig, *paths: str) -> dict[str, int]:
    """Of the newest line that tells of all of them, in thousandths of a core; {} while there is none."""
    for line in reversed(rig.tap.lines):
        rows = {row["stream_id"]: row["cpu_milli"] for row in line.get("streams", [])}
        if line["type"] == "tap.used" and all(rows.get(stream_id_of(path)) for path in paths):
            return {path: rows[stream_id_of(path)] for path in paths}
    return {}


def test_two_renditions_and_the_camera_itself_from_one_pull(rig: Rig) -> None:
    camera_id = rig.camera("--size", "1280x720", "--fps", "25", "--gop", "50", "--bitrate", "2500")
    source, as_is = rig.publish(camera_id)
    # Of a camera that came up a moment ago it is told once it is known.
    wait_until("what it sends", lambda: rig.told(source)["fps"] == 25, 30)
    low, is_low = rig.publish(camera_id, quality="low", fps=5)
    half, is_half = rig.publish(camera_id, quality="low", fps=12)
    assert (as_is["how"], as_is["width"], as_is["height"]) == ("passthrough", 1280, 720)
    assert (is_low["how"], is_low["width"], is_low["height"], is_low["fps"]) == ("transcode", 640, 360, 5)
    assert (is_half["how"], is_half["fps"], is_half["codec"]) == ("transcode", 12, "avc1")
    assert len(rig.xcodes()) == 1

    decoded = rig.decode(low, 4)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    assert len(decoded.frames) == 5 * len(segments(decoded.playlist))
    assert all(step in range(180, 221) for step in steps(decoded, HALF_ROW))
    # The date of the last segment is the time that the camera drew into its first frame.
    said = round(dates(decoded.playlist)[-1] * 1000) & STAMP_BITS
    assert abs(said - decoded.stamp_ms(len(decoded.frames) - 5, HALF_ROW)) < 60

    decoded = rig.decode(half, 4)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    rate = 1000 * (len(decoded.frames) - 1) / sum(steps(decoded, HALF_ROW))
    assert 11.5 < rate < 12.5
    stream = rig.probe(half)
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 640, 360)
    assert (stream["pix_fmt"], stream["has_b_frames"], stream["sample_aspect_ratio"]) == (
        "yuv420p", 0, "1:1",
    )  # fmt: skip
    assert rig.probe(source)["width"] == 1280
    # The camera was asked once.
    assert rig.tap.stats[camera_id]["reconnects"] == 0
    ups = [x for x in rig.tap.lines if x.get("camera_id") == camera_id and x.get("state") == "up"]
    assert len(ups) == 1
    # What each took is told: more pixels, more of it; and nothing of what passes.
    told = wait_until("what they took", lambda: used(rig, low, half), 30)
    assert 0 < told[low] < told[half]
    assert stream_id_of(source) not in {row["stream_id"] for row in all_used(rig)}
    rig.drop(camera_id)


def test_what_the_camera_sends_is_not_made_again(rig: Rig) -> None:
    camera_id = rig.camera("--fps", "15", "--gop", "15", "--bitrate", "300")
    _, as_is = rig.publish(camera_id, quality="medium", fps=15)
    keys, is_keys = rig.publish(camera_id, quality="low", fps=1)
    assert (as_is["how"], is_keys["how"]) == ("passthrough", "keyframes")
    assert rig.xcodes() == []
    decoded = rig.decode(keys, 4)
    assert decoded.exit_code == 0
    assert all(step in range(900, 1101) for step in steps(decoded, 8))
    rig.drop(camera_id)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_transcoder_that_ends_or_hangs_is_replaced_without_a_gap(rig: Rig, how: signal.Signals) -> None:
    camera_id = rig.camera("--fps", "15", "--gop", "15", "--bitrate", "300")
    neighbour_id = rig.camera("--fps", "15", "--gop", "15", "--bitrate", "300")
    path, _ = rig.publish(camera_id, quality="low", fps=5)
    rig.publish(neighbour_id, quality="low", fps=5)
    rig.decode(path, 4)
    both = rig.xcodes()
    assert len(both) == 2
    old = min(both)
    since = len(rig.tap.lines)
    os.kill(old, how)
    wait_until("another process", lambda: len(rig.xcodes()) == 2 and old not in rig.xcodes(), 30)
    assert set(both) & set(rig.xcodes()) == {max(both)}, "the neighbour's goes on"
    there = sequence(rig.engine.playlist(path)) + len(segments(rig.engine.playlist(path)))
    wait_until(
        "segments of the new one",
        lambda: sequence(rig.engine.playlist(path)) + len(segments(rig.engine.playlist(path))) > there + 1,
    )
    decoded = rig.decode(path, 4)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    # It went on right behind what was there: no frame is missing, in the session of before.
    assert all(step in range(150, 251) for step in steps(decoded, 8)), steps(decoded, 8)
    assert [x for x in rig.tap.lines[since:] if x["type"] == "tap.stream"] == []
    rig.drop(camera_id, neighbour_id)


def test_h265_and_b_frames_become_h264_that_every_player_shows(rig: Rig) -> None:
    hevc = rig.camera("--codec", "h265", "--fps", "15", "--bitrate", "300")
    reordered = rig.camera("--bframes", "2", "--fps", "15", "--bitrate", "300")
    for camera_id in (hevc, reordered):
        path, effective = rig.publish(camera_id, quality="low", fps=10)
        assert (effective["how"], effective["codec"]) == ("transcode", "avc1")
        decoded = rig.decode(path, 3)
        assert decoded.exit_code == 0 and decoded.complaints == ""
        assert all(step in range(50, 150) for step in steps(decoded, 8)), steps(decoded, 8)
    rig.drop(hevc, reordered)


def test_frames_and_bits_change_while_it_is_watched(rig: Rig) -> None:
    """As a worker that lacks processor has it: on the open encoder, in the same playlist."""
    camera_id = rig.camera("--fps", "15", "--gop", "15", "--bitrate", "300")
    path, effective = rig.publish(camera_id, quality="low", fps=12)
    rig.decode(path, 3)
    since, xcodes = len(rig.tap.lines), rig.xcodes()
    begin = sequence(rig.engine.playlist(path))
    for share, fps, step in ((500000, 6, 1000 / 6), (1000000, 12, 1000 / 12)):
        rig.tap.tell("tap.pace", fps_ppm=share)
        wait_until("it says so", lambda fps=fps: rig.told(path)["fps"] == fps)
        now = rig.told(path)
        assert ("busy" in now["why"]) == (fps == 6) and now["width"] == effective["width"]
        assert (now["bitrate_bps"] < effective["bitrate_bps"]) == (fps == 6)
        there = sequence(rig.engine.playlist(path)) + len(segments(rig.engine.playlist(path)))
        wait_until(
            "segments made so",
            lambda there=there: sequence(rig.engine.playlist(path)) > there,
            60,
        )
        decoded = rig.decode(path, 3)
        assert decoded.exit_code == 0 and decoded.complaints == ""
        # The camera has 15, so that frames of 12 are one or two of its intervals apart.
        made = steps(decoded, 8)
        assert max(made) < 250 and abs(sum(made) / len(made) - step) < 8, made
        assert "DISCONTINUITY" not in decoded.playlist and sequence(decoded.playlist) > begin
    # Nobody's session ended, and no process did.
    states = {x["state"] for x in rig.tap.lines[since:] if x["type"] == "tap.stream"}
    assert states == {"publishing"} and rig.xcodes() == xcodes
    rig.drop(camera_id)


def test_images_of_motion_jpeg_become_h264(rig: Rig) -> None:
    camera_id = rig.camera("--codec", "mjpeg", "--size", "640x360", "--fps", "15")
    up = rig.tap.await_line("tap.source", state="up", camera_id=camera_id)
    assert (up["video_codec"], up["width"], up["height"]) == ("mjpg", 640, 360)
    source, is_source = rig.publish(camera_id)
    slow, is_slow = rig.publish(camera_id, quality="low", fps=5)
    for effective, fps in ((is_source, 15), (is_slow, 5)):
        assert (effective["how"], effective["codec"], effective["fps"]) == ("transcode", "avc1", fps)
        assert "MJPEG" in effective["why"] and effective["width"] == 640
    assert len(rig.xcodes()) == 1
    for path, step in ((source, range(50, 90)), (slow, range(180, 221))):
        decoded = rig.decode(path, 3)
        assert decoded.exit_code == 0 and decoded.complaints == ""
        assert all(s in step for s in steps(decoded, 8)), steps(decoded, 8)
    # The date of the last segment is the time that the camera drew into its first frame.
    said = round(dates(decoded.playlist)[-1] * 1000) & STAMP_BITS
    assert abs(said - decoded.stamp_ms(len(decoded.frames) - 5, 8)) < 60
    assert rig.tap.stats[camera_id]["reconnects"] == 0
    rig.drop(camera_id)


@pytest.mark.parametrize(
    ("pixels", "why"), [("interlaced", "interlaced"), ("422", "pixel format"), ("10bit", "pixel format")]
)
def test_what_no_player_shows_is_transcoded_for_who_asks_for_the_source_too(
    rig: Rig, pixels: str, why: str
) -> None:
    camera_id = rig.camera("--pixels", pixels, "--fps", "15", "--gop", "15", "--bitrate", "900")
    path, effective = rig.publish(camera_id)
    assert (effective["how"], effective["codec"]) == ("transcode", "avc1") and why in effective["why"]
    decoded = rig.decode(path, 2)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    # One frame of each, with its time whole in it.
    assert all(step in range(50, 90) for step in steps(decoded, 8)), steps(decoded, 8)
    stream = rig.probe(path)
    assert (stream["pix_fmt"], stream["field_order"], stream["width"]) == ("yuv420p", "progressive", 640)
    rig.drop(camera_id)


def test_a_transcoder_has_nothing_but_its_socket(rig: Rig) -> None:
    camera_id = rig.camera("--fps", "15", "--gop", "15", "--bitrate", "300")
    rig.publish(camera_id, quality="low", fps=5)
    (pid,) = rig.xcodes()
    status = Path(f"/proc/{pid}/status").read_text()
    held = {fd.name: os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    if is_sanitized(XCODE):
        pytest.skip("built with sanitizers, which need more")
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert held["0"] == "/dev/null" and held["3"].startswith("socket:") and sorted(held) == list("0123")
    rig.drop(camera_id)


def sub_of(camera: Camera, name: str = "sub", **declared: Any) -> dict[str, Any]:
    return {"name": name, "url": camera.url, "transport": "tcp", **declared}


def test_a_small_picture_is_another_stream_of_the_camera(rig: Rig) -> None:
    small = ("--fps", "15", "--gop", "15", "--bitrate", "300")
    camera_id = rig.camera("--size", "960x540", "--fps", "15", "--gop", "15", "--bitrate", "1500")
    main = rig.cameras[-1]
    sub, wide = (Camera(rig.folder / f"other{n}", *options) for n, options in enumerate((
        small, ("--size", "720x540", "--fps", "10", "--gop", "10", "--bitrate", "300")
    )))  # fmt: skip
    rig.cameras += [sub, wide]
    others = [sub_of(wide, "wide", width=720, height=540), sub_of(sub)]
    rig.tap.camera(main.url, camera_id=camera_id, others=others)
    low, is_low = rig.publish(camera_id, quality="low", fps=15)
    assert (is_low["how"], is_low["width"], is_low["height"]) == ("profile", 640, 360)
    assert is_low["why"] == "the camera's stream sub meets what was asked for"
    # Its times are those that its own source drew into it.
    decoded = rig.decode(low, 4)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    assert all(step in range(50, 84) for step in steps(decoded, 8)), steps(decoded, 8)
    said = round(dates(decoded.playlist)[-1] * 1000) & STAMP_BITS
    assert abs(said - decoded.stamp_ms(len(decoded.frames) - 15)) < 60
    # Main serves who asks for it; the one that is declared to be too large is not read.
    _, as_is = rig.publish(camera_id)
    rig.publish(camera_id, quality="low", fps=16)
    assert (as_is["how"], as_is["width"]) == ("passthrough", 960)
    assert [sessions(camera.port) for camera in (main, sub, wide)] == [1, 1, 0]
    assert rig.xcodes() == []
    wait_until("what is said of the other source", lambda: f"{camera_id}/sub" in rig.tap.stats)
    assert rig.tap.stats[f"{camera_id}/sub"]["health"] == "healthy"
    # Without it the stream goes on, made of main.
    sub.kill()
    stream_id = low.split("/")[1]
    line = wait_until(
        "another way",
        lambda: next(
            (x for x in rig.tap.lines if x.get("stream_id") == stream_id and x["type"] == "tap.stream"
             and x.get("effective", {}).get("how") == "transcode"), None
        ),
        60,
    )  # fmt: skip
    assert line["effective"]["why"] == "the camera's picture is larger; wide: too large; sub: cannot be read"
    wait_until("that is told", lambda: rig.tap.stats[f"{camera_id}/sub"].get("faults", 0) & 1024)
    assert rig.decode(low, 3).exit_code == 0
    assert sessions(main.port) == 1
    rig.drop(camera_id)


def test_another_stream_that_turns_out_too_large_is_not_shown(rig: Rig) -> None:
    camera_id = rig.camera("--size", "960x540", "--fps", "15", "--gop", "15", "--bitrate", "500")
    main = rig.cameras[-1]
    wide = Camera(rig.folder / "wide", "--size", "720x540", "--fps", "15", "--gop", "15", "--bitrate", "300")
    rig.cameras.append(wide)
    rig.tap.camera(main.url, camera_id=camera_id, others=[sub_of(wide, width=320, height=180)])
    low, is_low = rig.publish(camera_id, quality="low", fps=15)
    assert is_low["how"] == "transcode"
    assert is_low["why"] == "the camera's picture is larger; sub: too large"
    assert sessions(main.port) == 1
    # It is left, and its size is not forgotten.
    wait_until("nobody reads it", lambda: sessions(wide.port) == 0, 30)
    assert rig.publish(camera_id, quality="low", fps=14)[1]["why"] == is_low["why"]
    assert sessions(wide.port) == 0
    rig.drop(camera_id)


def test_a_plain_stream_behind_https_is_shown_where_no_player_shows_main(rig: Rig) -> None:
    camera_id = rig.camera("--codec", "mjpeg", "--size", "960x540", "--fps", "10")
    main = rig.cameras[-1]
    sub = Camera(rig.folder / "tls", "--fps", "15", "--gop", "15", "--bitrate", "300")
    rig.cameras.append(sub)
    certificate = Certificate(rig.folder, "sub")
    with contextlib.closing(TlsProxy(sub.port, certificate)) as proxy:
        other = {"name": "sub", "url": proxy.url, "transport": "http"}
        other["tls_pin_sha256"] = certificate.pin()
        spec = {"camera_id": camera_id, "others": [other]}
        rig.tap.camera(main.url, **spec)
        low, is_low = rig.publish(camera_id, quality="low")
        assert (is_low["how"], is_low["width"], is_low["height"]) == ("profile", 640, 360)
        assert rig.xcodes() == []
        _, as_is = rig.publish(camera_id)
        assert as_is["how"] == "transcode" and "MJPEG" in as_is["why"] and as_is["width"] == 960
        # The encoder's delay is that of all sources, and none is read anew for it.
        rig.tap.camera(main.url, **spec, encoder_delay_ms=700)

        def is_earlier() -> bool:
            decoded = rig.decode(low, 2)
            said = round(dates(decoded.playlist)[-1] * 1000) & STAMP_BITS
            return abs(decoded.stamp_ms(len(decoded.frames) - 15) - said - 700) < 60

        wait_until("times of capture", is_earlier, 60)
        assert rig.tap.stats[f"{camera_id}/sub"]["reconnects"] == 0
        assert len(proxy.came) == 2  # GET and POST
        rig.drop(camera_id)


def test_a_program_that_is_not_there_is_told_and_tried_again(rig: Rig) -> None:
    rightful = rig.tap
    rig.tap = Tap(rig.folder / "other", WEIR_XCODE="/nowhere/weir-xcode")
    try:
        camera_id = rig.camera("--fps", "15", "--gop", "15", "--bitrate", "300")
        stream_id = str(uuid.uuid4())
        rig.tap.publish(camera_id, rig.engine, stream_id, quality="low", fps=5)
        for _ in range(2):
            line = rig.tap.await_line(
                "tap.stream", 30, stream_id=stream_id, state="failing", reason="transcode_failed"
            )
            rig.tap.lines.remove(line)
        # Its neighbour does not notice.
        path, effective = rig.publish(camera_id)
        assert effective["how"] == "passthrough"
        assert rig.decode(path, 3).exit_code == 0
    finally:
        rig.tap.close()
        rig.tap = rightful


def test_of_a_picture_that_is_too_large_nothing_is_made_and_it_is_said(rig: Rig) -> None:
    camera_id = rig.camera("--size", "8240x64", "--fps", "5", "--gop", "5", "--bitrate", "100")
    for _ in range(2):  # who comes later is told too
        stream_id = str(uuid.uuid4())
        rig.tap.publish(camera_id, rig.engine, stream_id, quality="low")
        line = rig.tap.await_line(
            "tap.stream", 30, stream_id=stream_id, state="failing", reason="transcode_failed"
        )
        assert "8240x64, is too large" in line["detail"]
    assert rig.xcodes() == []
    _, effective = rig.publish(camera_id)
    assert (effective["how"], effective["width"]) == ("passthrough", 8240)
    rig.drop(camera_id)

# SPDX-License-Identifier: Apache-2.0
"""Renditions by the FFmpeg command line, through weir-tap: chosen, and as what goes on where weir-xcode
breaks. See test_renditions.py for all that does not depend on what makes them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tap_rig import FFMPEG, TAP, XCODE_FFMPEG, Tap, dates, segments, sequence, wait_until
from test_renditions import STAMP_BITS, Rig, steps

BY_FFMPEG = {"WEIR_XCODE_FFMPEG": str(XCODE_FFMPEG), "WEIR_FFMPEG": FFMPEG}
NAME = "weir-xcode-ffmpeg"
SMALL = ("--fps", "15", "--gop", "15", "--bitrate", "300")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("ffmpeg"), **BY_FFMPEG, WEIR_XCODE_ENGINE="ffmpeg")
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


def made_until(rig: Rig, path: str) -> int:
    playlist = rig.engine.playlist(path)
    return sequence(playlist) + len(segments(playlist))


def test_two_renditions_are_of_one_ffmpeg_and_of_the_right_times(rig: Rig) -> None:
    camera_id = rig.camera("--bframes", "2", "--size", "1280x720", "--fps", "20", "--gop", "20",
                           "--bitrate", "900")  # fmt: skip
    # The command line cannot encode in hardware, so none of it is given away.
    nvenc = {"encoder": "nvenc", "kpx_per_s": 1000000, "sessions": 8}
    rig.tap.tell("tap.encoders", encoders=[nvenc])
    low, is_low = rig.publish(camera_id, quality="low", fps=5)
    half, is_half = rig.publish(camera_id, quality="low", fps=12)
    assert (is_low["how"], is_low["width"], is_low["height"]) == ("transcode", 640, 360)
    said = is_low["why"] + is_half["why"]
    assert "ffmpeg" not in said and "nvenc" not in said, "nothing broke"
    assert "encoder" not in is_low and "encoder" not in is_half
    used = rig.tap.await_line("tap.encoding", 60, len(rig.tap.lines))["encoders"]
    assert used == [{**nvenc, "kpx_per_s": 0, "sessions": 0}]
    assert len(rig.xcodes(NAME)) == 1 and rig.xcodes() == []
    decoded = rig.decode(low, 4)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    assert all(step in range(180, 221) for step in steps(decoded, 4)), steps(decoded, 4)
    said = round(dates(decoded.playlist)[-1] * 1000) & STAMP_BITS
    assert abs(said - decoded.stamp_ms(len(decoded.frames) - 5, 4)) < 60
    decoded = rig.decode(half, 3)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    assert 11.5 < 1000 * (len(decoded.frames) - 1) / sum(steps(decoded, 4)) < 12.5
    stream = rig.probe(half)
    assert (stream["codec_name"], stream["pix_fmt"], stream["has_b_frames"]) == ("h264", "yuv420p", 0)
    assert rig.tap.stats[camera_id]["reconnects"] == 0


def test_an_ffmpeg_that_hangs_is_replaced_without_a_gap(rig: Rig) -> None:
    camera_id = rig.camera(*SMALL)
    path, _ = rig.publish(camera_id, quality="low", fps=5)
    rig.decode(path, 3)
    (old,) = rig.xcodes(NAME)
    (ffmpeg,) = Path(f"/proc/{old}/task/{old}/children").read_text().split()
    os.kill(int(ffmpeg), signal.SIGSTOP)
    wait_until("another one", lambda: len(rig.xcodes(NAME)) == 1 and old not in rig.xcodes(NAME), 60)
    wait_until("its end", lambda: not Path(f"/proc/{ffmpeg}").exists(), 30)
    there = made_until(rig, path)
    wait_until("segments of the new one", lambda: made_until(rig, path) > there + 1, 60)
    decoded = rig.decode(path, 4)
    assert decoded.exit_code == 0 and decoded.complaints == ""
    assert all(step in range(150, 251) for step in steps(decoded, 8)), steps(decoded, 8)


def test_where_one_engine_breaks_the_other_one_goes_on(rig: Rig) -> None:
    """One that ends at once, so that nothing ever comes of it."""
    rightful = rig.tap
    rig.tap = Tap(rig.folder / "other", **BY_FFMPEG, WEIR_XCODE="/bin/false")
    try:
        camera_id = rig.camera(*SMALL)
        stream_id = str(uuid.uuid4())
        path = rig.tap.publish(camera_id, rig.engine, stream_id, quality="low", fps=5)
        rig.tap.await_line(
            "tap.stream", 30, stream_id=stream_id, state="failing", reason="transcode_failed"
        )
        line = rig.tap.await_line("tap.stream", 60, stream_id=stream_id, state="publishing")
        assert line["effective"]["why"].endswith("; made by ffmpeg: the libav engine broke")
        decoded = rig.decode(path, 3)
        assert decoded.exit_code == 0 and all(step in range(150, 251) for step in steps(decoded, 8))
        logged = rig.tap.logged()
        assert logged.count("xcode: ended") == 3 and "xcode: the other engine goes on" in logged
        # And with the tap all of it ends.
        (xcode,) = rig.xcodes(NAME)
        (ffmpeg,) = Path(f"/proc/{xcode}/task/{xcode}/children").read_text().split()
        rig.tap.process.kill()
        for pid in (str(xcode), ffmpeg):
            wait_until("its end", lambda pid=pid: not Path(f"/proc/{pid}").exists(), 30)
    finally:
        rig.kept.clear()
        rig.tap.close()
        rig.tap = rightful


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"WEIR_XCODE_ENGINE": "gpu"}, 'WEIR_XCODE_ENGINE: "gpu" is no engine: libav and ffmpeg are'),
        (
            {"WEIR_XCODE_ENGINE": "ffmpeg", "WEIR_FFMPEG": "/nowhere/ffmpeg"},
            "WEIR_FFMPEG, which WEIR_XCODE_ENGINE=ffmpeg needs: program /nowhere/ffmpeg cannot be run",
        ),
    ],
    ids=["name", "program"],
)
def test_an_engine_that_is_not_there_is_refused_at_start(settings: dict[str, str], why: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [str(TAP)], env={**os.environ, **settings}, capture_output=True, text=True, timeout=60,
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3), close_fds=False,
        )  # fmt: skip
    assert done.returncode == 2 and why in done.stderr

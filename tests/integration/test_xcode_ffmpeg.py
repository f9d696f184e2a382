# SPDX-License-Identifier: Apache-2.0
"""weir-xcode-ffmpeg by itself: its times and pictures, what the command line cannot change while it runs,
what becomes of its ffmpeg, and what that may do. See test_xcode.py for what both engines do alike."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tap_rig import XCODE_FFMPEG, children, is_sanitized, wait_until
from xcode_rig import (
    H264, H265, HEAD, MJPEG, PCMA, SOUND, SOUND_NONE, SOUND_SPEC, SOUND_UNIT, TICKS, UNIT, Unit, Xcode, apart, clip, encoded, ffmpeg, images, kbps, planes, stream_of,
)  # fmt: skip

FPS = 25


@pytest.fixture(scope="module")
def source() -> list[Unit]:
    return clip("640x360", FPS, 6)


@pytest.fixture
def xcode(tmp_path: Path) -> Iterator[Xcode]:
    made = Xcode(tmp_path, engine="ffmpeg")
    try:
        yield made
    finally:
        made.close()


def workers(xcode: Xcode) -> list[int]:
    """Its children that have become ffmpeg."""
    return children(xcode.process.pid, "ffmpeg")


def state(pid: int) -> str:
    """A letter as of proc(5); of one that is not there it is that of one that ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def is_gone(pid: int) -> bool:
    return state(pid) == "Z"


TURNING = "testsrc2=size=640x360:rate=25:duration=2,hue=H=t"


@pytest.mark.parametrize("codec", [H264, H265, MJPEG], ids=["h264", "h265", "mjpeg"])
def test_two_renditions_of_one_decoding_are_of_the_right_frames(xcode: Xcode, codec: int) -> None:
    made_of = ("-f", "lavfi", "-i", TURNING)
    if codec == MJPEG:
        units = images(*made_of, fps=FPS)
    else:
        params = "log-level=none" if codec == H265 else "slices=1"
        units = encoded(*made_of, fps=FPS, params=params, codec=codec)
    # As a camera sends them: not from zero, and not at even times.
    for n, unit in enumerate(units):
        unit.ts += 10_000_000_007 + n * 7919 % 601
    times = [unit.ts for unit in units]
    xcode.rendition(1, (640, 360), 3000, FPS)
    xcode.rendition(4, (320, 180), 1500, 5)
    made = xcode.give_all(units[:-1], codec, is_end=False)
    assert len(workers(xcode)) == 1
    for number, more in xcode.give_all(units[-1:], codec).items():
        made[number] += more
    assert [unit.ts for unit in made[1]] == times
    assert len(made[4]) == 10 and all(unit.ts in times for unit in made[4])
    for number, (width, height) in ((1, (640, 360)), (4, (320, 180))):
        size = width * height * 3 // 2
        truth = ffmpeg(*made_of, "-vf", f"scale={width}:{height}:flags=area,format=yuv420p", "-f", "rawvideo")
        shown = planes(stream_of(made[number]))
        assert len(shown) == len(made[number]) * size
        for n in (0, 3, 9):
            is_of = times.index(made[number][n].ts)
            here, around = (truth[at * size : at * size + width * height] for at in (is_of, is_of + 4))
            picture = shown[n * size : n * size + width * height]
            assert apart(picture, here) < 6 and apart(picture, here) < apart(picture, around) / 2
        # A second and a few hundredths, for frames are uneven.
        keys = [unit.ts for unit in made[number] if unit.is_key]
        assert keys[0] == times[0] and all(TICKS <= b - a < TICKS * 1.3 for a, b in zip(keys, keys[1:]))  # noqa: B905
        assert len(keys) == 2


def test_what_is_asked_for_meanwhile_comes_with_the_next_keyframe(xcode: Xcode, source: list[Unit]) -> None:
    """No frame is lost or made twice where one ffmpeg ends and the next one begins."""
    xcode.rendition(0, (640, 360), 1200, FPS)
    made = xcode.give_all(source[:30], is_end=False)
    (first,) = workers(xcode)
    # The next group of pictures begins after two seconds.
    xcode.rendition(0, (640, 360), 400, 5)
    xcode.rendition(2, (320, 180), 200, 10)
    for number, units in xcode.give_all(source[30:], is_end=False).items():
        made.setdefault(number, []).extend(units)
    (second,) = workers(xcode)
    assert first != second and is_gone(first)
    before = [unit for unit in made[0] if unit.ts < 2 * TICKS]
    assert [unit.ts for unit in before] == [unit.ts for unit in source[:50]]
    after = made[0][50:]
    # On from the last frame, a fifth of a second each.
    assert [unit.ts for unit in after] == [(54 + 5 * n) * TICKS // FPS for n in range(20)]
    assert after[0].is_key and made[2][0].is_key and made[2][0].ts == 2 * TICKS and len(made[2]) == 40
    assert 900 < kbps(before) < 1600 and 280 < kbps(after) < 700


def test_a_unit_that_nothing_comes_of_is_worked_off(xcode: Xcode, source: list[Unit]) -> None:
    xcode.rendition(0, (320, 180), 300, FPS)
    assert len(xcode.give_all(source[:10], is_end=False)[0]) == 10
    assert xcode.give(Unit(source[10].ts, False, b"\0\0\0\2\x0c\x80")) == {}
    assert len(xcode.give_all(source[11:20], is_end=False)[0]) == 9


def test_sound_is_left_to_the_other_engine(xcode: Xcode, source: list[Unit]) -> None:
    xcode.rendition(0, (320, 180), 300, FPS)
    xcode.send(SOUND, SOUND_SPEC.pack(PCMA, 8000, 1, 0))
    assert HEAD.unpack(xcode.read(HEAD.size))[1] == SOUND_NONE
    xcode.send(SOUND_UNIT, bytes(160), ts=0)
    xcode.take({})
    assert len(xcode.give_all(source[:5], is_end=False)[0]) == 5


def test_a_killed_ffmpeg_ends_it_and_a_hung_one_is_told_by_silence(xcode: Xcode, source: list[Unit]) -> None:
    xcode.rendition(0, (320, 180), 300, FPS)
    xcode.give_all(source[:10], is_end=False)
    (pid,) = workers(xcode)
    os.kill(pid, signal.SIGSTOP)
    wait_until("it stands still", lambda: state(pid) == "T")
    for unit in source[10:14]:
        xcode.send(UNIT, unit.data, is_key=unit.is_key, ts=unit.ts)
    xcode.pipe.settimeout(1.5)
    with pytest.raises(socket.timeout):
        xcode.pipe.recv(1)
    xcode.pipe.settimeout(60)
    os.kill(pid, signal.SIGCONT)
    made: dict[int, list[Unit]] = {}
    for _ in range(4):
        xcode.take(made)
    assert len(made[0]) == 4
    os.kill(pid, signal.SIGKILL)
    assert xcode.process.wait(30) == 1
    assert "weir-xcode-ffmpeg: ffmpeg ended" in xcode.log.read_text()


def test_it_takes_its_ffmpeg_along(xcode: Xcode, source: list[Unit]) -> None:
    xcode.rendition(0, (320, 180), 300, FPS)
    xcode.give_all(source[:5], is_end=False)
    (pid,) = workers(xcode)
    os.kill(pid, signal.SIGSTOP)
    xcode.process.kill()
    wait_until("ffmpeg's end", lambda: is_gone(pid), 30)


TRIES = r"""
import json, os, signal, socket, subprocess, sys

def tried(what):
    try:
        what()
        return "done"
    except OSError as error:
        return error.strerror

print(json.dumps({
    "socket": tried(lambda: socket.socket()),
    "unix": tried(lambda: socket.socketpair()),
    "read": tried(lambda: open(sys.argv[1]).read()),
    "parent": tried(lambda: open(f"/proc/{os.getppid()}/environ").read()),
    "write": tried(lambda: open(sys.argv[2], "w")),
    "signal": tried(lambda: os.kill(os.getppid(), 0)),
    "fork": tried(lambda: os._exit(0) if os.fork() == 0 else None),
    "exec": tried(lambda: os.execv("/usr/bin/env", ["env"])),
}))
"""


def test_what_decodes_can_reach_nothing(tmp_path: Path, xcode: Xcode, source: list[Unit]) -> None:
    xcode.rendition(0, (320, 180), 300, FPS)
    xcode.give_all(source[:5], is_end=False)
    (pid,) = workers(xcode)
    status = Path(f"/proc/{pid}/status").read_text()
    if is_sanitized(XCODE_FFMPEG):
        pytest.skip("built with sanitizers, which need more")
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    held = {fd.name: os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
    assert set("012345") <= set(held), held
    assert all(path.startswith(("pipe:", "anon_inode:")) for path in held.values()), held

    # Another program in its place, which tries.
    private, other = tmp_path / "private", tmp_path / "other"
    private.write_text("of somebody else")
    python = "/usr/bin/python3"
    if not Path(python).exists():
        python = os.path.realpath(sys.executable)
    done = subprocess.run(
        [str(XCODE_FFMPEG), "--shut-in", os.path.realpath(python), "-I", "-S", "-c", TRIES, str(private),
         str(other)], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tries = json.loads(done.stdout)
    assert set(tries.values()) <= {"Operation not permitted", "Permission denied", "Function not implemented"}, tries
    assert not other.exists()


def test_an_ffmpeg_that_is_not_there_is_told(tmp_path: Path, source: list[Unit]) -> None:
    gone = Xcode(tmp_path, engine="ffmpeg", ffmpeg_path="/nowhere/ffmpeg")
    try:
        gone.rendition(0, (320, 180), 300, FPS)
        gone.send(UNIT, source[0].data, is_key=True, ts=source[0].ts)
        assert gone.process.wait(30) == 1
        assert "/nowhere/ffmpeg: No such file or directory" in gone.log.read_text()
    finally:
        gone.close()

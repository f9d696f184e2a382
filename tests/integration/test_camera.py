# SPDX-License-Identifier: Apache-2.0
"""The test camera is what it says: codecs, clock, password and each of its faults."""

from __future__ import annotations

import subprocess
import time
from urllib.parse import quote

import pytest
from conftest import Dev

PASSWORD = "p@ss:w/ö rd"
MODULUS = 1 << 39
CELLS = 40


def probe(url: str, seconds: float = 6) -> tuple[int, str]:
    """ffprobe's exit code (124 when it hangs) and what it says, codecs or complaint."""
    argv = ["timeout", str(seconds), "ffprobe", "-v", "error", "-rtsp_transport", "tcp"]
    argv += ["-show_entries", "stream=codec_name,has_b_frames", "-of", "compact=nk=0", url]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def with_login(url: str) -> str:
    return url.replace("rtsp://", f"rtsp://viewer:{quote(PASSWORD, safe='')}@")


def add(dev: Dev, name: str, *options: str) -> str:
    return dev.ok("camera", "add", name, *options).strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--bframes", "2", "--audio", "pcma"], ["h264|has_b_frames=2", "pcm_alaw"]),
        (["--codec", "h265", "--audio", "opus"], ["hevc", "opus"]),
        (["--codec", "mjpeg"], ["mjpeg"]),
        (["--audio", "aac", "--gop", "0.5"], ["h264|has_b_frames=0", "aac"]),
    ],
)
def test_codecs_are_as_ordered(dev: Dev, options: list[str], expected: list[str]) -> None:
    url = add(dev, "codec", *options)
    try:
        code, text = probe(url, 20)
        assert code == 0, text
        assert all(f"codec_name={codec}" in text for codec in expected), text
    finally:
        dev.ok("camera", "kill", "codec")


@pytest.fixture(scope="module")
def guarded(dev: Dev) -> str:
    return add(dev, "guarded", "--user", "viewer", "--password", PASSWORD)


def test_digest_authentication_with_an_awkward_password(guarded: str) -> None:
    assert probe(with_login(guarded), 20)[0] == 0
    assert "401" in probe(guarded)[1]
    assert "401" in probe(guarded.replace("//", "//viewer:wrong@"))[1]


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("refuse", "Connection refused"),
        ("wrongpass", "401"),
        ("notfound", "404"),
        ("busy", "453"),
        ("redirect", "refused"),
        ("silent", None),
        ("freeze", None),
    ],
)
def test_faults_appear_and_go(dev: Dev, guarded: str, fault: str, complaint: str | None) -> None:
    """A complaint of None means: no answer at all."""
    dev.ok("camera", "fault", "guarded", fault)
    time.sleep(0.3)
    code, text = probe(with_login(guarded), 4)
    assert code == 124 if complaint is None else complaint in text, (code, text)
    dev.ok("camera", "fault", "guarded", "none")
    time.sleep(0.3)
    assert probe(with_login(guarded), 20)[0] == 0


def test_the_picture_carries_the_time_of_its_capture(dev: Dev, guarded: str) -> None:
    frames = read_stamps(with_login(guarded), seconds=3)
    assert len(frames) >= 20
    steps = [after - before for before, after in zip(frames, frames[1:])]
    assert all(50 <= step <= 90 for step in steps), steps
    age_ms = (int(time.time() * 1000) - frames[-1]) % MODULUS
    assert age_ms < 5000


def read_stamps(url: str, seconds: int) -> list[int]:
    """The times in the cells over the top of each frame (tests/camera/stamp.h)."""
    argv = ["ffmpeg", "-nostdin", "-v", "quiet", "-rtsp_transport", "tcp", "-i", url, "-an"]
    argv += ["-t", str(seconds), "-vf", "crop=iw:16:0:0,scale=640:16,format=gray"]
    row = 640
    raw = subprocess.run(
        [*argv, "-f", "rawvideo", "-"], capture_output=True, timeout=60, check=True
    ).stdout
    stamps = []
    for start in range(0, len(raw) - 16 * row + 1, 16 * row):
        middle = raw[start + 8 * row : start + 9 * row]
        bits = [sum(middle[c * 16 + 4 : c * 16 + 12]) > 8 * 128 for c in range(CELLS)]
        assert sum(bits) % 2 == 0, "a stamp's parity is wrong"
        stamps.append(int("".join("1" if bit else "0" for bit in bits[:-1]), 2))
    return stamps

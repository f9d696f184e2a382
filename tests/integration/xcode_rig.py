# SPDX-License-Identifier: Apache-2.0
"""weir-xcode by itself: the tests play weir-tap on its descriptor 3 (lib/domain/xcode.h)."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tap_rig import XCODE

MAGIC = 0x77787231
RENDITION, DROP, FLUSH, UNIT, DONE = range(5)
HEAD = struct.Struct("=IIIIIIq")
SPEC = struct.Struct("=IIIIIIq")
TICKS = 90000
BEGIN = -(1 << 63)


@dataclass
class Unit:
    ts: int
    is_key: bool
    data: bytes


def ffmpeg(*arguments: str, data: bytes = b"") -> bytes:
    """What it writes to its standard output."""
    return subprocess.run(["ffmpeg", "-v", "error", *arguments, "-"], input=data, capture_output=True,
                          check=True).stdout  # fmt: skip


def clip(size: str, fps: int, seconds: int, kbps: int = 3000) -> list[Unit]:
    """Units of a made picture in motion, each NAL unit behind its length."""
    return encoded(
        "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={seconds}", "-vf",
        "noise=alls=12:allf=t", fps=fps, kbps=kbps,
    )  # fmt: skip


def encoded(*source: str, fps: int, kbps: int = 3000, params: str = "slices=1") -> list[Unit]:
    """The same of any source, with what is before the encoder."""
    stream = ffmpeg(
        *source, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(2 * fps),
        "-b:v", f"{kbps}k", "-x264-params", f"{params}:aud=1", "-f", "h264",
    )  # fmt: skip
    found: list[Unit] = []
    for piece in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]:
        kind = piece[0] & 31
        if kind == 9:
            found.append(Unit(len(found) * TICKS // fps, False, b""))
            continue
        found[-1].is_key |= kind == 5
        found[-1].data += struct.pack(">I", len(piece)) + piece
    return found


class Xcode:
    def __init__(self, folder: Path) -> None:
        ours, theirs = socket.socketpair()
        self.pipe = ours
        self.pipe.settimeout(60)
        with (folder / "xcode.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(XCODE)],
                stdout=log,
                stderr=log,
                close_fds=False,
                preexec_fn=lambda: (os.dup2(theirs.fileno(), 3), os.closerange(4, 64))[0],
            )
        theirs.close()

    def send(self, kind: int, body: bytes = b"", number: int = 0, is_key: bool = False, ts: int = 0) -> None:
        self.pipe.sendall(HEAD.pack(MAGIC, kind, number, 0, is_key, len(body), ts) + body)

    def rendition(
        self, number: int, box: tuple[int, int], kbps: int, fps: int, after_ts: int = BEGIN
    ) -> None:
        self.send(RENDITION, SPEC.pack(*box, kbps * 1000, fps * 1000, 1000, 0, after_ts), number)

    def read(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            piece = self.pipe.recv(n - len(data))
            assert piece, "weir-xcode ended"
            data += piece
        return data

    def give(self, unit: Unit) -> dict[int, list[Unit]]:
        """What comes of one unit, by rendition."""
        self.send(UNIT, unit.data, is_key=unit.is_key, ts=unit.ts)
        made: dict[int, list[Unit]] = {}
        while True:
            magic, kind, number, _, is_key, length, ts = HEAD.unpack(self.read(HEAD.size))
            assert magic == MAGIC
            if kind == DONE:
                return made
            made.setdefault(number, []).append(Unit(ts, bool(is_key), self.read(length)))

    def close(self) -> None:
        self.pipe.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()


def kbps(units: list[Unit]) -> float:
    span = (units[-1].ts - units[0].ts) / TICKS
    return sum(len(unit.data) for unit in units) * 8 / span / 1000


def planes(stream: bytes) -> bytes:
    """Decoded to 4:2:0 with 8 bit, one frame behind the other."""
    return ffmpeg("-f", "h264", "-i", "-", "-pix_fmt", "yuv420p", "-f", "rawvideo", data=stream)


def stream_of(units: list[Unit]) -> bytes:
    """With start codes again."""
    out = b""
    for unit in units:
        at = 0
        while at < len(unit.data):
            (length,) = struct.unpack_from(">I", unit.data, at)
            out += b"\0\0\0\1" + unit.data[at + 4 : at + 4 + length]
            at += 4 + length
    return out


def apart(a: bytes, b: bytes) -> float:
    """How far samples are from each other, on the average."""
    assert len(a) == len(b) > 0
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)

# SPDX-License-Identifier: Apache-2.0
"""weir-xcode and weir-xcode-ffmpeg by themselves: the tests play weir-tap on their descriptor 3
(lib/domain/xcode.h)."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tap_rig import FFMPEG, XCODE, XCODE_FFMPEG

MAGIC = 0x77787231
RENDITION, DROP, FLUSH, UNIT, DONE, SOUND, SOUND_UNIT, SOUND_NONE, ENTER, LEAVE, FELL_BACK = range(11)
HEAD = struct.Struct("=IIIIIIq")
SPEC = struct.Struct("=IIIIIIIIq")
SOUND_SPEC = struct.Struct("=IIII")
PCMA, PCMU, G726, G726_LOW_FIRST = range(4)
SOUND_HZ, SOUND_SAMPLES = 16000, 1024
TICKS = 90000
H264, H265, MJPEG = range(3)
ON_THE_WAY = 8  # as the tap has it
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


def encoded(
    *source: str, fps: int, kbps: int = 3000, params: str = "slices=1", codec: int = H264
) -> list[Unit]:
    """The same of any source, with what is before the encoder."""
    name = "x265" if codec == H265 else "x264"
    stream = ffmpeg(
        *source, "-c:v", f"lib{name}", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(2 * fps),
        "-b:v", f"{kbps}k", f"-{name}-params", f"{params}:aud=1", "-f", "hevc" if codec == H265 else "h264",
    )  # fmt: skip
    found: list[Unit] = []
    for piece in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]:
        kind = piece[0] >> 1 & 63 if codec == H265 else piece[0] & 31
        if kind == (35 if codec == H265 else 9):
            found.append(Unit(len(found) * TICKS // fps, False, b""))
            continue
        found[-1].is_key |= kind in range(16, 22) if codec == H265 else kind == 5
        found[-1].data += struct.pack(">I", len(piece)) + piece
    return found


def images(*source: str, fps: int) -> list[Unit]:
    """The same as Motion JPEG."""
    stream = ffmpeg(*source, "-c:v", "mjpeg", "-q:v", "3", "-f", "mjpeg")
    found = stream.split(b"\xff\xd8\xff")[1:]
    return [Unit(n * TICKS // fps, True, b"\xff\xd8\xff" + image) for n, image in enumerate(found)]


class Xcode:
    def __init__(
        self, folder: Path, *arguments: str, engine: str = "libav", ffmpeg_path: str = FFMPEG, program: Path = XCODE
    ) -> None:
        self.log = folder / "xcode.log"
        self.faults: list[tuple[int, int]] = []  # renditions that fell back, and how they failed
        self.entered = 0
        ours, theirs = socket.socketpair()
        self.pipe = ours
        self.pipe.settimeout(60)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(program), *arguments] if engine == "libav" else [str(XCODE_FFMPEG), ffmpeg_path],
                stdout=log,
                stderr=log,
                close_fds=False,
                preexec_fn=lambda: (os.dup2(theirs.fileno(), 3), os.closerange(4, 64))[0],
            )
        theirs.close()

    def send(
        self, kind: int, body: bytes = b"", number: int = 0, is_key: bool = False, ts: int = 0, codec: int = H264
    ) -> None:
        self.pipe.sendall(HEAD.pack(MAGIC, kind, number, codec, is_key, len(body), ts) + body)

    def rendition(
        self, number: int, box: tuple[int, int], kbps: int, fps: int, after_ts: int = BEGIN, encoder: int = 0
    ) -> None:
        self.send(RENDITION, SPEC.pack(*box, kbps * 1000, fps * 1000, 1000, 0, encoder, 0, after_ts), number)

    def sound(self, codec: int, rate: int = 8000, channels: int = 1, bits: int = 0) -> None:
        self.send(SOUND, SOUND_SPEC.pack(codec, rate, channels, bits))

    def hear(self, data: bytes, ts: int) -> list[Unit]:
        """What comes of one packet of sound."""
        self.send(SOUND_UNIT, data, ts=ts)
        made: list[Unit] = []
        while True:
            kind, _, unit = self.next()
            if kind == DONE:
                return made
            assert kind == SOUND_UNIT
            made.append(unit)

    def next(self) -> tuple[int, int, Unit]:
        """The kind of a message, its rendition, and the rest; what is said of engines is noted."""
        while True:
            magic, kind, number, fault, is_key, length, ts = HEAD.unpack(self.read(HEAD.size))
            assert magic == MAGIC
            if kind == FELL_BACK:
                self.faults.append((number, fault))
            self.entered += kind == ENTER
            if kind not in (ENTER, LEAVE, FELL_BACK):
                return kind, number, Unit(ts, bool(is_key), self.read(length))

    def read(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            piece = self.pipe.recv(n - len(data))
            assert piece, "weir-xcode ended"
            data += piece
        return data

    def take(self, made: dict[int, list[Unit]]) -> None:
        """What comes until one more unit is worked off, by rendition."""
        while True:
            kind, number, unit = self.next()
            if kind == DONE:
                return
            made.setdefault(number, []).append(unit)

    def give(self, unit: Unit) -> dict[int, list[Unit]]:
        """What comes of one unit, by rendition."""
        self.send(UNIT, unit.data, is_key=unit.is_key, ts=unit.ts)
        made: dict[int, list[Unit]] = {}
        self.take(made)
        return made

    def give_all(self, units: list[Unit], codec: int = H264, is_end: bool = True) -> dict[int, list[Unit]]:
        """What comes of them, given as the tap does: some are on the way. All of it, at the end."""
        made: dict[int, list[Unit]] = {}
        waiting = 0
        for unit in units:
            self.send(UNIT, unit.data, is_key=unit.is_key, ts=unit.ts, codec=codec)
            waiting += 1
            if waiting == ON_THE_WAY:
                self.take(made)
                waiting -= 1
        if is_end:
            self.send(FLUSH)
        for _ in range(waiting):
            self.take(made)
        return made

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

# SPDX-License-Identifier: Apache-2.0
"""RTSP cameras that send frames a real one would not: too many, too few that stand alone, of sizes that
change, without what a decoder needs. The frames are real H.264, made once by ffmpeg."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from attacks import SDP
from tap_rig import Gate

CLOCK = 90000
PAYLOAD_MAX = 1200
IDR, SPS, PPS = 5, 7, 8


@dataclass(frozen=True)
class Frame:
    """The NAL units of one picture, without start codes."""

    units: tuple[bytes, ...]

    def without(self, *kinds: int) -> Frame:
        return Frame(tuple(unit for unit in self.units if unit[0] & 31 not in kinds))

    @property
    def is_key(self) -> bool:
        return any(unit[0] & 31 == IDR for unit in self.units)


def clip(size: str, frames: int, group: int) -> list[Frame]:
    """H.264 of one slice a picture, a keyframe with its parameter sets every `group` frames."""
    options = f"keyint={group}:min-keyint={group}:scenecut=0:bframes=0:slices=1:aud=1:repeat-headers=1"
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"testsrc=size={size}:rate=25",
         "-frames:v", str(frames), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast",
         "-x264-params", options, "-f", "h264", "-"],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    found: list[list[bytes]] = []
    for unit in re.split(rb"\x00{2,3}\x01", done.stdout)[1:]:
        if unit[0] & 31 == 9:  # an access unit delimiter
            found.append([])
        else:
            found[-1].append(unit)
    assert len(found) == frames
    return [Frame(tuple(units)) for units in found]


def packets(frame: Frame, sequence: Iterator[int], ticks: int) -> bytes:
    """RTP in RTSP's interleaved frames (RFC 6184, RFC 2326 section 10.12)."""
    pieces: list[bytes] = []
    for unit in frame.units:
        if len(unit) <= PAYLOAD_MAX:
            pieces.append(unit)
            continue
        parts = [unit[i : i + PAYLOAD_MAX] for i in range(1, len(unit), PAYLOAD_MAX)]
        for i, part in enumerate(parts):
            flags = (i == 0) << 7 | (i == len(parts) - 1) << 6
            pieces.append(bytes((unit[0] & 0xE0 | 28, flags | unit[0] & 31)) + part)
    out = b""
    for i, piece in enumerate(pieces):
        marker = 0x80 if i == len(pieces) - 1 else 0
        head = struct.pack(">BBHII", 0x80, marker | 96, next(sequence) & 0xFFFF, ticks & 0xFFFFFFFF, 7)
        out += b"$\0" + struct.pack(">H", len(head) + len(piece)) + head + piece
    return out


class OddCamera(Gate):
    """Sends `frames`, which may never end, at `fps` by the clock of the machine and of RTP."""

    def __init__(self, frames: list[Frame], fps: float, *, first: list[Frame] | None = None) -> None:
        """`first` goes ahead, `frames` again and again behind it."""
        self.first, self.frames, self.fps = first or [], frames, fps
        super().__init__()

    def serve(self, near: socket.socket) -> None:
        try:
            with near:
                self.answer(near)
                self.play(near)
        except OSError:
            pass  # the other side had enough

    def answer(self, near: socket.socket) -> None:
        """Until PLAY."""
        near.settimeout(60)
        is_playing = False
        for cseq in itertools.count(1):
            request = b""
            while b"\r\n\r\n" not in request:
                part = near.recv(4096)
                if not part:
                    raise ConnectionError
                request += part
            head = b"RTSP/1.0 200 OK\r\nCSeq: %d\r\nSession: 1\r\n" % cseq
            is_playing = request.startswith(b"PLAY")
            if request.startswith(b"DESCRIBE"):
                more = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(SDP) + SDP
            elif request.startswith(b"SETUP"):
                more = b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
            else:
                more = b"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"
            near.sendall(head + more)
            if is_playing:
                return

    def play(self, near: socket.socket) -> None:
        sequence = itertools.count()
        began = time.monotonic()
        for i, frame in enumerate(itertools.chain(self.first, itertools.cycle(self.frames))):
            wait = began + i / self.fps - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            near.sendall(packets(frame, sequence, round(i * CLOCK / self.fps)))

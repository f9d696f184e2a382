# SPDX-License-Identifier: Apache-2.0
"""When a camera's keyframes come, seen by a plain RTSP client.

A cold start waits for a keyframe, so its length depends on when it was asked for. Both sides of a
comparison are therefore begun at the same moments after a keyframe. The client also keeps the
camera's encoder running, as a real camera's always is: the test camera's would begin with a
keyframe for its first reader.
"""

from __future__ import annotations

import socket
import threading
import time
import urllib.parse

IDR, FU_A = 5, 28


class Keyframes:
    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((str(parts.hostname), int(parts.port or 554)), 10)
        self.file = self.socket.makefile("rb")
        self.sequence = 0
        self.seen: list[float] = []
        self._play(url)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _ask(self, method: str, url: str, *headers: str) -> dict[str, str]:
        self.sequence += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.sequence}", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        while True:
            status = self.file.readline()
            if status[:1] != b"$":
                break
        assert b" 200 " in status, status
        found: dict[str, str] = {}
        while (line := self.file.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            found[name.lower()] = value.strip()
        found["body"] = self.file.read(int(found.get("content-length", 0))).decode()
        return found

    def _play(self, url: str) -> None:
        described = self._ask("DESCRIBE", url, "Accept: application/sdp")
        base = described.get("content-base", url + "/")
        video = described["body"].split("m=video", 1)[1]
        control = video.split("a=control:", 1)[1].splitlines()[0].strip()
        track = control if control.startswith("rtsp:") else base.rstrip("/") + "/" + control
        made = self._ask("SETUP", track, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        self._ask("PLAY", base, f"Session: {made['session'].split(';')[0]}")

    def _read(self) -> None:
        last = None
        try:
            while self.file.read(1) == b"$":
                channel = self.file.read(1)[0]
                packet = self.file.read(int.from_bytes(self.file.read(2), "big"))
                stamp = packet[4:8]
                if channel == 0 and stamp != last and is_keyframe(packet[12:]):
                    last = stamp
                    self.seen.append(time.monotonic())
        except (OSError, IndexError, ValueError):
            return

    def wait_for(self, phase: float, gop_s: float) -> None:
        """Sleeps until `phase` (0..1) of a GOP after a keyframe."""
        while not self.seen:
            time.sleep(0.01)
        at = self.seen[-1] + phase * gop_s
        while at < time.monotonic() + 0.02:
            at += gop_s
        time.sleep(at - time.monotonic())

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def is_keyframe(payload: bytes) -> bool:
    """Whether an RTP payload of H.264 belongs to an IDR picture (RFC 6184)."""
    kind = payload[0] & 0x1F
    return kind == IDR or (kind == FU_A and payload[1] & 0x1F == IDR)

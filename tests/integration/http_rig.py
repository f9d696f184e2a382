# SPDX-License-Identifier: Apache-2.0
"""RTSP over HTTP: a real server of it, and a gate before it that asks for a password by HTTP, leads
elsewhere or speaks something else, and writes down what it is sent."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import time
from pathlib import Path

from tap_rig import Camera, Gate, Tap, wait_until

PASSWORD = "p@ss:w/ö rd"
OPEN_MS = 120000  # longer than any test waits
BASIC = b"Authorization: Basic " + base64.b64encode(f"operator:{PASSWORD}".encode())


def join(near: socket.socket, port: int, said: bytes = b"", heard: bytearray | None = None) -> None:
    """Hands on what comes on either side, to where `said` was said for the near one already."""
    with socket.create_connection(("127.0.0.1", port), 10) as far:
        far.sendall(said)
        while True:
            for ready in select.select([near, far], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                if ready is near and heard is not None:
                    heard += data
                (far if ready is near else near).sendall(data)


class WireTap(Gate):
    """Keeps all that is sent by each connection."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.heard: list[bytearray] = []
        super().__init__()

    def serve(self, near: socket.socket) -> None:
        self.heard.append(bytearray())
        with contextlib.suppress(OSError), near:
            join(near, self.to, heard=self.heard[-1])


class HttpGate(Gate):
    """Hands each connection on to a camera once its request was looked at."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.answer = b""  # in place of the camera's
        self.halts = False  # behind each byte of that
        self.stays = False  # connected behind that
        self.wants_password = False
        self.requests: list[bytes] = []
        super().__init__()

    def serve(self, near: socket.socket) -> None:
        near.settimeout(30)
        with contextlib.suppress(OSError), near:
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(1)
            self.requests.append(head)
            if self.answer:
                for i in range(len(self.answer) if self.halts else 0):
                    near.sendall(self.answer[i : i + 1])
                    time.sleep(0.01)
                near.sendall(b"" if self.halts else self.answer)
                near.settimeout(OPEN_MS / 1000)
                while self.stays and near.recv(1):
                    pass
            elif self.wants_password and BASIC not in head:
                near.sendall(
                    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="cam"\r\n'
                    b"Connection: close\r\n\r\n"
                )
            else:
                join(near, self.to, head)

    def methods(self) -> list[bytes]:
        return [request.split()[0] for request in self.requests]


class Tunnel:
    def __init__(self, folder: Path) -> None:
        password = folder / "password"
        password.write_text(PASSWORD)
        self.camera = Camera(
            folder / "camera", "--user", "operator", "--password-file", str(password)
        )
        self.gate = HttpGate(self.camera.port)
        # Whatever the environment says, nobody stands between.
        environment = {"http_proxy": "http://127.66.0.1:9", "WEIR_TAP_OPEN_MS": str(OPEN_MS)}
        self.tap = Tap(folder / "tap", **environment)

    def add(self, url: str, password: str = PASSWORD, **fields: object) -> str:
        return self.tap.camera(
            url, username="operator", password=password, transport="http", **fields
        )

    def plays(self, camera_id: str) -> None:
        self.tap.await_line("tap.source", 60, camera_id=camera_id, state="up")
        wait_until(
            "a full ring",
            lambda: self.tap.stats.get(camera_id, {}).get("ring_ms", 0) >= 3000,
            60,
        )
        row = self.tap.stats[camera_id]
        assert (row["transport"], row["gaps"]) == ("http", 0), row

    def fails(self, camera_id: str, since: int = 0) -> tuple[str, bool]:
        told = self.tap.await_line(
            "tap.source", 60, since, camera_id=camera_id, state="failing"
        )
        return told["reason"], told["permanent"]

    def is_known(self, url: str) -> None:
        """From now on all that it says is told."""
        self.tap.await_line("tap.source", 60, camera_id=self.add(url), state="up")

    def ends_with_the_status(self, url: str) -> None:
        """A bad one is enough; nobody waits for what could come behind it."""
        self.gate.stays = True
        for answer, reason in (
            (b"HTTP/1.1 302", "source_redirected"),
            (b"HTTP/1.1\t302", "source_protocol_error"),
        ):
            self.gate.answer = answer
            assert self.fails(self.add(url)) == (reason, False)

    def close(self) -> None:
        self.tap.close()
        self.gate.close()
        self.camera.kill()

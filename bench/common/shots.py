# SPDX-License-Identifier: Apache-2.0
"""Pictures of moments through the api, each held against the clock that the camera drew into it."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from common.keepalive import Connection, ms_since
from common.rig import Rig
from stack import wait_for
from tap_rig import Camera

FPS, GOP_S = 25, 2
BACK_S = 8
WIDTHS = {1920 * 1080: 1920, 640 * 360: 640}  # of the pictures there are, by their pixels
CELLS, BITS = 40, 39
LIMIT_MS = 1000 / FPS / 2 + 5  # half a frame, and what the camera's own clock may be off by
REFUSALS = ("no_picture_near", "undecodable")
MISSED_MAX = 500
SETTINGS = {"WEIR_SNAPSHOTS_VIEWER_MAX": "100000", "WEIR_SNAPSHOTS_TENANT_MAX": "1000000"}


def drawn_ms(image: bytes) -> int:
    """The time that the camera drew, milliseconds (tests/camera/stamp.h)."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", "-", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        input=image, capture_output=True, check=True,
    )  # fmt: skip
    width = WIDTHS[len(done.stdout)]
    row, cell = done.stdout[8 * width : 9 * width], width // CELLS
    bits = [row[i * cell + cell // 2] > 128 for i in range(CELLS)]
    assert sum(bits) % 2 == 0, "the stamp's parity"
    low = int("".join("1" if bit else "0" for bit in bits[:BITS]), 2)
    return int(time.time() * 1000) >> BITS << BITS | low


def text_of(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


class Shots:
    """`tolerance_ms`: what is further away is refused, and counted; None: as the api has it."""

    def __init__(self, made: Rig, camera: str, seed: int, tolerance_ms: int | None = None) -> None:
        self.made, self.camera = made, camera
        self.more = "" if tolerance_ms is None else f"&tolerance_ms={tolerance_ms}"
        self.dice = random.Random(seed)
        self.errors: list[float] = []  # what is drawn against what was asked for, ms
        self.clocks: list[float] = []  # against the time that the answer names
        self.damaged = self.missed = 0

    def take(self, api: Connection, mode: str) -> tuple[float, datetime, dict[str, str], bytes]:
        """How long it took, ms, the time that was asked for, and the answer. What is refused is
        counted, and asked for again at another time."""
        while True:
            at = datetime.now(timezone.utc) - timedelta(seconds=self.dice.uniform(0.2, BACK_S))
            path = f"/v1/cameras/{self.camera}/snapshot?at={text_of(at)}&mode={mode}{self.more}"
            began = time.monotonic()
            answer = api.call("GET", path)
            took_ms = ms_since(began)
            # A camera that gets no processor has holes, one whose packets are lost has broken frames;
            # and the answer says so.
            if answer.status != 409 or answer.json["code"] not in REFUSALS:
                return took_ms, at, answer.expect(200).headers, answer.body
            self.missed += 1
            assert self.missed < MISSED_MAX, "the camera hardly sends"

    def timed(self, api: Connection, mode: str) -> float:
        took_ms, at, headers, body = self.take(api, mode)
        self.judge(mode, at, headers, body)
        return took_ms

    def judge(self, mode: str, at: datetime, headers: dict[str, str], body: bytes) -> None:
        frame = datetime.fromisoformat(headers["weir-frame-time"].replace("Z", "+00:00"))
        if headers.get("weir-frame-damaged") == "true":
            self.damaged += 1
            return
        drawn = drawn_ms(body)
        off_ms = abs(drawn - frame.timestamp() * 1000)
        assert off_ms < 500 / FPS, f"not the frame that is named: {off_ms} ms beside it"
        if mode == "exact":
            self.clocks.append(off_ms)
            self.errors.append(abs(drawn - at.timestamp() * 1000))


@contextlib.contextmanager
def camera_of(folder: Path, *options: str) -> Iterator[Camera]:
    camera = Camera(folder, *options)
    assert camera.process is not None
    with contextlib.suppress(PermissionError):  # a camera shares no processor with who asks for pictures
        os.setpriority(os.PRIO_PROCESS, camera.process.pid, -10)
    try:
        yield camera
    finally:
        camera.kill()


def begin(made: Rig, url: str, transport: str) -> str:
    """A camera that is read, with its clock known and a whole ring; its id."""
    api = made.connect()
    source = {"url": url, "transport": transport}
    camera_id = made.add_camera(api, url, source=source, idle_timeout_s=86400)
    body = {"camera_id": camera_id, "quality": "source"}
    api.call("POST", "/v1/streams", body).expect(200, 202)
    path = f"/v1/cameras/{camera_id}/snapshot?mode=latest&tolerance_ms=1000"
    wait_for(
        "the camera's clock, and pictures of this second",
        lambda: api.call("GET", path).headers.get("weir-time-source") == "rtcp_sr", 60, 0.2,
    )  # fmt: skip
    time.sleep(BACK_S + GOP_S + 1)
    return camera_id

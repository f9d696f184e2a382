# SPDX-License-Identifier: Apache-2.0
"""Streams of a quality and a frame rate, and what becomes of them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from client import Api, wait_for


def start(user: Api, camera: dict[str, Any], **profile: Any) -> dict[str, Any]:
    body = {"camera_id": camera["id"], **profile}
    return user.call("POST", "/v1/streams", body).expect(200, 202).json


def effective(user: Api, stream_id: str) -> dict[str, Any]:
    """What the stream is, once that is known; a camera that came up a moment ago is measured first."""
    user.wait_state(stream_id, "queued", "placed", "starting", "running")

    def known() -> dict[str, Any] | None:
        is_what = user.stream(stream_id)["effective"]
        return dict(is_what) if is_what and is_what["fps"] else None

    return dict(wait_for("what the stream is", known, 60))


def probe(url: str) -> dict[str, Any]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-of", "json", url],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout)["streams"][0])


def expect_pulls(*wanted: tuple[int, int]) -> None:
    """So many connections each camera (port, number) has; one that connects anew has none for a moment."""
    wait_for(
        f"pulled as often as {wanted}",
        lambda: all(sessions(port) == number for port, number in wanted),
        30,
    )


def sessions(port: int) -> int:
    """Connections that the camera has accepted."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(1 for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "01")

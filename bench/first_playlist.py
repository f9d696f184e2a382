# SPDX-License-Identifier: Apache-2.0
"""How long a viewer waits for a first playlist, against a bare MediaMTX that pulls on demand.

Ours is the whole road: `POST /v1/streams`, a ticket, then the playlist through the gateway, which
holds the request until there is one. The alternative's is one request for its playlist, which makes
it pull the camera. Both have the same engine, the same HLS variant and settings, the same camera,
and end when a media playlist with a segment has arrived.

- cold: nothing of ours pulls the camera; an engine slot waits empty. Both sides begin at the same
  moments of the camera's GOP, in turn (see common/phase.py), since both must wait for keyframes.
- warm: the camera is marked `warm`, so that its tap runs with a full ring, nothing is published.

Checked: the last segment of every playlist decodes, and the time that a playlist of ours tells
(EXT-X-PROGRAM-DATE-TIME) is compared with the clock drawn into that segment's first picture.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from pathlib import Path

from common.alternative import BareEngine
from common.keepalive import Connection, ms_since
from common.phase import Keyframes
from common.picture import Media, date_error_ms, pictures, wait_playlist
from common.report import Report
from common.rig import Rig, rig
from common.samples import median, quantile, told
from stack import wait_for
from tap_rig import Camera

FPS = 15
COLD = {1: 10, 2: 6}  # GOP in seconds: starts of each side
WARM = 24
RING_FILL_S = 6


def ours(made: Rig, api: Connection, camera_id: str) -> tuple[float, str, float]:
    """Milliseconds to the playlist, the stream, and the error of its dates in milliseconds."""
    gateway = made.gateway()
    began = time.monotonic()
    key = f'"{uuid.uuid4()}"'
    body = {"camera_id": camera_id, "quality": "source"}
    started = api.call("POST", "/v1/streams", body, Idempotency_Key=key).expect(202)
    stream = str(started.json["id"])
    ticket = api.call("POST", f"/v1/streams/{stream}/tickets").expect(200, 201)
    media = wait_playlist(gateway, str(ticket.json["url"]))
    took_ms = ms_since(began)
    error_ms = date_error_ms(gateway, media)
    gateway.close()
    return took_ms, stream, error_ms


def theirs(bare: BareEngine) -> float:
    connection = bare.connect()
    path = bare.next_path()
    began = time.monotonic()
    media = wait_playlist(connection, path)
    took_ms = ms_since(began)
    assert pictures(connection, media)
    connection.close()
    return took_ms


def stop(api: Connection, stream: str) -> None:
    api.call("DELETE", f"/v1/streams/{stream}").expect(202)

    def is_stopped() -> bool:
        return bool(api.call("GET", f"/v1/streams/{stream}").json["state"] == "stopped")

    wait_for("the stream stopped", is_stopped, 30, 0.02)


def cold(made: Rig, report: Report, gop_s: int, scratch: Path) -> None:
    camera = Camera(scratch / f"camera{gop_s}", "--gop", str(FPS * gop_s), "--fps", str(FPS))
    keyframes = Keyframes(camera.url)
    bare = BareEngine(scratch / f"bare{gop_s}", camera.url)
    took: dict[str, list[float]] = {"weir": [], "mediamtx": []}
    api = made.connect()
    try:
        rounds = COLD[gop_s]
        for i in range(rounds):
            phase = (i + 0.5) / rounds
            camera_id = made.add_camera(api, camera.url)
            turns = ["weir", "mediamtx"] if i % 2 == 0 else ["mediamtx", "weir"]
            for side in turns:
                keyframes.wait_for(phase, gop_s)
                if side == "weir":
                    took_ms, stream, _ = ours(made, api, camera_id)
                    stop(api, stream)
                else:
                    took_ms = theirs(bare)
                took[side].append(took_ms)
    finally:
        keyframes.close()
        bare.close()
        camera.kill()
    for side, values in took.items():
        report.keep(f"cold_gop{gop_s}_{side}_ms", values)
    report.at_most(
        f"cold camera, GOP {gop_s} s: request to first playlist, median", 1.1,
        median(took["weir"]) / median(took["mediamtx"]), "x MediaMTX",
        f"Weir {told(took['weir'])}; MediaMTX {told(took['mediamtx'])}",
    )


def warm(made: Rig, report: Report, scratch: Path) -> None:
    camera = Camera(scratch / "warm", "--gop", str(FPS), "--fps", str(FPS))
    keyframes = Keyframes(camera.url)
    bare = BareEngine(scratch / "bare-warm", camera.url)
    api = made.connect()
    camera_id = made.add_camera(api, camera.url, warm=True)
    took: dict[str, list[float]] = {"weir": [], "mediamtx": []}
    errors: list[float] = []
    try:
        time.sleep(RING_FILL_S)
        for i in range(WARM):
            took_ms, stream, error_ms = ours(made, api, camera_id)
            took["weir"].append(took_ms)
            errors.append(error_ms)
            stop(api, stream)
            if i % 4 == 0:
                keyframes.wait_for((i + 0.5) / WARM, 1)
                took["mediamtx"].append(theirs(bare))
    finally:
        keyframes.close()
        bare.close()
        camera.kill()
    for side, values in took.items():
        report.keep(f"warm_{side}_ms", values)
    report.keep("date_error_ms", errors)
    ratio = median(took["mediamtx"]) / median(took["weir"])
    detail = f"Weir {told(took['weir'])}; MediaMTX on demand {told(took['mediamtx'])}"
    report.at_most("warm camera: request to first playlist, median", 150, median(took["weir"]), "ms",
                   detail)  # fmt: skip
    report.at_least("the same, times as fast as MediaMTX on demand", 10, ratio, "x")
    report.at_most("PROGRAM-DATE-TIME against the drawn clock, worst", 50, max(errors), "ms",
                   f"median {median(errors):.1f}, p95 {quantile(errors, 0.95):.1f}")  # fmt: skip


def main() -> int:
    report = Report("first_playlist")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch, rig(1) as made:
        warm(made, report, Path(scratch))
        for gop_s in COLD:
            cold(made, report, gop_s, Path(scratch))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

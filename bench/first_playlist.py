# SPDX-License-Identifier: Apache-2.0
"""How long until a first playlist: the tap's burst against MediaMTX that pulls the camera itself.

Both serve the same test camera through the same engine binary and the same HLS variant, in turn in
one run. Ours counts from the order to publish, with the ring full and nothing published, which is
what a warm camera is; cold counts from the order to pull. MediaMTX counts from the path's making.
Each answer is checked: the first segment must hold decodable pictures.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from tap_rig import Camera, Engine, Tap, UnixHttp, segments, wait_until

ROUNDS = 5
RING_MS = 6000


def pictures(engine: Engine, path: str, folder: Path) -> int:
    """Frames of the newest segment of the playlist."""
    playlist = engine.playlist(path)
    init = next(line for line in playlist.splitlines() if line.startswith("#EXT-X-MAP"))
    names = [init.split('"')[1], segments(playlist)[-1]]
    file = folder / f"{uuid.uuid4()}.mp4"
    file.write_bytes(b"".join(engine.hls(path, name)[1] for name in names))
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
         "stream=nb_read_frames", "-of", "csv=p=0", str(file)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.strip().strip(","))


def first_playlist_ms(engine: Engine, path: str, began: float, folder: Path) -> float:
    wait_until("a playlist", lambda: engine.hls(path, "index.m3u8")[0] == 200, 60)
    took_ms = (time.monotonic() - began) * 1000
    assert pictures(engine, path, folder) > 0
    return took_ms


def pull_by_engine(engine: Engine, camera: Camera, folder: Path) -> float:
    path = f"pull/{uuid.uuid4()}"
    body = json.dumps({"source": camera.url, "rtspTransport": "tcp"})
    began = time.monotonic()
    connection = UnixHttp(engine.folder / "api.sock")
    connection.request("POST", f"/v3/config/paths/add/{path}", body)
    assert connection.getresponse().status == 200
    took_ms = first_playlist_ms(engine, path, began, folder)
    connection = UnixHttp(engine.folder / "api.sock")
    connection.request("DELETE", f"/v3/config/paths/delete/{path}")
    assert connection.getresponse().status == 200
    return took_ms


def publish_by_tap(tap: Tap, camera_id: str, engine: Engine, began: float, folder: Path) -> float:
    stream_id = str(uuid.uuid4())
    path = tap.publish(camera_id, engine, stream_id)
    took_ms = first_playlist_ms(engine, path, began, folder)
    tap.tell("tap.unpublish", stream_id=stream_id, generation=1)
    return took_ms


def measure(gop_s: int, folder: Path) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {"mediamtx": [], "weir_cold": [], "weir_warm": []}
    folder.mkdir()
    camera = Camera(folder / "camera", "--gop", str(15 * gop_s))
    engine, tap = Engine(folder / "engine"), Tap(folder / "tap")
    try:
        warm_id = tap.camera(camera.url, ring_ms=RING_MS + 4000)
        wait_until("the ring", lambda: tap.stats.get(warm_id, {}).get("ring_ms", 0) >= RING_MS, 60)
        for _ in range(ROUNDS):
            took["mediamtx"].append(pull_by_engine(engine, camera, folder))
            began = time.monotonic()
            cold_id = tap.camera(camera.url)
            took["weir_cold"].append(publish_by_tap(tap, cold_id, engine, began, folder))
            tap.tell("tap.drop", camera_id=cold_id)
            took["weir_warm"].append(
                publish_by_tap(tap, warm_id, engine, time.monotonic(), folder)
            )
    finally:
        tap.close()
        camera.kill()
        engine.kill()
    return took


def main() -> int:
    results = []
    print(f"first playlist, fmp4, {ROUNDS} rounds in turn; median (min .. max) in ms")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
        for gop_s in (1, 2):
            took = measure(gop_s, Path(scratch) / f"gop{gop_s}")
            base = statistics.median(took["mediamtx"])
            for name, values in took.items():
                median = statistics.median(values)
                results.append({"gop_s": gop_s, "what": name, "ms": values, "ratio": median / base})
                print(
                    f"  GOP {gop_s} s  {name:<10} {median:8.1f} ({min(values):.1f} .. {max(values):.1f})"
                    f"   {median / base:6.3f} x MediaMTX"
                )
    print(json.dumps({"bench": "first_playlist", "results": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

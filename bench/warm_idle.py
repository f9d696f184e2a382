# SPDX-License-Identifier: Apache-2.0
"""What a warm camera of 1.5 Mb/s costs while nobody watches, against one `ffmpeg -c copy` for each.

Both sides take the same cameras the same number of times, at the same time. Ours is the whole worker
with all its children (worker, tap, the empty engine, origin, still and its decoders), divided by the
cameras: the rings and what the next tap would find on tmpfs included. The other side is what keeping
a camera at hand takes without a ring in memory: ffmpeg writing segments that are deleted again. CPU
is counted in turns of the same windows.

Checked: every camera is warm and has a ring of several seconds, no process was replaced, the api's
own figures add up to what the tap took, and at the end a first playlist comes from a ring and decodes.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from pathlib import Path

from common.alternative import Copies
from common.cameras import Cameras
from common.process import cpu_us_of, folder_bytes, pss_bytes
from common.report import Report
from common.rig import Rig, rig
from common.samples import median
from stack import wait_for
from stream_cost import plays, rate_mbps, windows

CAMERAS = 32
FILL_S = 14
RING_MS = 6000
TMPFS = Path("/dev/shm")


def mark(made: Rig, cameras: Cameras) -> list[str]:
    """Cameras that are warm, each with a ring."""
    api = made.connect()
    ids = [made.add_camera(api, cameras.next_url(), warm=True) for _ in range(CAMERAS)]

    def all_warm() -> bool:
        rows = [api.call("GET", f"/v1/cameras/{one}").expect(200).json for one in ids]
        return all(row["live"] and row["live"]["ring_ms"] >= RING_MS for row in rows)

    wait_for("all cameras are warm", all_warm, 180, 0.5)
    api.close()
    return ids


def told_ppm(made: Rig, ids: list[str]) -> int:
    """CPU of all of them, as the api shows it."""
    api = made.connect()
    rows = [api.call("GET", f"/v1/cameras/{one}").expect(200).json for one in ids]
    api.close()
    return sum(row["live"]["cost"]["cpu_ppm"] for row in rows)


def tap_ppm(made: Rig) -> float:
    taps = made.processes("weir-tap")
    before, began = cpu_us_of(taps), time.monotonic()
    time.sleep(10)
    return (cpu_us_of(taps) - before) / (time.monotonic() - began)


def start_one(made: Rig, camera: str) -> str:
    api = made.connect()
    body = {"camera_id": camera, "quality": "source"}
    key = f'"{uuid.uuid4()}"'
    answer = api.call("POST", "/v1/streams", body, Idempotency_Key=key).expect(202)
    stream = str(answer.json["id"])
    api.close()
    return stream


def main() -> int:
    report = Report("warm_idle")
    picture = ("--noise", "--bitrate", "1400", "--fps", "25", "--gop", "25")
    with tempfile.TemporaryDirectory(prefix="weir-bench-", dir=TMPFS) as scratch:
        cameras = Cameras(Path(scratch), *picture, n=2)
        with rig(1) as made:
            ids = mark(made, cameras)
            copies = Copies(Path(scratch) / "copies", [cameras.next_url() for _ in range(CAMERAS)])
            try:
                copies.wait(240)
                time.sleep(FILL_S)
                ours = made.tree("worker-0")
                cpu, cpu_copies = windows(ours, copies.pids)
                segments = made.instance.segments / "worker-0"
                memory = sum(pss_bytes(pid) for pid in ours) + folder_bytes(segments)
                copied = sum(pss_bytes(pid) for pid in copies.pids) + folder_bytes(copies.folder)
                mbps = rate_mbps(copies.folder / "0")
                assert 1.35 < mbps < 1.75, f"the camera sends {mbps:.2f} Mb/s"
                took, told = tap_ppm(made), told_ppm(made, ids)
                assert 0.5 < told / took < 2, f"the api tells {told} ppm, the tap took {took:.0f}"
                assert sorted(made.tree("worker-0")) == sorted(ours), "no process was replaced"
                assert plays(made, start_one(made, ids[-1]))
            finally:
                copies.close()
        cameras.close()
    each, each_copy = median(cpu) / CAMERAS, median(cpu_copies) / CAMERAS
    mb, mb_copy = memory / CAMERAS / 1e6, copied / CAMERAS / 1e6
    report.keep("weir_cpu_percent", cpu)
    report.keep("ffmpeg_cpu_percent", cpu_copies)
    report.at_least(
        "a warm camera at 1.5 Mb/s, CPU: one ffmpeg -c copy takes", 3, each_copy / each, "x",
        f"{CAMERAS} cameras of {mbps:.2f} Mb/s; ours {each:.3f} % of a core (the tap alone "
        f"{took / 1e4 / CAMERAS:.3f} %), ffmpeg {each_copy:.3f} %",
    )
    report.at_least(
        "the same, memory", 5, mb_copy / mb, "x",
        f"10 s of ring included; ours {mb:.1f} MB, ffmpeg {mb_copy:.1f} MB",
    )
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""What a tapped and published stream of 1.5 Mb/s costs, against one `ffmpeg -c copy` for each.

Both sides take the same cameras the same number of times, at the same time, and leave the same HLS:
fMP4 segments of a second on tmpfs, seven in the list. Ours is the whole worker with all its
children (worker, tap, engines with the empty one kept warm, origin), divided by the streams: ring,
segments on tmpfs and shares of what all use included. CPU is counted in turns of the same windows.

Checked: every stream is running, every ffmpeg lives, and a segment of each side decodes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from common.alternative import Copies
from common.cameras import Cameras
from common.picture import pictures
from common.process import cpu_us_of, folder_bytes, pss_bytes
from common.report import Report
from common.rig import Rig, rig
from common.samples import median
from first_playlist import wait_playlist
from stack import wait_for

STREAMS = 32
FILL_S = 14
WINDOWS = 5
WINDOW_S = 4.0
TMPFS = Path("/dev/shm")


def start(made: Rig, cameras: Cameras) -> list[str]:
    api = made.connect()
    streams = []
    for _ in range(STREAMS):
        body = {"camera_id": made.add_camera(api, cameras.next_url()), "quality": "source"}
        key = f'"{uuid.uuid4()}"'
        answer = api.call("POST", "/v1/streams", body, Idempotency_Key=key).expect(202)
        streams.append(str(answer.json["id"]))

    def all_run() -> bool:
        rows = [api.call("GET", f"/v1/streams/{one}").expect(200).json for one in streams]
        return all(row["state"] == "running" for row in rows)

    wait_for("all streams run", all_run, 120, 0.5)
    api.close()
    return streams


def windows(ours: list[int], theirs: list[int]) -> tuple[list[float], list[float]]:
    """Percent of a core of each side, a window each, measured over the same time."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(WINDOWS):
        before = [cpu_us_of(side) for side in (ours, theirs)]
        began = time.monotonic()
        time.sleep(WINDOW_S)
        spent = [cpu_us_of(side) - first for side, first in zip((ours, theirs), before)]
        wall_us = (time.monotonic() - began) * 1e6
        for side, us in zip(found, spent):
            side.append(us / wall_us * 100)
    return found


def check_pictures(folder: Path) -> None:
    """The newest segment below `folder`, with its init, decodes."""
    init = next(folder.rglob("*init*.mp4"))
    last = max(
        (path for path in [*init.parent.glob("*.m4s"), *init.parent.glob("*seg*.mp4")]
         if time.time() - path.stat().st_mtime > 1),
        key=lambda path: path.stat().st_mtime,
    )  # fmt: skip
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "-", "-map", "0:v", "-f", "null", "-"],
        input=init.read_bytes() + last.read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    assert not done.stderr, done.stderr


def plays(made: Rig, stream: str) -> bool:
    api, gateway = made.connect(), made.gateway()
    ticket = api.call("POST", f"/v1/streams/{stream}/tickets").expect(200, 201)
    media = wait_playlist(gateway, str(ticket.json["url"]))
    return len(pictures(gateway, media)) == 1


def rate_mbps(folder: Path) -> float:
    """What the camera really sends, by the segments that a playlist names."""
    text = (folder / "index.m3u8").read_text()
    names = [line for line in text.splitlines() if line and not line.startswith("#")]
    seconds = sum(float(found) for found in re.findall(r"#EXTINF:([0-9.]+)", text))
    return sum((folder / name).stat().st_size for name in names) * 8 / seconds / 1e6


def main() -> int:
    report = Report("stream_cost")
    picture = ("--noise", "--bitrate", "1400", "--fps", "25", "--gop", "25")
    idle = {"WEIR_IDLE_TIMEOUT_S": "3600"}
    with tempfile.TemporaryDirectory(prefix="weir-bench-", dir=TMPFS) as scratch:
        cameras = Cameras(Path(scratch), *picture, n=2)
        with rig(1, weir_reaper=idle) as made:
            streams = start(made, cameras)
            copies = Copies(Path(scratch) / "copies", [cameras.next_url() for _ in range(STREAMS)])
            try:
                copies.wait()
                time.sleep(FILL_S)
                ours = made.tree("worker-0")
                cpu, cpu_copies = windows(ours, copies.pids)
                segments = made.instance.segments / "worker-0"
                memory = sum(pss_bytes(pid) for pid in ours) + folder_bytes(segments)
                copied = sum(pss_bytes(pid) for pid in copies.pids) + folder_bytes(copies.folder)
                mbps = rate_mbps(copies.folder / "0")
                assert 1.35 < mbps < 1.75, f"the camera sends {mbps:.2f} Mb/s"
                check_pictures(copies.folder)
                assert all(plays(made, stream) for stream in (streams[0], streams[-1]))
                assert sorted(made.tree("worker-0")) == sorted(ours), "no process was replaced"
            finally:
                copies.close()
        cameras.close()
    each, each_copy = median(cpu) / STREAMS, median(cpu_copies) / STREAMS
    mb, mb_copy = memory / STREAMS / 1e6, copied / STREAMS / 1e6
    report.keep("weir_cpu_percent", cpu)
    report.keep("ffmpeg_cpu_percent", cpu_copies)
    report.at_most(
        "a published stream at 1.5 Mb/s, CPU", 1.2, each, "% of a core",
        f"{STREAMS} streams of {mbps:.2f} Mb/s; one ffmpeg -c copy each: {each_copy:.2f} %, "
        f"{each_copy / each:.1f} x ours",
    )
    report.at_most(
        "a published stream at 1.5 Mb/s, memory in all", 12, mb, "MB",
        f"10 s of ring and the segments included; one ffmpeg -c copy each: {mb_copy:.1f} MB, "
        f"{mb_copy / mb:.1f} x ours",
    )
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

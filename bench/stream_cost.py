# SPDX-License-Identifier: Apache-2.0
"""What a tapped and published stream of 1.5 Mb/s costs, against one `ffmpeg -c copy` for each.

Both sides take the same cameras the same number of times, at the same time, and leave the same HLS:
fMP4 segments of a second on tmpfs, seven in the list. Ours is the whole worker with all its
children (worker, tap, engines with the empty one kept warm, origin), divided by the streams: ring,
segments on tmpfs and shares of what all use included. CPU is counted in turns of the same windows.

Checked: every stream is running, every ffmpeg lives, and a segment of each side decodes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from common.beside import beside, plays
from common.cameras import Cameras
from common.report import Report
from common.rig import Rig
from stack import wait_for

STREAMS = 32


def start(made: Rig, cameras: Cameras) -> list[str]:
    api = made.connect()
    streams = [
        made.start_stream(api, made.add_camera(api, cameras.next_url())) for _ in range(STREAMS)
    ]

    def all_run() -> bool:
        rows = [api.call("GET", f"/v1/streams/{one}").expect(200).json for one in streams]
        return all(row["state"] == "running" for row in rows)

    wait_for("all streams run", all_run, 120, 0.5)
    api.close()
    return streams


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


def check(made: Rig, streams: list[str], copies: Path) -> None:
    check_pictures(copies)
    assert all(plays(made, stream) for stream in (streams[0], streams[-1]))


def main() -> int:
    report = Report("stream_cost")
    costs = beside(STREAMS, start, check, weir_reaper={"WEIR_IDLE_TIMEOUT_S": "3600"})
    (each, each_copy), (mb, mb_copy) = costs.cpu_each, costs.mb_each
    report.keep("weir_cpu_percent", costs.cpu)
    report.keep("ffmpeg_cpu_percent", costs.cpu_copies)
    report.at_most(
        "a published stream at 1.5 Mb/s, CPU", 1.2, each, "% of a core",
        f"{STREAMS} streams of {costs.mbps:.2f} Mb/s; one ffmpeg -c copy each: {each_copy:.2f} %, "
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

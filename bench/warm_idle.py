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
import time
from pathlib import Path

from common.beside import beside, plays
from common.cameras import Cameras
from common.process import cpu_us_of
from common.report import Report
from common.rig import Rig
from stack import wait_for

CAMERAS = 64
RING_MS = 6000


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


def main() -> int:
    report = Report("warm_idle")
    took = 0.0

    def check(made: Rig, ids: list[str], copies: Path) -> None:
        nonlocal took
        took, told = tap_ppm(made), told_ppm(made, ids)
        assert 0.5 < told / took < 2, f"the api tells {told} ppm, the tap took {took:.0f}"
        api = made.connect()
        assert plays(made, made.start_stream(api, ids[-1]))
        api.close()

    costs = beside(CAMERAS, mark, check)
    (each, each_copy), (mb, mb_copy) = costs.cpu_each, costs.mb_each
    report.keep("weir_cpu_percent", costs.cpu)
    report.keep("ffmpeg_cpu_percent", costs.cpu_copies)
    report.at_least(
        "a warm camera at 1.5 Mb/s, CPU: one ffmpeg -c copy takes", 3, each_copy / each, "x",
        f"{CAMERAS} cameras of {costs.mbps:.2f} Mb/s; ours {each:.3f} % of a core (the tap alone "
        f"{took / 1e4 / CAMERAS:.3f} %), ffmpeg {each_copy:.3f} %",
    )
    report.at_least(
        "the same, memory", 5, mb_copy / mb, "x",
        f"10 s of ring included; ours {mb:.1f} MB, ffmpeg {mb_copy:.1f} MB",
    )
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

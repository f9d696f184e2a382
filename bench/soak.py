# SPDX-License-Identifier: Apache-2.0
"""Forty streams that nobody watches for long, half an hour of coming and going: nothing may grow.

Every few seconds one of the streams is stopped and another camera's is started, its playlist
and a segment are fetched once. Resident memory and open descriptors of every daemon are read each
second. Growth is the median of the last sixth against the median of the second sixth (what comes
before is warm-up: caches, arenas, connections that stay).

Not part of `./dev bench` without a name: it takes `WEIR_SOAK_MINUTES` (30).

Checked: forty streams run at the end, every fetched playlist had a segment, no daemon was replaced.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from pathlib import Path

from common.cameras import Cameras
from common.keepalive import Connection
from common.picture import wait_playlist
from common.process import descriptors, name, rss_bytes
from common.report import Report
from common.rig import Rig, rig
from common.samples import median
from stack import wait_for

MINUTES = float(os.environ.get("WEIR_SOAK_MINUTES", "30"))
STREAMS = 40
CAMERAS = 60
CHURN_EVERY_S = 5
SAMPLE_EVERY_S = 1.0
DAEMONS = ("api", "scheduler", "reaper", "audit", "worker-0")
CHILDREN = ("weir-tap", "weir-origin")

Samples = dict[str, list[tuple[int, int]]]


class Churn:
    """Keeps `STREAMS` of the cameras' streams started, another set all the time."""

    def __init__(self, made: Rig, cameras: Cameras) -> None:
        self.made = made
        self.api: Connection = made.connect()
        self.waiting = [made.add_camera(self.api, cameras.next_url()) for _ in range(CAMERAS)]
        self.running: list[tuple[str, str]] = []  # camera, stream
        self.n = 0

    def start_one(self) -> str:
        camera = self.waiting.pop(0)
        body = {"camera_id": camera, "quality": "source"}
        key = f'"{uuid.uuid4()}"'
        answer = self.api.call("POST", "/v1/streams", body, Idempotency_Key=key).expect(200, 202)
        stream = str(answer.json["id"])
        self.running.append((camera, stream))
        return stream

    def stop_one(self) -> None:
        camera, stream = self.running.pop(0)
        self.api.call("DELETE", f"/v1/streams/{stream}").expect(202)
        self.waiting.append(camera)

    def watch(self, stream: str) -> None:
        gateway = self.made.gateway()
        ticket = self.api.call("POST", f"/v1/streams/{stream}/tickets").expect(200, 201)
        media = wait_playlist(gateway, str(ticket.json["url"]))
        assert gateway.call("GET", media.segments[-1]).expect(200).body
        gateway.close()

    def turn(self) -> None:
        self.stop_one()
        self.watch(self.start_one())
        self.n += 1

    def states(self) -> list[str]:
        return [
            str(self.api.call("GET", f"/v1/streams/{stream}").expect(200).json["state"])
            for _, stream in self.running
        ]


def watched(made: Rig) -> dict[str, int]:
    """Who is looked at: every daemon of ours, and the worker's children of ours."""
    pids = {daemon: made.pid(daemon) for daemon in DAEMONS}
    for pid in made.tree("worker-0"):
        if name(pid) in CHILDREN:
            pids[name(pid)] = pid
    assert len(pids) == len(DAEMONS) + len(CHILDREN), pids
    return pids


def soak(made: Rig, churn: Churn) -> Samples:
    samples: Samples = defaultdict(list)
    pids = watched(made)
    began = time.monotonic()
    next_turn, next_word = began + CHURN_EVERY_S, began + 60
    while (now := time.monotonic()) < began + MINUTES * 60:
        for daemon, pid in pids.items():
            samples[daemon].append((rss_bytes(pid), descriptors(pid)))
        if now >= next_turn:
            churn.turn()
            next_turn = now + CHURN_EVERY_S
        if now >= next_word:
            told = " ".join(f"{d} {v[-1][0] / 2**20:.1f}/{v[-1][1]}" for d, v in samples.items())
            print(f"  {(now - began) / 60:4.0f} min, {churn.n} turns: {told}", flush=True)
            next_word = now + 60
        time.sleep(max(0.0, now + SAMPLE_EVERY_S - time.monotonic()))
    assert watched(made) == pids, "no daemon was replaced"
    return samples


def growth_percent(values: list[int]) -> float:
    sixth = max(1, len(values) // 6)
    before = median([float(value) for value in values[sixth : 2 * sixth]])
    after = median([float(value) for value in values[-sixth:]])
    return (after / before - 1) * 100


def main() -> int:
    report = Report("soak")
    settings = {"WEIR_IDLE_TIMEOUT_S": "86400"}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
        cameras = Cameras(Path(scratch), "--gop", "15", "--fps", "15", "--bitrate", "300")
        with rig(1, weir_reaper=settings) as made:
            churn = Churn(made, cameras)
            for _ in range(STREAMS):
                churn.start_one()
            wait_for("forty streams", lambda: set(churn.states()) == {"running"}, 120, 1)
            samples = soak(made, churn)
            wait_for("forty streams", lambda: set(churn.states()) == {"running"}, 60, 1)
        cameras.close()
    memory = {d: growth_percent([rss for rss, _ in values]) for d, values in samples.items()}
    files = {d: growth_percent([n for _, n in values]) for d, values in samples.items()}
    for daemon, values in samples.items():
        report.keep(f"{daemon}_rss_mb", [rss / 2**20 for rss, _ in values[::30]])
        report.keep(f"{daemon}_descriptors", [float(n) for _, n in values[::30]])
    length = f"{MINUTES:.0f} min, {churn.n} streams replaced"
    for what, found in (("memory", memory), ("descriptors", files)):
        worst = max(found.values())
        told = ", ".join(f"{daemon} {value:+.1f}" for daemon, value in found.items())
        report.at_most(f"soak, 40 streams: growth of {what}, worst daemon", 2, worst, "%",
                       f"{length}; {told}")  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

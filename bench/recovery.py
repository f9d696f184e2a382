# SPDX-License-Identifier: Apache-2.0
"""A part is killed while twenty streams play: how long until each playlist moves again.

Twenty light viewers poll media playlists through the gateway. For each stream the time runs from
the SIGKILL to the first playlist whose last segment is newer than what there was before. Since a
camera with a GOP of 1 s gives a segment a second, a playlist that meets no fault at all waits up to
1 s, too. Engines and taps are killed on both workers at once; a worker dies with all its children,
and its streams play on from the other one.

Checked: no playlist's sequence ever goes back, and the segment that ends the wait can be fetched.
"""

from __future__ import annotations

import http.client
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from common.cameras import Cameras
from common.keepalive import Connection
from common.picture import Media, media_playlist
from common.process import name
from common.report import Report
from common.rig import Rig, rig
from common.samples import median, quantile, told
from stack import wait_for

STREAMS = 20
POLL_S = 0.1
GOP_S = 1.0
REPEATS = {"engine": 4, "tap": 4, "worker": 3}
SETTLE_S = 4.0
LIMIT_S = 40.0


class Viewer:
    """Polls one stream's playlist; remembers when its newest segment changed."""

    def __init__(self, made: Rig, stream: str, url: str) -> None:
        self.made, self.stream = made, stream
        self.connection = made.gateway()
        self.index = url
        self.media: Media | None = None
        self.last = -1
        self.moves: list[tuple[float, int]] = []
        self.wrong: str | None = None
        self.is_over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while not self.is_over:
            began = time.monotonic()
            try:
                self.look()
            except (OSError, http.client.HTTPException):
                self.connection.close()
            time.sleep(max(0.0, began + POLL_S - time.monotonic()))

    def look(self) -> None:
        if self.media is None:
            url, answer = self.connection.follow(self.index)
            if answer.status == 200:
                self.media = media_playlist(self.connection, url, answer.body.decode())
            return
        url, answer = self.connection.follow(self.media.url)
        if answer.status != 200:
            return
        media = Media(url, answer.body.decode())
        last = sequence(media) + len(media.segments) - 1
        if last < self.last:
            self.wrong = self.wrong or f"{self.stream}: sequence {last} after {self.last}"
        if last > self.last:
            self.moves.append((time.monotonic(), last))
            self.last = last
        self.media = media

    def moved_after(self, when: float) -> float | None:
        return next((at for at, _ in self.moves if at > when), None)

    def check_segment(self) -> None:
        assert self.media
        connection = self.made.gateway()
        connection.call("GET", self.media.segments[-1]).expect(200)
        connection.close()

    def close(self) -> None:
        self.is_over = True
        self.thread.join(30)


def sequence(media: Media) -> int:
    for line in media.text.splitlines():
        if line.startswith("#EXT-X-MEDIA-SEQUENCE:"):
            return int(line.split(":")[1])
    return 0


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def children(made: Rig, program: str) -> list[int]:
    pids = [pid for worker in ("worker-0", "worker-1") for pid in made.tree(worker)]
    return [pid for pid in pids if name(pid) == program]


def measure(viewers: list[Viewer], strike: Callable[[], None]) -> list[float]:
    """Seconds until each viewer's playlist moves again."""
    wait_for("all play", lambda: all(v.moved_after(time.monotonic() - 3) for v in viewers), 60)
    struck = time.monotonic()
    strike()
    # A segment that was made just before may be seen just after: that is no recovery.
    done = time.monotonic() + 2 * POLL_S
    wait_for("all move", lambda: all(v.moved_after(done) for v in viewers), LIMIT_S, 0.02)
    found = []
    for viewer in viewers:
        assert viewer.wrong is None, viewer.wrong
        moved = viewer.moved_after(done)
        assert moved
        found.append(moved - struck)
        viewer.check_segment()
    time.sleep(SETTLE_S)
    return found


def worker_of(made: Rig, api: Connection, viewer: Viewer) -> str:
    wanted = api.call("GET", f"/v1/streams/{viewer.stream}").expect(200).json["worker_id"]
    for path in sorted((made.home / "env").glob("worker-*.env")):
        if f"WEIR_WORKER_ID={wanted}" in path.read_text():
            return path.stem
    raise AssertionError(f"no worker {wanted}")


def kill_worker(made: Rig, viewers: list[Viewer]) -> list[float]:
    """The one with more streams; only its streams count."""
    api = made.connect()
    places: dict[str, list[Viewer]] = {}
    for viewer in viewers:
        places.setdefault(worker_of(made, api, viewer), []).append(viewer)
    victim = max(places, key=lambda worker: len(places[worker]))
    found = measure(places[victim], lambda: kill(made.tree(victim)))
    made.start_what_is_dead()
    api.close()
    return found


def play(made: Rig, cameras: Cameras) -> list[Viewer]:
    api = made.connect()
    viewers = []
    for _ in range(STREAMS):
        camera = made.add_camera(api, cameras.next_url())
        body = {"camera_id": camera, "quality": "source"}
        key = f'"{uuid.uuid4()}"'
        stream = api.call("POST", "/v1/streams", body, Idempotency_Key=key).expect(202).json["id"]
        ticket = api.call("POST", f"/v1/streams/{stream}/tickets").expect(200, 201).json["url"]
        viewers.append(Viewer(made, str(stream), str(ticket)))
    wait_for("all play", lambda: all(len(v.moves) > 3 for v in viewers), 90)
    api.close()
    return viewers


def main() -> int:
    report = Report("recovery")
    took: dict[str, list[float]] = {what: [] for what in REPEATS}
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch, rig(2) as made:
        cameras = Cameras(Path(scratch), "--gop", "15", "--fps", "15", "--bitrate", "300")
        viewers = play(made, cameras)
        time.sleep(6)
        for what, program in (("engine", "mediamtx"), ("tap", "weir-tap")):
            for _ in range(REPEATS[what]):
                pids = children(made, program)
                took[what] += measure(viewers, lambda pids=pids: kill(pids))
                print(f"  {what}: {told(took[what][-STREAMS:], 's')}", flush=True)
        for _ in range(REPEATS["worker"]):
            took["worker"] += kill_worker(made, viewers)
            print(f"  worker: {told(took['worker'], 's')}", flush=True)
        for viewer in viewers:
            viewer.close()
        cameras.close()
    limits = {"engine": 1.5, "tap": 2 + GOP_S, "worker": 10}
    names = {"engine": "engines killed, 20 streams: playlist moves again, p95",
             "tap": "taps killed, 20 streams: playlist moves again, p95 (2 s + GOP)",
             "worker": "worker killed: its streams play elsewhere, p95"}  # fmt: skip
    for what, values in took.items():
        report.keep(f"{what}_s", values)
        report.at_most(names[what], limits[what], quantile(values, 0.95), "s",
                       f"median {median(values):.2f} s; {told(values, 's')}")  # fmt: skip
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

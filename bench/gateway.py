# SPDX-License-Identifier: Apache-2.0
"""The viewers' gateway against the same nginx that serves a file and asks nobody.

- cost: a playlist that is played at this moment, with a valid ticket, by wrk over kept connections;
  the alternative serves the same bytes from a file. In turn; what counts is the CPU time of nginx
  and the api (which judges tickets) a request, as the kernel measured it.
- added latency: both at 2,000 requests/s from wrk, ours with a hundred viewers' tickets in turn; the
  difference of the two p99 of each pair of runs, median over the pairs.
- sharing: one viewer who plays (a playlist and the newest segment a second), then a hundred with a
  ticket each; how often the worker's origin was asked, by the gateway's access log.

Checked: every answer is a 200 and the playlist's bytes are a playlist of this stream; what the
hundred were given are whole segments.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from common.cameras import Cameras
from common.keepalive import Connection
from common.picture import Media, wait_playlist
from common.process import children, cpu_us_of
from common.report import ROOT, Report
from common.rig import Rig, rig
from common.samples import median, quantile
from dev import packages
from tap_rig import free_port, wait_until

REPEATS = 5
SECONDS = 3
CONNECTIONS = 32
VIEWERS = 100
RATE = 2000
RATE_CONNECTIONS = 40
PLAYING_S = 20

# Debian's defaults where they matter: workers, kept connections, a log line a request.
PLAIN = """
daemon off;
user {user};
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 1000;
    access_log {folder}/access.log;
    types {{ application/vnd.apple.mpegurl m3u8; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {folder}/files;
    }}
}}
"""


# Of wrk. Viewers come one after the other, never all of one ticket at once; a pause is never the same, so
# that connections do not come to march in step.
PACED = """
local paths = {{ {paths} }}
local n = 0
function request()
    n = n % #paths + 1
    return wrk.format("GET", paths[n])
end
function delay()
    return math.random(0, 2 * {pause_ms})
end
"""


class PlainNginx:
    """Serves one file."""

    def __init__(self, folder: Path, text: str) -> None:
        self.port = free_port()
        folder.chmod(0o755)
        (folder / "files").mkdir()
        (folder / "files" / "index.m3u8").write_text(text)
        config = folder / "nginx.conf"
        config.write_text(PLAIN.format(folder=folder, port=self.port, user="root"))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        argv = [program, "-p", str(folder), "-c", str(config), "-e", "stderr"]
        self.process = subprocess.Popen(argv)
        wait_until("nginx", self.is_up, 30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/index.m3u8"

    @property
    def pids(self) -> list[int]:
        return [self.process.pid, *children(self.process.pid)]

    def is_up(self) -> bool:
        try:
            return Connection(self.url, timeout_s=2).call("GET", "/index.m3u8").status == 200
        except OSError:
            return False

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


class Playing:
    """A stream that plays, and as many viewers' tickets as are wanted."""

    def __init__(self, made: Rig, url: str) -> None:
        self.made = made
        self.api = made.connect()
        camera = made.add_camera(self.api, url)
        key = f'"{uuid.uuid4()}"'
        body = {"camera_id": camera, "quality": "source"}
        started = self.api.call("POST", "/v1/streams", body, Idempotency_Key=key)
        self.stream = str(started.expect(202).json["id"])
        self.media = self.open()

    def open(self) -> Media:
        """By way of a ticket of its own."""
        answer = self.api.call("POST", f"/v1/streams/{self.stream}/tickets").expect(200, 201)
        gateway = self.made.gateway()
        media = wait_playlist(gateway, str(answer.json["url"]))
        gateway.close()
        return media


# ---- cost ----


def load(url: str, pids: Sequence[int]) -> tuple[float, float]:
    """CPU microseconds a request of these processes, and requests a second."""
    before = cpu_us_of(pids)
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", url]
    told = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    spent = cpu_us_of(pids) - before
    found = re.search(r"(\d+) requests in", told)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", told)
    assert found and rate and "Non-2xx" not in told and "Socket errors" not in told, told
    return spent / int(found.group(1)), float(rate.group(1))


def measure_cost(report: Report, made: Rig, playing: Playing, plain: PlainNginx) -> None:
    serving = [*made.tree("gateway"), made.pid("api")]
    ours_us, plain_us, ours_rate, plain_rate = [], [], [], []
    for _ in range(REPEATS):
        us, rate = load(playing.media.url, serving)
        ours_us.append(us)
        ours_rate.append(rate)
        us, rate = load(plain.url, plain.pids)
        plain_us.append(us)
        plain_rate.append(rate)
        print(f"  CPU a request: {ours_us[-1]:.1f} us, a file {us:.1f} us", flush=True)
    report.keep("gateway_cpu_us", ours_us)
    report.keep("file_cpu_us", plain_us)
    ours, theirs = median(ours_us), median(plain_us)
    report.at_least(
        "a cached playlist with a valid ticket, requests per core", 40, 100 * theirs / ours,
        "% of nginx with a file",
        f"CPU a request: gateway and api {ours:.1f} us, nginx with a file {theirs:.1f} us; seen "
        f"{median(ours_rate):,.0f} and {median(plain_rate):,.0f} requests/s",
    )  # fmt: skip


# ---- added latency ----


def p99_ms(urls: Sequence[str], folder: Path) -> float:
    """Of the answers at RATE requests a second, each a pause after its connection's last one."""
    script = folder / "viewers.lua"
    paths = ", ".join(f'"{path_of(url)}"' for url in urls)
    script.write_text(PACED.format(paths=paths, pause_ms=1000 * RATE_CONNECTIONS // RATE))
    argv = ["wrk", "-t1", f"-c{RATE_CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", "--latency"]
    told = subprocess.run(
        [*argv, "-s", str(script), urls[0]], check=True, capture_output=True, text=True
    ).stdout
    found = re.search(r"^ +99% +([0-9.]+)(us|ms|s)$", told, re.MULTILINE)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", told)
    assert found and rate and "Non-2xx" not in told and "Socket errors" not in told, told
    assert float(rate.group(1)) > 0.8 * RATE, told
    return float(found.group(1)) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found.group(2)]


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def measure_latency(
    report: Report, playing: Playing, viewers: Sequence[Media], plain: PlainNginx, folder: Path
) -> None:
    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(p99_ms([viewer.url for viewer in viewers], folder))
        theirs.append(p99_ms([plain.url], folder))
        print(f"  p99 at {RATE}/s: {ours[-1]:.2f} ms, a file {theirs[-1]:.2f} ms", flush=True)
    report.keep("gateway_p99_ms", ours)
    report.keep("file_p99_ms", theirs)
    added = [mine - plains for mine, plains in zip(ours, theirs, strict=True)]
    report.at_most(
        f"ticket check and cache at {RATE:,} requests/s, added p99", 3.0, median(added), "ms",
        f"{len(viewers)} tickets; p99 {median(ours):.2f} ms, nginx with a file "
        f"{median(theirs):.2f} ms",
    )  # fmt: skip


# ---- sharing ----


def watch(made: Rig, media: Media, until: float, segments: set[str]) -> None:
    """What a player does each second."""
    gateway = made.gateway()
    known = ""
    while time.monotonic() < until:
        since = time.monotonic()
        text = gateway.call("GET", media.url).expect(200).body.decode()
        newest = Media(media.url, text).segments[-1]
        if newest != known:
            known = newest
            assert gateway.call("GET", newest).expect(200).body
            segments.add(newest.rsplit("/", 1)[1])
        time.sleep(max(0.0, 1.0 - (time.monotonic() - since)))
    gateway.close()


def origin_requests(made: Rig, stream: str, beyond: int) -> tuple[int, int]:
    """Requests that reached the origin, of all of this stream, in lines after `beyond`."""
    log = made.instance.log / "gateway" / "access.log"
    rows = [json.loads(line) for line in log.read_text().splitlines()[beyond:] if line.endswith("}")]
    rows = [row for row in rows if row["stream"] == stream]
    assert all(row["status"] == "200" for row in rows), [row["status"] for row in rows]
    reached = [row for row in rows if row["upstream_status"] not in ("", "-")]
    return len(reached), len(rows)


def lines_of(made: Rig) -> int:
    log = made.instance.log / "gateway" / "access.log"
    return len(log.read_text().splitlines())


def play_together(made: Rig, playing: Playing, viewers: Sequence[Media]) -> tuple[float, int]:
    """Requests at the origin a segment that was played, and requests of viewers in all."""
    beyond = lines_of(made)
    until = time.monotonic() + PLAYING_S
    segments: set[str] = set()
    argv = [(made, viewer, until, segments) for viewer in viewers]
    threads = [threading.Thread(target=watch, args=args) for args in argv]
    for thread in threads:
        thread.start()
        time.sleep(1.0 / len(threads))
    for thread in threads:
        thread.join()
    reached, asked = origin_requests(made, playing.stream, beyond)
    return reached / len(segments), asked


def measure_sharing(report: Report, made: Rig, playing: Playing, viewers: Sequence[Media]) -> None:
    one, asked_by_one = play_together(made, playing, viewers[:1])
    many, asked_by_many = play_together(made, playing, viewers)
    assert asked_by_many > 0.5 * len(viewers) * asked_by_one, (asked_by_one, asked_by_many)
    report.at_most(
        f"origin requests, {len(viewers)} viewers of a stream against one", 1.2, many / one, "x",
        f"a segment played: {one:.2f} requests for one viewer, {many:.2f} for {len(viewers)}; viewers "
        f"asked {asked_by_one} and {asked_by_many} times in {PLAYING_S} s",
    )  # fmt: skip


def main() -> int:
    report = Report("gateway")
    packages.ensure(["bench"], ROOT / "build" / "results" / "setup.log")
    # One ticket asks as often as it can here.
    unlimited = {"WEIR_GATEWAY_TICKET_RATE": "1000000r/s", "WEIR_GATEWAY_TICKET_BURST": "1000000"}
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch,
        rig(1, gateway=unlimited) as made,
    ):
        folder = Path(scratch)
        cameras = Cameras(folder, "--gop", "1", n=1)
        playing = Playing(made, cameras.next_url())
        viewers = [playing.open() for _ in range(VIEWERS)]
        (folder / "plain").mkdir()
        plain = PlainNginx(folder / "plain", playing.media.text)
        try:
            measure_cost(report, made, playing, plain)
            measure_latency(report, playing, viewers, plain, folder)
            measure_sharing(report, made, playing, viewers)
        finally:
            plain.close()
            cameras.close()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())

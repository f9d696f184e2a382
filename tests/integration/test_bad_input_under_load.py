# SPDX-License-Identifier: Apache-2.0
"""Everything bad at once while thirty people watch: they never notice, and nothing is left behind.

Once on the programs as they ship, once on those built with the address and undefined-behaviour
sanitizers, where a single report in any log is a failure.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attacks import BEHAVIOURS, BadCamera, Drips, accepted, poison_files
from browser import Browser, Player
from client import Api, wait_for
from conftest import free_port_base
from crowd import Crowd, Record
from stack import Stack

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[2]
SANITIZED = Path(os.environ.get("WEIR_TEST_SANITIZED_BUILD") or ROOT / "build" / "asan")
VIEWERS = 30
QUIET_S = 8
ATTACK_S = 24
# What a player's buffer hides: three segments of a second, and what a busy machine adds.
GAP_EXTRA_S = 4.0
REPORT_LINES = 80
TOPICS = ["commands", "facts", "heartbeats", "decisions", "state", "viewers", "config", "audit", "dlq"]
DAEMONS = ["weir-api", "weir-scheduler", "weir-worker", "weir-tap", "weir-origin", "weir-reaper",
           "weir-audit", "weir-tally"]  # fmt: skip
REPORT = re.compile(r"ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


@pytest.fixture(scope="module", params=["as shipped", "sanitized"])
def stack(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("weir") / "home", free_port_base())
    if request.param == "sanitized":
        assert (SANITIZED / "api" / "weir-api").is_file(), f"{SANITIZED} is not built"
        made.environment["WEIR_TEST_BUILD"] = str(SANITIZED)
        # Freed memory is kept for a while to catch its use; a little is enough, and RSS stays tame.
        made.environment["ASAN_OPTIONS"] = "quarantine_size_mb=8:malloc_context_size=12"
        made.environment["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    try:
        made.up()
        yield made
    finally:
        made.down()


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def rss_mib(pid: int) -> float:
    found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0


def census(stack: Stack) -> dict[int, tuple[str, int, float]]:
    """pid -> name, descriptors, memory; of every daemon of this stack."""
    return {
        pid: (name, descriptors(pid), rss_mib(pid))
        for name in DAEMONS
        for pid in stack.processes(name)
    }


def play_two_cameras(stack: Stack, user: Api) -> list[str]:
    urls = []
    for name in ("good-1", "good-2"):
        url = stack.camera(name, "--gop", "1", "--size", "320x240", "--fps", "10", "--bitrate", "200")
        stream = user.start(user.add_camera(name, url)["id"])
        user.wait_state(stream["id"], "running", seconds=90)
        urls.append(user.ticket(stream["id"]))
    return urls


def attack_doors(ports: dict[str, int], drips: Drips) -> list[str]:
    """Drips on every port while the matrix goes over all of them, again and again."""
    deadline = time.monotonic() + ATTACK_S
    wrong: list[str] = []
    with ThreadPoolExecutor(len(ports) + 1) as pool:
        dripping = pool.submit(drips.run, ATTACK_S)

        def hammer(name: str) -> None:
            path = "/openapi.json" if name == "api" else "/live/a/b/index.m3u8"
            while time.monotonic() < deadline:
                wrong.extend(f"{name}: {text}" for text in accepted(ports[name], path))

        for done in [pool.submit(hammer, name) for name in ports]:
            done.result()
        dripping.result()
    return wrong


def poison_topics(stack: Stack, folder: Path) -> None:
    files = [str(path) for path in poison_files(folder)]
    for topic in TOPICS:
        subprocess.run(
            ["kcat", "-q", "-b", stack.values["WEIR_KAFKA"], "-P", "-t", f"weir.{topic}.v1", "-p",
             "0", "-k", "poison", *files],
            check=True, timeout=60, capture_output=True,
        )  # fmt: skip


def meet_bad_cameras(user: Api, cameras: list[BadCamera]) -> None:
    """Starts each; all must be told apart from good ones, with a reason, before they go idle."""
    streams = {}
    for camera in cameras:
        name = camera.behaviour.__name__
        streams[name] = user.start(user.add_camera(f"bad-{name}", camera.url)["id"])["id"]
    for name, stream_id in streams.items():
        seen = user.wait_state(stream_id, "backoff", "failed", seconds=30)
        print(f"{name}: {seen['state']}, {seen['reason']}")
        assert seen["reason"]


def attack(stack: Stack, user: Api, home: Path) -> tuple[list[str], Drips]:
    base = stack.port_base
    ports = {"gateway": base, "api": base + 1, "internal": base + 2, "origin": base + 40}
    cameras = [BadCamera(behaviour) for behaviour in BEHAVIOURS]
    drips = Drips(list(ports.values()), 24)
    with ThreadPoolExecutor(2) as pool:
        try:
            others = [
                pool.submit(meet_bad_cameras, user, cameras),
                pool.submit(poison_topics, stack, home / "poison"),
            ]
            wrong = attack_doors(ports, drips)
            for other in others:
                other.result()
            return wrong, drips
        finally:
            drips.close()
            for camera in cameras:
                camera.close()


def judge(quiet: list[Record], loaded: list[Record]) -> None:
    usual = max(record.longest_gap_s for record in quiet)
    worst = max(record.longest_gap_s for record in loaded)
    print(f"longest gap between segments: {usual:.2f} s quiet, {worst:.2f} s under attack; "
          f"{sum(record.segments for record in loaded)} segments")  # fmt: skip
    assert not [record.errors for record in loaded if record.errors]
    assert all(record.segments for record in loaded)
    assert worst <= usual + GAP_EXTRA_S


def judge_pictures(players: list[Player], begun: float) -> None:
    for player in players:
        usual = max((b - a for a, b in pairwise(t for t in player.moves() if t < begun)), default=0.0)
        print(f"{player.name}: longest freeze {usual:.2f} s quiet, {player.freeze(begun):.2f} s under "
              f"attack; errors {player.errors}")  # fmt: skip
        assert not player.fatal and not player.went_back()
        assert player.freeze(begun) <= usual + GAP_EXTRA_S


def is_like(stack: Stack, before: dict[int, tuple[str, int, float]], is_lean: bool) -> bool:
    """The same processes, with as many descriptors, and no more memory than noise."""
    after = census(stack)
    assert set(after) == set(before), f"restarted: {before} {after}"
    for pid, (name, fds, mib) in after.items():
        assert fds <= before[pid][1] + 4, f"{name}: {before[pid][1]} descriptors, now {fds}"
        most = max(before[pid][2] * 1.3, before[pid][2] + 16)
        assert not is_lean or mib <= most, f"{name}: {before[pid][2]:.1f} MiB, now {mib:.1f}"
    return True


def test_thirty_viewers_never_notice_what_is_thrown_at_the_system(
    stack: Stack, tmp_path: Path
) -> None:
    user = stack.user("acme")
    is_lean = "ASAN_OPTIONS" not in stack.environment
    urls = play_two_cameras(stack, user)
    crowd = Crowd(urls, VIEWERS)
    try:
        with Browser() as browser:
            players = [browser.add(f"player-{i}", url) for i, url in enumerate(urls)]
            wait_for("all play", lambda: all(v.record.segments > 2 for v in crowd.viewers), 60)
            wait_for("the browser plays", lambda: all(p.frames > 20 for p in players), 60)
            before = census(stack)
            crowd.take()
            time.sleep(QUIET_S)
            quiet = crowd.take()
            assert not [record.errors for record in quiet if record.errors]
            begun = time.time()
            wrong, drips = attack(stack, user, tmp_path)
            loaded = crowd.take()
    finally:
        crowd.stop()
    print(f"the last drip was cut after {drips.longest_s:.1f} s")
    judge(quiet, loaded)
    judge_pictures(players, begun)
    assert not wrong, wrong
    assert not drips.open, f"still open: {sorted(drips.open.values())}"
    wait_for("descriptors and memory are back", lambda: is_like(stack, before, is_lean), 60, 1)


def test_the_daemons_end_without_a_sanitizers_report(stack: Stack) -> None:
    """Leaks are judged at a program's end, so all of them are ended first."""
    stack.dev("down")
    found = {
        path.name: report
        for path in stack.logs()
        if not path.name.startswith("camera-")  # the tests' own, killed in the middle of a picture
        if (report := sanitizer_report(path))
    }
    assert not found, "\n".join(f"{name}:\n{report}" for name, report in found.items())


def sanitizer_report(log: Path) -> str:
    """The first report with its stacks; "" when there is none."""
    lines = log.read_text(errors="replace").splitlines()
    first = next((i for i, line in enumerate(lines) if REPORT.search(line)), None)
    return "" if first is None else "\n".join(lines[first : first + REPORT_LINES])

# SPDX-License-Identifier: Apache-2.0
"""A scene whose parts can be torn: links to cut, clocks to set wrong, a small disk; and its history,
judged from the topics alone.

Two schedulers, two apis, three workers. Worker 1 keeps its run and segment folders on disks of its own.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cell import Cell, Ledger
from client import Api, wait_for
from conftest import ROOT
from faults import settings
from faults.clock import Clock
from faults.disk import SmallDisk
from faults.links import Links
from stack import Stack
from survival import Scene

WORKERS = ("worker-0", "worker-1", "worker-2")
SCHEDULERS = ("scheduler", "scheduler-2")
APIS = ("api", "api-2")

# The one with small disks, and the daemons whose clock can be wrong.
CRAMPED = "worker-1"
JUMPED_WORKER = "worker-2"
JUMPED_API = "api-2"
CLOCKS = (*SCHEDULERS, JUMPED_WORKER, JUMPED_API)
# Room for a few streams' windows and the start of one more.
DISK_MIB = 24
# So many streams more than planned to reach a worker that the scheduler does not like.
EXTRA_MAX = 6

# States of a stream that its worker's heartbeats list.
HELD = ("placed", "starting", "running", "backoff", "suspect")

PROGRAMS = Path(os.environ.get("WEIR_TEST_BUILD") or ROOT / "build" / "release")


class CameraStack(Stack):
    """Its cameras are reached through links, so that they can be cut off too."""

    links: Links

    def camera(self, name: str, *flags: str) -> str:
        return self.links.camera_url(super().camera(name, *flags))


class Torn(Scene):
    """A running scene with its means to break it."""

    def __init__(self, stack: CameraStack) -> None:
        super().__init__(stack)
        self.links = stack.links
        self.clocks: dict[str, Clock] = {}
        self.disks: dict[str, SmallDisk] = {}
        self.log = Cell(stack.home, stack.values["WEIR_KAFKA"], stack.values["WEIR_REDIS"])

    # ---- who is who ----

    def metric(self, process: str, name: str) -> int:
        """A number that a daemon tells of itself."""
        port = self.admin_port(process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as reply:
            text = reply.read().decode()
        found = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        assert found, f"{process} tells no {name}"
        return int(float(found[0].split()[1]))

    def admin_port(self, process: str) -> int:
        text = settings.read(self.stack.home / "env" / f"{process}.env")["WEIR_ADMIN_LISTEN"]
        return int(text.rsplit(":", 1)[1])

    def leader(self) -> str:
        """The scheduler that leads."""

        def look() -> str | None:
            leading = [one for one in SCHEDULERS if self.leads(one)]
            return leading[0] if len(leading) == 1 else None

        return str(wait_for("one leader", look, 60))

    def leads(self, scheduler: str) -> bool:
        try:
            return self.metric(scheduler, "weir_scheduler_leader") == 1
        except OSError:
            return False

    def other(self, name: str, group: tuple[str, ...]) -> str:
        return next(one for one in group if one != name)

    def api_of(self, name: str) -> Api:
        """The same user at one api itself."""
        listen = settings.read(self.stack.home / "env" / f"{name}.env")["WEIR_API_LISTEN"]
        return Api(f"http://{listen}", self.user.token)

    def end(self, name: str) -> None:
        """Ends a stream that nobody watches, and its camera."""
        stream = self.streams.pop(name)
        self.user.call("DELETE", f"/v1/streams/{stream.stream_id}").expect(202)
        self.user.wait_state(stream.stream_id, "stopped")
        self.stack.dev("camera", "kill", name)

    def watched_on(self, worker: str) -> list[str]:
        return [name for name in self.watching.players if self.worker_of(name) == worker]

    def replace_dead_players(self) -> None:
        """Viewers who met a fatal error open their page again."""
        for name, player in list(self.watching.players.items()):
            if player.fatal:
                self.watching.remove(name)
                self.streams[name].url = self.user.ticket(self.streams[name].stream_id)
                self.watching.add(name, self.streams[name].url)

    def revive(self) -> None:
        """As heal, where viewers may have given up, or give up yet."""

        def all_play() -> bool:
            self.replace_dead_players()
            self.watching.playing(seconds=5)
            return True

        wait_for("everybody plays", all_play, 120)
        self.heal()

    def watch_on(self, *workers: str) -> str:
        """One of these workers that has a viewer; more streams are started until one has."""
        for n in range(EXTRA_MAX):
            for worker in workers:
                if self.watched_on(worker):
                    return worker
            self.add(f"extra-{len(self.streams)}-{n}")
        raise AssertionError(f"nothing is ever placed on {workers}")

    def cameras_of(self, worker: str) -> list[int]:
        """Ports of the cameras whose streams the worker has."""
        found = []
        for name in self.streams:
            if self.worker_of(name) == worker:
                file = self.stack.home / "cameras" / f"{name}.json"
                found.append(int(json.loads(file.read_text())["port"]))
        return found

    # ---- history ----

    def views_are_whole(self, seconds: float = 30) -> None:
        """Waits until Redis tells of every stream what the log does."""

        def equal() -> bool:
            ledger = self.log.ledger()
            for name, playing in self.streams.items():
                row = ledger.streams[playing.stream_id]
                key = f"weir:0:stream:{playing.stream_id}"
                for field, told in (("state", row["state"]), ("generation", str(row["generation"]))):
                    assert self.log.redis_call("HGET", key, field) == told, (name, field)
            return True

        wait_for("Redis equals the log", equal, seconds, pause=0.5)

    def running_on(self) -> dict[tuple[str, int], set[str]]:
        """Which workers ever said that they run (stream, generation)."""
        found: dict[tuple[str, int], set[str]] = {}
        for _, _, value in self.log.read("weir.heartbeats.v1"):
            beat = json.loads(value)["data"]
            for row in beat["streams"]:
                if row["state"] != "stopping":
                    key = (row["stream_id"], row["generation"])
                    found.setdefault(key, set()).add(beat["worker_id"])
        return found

    def judge_history(self) -> Ledger:
        """What must be true of the log whatever happened:

        Generations of a stream only rise; one record for each command; no (stream, generation) ever ran
        on two workers; and the newest placement in the log is what the api tells.
        """
        ledger = self.log.ledger()
        for stream, generations in ledger.placements.items():
            assert generations == sorted(set(generations)), (stream, generations)
        doubled = {key: rows for key, rows in ledger.commands.items() if len(rows) > 1}
        assert not doubled, doubled
        for key, workers in self.running_on().items():
            assert len(workers) == 1, (key, workers)
        for playing in self.streams.values():
            row = ledger.streams[playing.stream_id]
            told = self.stream(playing.name)
            assert told["generation"] == row["generation"], (told, row)
            assert told["worker_id"] == row["worker_id"], (told, row)
        return ledger

    def obeys(self, worker: str, seconds: float = 30) -> None:
        """Waits until the worker runs what the log places on it, and nothing else."""
        mine = settings.read(self.stack.home / "env" / f"{worker}.env")["WEIR_WORKER_ID"]

        def agrees() -> bool:
            ledger = self.log.ledger()
            wanted = {
                (stream, row["generation"])
                for stream, row in ledger.streams.items()
                if row.get("worker_id") == mine and row["state"] in HELD
            }
            beats = [json.loads(text)["data"] for _, _, text in self.log.read("weir.heartbeats.v1")]
            last = [beat for beat in beats if beat["worker_id"] == mine][-1]
            running = {(row["stream_id"], row["generation"]) for row in last["streams"]}
            row = ledger.workers.get(mine, {})
            assert row.get("state") == "ready", row
            assert last["incarnation"] == row["incarnation"], (last["incarnation"], row)
            assert running == wanted, (running, wanted)
            return True

        wait_for(f"{worker} runs what it should", agrees, seconds, pause=0.5)


@contextmanager
def torn(home: Path, port_base: int) -> Iterator[Torn]:
    """For a module's fixture."""
    with ExitStack() as at_end:
        stack = CameraStack(home, port_base)
        names = [*WORKERS, *SCHEDULERS, *APIS]
        stack.links = Links(home, port_base, names, programs=PROGRAMS)
        at_end.callback(stack.links.close)
        clocks = {name: Clock(home, name) for name in CLOCKS}
        for clock in clocks.values():
            at_end.callback(clock.close)
        disks = {}
        for kind, variable in (("run", "WEIR_RUN_DIR"), ("segments", "WEIR_SEGMENT_DIR")):
            disks[kind] = SmallDisk(Path(f"/tmp/weir-{port_base}-{kind}"), DISK_MIB)
            at_end.callback(disks[kind].close)
            settings.add(home, CRAMPED, {variable: str(disks[kind].folder)})
        for name in SCHEDULERS:
            # One test's dead worker must be as good as the others in the next one.
            settings.add(home, name, {"WEIR_FLAP_HALF_S": "1"})
        at_end.callback(stack.down)
        stack.up(workers=len(WORKERS), schedulers=len(SCHEDULERS), apis=len(APIS))
        made = Torn(stack)
        at_end.callback(made.close)
        made.clocks, made.disks = clocks, disks
        yield made

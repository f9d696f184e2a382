# SPDX-License-Identifier: Apache-2.0
"""A whole Weir with viewers in a browser, and the means to break a part and see what they notice.

    scene = Scene(stack)
    scene.add("yard")                              # camera, stream, and a player that never stops
    with scene.watching.over("engine killed") as fault:
        stack.kill("mediamtx")
    # Here every player shows pictures that were asked for after the fault.
    assert fault.freeze_s < 30

Players keep their page and their URL; hls.js has its default configuration.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browser import Browser, Player
from client import Api, wait_for
from dev import commands, keeper, topics
from dev.instance import Instance
from stack import Stack

WORKERS = 3

# What is asked for so long after the fault's end no longer comes from before it.
SETTLE_S = 2.0

# A small picture: the test is about the way, and the machine has other things to do.
SMALL = ("--gop", "1", "--size", "320x180", "--bitrate", "300")


@dataclass
class Fault:
    """One fault and what viewers saw of it; the figures are there when its `with` block is over."""

    name: str
    began: float
    ended: float = 0.0
    freezes: dict[str, float] = field(default_factory=dict)
    """Longest time without a new frame, by player, in seconds."""
    errors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """What hls.js got over by itself, by player."""

    @property
    def freeze_s(self) -> float:
        return max(self.freezes.values(), default=0.0)


class Watching:
    """The players of one browser page."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.faults: list[Fault] = []

    @property
    def players(self) -> dict[str, Player]:
        return self.browser.players

    def add(self, name: str, url: str, **options: Any) -> Player:
        return self.browser.add(name, url, **options)

    def remove(self, name: str) -> Player:
        return self.browser.remove(name)

    def _named(self, names: Iterable[str] | None) -> list[Player]:
        return [self.players[name] for name in (self.players if names is None else names)]

    def playing(self, names: Iterable[str] | None = None, seconds: float = 60) -> None:
        """Waits until all these players (all there are, without names) show new frames."""

        def moving(player: Player) -> bool:
            moves = player.moves()[-3:]
            return len(moves) == 3 and time.time() - moves[0] < 3

        for player in self._named(names):
            try:
                wait_for(f"{player.name} plays", lambda player=player: moving(player), seconds)
            except AssertionError as error:
                told = f"fatal: {player.fatal[-1:]}, errors: {player.errors[-3:]}"
                raise AssertionError(f"{error}; {told}; newest playlist: {player.levels[-1:]}") from error

    @contextmanager
    def over(
        self,
        name: str,
        players: Iterable[str] | None = None,
        *,
        limit_s: float = 60,
        settle_s: float = SETTLE_S,
    ) -> Iterator[Fault]:
        """Measures what these players see of the fault that the block makes.

        Begins when they play; ends when each shows a piece that it asked for `settle_s` after the
        block's end, for which they have `limit_s`. None may have met a fatal error, and no playlist
        may ever have had lower numbers than the one before.
        """
        chosen = self._named(players)
        self.playing([player.name for player in chosen])
        fault = Fault(name, began=time.time())
        yield fault
        fault.ended = time.time()
        try:
            self._wait_recovered(fault, chosen, settle_s, limit_s)
        finally:
            self._measure(fault, chosen)
        self.judge(chosen)

    def _wait_recovered(
        self, fault: Fault, chosen: list[Player], settle_s: float, limit_s: float
    ) -> None:
        deadline = fault.ended + limit_s

        def recovered(player: Player) -> bool:
            assert not player.fatal, f"{player.name}: {player.fatal}"
            asked = player.looks[-1].asked
            return asked is not None and asked > fault.ended + settle_s

        while not all(recovered(player) for player in chosen):
            stuck = [player.name for player in chosen if not recovered(player)]
            assert time.time() < deadline, f"{fault.name}: {stuck} do not play on"
            time.sleep(0.1)

    def _measure(self, fault: Fault, chosen: list[Player]) -> None:
        for player in chosen:
            fault.freezes[player.name] = player.freeze(fault.began)
            fault.errors[player.name] = [e for e in player.errors if e["at"] >= fault.began]
        self.faults.append(fault)
        each = ", ".join(f"{who} {freeze:.1f}" for who, freeze in fault.freezes.items())
        print(f"freeze: {fault.name} {fault.freeze_s:.1f} s ({each})")

    def judge(self, chosen: Iterable[Player] | None = None) -> None:
        """No fatal error so far, and no sequence that went back."""
        for player in self.players.values() if chosen is None else chosen:
            assert not player.fatal, f"{player.name}: {player.fatal}"
            assert not player.went_back(), f"{player.name}: {player.went_back()}"


@dataclass
class Playing:
    """A stream of the scene."""

    name: str
    camera_id: str
    stream_id: str
    url: str
    """With a ticket."""


class Scene:
    """A running stack with cameras that play, and players that watch them. Close it at the end."""

    def __init__(self, stack: Stack, tenant: str = "acme") -> None:
        self.stack = stack
        self.instance = Instance(stack.home, stack.port_base)
        self.user: Api = stack.user(tenant)
        self.streams: dict[str, Playing] = {}
        self.watching = Watching(Browser())

    def close(self) -> None:
        self.watching.browser.close()

    # ---- streams ----

    def start(self, name: str, *flags: str, **fields: Any) -> Playing:
        """A test camera (more `flags` of ./dev camera add) and its stream, running; nobody watches.
        `fields` are the camera's in REST."""
        url = self.stack.camera(name, *SMALL, *flags)
        camera = self.user.add_camera(name, url, **{"idle_timeout_s": 600, **fields})
        stream = self.user.start(camera["id"])
        self.user.wait_state(stream["id"], "running")
        ticket = self.user.ticket(stream["id"])
        self.streams[name] = Playing(name, camera["id"], stream["id"], ticket)
        return self.streams[name]

    def add(self, name: str, *flags: str, **fields: Any) -> Playing:
        """The same with a player that watches it."""
        playing = self.start(name, *flags, **fields)
        self.watching.add(name, playing.url)
        return playing

    def stream(self, name: str) -> dict[str, Any]:
        return self.user.stream(self.streams[name].stream_id)

    def camera_fault(self, name: str, fault: str) -> None:
        self.stack.dev("camera", "fault", name, fault)

    # ---- processes ----

    def worker_of(self, name: str) -> str:
        """The process that has the stream, as ./dev status names it ("worker-1")."""
        wanted = self.stream(name)["worker_id"]
        for path in sorted((self.stack.home / "env").glob("worker-*.env")):
            if f"WEIR_WORKER_ID={wanted}" in path.read_text():
                return path.stem
        raise AssertionError(f"no worker {wanted} in this stack")

    def pid(self, process: str) -> int:
        """Of a process as ./dev status names it."""
        found = keeper.find(self.instance, process)
        assert found is not None, f"no process {process}"
        return found.pid

    def family(self, process: str) -> list[int]:
        """Pids of the process and of all its children, the oldest first."""
        return descendants(self.pid(process))

    def child(self, process: str, program: str) -> list[int]:
        """Pids of the children of `process` that run `program`."""
        return [pid for pid in self.family(process)[1:] if program_of(pid) == program]

    def kill(self, process: str, how: signal.Signals = signal.SIGKILL) -> None:
        """A process with all its children."""
        signal_all(self.family(process), how)

    def start_again(self, process: str) -> None:
        """As it was started last."""
        keeper.start_again(self.instance, process, counted=False)

    def leader(self) -> str:
        """The scheduler that leads, as its log tells."""
        led: list[tuple[int, str]] = []
        for name in ("scheduler", "scheduler-2"):
            lines = (self.stack.home / "log" / f"{name}.log").read_text().splitlines()
            epochs = [int(json.loads(line)["epoch"]) for line in lines if '"cell: leading"' in line]
            led += [(max(epochs), name)] if epochs else []
        assert led, "no scheduler ever led"
        return max(led)[1]

    # ---- the record ----

    def decisions(self) -> list[dict[str, Any]]:
        """The decision log from its beginning, without what is void: decisions of an older term."""
        text = topics.read(self.stack.values["WEIR_KAFKA"], "weir.decisions.v1")
        valid, newest = [], 0
        for line in text.splitlines():
            data = json.loads(line)["data"]
            newest = max(newest, data["epoch"])
            valid += [data] if data["epoch"] == newest else []
        return valid

    def applied(self, stream_id: str, to: str) -> int:
        """How often the log moves the stream to this state."""
        return sum(
            effect.get("stream_id") == stream_id and effect["to"] == to
            for decision in self.decisions()
            for effect in decision["effects"]
        )

    # ---- after a fault ----

    def heal(self) -> None:
        """Starts what is dead, and waits until all is up, all streams run and all players play."""
        names = keeper.names(self.instance)
        dead = [name for name in names if keeper.running(self.instance, name) is None]
        for name in dead:
            self.start_again(name)
        for name in dead:
            wait_for(
                f"{name} is up",
                lambda name=name: commands.health_of(self.instance, name) in ("up", "ready"),
                60,
            )
        for playing in self.streams.values():
            self.user.wait_state(playing.stream_id, "running")
        self.watching.playing()


def signal_all(pids: Iterable[int], how: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue


def stat_of(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat after the program's name; [] when it is gone."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def program_of(pid: int) -> str:
    """As its arguments call it; nginx calls its own processes by what they do."""
    try:
        argv = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")
        return argv[0].decode().rsplit("/", 1)[-1]
    except (OSError, UnicodeDecodeError):
        return ""


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        fields = stat_of(int(entry.name)) if entry.name.isdigit() else []
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


@contextmanager
def paused(*pids: int) -> Iterator[None]:
    """Stops processes (SIGSTOP) and lets them go on at the end."""
    signal_all(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_all(pids, signal.SIGCONT)


@contextmanager
def scene(home: Path, port_base: int, workers: int = WORKERS) -> Iterator[Scene]:
    """A stack of its own with nothing in it yet, for a module's fixture."""
    stack = Stack(home, port_base)
    made: Scene | None = None
    try:
        stack.up(workers, schedulers=2, apis=2)
        made = Scene(stack)
        yield made
    finally:
        if made is not None:
            made.close()
        stack.down()

# SPDX-License-Identifier: Apache-2.0
"""Viewers in one browser: hls.js players in one page of a headless Chromium (player/)."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLAYER = Path(__file__).resolve().parent / "player"


@dataclass(frozen=True)
class Look:
    """What one player showed at one tick. Times are seconds since 1970."""

    at: float
    frames: int
    position: float
    latency: float | None
    date: float | None
    """Of the picture, by its programme date."""
    asked: float | None
    """When the piece now on the screen was asked for."""
    size: tuple[int, int]
    """Of the picture: width, height."""


@dataclass
class Player:
    """One viewer and all he has seen so far."""

    name: str
    looks: list[Look] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    fatal: list[dict[str, Any]] = field(default_factory=list)
    levels: list[dict[str, Any]] = field(default_factory=list)
    """Every playlist that was read: at, first, last, cc (discontinuity sequence)."""

    def take(self, at: float, tick: dict[str, Any]) -> None:
        date, asked = tick["date"], tick["asked"]
        self.looks.append(
            Look(
                at=at,
                frames=tick["frames"],
                position=tick["position"],
                latency=tick["latency"],
                date=None if date is None else date / 1000,
                asked=None if asked is None else asked / 1000,
                size=(tick["size"][0], tick["size"][1]),
            )
        )
        kinds = {"error": self.errors, "fatal": self.fatal, "level": self.levels}
        for event in tick["events"]:
            kinds[event["kind"]].append({**event, "at": event["at"] / 1000})

    @property
    def frames(self) -> int:
        return self.looks[-1].frames if self.looks else 0

    def moves(self) -> list[float]:
        """The times at which new frames were seen."""
        pairs = zip(self.looks, self.looks[1:], strict=False)
        return [after.at for before, after in pairs if after.frames != before.frames]

    def freeze(self, since: float) -> float:
        """The longest time without a new frame, of those that had not ended before `since`."""
        if not self.looks:
            return 0.0
        times = [*self.moves(), self.looks[-1].at]
        gaps = zip(times, times[1:], strict=False)
        return max((end - begin for begin, end in gaps if end >= since), default=0.0)

    def went_back(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Pairs of playlists of which the later one had lower numbers."""
        pairs = zip(self.levels, self.levels[1:], strict=False)
        return [
            (before, after)
            for before, after in pairs
            if after["last"] < before["last"] or after["first"] < before["first"]
        ]

    def first_frame_after(self, since: float) -> float | None:
        moves = [at for at in self.moves() if at >= since]
        return moves[0] - since if moves else None


class Browser:
    """The browser; players come and go while it runs. A context manager."""

    def __init__(self) -> None:
        self.players: dict[str, Player] = {}
        self.process = subprocess.Popen(
            ["node", str(PLAYER / "play.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            tick = json.loads(line)
            for one in tick["players"]:
                if one["name"] in self.players:
                    self.players[one["name"]].take(tick["at"] / 1000, one)

    def _order(self, order: dict[str, Any]) -> None:
        assert self.process.poll() is None, "the browser ended"
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def add(self, name: str, url: str, **options: Any) -> Player:
        """Begins to play; `options` go to hls.js."""
        assert name not in self.players, name
        self.players[name] = Player(name)
        self._order({"add": {"name": name, "url": url, "options": options}})
        return self.players[name]

    def move(self, name: str, url: str) -> None:
        """The player goes on with another stream in the same element."""
        self._order({"move": {"name": name, "url": url}})

    def remove(self, name: str) -> Player:
        """Ends a player; returns what it saw."""
        self._order({"remove": name})
        return self.players.pop(name)

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(10)
        self.process.stdout.close()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

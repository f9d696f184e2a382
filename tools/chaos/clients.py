# SPDX-License-Identifier: Apache-2.0
"""Clients as they are out there: they start, watch, stop, and try again with the same key.

Every attempt of a command is in the history: `invoke` before it is sent, then what is known of it.

    ok       2xx: acknowledged, so it must be in the log exactly once
    fail     a definite no (4xx, or nobody took the connection): it must be nowhere
    unknown  503, a time-out, a connection that broke: once or never

An operation is all attempts with one key.
"""

from __future__ import annotations

import http.client
import itertools
import random
import re
import threading
import time
import urllib.parse
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.history import History
from dev import rest

ATTEMPT_S = 4.0
GIVE_UP_S = 45.0
# A player reloads a playlist about once a segment; a longer stand-still is seen as a freeze.
RELOAD_S = 0.9
FREEZE_S = 3.0
RENEW_TICKET_S = 400.0
REOPEN_S = 40.0


@dataclass(frozen=True)
class Access:
    """Who the clients are, and every api that they may ask."""

    apis: Sequence[str]
    token: str
    tenant_id: str


def send(method: str, url: str, **more: Any) -> rest.Answer:
    try:
        return rest.request(method, url, **more)
    except (http.client.HTTPException, ValueError) as error:
        return rest.Answer(0, {}, b"", f"{type(error).__name__}: {error}", url)


def outcome_of(answer: rest.Answer) -> str:
    if 200 <= answer.status < 300:
        return "ok"
    if answer.status == 0:
        return "fail" if "refused" in answer.error else "unknown"
    return "fail" if answer.status < 500 else "unknown"


class Caller:
    """Sends commands for one client. `random` decides what is left to chance."""

    _ops = itertools.count(1)

    def __init__(self, name: str, access: Access, history: History, seed: int) -> None:
        self.name = name
        self.access = access
        self.history = history
        self.random = random.Random(seed)
        self.turn = seed

    def api(self) -> str:
        self.turn += 1
        return self.access.apis[self.turn % len(self.access.apis)]

    def ask(self, method: str, path: str, body: Any = None) -> rest.Answer:
        """A request that changes nothing in the log; not in the history."""
        url = self.api() + path
        return send(method, url, token=self.access.token, body=body, timeout_s=ATTEMPT_S)

    def start(self, camera_id: str, until: threading.Event) -> str | None:
        """The stream's id once the start is acknowledged; None when it was given up."""
        body = {"camera_id": camera_id, "quality": "source"}
        answer = self.command("start", "POST", "/v1/streams", body, camera_id, until)
        return str(answer.json()["id"]) if answer is not None else None

    def stop(self, stream_id: str, until: threading.Event) -> None:
        self.command("stop", "DELETE", f"/v1/streams/{stream_id}", None, stream_id, until)

    def command(
        self, verb: str, method: str, path: str, body: Any, about: str, until: threading.Event
    ) -> rest.Answer | None:
        op = next(self._ops)
        key = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        give_up = time.monotonic() + GIVE_UP_S
        good: rest.Answer | None = None
        for attempt in itertools.count(1):
            api = self.api()
            told = {"op": op, "attempt": attempt, "client": self.name}
            self.history.add("invoke", **told, verb=verb, key=key, about=about, api=api)
            answer = send(
                method,
                api + path,
                token=self.access.token,
                body=body,
                headers={"Idempotency-Key": f'"{key}"'},
                timeout_s=ATTEMPT_S,
            )
            outcome = outcome_of(answer)
            self.history.add(outcome, **told, status=answer.status, **details(answer, outcome))
            good = answer if outcome == "ok" else good
            # Now and then an answer is taken for lost: the same wish comes twice.
            if answer.status >= 400 and outcome == "fail":
                return None
            if outcome == "ok" and self.random.random() > 0.15:
                return good
            if time.monotonic() > give_up or until.wait(0.3):
                return good
        return None


def details(answer: rest.Answer, outcome: str) -> dict[str, Any]:
    if outcome == "ok":
        body = answer.json() or {}
        return {"state": body.get("state"), "stream": body.get("id")}
    return {"why": answer.problem()[:200]}


# ---- watching ----


_pages = itertools.count(1)


@dataclass
class Screen:
    """What one viewer saw of one stream; `worst_s` is the longest stand-still of the picture.

    A page that is opened again has a new player: `page` tells them apart.
    """

    page: int = field(default_factory=lambda: next(_pages))
    last: int = -1
    moved_at: float = field(default_factory=time.monotonic)
    moves: int = 0
    worst_s: float = 0.0

    def begin(self) -> None:
        """From now on: what stood still before is not this session's."""
        self.page = next(_pages)
        self.moved_at, self.moves = time.monotonic(), 0

    def see(self, last: int) -> float:
        """Seconds that the picture stood still, when it moves on now; else 0."""
        now = time.monotonic()
        if last == self.last:
            return 0.0
        stood_s = now - self.moved_at if self.moves else 0.0
        self.last, self.moved_at, self.moves = last, now, self.moves + 1
        self.worst_s = max(self.worst_s, stood_s)
        return stood_s


def tag(text: str, name: str) -> int:
    found = re.search(rf"^#{name}:(\d+)", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def uris(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


class Viewer(threading.Thread):
    """Keeps one camera on its screen, as a page would: same URL, whatever happens behind it."""

    def __init__(self, caller: Caller, camera_id: str, until: threading.Event) -> None:
        super().__init__(name=caller.name, daemon=True)
        self.caller = caller
        self.camera_id = camera_id
        self.until = until
        self.stream_id = ""
        self.screen = Screen()
        self.reopened = 0

    def run(self) -> None:
        while not self.until.is_set():
            stream_id = self.caller.start(self.camera_id, self.until)
            if stream_id is None:
                self.until.wait(1)
                continue
            self.stream_id = stream_id
            url = self.open(stream_id)
            if url is not None:
                self.screen.begin()
                watch(self.caller, self.screen, stream_id, url, self.until, RENEW_TICKET_S)
            self.reopened += 1

    def open(self, stream_id: str) -> str | None:
        return open_stream(self.caller, stream_id, self.until)


def open_stream(caller: Caller, stream_id: str, until: threading.Event) -> str | None:
    """The media playlist's URL by way of a new ticket; None when it does not come for a while."""
    give_up = time.monotonic() + REOPEN_S
    while time.monotonic() < give_up and not until.is_set():
        ticket = caller.ask("POST", f"/v1/streams/{stream_id}/tickets")
        if ticket.status in (200, 201):
            index = send("GET", str(ticket.json()["url"]), timeout_s=15)
            found = uris(index.body.decode("utf-8", "replace")) if index.status == 200 else []
            if found:
                return urllib.parse.urljoin(index.url, found[0])
            if index.status == 410:
                return None
        elif ticket.status in (404, 409, 410):
            return None
        until.wait(0.5)
    return None


def watch(
    caller: Caller,
    screen: Screen,
    stream_id: str,
    url: str,
    until: threading.Event,
    seconds: float,
) -> None:
    """Reloads the playlist until time is over, the stream ended, or nothing moves any more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until.is_set():
        since = time.monotonic()
        answer = send("GET", url, timeout_s=6)
        if answer.status in (401, 403, 410):
            return
        if answer.status == 200:
            look(caller, screen, stream_id, answer)
        if time.monotonic() - screen.moved_at > REOPEN_S:
            caller.history.add(
                "note", client=caller.name, stream=stream_id, text="gave up a still picture"
            )
            return
        until.wait(max(0.05, RELOAD_S - (time.monotonic() - since)))


def look(caller: Caller, screen: Screen, stream_id: str, answer: rest.Answer) -> None:
    text = answer.body.decode("utf-8", "replace")
    segments = uris(text)
    sequence = tag(text, "EXT-X-MEDIA-SEQUENCE")
    last = sequence + len(segments) - 1
    generation = re.search(rf"/{stream_id}/(\d+)/", answer.url)
    if not segments or last == screen.last:
        return
    stood_s = screen.see(last)
    caller.history.add(
        "seen",
        client=caller.name,
        page=screen.page,
        stream=stream_id,
        generation=int(generation.group(1)) if generation else 0,
        sequence=sequence,
        last=last,
        discontinuity=tag(text, "EXT-X-DISCONTINUITY-SEQUENCE"),
        **({"froze_s": round(stood_s, 1)} if stood_s > FREEZE_S else {}),
    )
    if screen.moves % 3 == 0:
        send("GET", urllib.parse.urljoin(answer.url, segments[-1]), timeout_s=6)


class Zapper(threading.Thread):
    """Starts, watches a little, stops or just goes away: one camera after the other."""

    def __init__(self, caller: Caller, cameras: Sequence[str], until: threading.Event) -> None:
        super().__init__(name=caller.name, daemon=True)
        self.caller = caller
        self.cameras = cameras
        self.until = until

    def run(self) -> None:
        chance = self.caller.random
        while not self.until.is_set():
            stream_id = self.caller.start(chance.choice(self.cameras), self.until)
            if stream_id is not None and chance.random() < 0.5:
                url = open_stream(self.caller, stream_id, self.until)
                if url is not None:
                    seconds = chance.uniform(1, 8)
                    watch(self.caller, Screen(), stream_id, url, self.until, seconds)
            if stream_id is not None and chance.random() < 0.6:
                self.caller.stop(stream_id, self.until)
            self.until.wait(chance.uniform(0.1, 1.5))

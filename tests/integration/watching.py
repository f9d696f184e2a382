# SPDX-License-Identifier: Apache-2.0
"""People who log in and watch, and how it shows when they may no longer."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from client import Answer, Api, Playlist, Viewer, fetch, wait_for
from crowd import Crowd
from stack import Stack, token_claims
from ticket_form import unpack

LIMIT_S = 60  # for a machine that does other things, too; what it took is printed


def login(stack: Stack, tenant: str, role: str = "viewer", sub: str | None = None) -> Api:
    """Somebody who has just logged in: a session of its own, and a subject unless it is given."""
    return Api(stack.api_url, stack.token(tenant, role, "--sub", sub or str(uuid.uuid4())))


def claims(user: Api) -> dict[str, Any]:
    return token_claims(user.token or "")


def second(stack: Stack, user: Api) -> Api:
    """The same user at the other api."""
    return stack.both(user)[1]


def ask_as_gateway(stack: Stack, path: str, port: int = 2, **headers: str) -> Answer:
    """Below /internal/v1/ of an api."""
    secret = (stack.home / "secrets" / "gateway-secret").read_text().strip()
    sent = {"X-Weir-Gateway-Secret": secret, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return fetch(f"http://127.0.0.1:{stack.port_base + port}/internal/v1/{path}", headers=sent)


def front_doors(stack: Stack, port: int = 2, **headers: str) -> Answer:
    return ask_as_gateway(stack, "front-doors", port, **headers)


def ticket_id(url: str) -> str:
    return str(unpack(url.split("/live/")[1].split("/")[0])["i"])


class Player:
    """Plays without a pause and keeps what it was answered: (when, status, bytes)."""

    def __init__(self, url: str) -> None:
        self.viewer = Viewer(url).open()
        self.answers: list[tuple[float, int, int]] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.play, daemon=True)
        self.thread.start()

    def note(self, url: str) -> Answer:
        url, answer = self.viewer.follow(url)
        self.answers.append((time.monotonic(), answer.status, len(answer.body)))
        return answer

    def play(self) -> None:
        url = self.viewer.media_url or ""
        newest = ""
        while not self.stopping.wait(0.2):
            answer = self.note(url)
            if answer.status == 200:
                newest = Playlist(url, answer.body.decode()).uris()[-1]
            if newest:
                self.note(newest)

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join(30)

    def expect_end(self, what: str, act: Callable[[], object]) -> None:
        """`act` ends this playback, for good: apis may hear of it one after the other, but then no
        answer has media in it any more."""
        wait_for("it plays", lambda: sum(status == 200 for _, status, _ in self.answers) >= 4, LIMIT_S)
        began = time.monotonic()
        act()
        done = time.monotonic()

        def refused() -> list[tuple[float, int, int]]:
            late = self.answers[-16:]
            return late if {status for _, status, _ in late} <= {401, 403} else []

        first = wait_for(f"{what}: playback ends", refused, LIMIT_S, 0.02)[0]
        self.stop()
        last = max(at for at, status, _ in self.answers if status == 200)
        assert last < first[0] and self.answers[-1][1] in (401, 403)
        print(f"{what}: answered in {done - began:.2f} s, the last media {last - done:+.2f} s after that")


def expect_undisturbed(crowd: Crowd) -> None:
    records = crowd.take()
    crowd.stop()
    # On a slow machine a segment may leave the playlist before it is asked for.
    errors = [error for record in records for error in record.errors if ": 404 for " not in error]
    assert not errors and all(record.segments > 0 for record in records), records

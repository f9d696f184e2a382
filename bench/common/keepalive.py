# SPDX-License-Identifier: Apache-2.0
"""An HTTP client for measuring: one connection that is kept, and nothing that waits by itself."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def expect(self, *statuses: int) -> Answer:
        assert self.status in statuses, f"{self.status}, expected {statuses}: {self.body[:300]!r}"
        return self


class Connection:
    """To one server, with one user's token and the cookie that it set. One thread at a time."""

    def __init__(self, base: str, token: str | None = None, timeout_s: float = 40) -> None:
        self.base = base.rstrip("/")
        parts = urllib.parse.urlsplit(base)
        assert parts.hostname
        self.http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
        self.token = token
        self.cookie: str | None = None

    def open(self) -> Connection:
        self.http.connect()
        self.http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def close(self) -> None:
        self.http.close()

    def call(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """`target` may be a whole URL of this server. A header's underscores become hyphens."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if self.cookie:
            sent["Cookie"] = self.cookie
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        if self.http.sock is None:
            self.open()
        self.http.request(method, target.removeprefix(self.base), data, sent)
        reply = self.http.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        if "set-cookie" in found:
            self.cookie = found["set-cookie"].split(";")[0]
        return Answer(reply.status, found, reply.read())

    def follow(self, target: str, hops: int = 4, **headers: str) -> tuple[str, Answer]:
        """GET, through redirects on the same server; the last URL and its answer."""
        url = urllib.parse.urljoin(self.base + "/", target)
        for _ in range(hops):
            answer = self.call("GET", url, **headers)
            if answer.status not in (301, 302, 303, 307, 308):
                return url, answer
            url = urllib.parse.urljoin(url, answer.headers["location"])
        raise AssertionError(f"too many redirects at {url}")


def ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000

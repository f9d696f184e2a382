# SPDX-License-Identifier: Apache-2.0
"""A REST client and an HLS reader for the tests: the standard library only, no help from Weir."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
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

    def expect(self, *statuses: int) -> "Answer":
        assert self.status in statuses, f"{self.status}, expected {statuses}: {self.body[:500]!r}"
        return self


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


_plain = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def fetch(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout: float = 30,
) -> Answer:
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with _plain.open(request, timeout=timeout) as reply:
            return Answer(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read())
    except urllib.error.HTTPError as error:
        headers_in = {k.lower(): v for k, v in error.headers.items()}
        return Answer(error.code, headers_in, error.read())


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 60, pause: float = 0.1) -> Any:
    """Returns the first true value of `condition`; fails naming `what` when none comes in time."""
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except (OSError, AssertionError, ValueError) as error:
            last = error
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {seconds} s (last: {last!r})")


class Api:
    """One user's view of the REST api."""

    def __init__(self, base: str, token: str | None) -> None:
        self.base = base.rstrip("/")
        self.token = token

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        elif method in ("POST", "PATCH", "PUT"):
            data = b""
        return fetch(self.base + path, method, data, sent)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def add_camera(self, name: str, url: str, **fields: Any) -> dict[str, Any]:
        source = {"url": url, "transport": "tcp"}
        for key in ("username", "password", "transport", "tls_pin_sha256"):
            if key in fields:
                source[key] = fields.pop(key)
        body = {"name": name, "source": source, **fields}
        return self.call("POST", "/v1/cameras", body).expect(201).json

    def start(self, camera_id: str, key: str | None = None) -> dict[str, Any]:
        headers = {"Idempotency-Key": f'"{key or uuid.uuid4()}"'}
        body = {"camera_id": camera_id, "quality": "source"}
        return self.call("POST", "/v1/streams", body, headers).expect(200, 202).json

    def stream(self, stream_id: str) -> dict[str, Any]:
        return self.get(f"/v1/streams/{stream_id}").expect(200).json

    def wait_state(self, stream_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        def look() -> dict[str, Any]:
            stream = self.stream(stream_id)
            assert stream["state"] in states, stream
            return stream

        return dict(wait_for(f"stream {stream_id} in {states}", look, seconds))

    def ticket(self, stream_id: str) -> str:
        answer = self.call("POST", f"/v1/streams/{stream_id}/tickets").expect(200, 201)
        return str(answer.json["url"])


@dataclass
class Playlist:
    url: str
    text: str

    def tag(self, name: str) -> int:
        found = re.search(rf"^#{name}:(\d+)", self.text, re.MULTILINE)
        return int(found.group(1)) if found else 0

    @property
    def sequence(self) -> int:
        return self.tag("EXT-X-MEDIA-SEQUENCE")

    @property
    def discontinuity(self) -> int:
        return self.tag("EXT-X-DISCONTINUITY-SEQUENCE")

    def uris(self) -> list[str]:
        lines = [line for line in self.text.splitlines() if line and not line.startswith("#")]
        return [urllib.parse.urljoin(self.url, line) for line in lines]

    @property
    def init_uri(self) -> str | None:
        found = re.search(r'#EXT-X-MAP:URI="([^"]+)"', self.text)
        return urllib.parse.urljoin(self.url, found.group(1)) if found else None

    @property
    def last_sequence(self) -> int:
        return self.sequence + len(self.uris()) - 1


class Viewer:
    """Plays by hand what a player plays: multivariant, media playlist, init, segments."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.media_url: str | None = None

    def follow(self, url: str) -> tuple[str, Answer]:
        for _ in range(3):
            answer = fetch(url)
            if answer.status not in (301, 302, 307, 308):
                return url, answer
            url = urllib.parse.urljoin(url, answer.headers["location"])
        raise AssertionError(f"too many redirects at {url}")

    def open(self) -> "Viewer":
        url, answer = self.follow(self.url)
        answer.expect(200)
        variants = Playlist(url, answer.body.decode()).uris()
        assert variants, answer.body
        self.media_url = variants[0]
        return self

    def playlist(self) -> Playlist:
        assert self.media_url
        url, answer = self.follow(self.media_url)
        answer.expect(200)
        return Playlist(url, answer.body.decode())

    def newest_segment(self) -> bytes:
        playlist = self.playlist()
        init = fetch(playlist.init_uri).expect(200).body if playlist.init_uri else b""
        return init + fetch(playlist.uris()[-1]).expect(200).body


def decoded_frames(url: str, seconds: int = 4) -> int:
    """Plays with ffmpeg, which must find nothing to complain about; counts the frames."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", url, "-t", str(seconds), "-map", "0:v",
         "-f", "framemd5", "-"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return len([line for line in done.stdout.splitlines() if line and not line.startswith("#")])

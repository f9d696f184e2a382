# SPDX-License-Identifier: Apache-2.0
"""A crowd of light viewers: each fetches playlists and segments as a player does, and keeps a record
of what a person would have noticed. No decoding; for pictures see browser.py."""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from client import Playlist

POLL_S = 0.8
REDIRECTS_MAX = 3


@dataclass
class Record:
    """What one viewer saw since the last `take`."""

    segments: int = 0
    longest_gap_s: float = 0.0  # between two new segments
    errors: list[str] = field(default_factory=list)


class LightViewer:
    """One keep-alive connection to the gateway, as a browser would hold it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.address = (parts.hostname or "", parts.port or 80)
        self.connection = self.connect()
        self.media_url: str | None = None
        self.seen: deque[str] = deque(maxlen=64)
        self.last_sequence = -1
        self.moved_at: float | None = None
        self.record = Record()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=20)

    def get(self, url: str) -> tuple[str, int, bytes]:
        for _ in range(REDIRECTS_MAX):
            answer, body = self.ask(urlsplit(url).path)
            if answer.status not in (301, 302, 307, 308):
                return url, answer.status, body
            url = urljoin(url, answer.headers["Location"])
        raise AssertionError(f"too many redirects at {urlsplit(url).path}")

    def ask(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        """A kept connection may have been closed meanwhile: then once more on a new one."""
        for attempt in (0, 1):
            try:
                self.connection.request("GET", path)
                answer = self.connection.getresponse()
                return answer, answer.read()
            except (ConnectionError, http.client.BadStatusLine):
                self.connection.close()
                self.connection = self.connect()
                if attempt:
                    raise
        raise AssertionError("not reached")

    def fetch(self, url: str) -> tuple[str, bytes]:
        final, status, body = self.get(url)
        assert status == 200, f"{status} for {urlsplit(final).path.rsplit('/', 1)[-1]}: {body[:200]!r}"
        return final, body

    def step(self) -> None:
        if self.media_url is None:
            url, body = self.fetch(self.url)
            self.media_url = Playlist(url, body.decode()).uris()[0]
        url, body = self.fetch(self.media_url)
        playlist = Playlist(url, body.decode())
        assert playlist.sequence >= self.last_sequence, "the media sequence went back"
        self.last_sequence = playlist.sequence
        uris = playlist.uris()
        first_time = not self.seen
        for uri in uris[-3:] if first_time else uris:
            if uri in self.seen:
                continue
            self.seen.append(uri)
            self.fetch(uri)
            self.moved()

    def moved(self) -> None:
        now = time.monotonic()
        self.record.segments += 1
        if self.moved_at is not None:
            self.record.longest_gap_s = max(self.record.longest_gap_s, now - self.moved_at)
        self.moved_at = now


class Crowd:
    """`count` viewers spread over `urls`, playing until `stop`."""

    def __init__(self, urls: list[str], count: int) -> None:
        self.viewers = [LightViewer(urls[i % len(urls)]) for i in range(count)]
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self.play, args=(viewer, i / count * POLL_S), daemon=True)
            for i, viewer in enumerate(self.viewers)
        ]
        for thread in self.threads:
            thread.start()

    def play(self, viewer: LightViewer, delay_s: float) -> None:
        self.stopping.wait(delay_s)
        while not self.stopping.is_set():
            try:
                viewer.step()
            except (OSError, AssertionError, ValueError, http.client.HTTPException) as error:
                viewer.record.errors.append(f"{type(error).__name__}: {error}"[:300])
            self.stopping.wait(POLL_S)

    def take(self) -> list[Record]:
        """What was seen since the last call; a gap that is still open counts as it stands."""
        now = time.monotonic()
        records = []
        for viewer in self.viewers:
            record, viewer.record = viewer.record, Record()
            if viewer.moved_at is not None:
                record.longest_gap_s = max(record.longest_gap_s, now - viewer.moved_at)
            records.append(record)
        return records

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

# SPDX-License-Identifier: Apache-2.0
"""Playlists as a player reads them, and the clock that the test camera draws into its picture."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.parse
from dataclasses import dataclass

from common.keepalive import Connection
from tap_rig import dates

WIDTH, HEIGHT, CELLS = 640, 360, 40


@dataclass
class Media:
    """A media playlist that has at least one segment."""

    url: str
    text: str

    @property
    def segments(self) -> list[str]:
        lines = [line for line in self.text.splitlines() if line and not line.startswith("#")]
        return [urllib.parse.urljoin(self.url, line) for line in lines]

    @property
    def init(self) -> str:
        found = re.search(r'#EXT-X-MAP:URI="([^"]+)"', self.text)
        assert found, self.text
        return urllib.parse.urljoin(self.url, found.group(1))

    @property
    def dates(self) -> list[float]:
        return list(dates(self.text))


def media_playlist(connection: Connection, index_url: str, index: str) -> Media | None:
    """The first variant's playlist; None while it has no segment."""
    names = [line for line in index.splitlines() if line and not line.startswith("#")]
    assert names, index
    url, answer = connection.follow(urllib.parse.urljoin(index_url, names[0]))
    media = Media(url, answer.body.decode()) if answer.status == 200 else None
    return media if media and media.segments else None


def wait_playlist(connection: Connection, target: str, seconds: float = 40) -> Media:
    """What a player does: asks again where it is told to."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        url, answer = connection.follow(target)
        if answer.status == 200:
            media = media_playlist(connection, url, answer.body.decode())
            if media:
                return media
        elif answer.status in (503, 404):
            time.sleep(min(1.0, float(answer.headers.get("retry-after", 0.02))))
        else:
            answer.expect(200)
        time.sleep(0.002)
    raise AssertionError(f"no playlist within {seconds} s")


def pictures(connection: Connection, media: Media, n: int = 1) -> list[bytes]:
    """The luma of the first `n` pictures of the playlist's last segment, decoded by ffmpeg."""
    parts = [media.init, media.segments[-1]]
    data = b"".join(connection.call("GET", url).expect(200).body for url in parts)
    done = subprocess.run(
        ["ffmpeg", "-v", "error", "-xerror", "-i", "-", "-map", "0:v:0", "-frames:v", str(n),
         "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        input=data, capture_output=True, check=True,
    )  # fmt: skip
    size = WIDTH * HEIGHT
    found = [done.stdout[i : i + size] for i in range(0, len(done.stdout), size)]
    assert len(found) == n, f"{len(found)} pictures of {n} in {media.segments[-1]}"
    return found


def stamp_ms(picture: bytes) -> int:
    """The low 39 bits of the UTC milliseconds that the camera drew (tests/camera/stamp.h)."""
    cell = WIDTH // CELLS
    bits = [picture[8 * WIDTH + i * cell + cell // 2] > 128 for i in range(CELLS)]
    assert sum(bits) % 2 == 0, "the stamp's parity"
    return int("".join("1" if bit else "0" for bit in bits[:39]), 2)


def date_error_ms(connection: Connection, media: Media) -> float:
    """PROGRAM-DATE-TIME of the last segment against the clock in its first picture."""
    told_ms = media.dates[-1] * 1000
    drawn_ms = stamp_ms(pictures(connection, media)[0])
    low = told_ms % (1 << 39)
    return abs((low - drawn_ms + (1 << 38)) % (1 << 39) - (1 << 38))

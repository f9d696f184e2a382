# SPDX-License-Identifier: Apache-2.0
"""The other two ways to cut a stream, low-latency HLS and MPEG-TS, through both of a gateway's doors."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from browser import Browser
from client import Api, Playlist, Viewer, decoded_frames, fetch, wait_for
from conftest import stack_of
from stack import Stack

VIEWERS = 20
# The worker whose engine cuts so.
WORKERS = {"worker-0": "lowLatency", "worker-1": "mpegts"}


@dataclass
class Cut:
    """A running stream of one variant."""

    stack: Stack
    user: Api
    stream: str

    def ticket_url(self) -> str:
        return self.user.ticket(self.stream)

    def at_the_cdns_door(self, url: str) -> str:
        """The same file at the listener that the CDN asks."""
        rest = url.split("/live/")[1].split("/", 1)[1]
        return f"{self.stack.values['WEIR_REGION_URL']}/origin/{rest}"

    @property
    def secret(self) -> dict[str, str]:
        text = (self.stack.home / "secrets" / "cdn-secret").read_text().strip()
        return {"Authorization": f"Bearer {text}"}


stack = stack_of(
    {worker: {"WEIR_HLS_VARIANT": variant} for worker, variant in WORKERS.items()},
    workers=len(WORKERS),
)


@pytest.fixture(scope="module")
def cuts(stack: Stack) -> dict[str, Cut]:
    """One stream of each variant, wherever the scheduler put them."""
    user = stack.user("acme")
    found: dict[str, Cut] = {}

    def add(n: int) -> None:
        url = stack.camera(f"cut-{n}", "--gop", "1", "--size", "320x180", "--bitrate", "300")
        camera = user.add_camera(f"cut-{n}", url, idle_timeout_s=600)
        stream = str(user.start(camera["id"])["id"])
        user.wait_state(stream, "running")
        playlist = Viewer(user.ticket(stream)).open().playlist()
        variant = "lowLatency" if "EXT-X-PART-INF" in playlist.text else "mpegts"
        found.setdefault(variant, Cut(stack, user, stream))

    for n in range(8):
        if set(found) == set(WORKERS.values()):
            break
        add(n)
    return found


@pytest.mark.parametrize("variant", WORKERS.values())
def test_it_decodes_at_both_doors(cuts: dict[str, Cut], variant: str) -> None:
    cut = cuts[variant]
    assert decoded_frames(cut.ticket_url()) >= 30
    segment = Viewer(cut.ticket_url()).open().playlist().uris()[-1]
    here = fetch(segment).expect(200)
    there = fetch(cut.at_the_cdns_door(segment), headers=cut.secret).expect(200)
    assert here.body == there.body
    if variant == "mpegts":
        assert here.headers["content-type"] == "video/mp2t"
        assert {here.body[0], here.body[188]} == {0x47}, "packets of 188 bytes (ISO 13818-1)"
    fetch(cut.at_the_cdns_door(segment)).expect(401)


def newest_part(text: str) -> tuple[int, int]:
    """The last part that a playlist names: its segment and its number in it, from 0."""
    playlist = Playlist("http://x/", text)
    lines = text.splitlines()
    last = max(i for i, line in enumerate(lines) if line.startswith("#EXTINF"))
    of_open = [line for line in lines[last:] if line.startswith("#EXT-X-PART:")]
    return playlist.last_sequence + 1, len(of_open) - 1


def test_a_blocking_reload_waits_for_what_it_names(cuts: dict[str, Cut]) -> None:
    """Many viewers, each with a ticket of his own, and the CDN ask for the same part before it is there."""
    cut = cuts["lowLatency"]
    viewers = [Viewer(cut.ticket_url()).open() for _ in range(VIEWERS)]
    segment, part = newest_part(viewers[0].playlist().text)
    query = f"?_HLS_msn={segment + 1}&_HLS_part=0"
    urls = [viewer.follow(str(viewer.media_url))[0] + query for viewer in viewers]
    at_cdn = cut.at_the_cdns_door(urls[0])
    with ThreadPoolExecutor(VIEWERS + 1) as pool:
        asked = [pool.submit(fetch, url) for url in urls]
        asked.append(pool.submit(fetch, at_cdn, headers=cut.secret))
        answers = [one.result().expect(200) for one in asked]
    for answer in answers:
        assert newest_part(answer.body.decode()) >= (segment + 1, 0) > (segment, part)


def test_parts_come_before_their_segment_is_whole(cuts: dict[str, Cut]) -> None:
    playlist = Viewer(cuts["lowLatency"].ticket_url()).open().playlist()
    hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', playlist.text)
    assert hint
    url = playlist.url.rsplit("/", 1)[0] + "/" + hint.group(1)
    assert b"moof" in fetch(url).expect(200).body[:64]


@pytest.mark.parametrize("variant", WORKERS.values())
def test_hls_js_plays_it(cuts: dict[str, Cut], variant: str) -> None:
    with Browser() as browser:
        player = browser.add(variant, cuts[variant].ticket_url(), lowLatencyMode=True)
        wait_for("pictures", lambda: player.frames > 60, 60)
        assert not player.fatal
        assert not player.went_back()

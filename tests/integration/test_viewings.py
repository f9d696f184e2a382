# SPDX-License-Identifier: Apache-2.0
"""Who watched what, from when to when: by the gateway's own lines, through real players' requests, into
the audit and out at /v1/viewings."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from client import Api, Playlist, fetch, wait_for
from conftest import stack_of
from stack import Stack, token_claims

NEAR_S = 4  # the truth and what is told of it, on a machine that has other things to do
STILL_S = 20
TOLD_S = 90  # the end is told some fifteen seconds after it


stack = stack_of(apis=2)


class Player:
    """Plays by hand and writes down what it got."""

    def __init__(self, url: str) -> None:
        self.media = ""
        self.segments = self.bytes = 0
        self.seen: set[str] = set()
        self.last = 0.0  # when it got something
        self.open(url)
        self.began = self.last

    def get(self, url: str) -> tuple[str, bytes]:
        for _ in range(4):
            answer = fetch(url)
            if answer.status != 302:
                break
            url = urljoin(url, answer.headers["location"])
        answer.expect(200)
        self.bytes += len(answer.body) if not urlsplit(url).path.endswith(".m3u8") else 0
        self.last = time.time()
        return url, answer.body

    def open(self, url: str) -> None:
        url, body = self.get(url)
        self.media = Playlist(url, body.decode()).uris()[0]

    def step(self) -> None:
        """Fetches what is new."""
        url, body = self.get(self.media)
        playlist = Playlist(url, body.decode())
        for uri in [*([playlist.init_uri] if playlist.init_uri else []), *playlist.uris()]:
            name = urlsplit(uri).path.rsplit("/", 1)[1]
            if name not in self.seen:
                self.seen.add(name)
                self.get(uri)
                self.segments += uri != playlist.init_uri

    def play(self, seconds: float) -> "Player":
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.step()
            time.sleep(0.4)
        return self


@pytest.fixture(scope="module")
def camera(stack: Stack) -> dict[str, Any]:
    url = stack.camera("acme-yard", "--gop", "1", "--size", "320x180", "--bitrate", "300")
    return stack.user("acme").add_camera("yard", url, idle_timeout_s=900)


@pytest.fixture(scope="module")
def stream(stack: Stack, camera: dict[str, Any]) -> str:
    user = stack.user("acme")
    found = str(user.start(camera["id"])["id"])
    user.wait_state(found, "running")
    return found


def someone(stack: Stack, role: str = "viewer") -> tuple[Api, str]:
    """A user of acme whom nobody saw before, and his subject."""
    subject = str(uuid.uuid4())
    return Api(stack.api_url, stack.token("acme", role, "--sub", subject)), subject


def viewings(stack: Stack, **filters: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    page = stack.user("acme").get(f"/v1/viewings?limit=200&{query}").expect(200).json
    return list(page["items"])


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def told(stack: Stack, subject: str, player: Player) -> dict[str, Any]:
    """The subject's only viewing, once it counts what the player got."""

    def look() -> dict[str, Any]:
        found = viewings(stack, subject=subject)
        assert [(one["segments"], one["bytes"]) for one in found] == [(player.segments, player.bytes)]
        return found[0]

    return dict(wait_for("the audit counts what he got", look, TOLD_S))


def test_each_viewer_is_told_of_to_the_byte(
    stack: Stack, camera: dict[str, Any], stream: str
) -> None:
    """One watches longer, with two tickets one after the other, which is one viewing."""
    (anna, annas), (ben, bens) = someone(stack), someone(stack)
    long = Player(anna.ticket(stream)).play(4)
    short = Player(ben.ticket(stream)).play(3)
    first = wait_for("it is told while it goes on", lambda: viewings(stack, subject=annas), 30)
    assert len(first) == 1 and first[0]["ended_at"] is None
    long.open(anna.ticket(stream))
    long.play(3)
    for subject, player in ((annas, long), (bens, short)):
        one = told(stack, subject, player)
        assert player.segments >= 3
        assert abs(seconds(one["started_at"]) - player.began) < NEAR_S
        assert abs(seconds(one["last_seen_at"]) - player.last) < NEAR_S
        assert (one["subject"], one["door"]) == (subject, "gateway")
        assert (one["camera_id"], one["stream_id"]) == (camera["id"], stream)
    assert told(stack, annas, long)["id"] == first[0]["id"]


def test_only_an_admin_of_the_tenant_reads_it_and_finds_by_what_he_asks(
    stack: Stack, camera: dict[str, Any], stream: str
) -> None:
    viewer, subject = someone(stack)
    player = Player(viewer.ticket(stream)).play(2)
    one = told(stack, subject, player)
    for role in ("viewer", "operator"):
        stack.user("acme", role).get("/v1/viewings").expect(403)
    everything = stack.user("globex").get("/v1/viewings?limit=200").expect(200)
    assert everything.json["items"] == [] and stream.encode() not in everything.body

    def found(**filters: str) -> bool:
        return one["id"] in {each["id"] for each in viewings(stack, **filters)}

    nobody, start, end = str(uuid.uuid4()), one["started_at"], one["last_seen_at"]
    assert found(camera_id=camera["id"], stream_id=stream, subject=subject)
    assert found(**{"from": end, "to": "2999-01-01T00:00:00Z"})
    assert found(**{"from": "2020-01-01T00:00:00Z"})
    assert not found(to=start)
    assert not found(**{"from": "2999-01-01T00:00:00Z"})
    for name in ("camera_id", "stream_id", "subject"):
        assert not viewings(stack, **{name: nobody})
    admin = stack.user("acme")
    for bad in ("subject=x", "from=today", "to=1", "cursor=AAAA", "limit=0", "more=1"):
        admin.get(f"/v1/viewings?{bad}").expect(400, 422)
    walked: list[str] = []
    cursor = ""
    while len(walked) < 1000:
        page = admin.get(f"/v1/viewings?limit=1{cursor}").expect(200).json
        walked += [each["id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert walked == [each["id"] for each in viewings(stack)]
    assert len(walked) >= 3


def test_an_api_that_dies_takes_no_count_with_it_and_doubles_none(stack: Stack, stream: str) -> None:
    """Doors say all that they counted again and again, so another api hears of it as well."""
    viewer, subject = someone(stack)
    player = Player(viewer.ticket(stream)).play(3)
    wait_for("it is told", lambda: viewings(stack, subject=subject), 30)
    for pid in stack.processes("weir-api"):
        os.kill(pid, signal.SIGKILL)
        player.play(3)
        stack.start_what_is_dead()
    player.play(1)
    told(stack, subject, player)


def test_a_tally_that_dies_loses_its_last_seconds_and_splits_nothing(
    stack: Stack, stream: str
) -> None:
    viewer, subject = someone(stack)
    player = Player(viewer.ticket(stream)).play(5)
    wait_for("it is told", lambda: viewings(stack, subject=subject), 30)
    stack.kill("weir-tally")
    player.play(2)
    stack.dev("start", "tally")
    player.play(1)
    before = player.segments
    player.play(4)
    after = player.segments - before

    def look() -> dict[str, Any]:
        found = viewings(stack, subject=subject)
        assert len(found) == 1
        # Each process of nginx may lose the line by which it learns that nobody was there.
        assert after - 1 <= found[0]["segments"] <= player.segments
        assert abs(seconds(found[0]["last_seen_at"]) - player.last) < NEAR_S
        return found[0]

    one = wait_for("both lives count for one viewing", look, TOLD_S)
    assert 0 < one["bytes"] <= player.bytes
    assert abs(seconds(one["started_at"]) - player.began) < NEAR_S


def test_strangers_on_the_machine_cannot_count(stack: Stack, stream: str) -> None:
    """A line without the secret is refused, and so is one that is no line."""
    viewer, subject = someone(stack)
    player = Player(viewer.ticket(stream)).play(2)
    one = told(stack, subject, player)
    tenant = token_claims(viewer.token or "")["app_metadata"]["tenant_id"]
    admin = f"http://127.0.0.1:{stack.port_base + 7}/metrics"

    def refused() -> int:
        lines = fetch(admin).expect(200).body.decode().splitlines()
        return sum(int(line.split()[-1]) for line in lines if 'outcome="refused"' in line)

    before = refused()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        for secret in ("", "0" * 48):
            ids = f"{tenant} {uuid.uuid4()} {stream} {one['ticket_id']}"
            text = f"<190>Nov 29 08:15:00 weir: {secret} {ids} media 1000000"
            door.sendto(text.encode(), ("127.0.0.1", stack.port_base + 19))
    wait_for("both are refused", lambda: refused() == before + 2, 30)
    assert all(each["bytes"] < 1000000 for each in viewings(stack, stream_id=stream))


def test_the_topic_read_again_doubles_nothing(stack: Stack, stream: str) -> None:
    """As after a restored database: the audit takes every record once more."""
    def sql(text: str) -> str:
        argv = ["psql", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", text, stack.values["WEIR_POSTGRES"]]
        done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    totals = "SELECT count(*), sum(segments), sum(bytes) FROM viewing"
    records = "SELECT count(*) FROM audit_record WHERE topic = 'weir.audit.v1'"

    def stands_still() -> bool:
        """The end of the last part is told fifteen seconds after it."""
        seen = sql(totals)
        time.sleep(STILL_S)
        return sql(totals) == seen

    wait_for("all that was watched is told", stands_still, 150)
    stack.dev("stop", "audit")
    before, n = sql(totals), int(sql(records))
    for table in ("audit_record", "audit_event", "audit_offset"):
        sql(f"DELETE FROM {table} WHERE topic = 'weir.audit.v1'")
    stack.dev("start", "audit")
    wait_for("all is read again", lambda: int(sql(records)) >= n, 60)
    assert int(before.split("|")[0]) >= 4
    assert sql(totals) == before
    assert stack.weirctl("audit", "verify").returncode == 0

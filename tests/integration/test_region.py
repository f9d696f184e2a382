# SPDX-License-Identifier: Apache-2.0
"""The gateway's second listener, which the CDN asks: who may, whose streams, what keeps them alive."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import uuid
from typing import Any

import pytest
from client import Answer, Api, Playlist, fetch, wait_for
from conftest import stack_of
from stack import Stack, token_claims

IDLE_S = 10


stack = stack_of()


class Region:
    """The listener as the CDN sees it."""

    def __init__(self, stack: Stack) -> None:
        self.url = stack.values["WEIR_REGION_URL"]
        self.secret = (stack.home / "secrets" / "cdn-secret").read_text().strip()

    def ask(self, path: str, method: str = "GET", secret: str | None = None, **more: Any) -> Answer:
        shown = f"Bearer {self.secret if secret is None else secret}"
        headers = {"Authorization": shown, **more.pop("headers", {})}
        return fetch(self.url + path, method=method, headers=headers, **more)

    def report(self, *views: dict[str, Any]) -> Answer:
        return self.ask("/control/views", "POST", body=json.dumps({"views": views}).encode())


@pytest.fixture(scope="module")
def region(stack: Stack) -> Region:
    return Region(stack)


def start(user: Api, stack: Stack, name: str, idle_s: int) -> str:
    camera = user.add_camera(name, stack.camera(name, "--gop", "1"), idle_timeout_s=idle_s)
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    return str(stream["id"])


@pytest.fixture(scope="module")
def stream(stack: Stack) -> str:
    return start(stack.user("acme"), stack, "region", 600)


def tenant_of(user: Api) -> str:
    return str(token_claims(user.token or "")["app_metadata"]["tenant_id"])


def base_of(region: Region, stream: str) -> str:
    answer = region.ask(f"/origin/{stream}/index.m3u8").expect(302)
    return f"/origin/{stream}/" + answer.headers["location"].rsplit("/", 1)[0]


def newest(region: Region, base: str) -> str:
    index = region.ask(f"{base}/index.m3u8").expect(200).body.decode()
    media = Playlist(base + "/", index).uris()[0]
    return Playlist(base + "/", region.ask(media).expect(200).body.decode()).uris()[-1]


def test_it_serves_who_shows_the_secret_and_says_whose_it_is(
    stack: Stack, region: Region, stream: str
) -> None:
    base = base_of(region, stream)
    segment = region.ask(newest(region, base)).expect(200)
    assert segment.headers["x-weir-tenant"] == tenant_of(stack.user("acme"))
    assert "max-age=3600" in segment.headers["cache-control"]
    playlist = region.ask(f"{base}/index.m3u8").expect(200)
    assert "stale-if-error=" in playlist.headers["cache-control"]
    old = region.ask(f"/origin/{stream}/1/index.m3u8").expect(302)
    assert old.headers["location"] == "../" + base.rsplit("/", 1)[1] + "/index.m3u8"


def test_without_the_secret_nothing_is_answered(region: Region, stream: str) -> None:
    base = base_of(region, stream)
    paths = [newest(region, base), f"{base}/index.m3u8", f"/origin/{stream}/index.m3u8",
             "/control/front-doors", "/control/views"]  # fmt: skip
    for path in paths:
        fetch(region.url + path).expect(401)
        for secret in ("", "x", region.secret[:-1], region.secret + "0"):
            refused = region.ask(path, secret=secret).expect(401)
            assert refused.headers["cache-control"] == "no-store"
            assert "x-weir-tenant" not in refused.headers


def test_two_secrets_are_good_while_one_is_changed(stack: Stack, region: Region, stream: str) -> None:
    file = stack.home / "secrets" / "cdn-secret"
    before, new = region.secret, "0123456789abcdef" * 3

    def judged(secret: str) -> int:
        return region.ask(f"/origin/{stream}/index.m3u8", secret=secret).status

    for known, good, bad in (
        (f"{new}\n{before}\n", [new, before], []),
        (f"{new}\n", [new], [before]),
        (f"{before}\n", [before], [new]),
    ):
        file.write_text(known)
        stack.start_what_is_dead()
        for secret in good:
            wait_for("the secret is good", lambda secret=secret: judged(secret) == 302, 10)
        for secret in bad:
            wait_for("the secret is void", lambda secret=secret: judged(secret) == 401, 10)


def test_nothing_else_is_there(region: Region, stream: str) -> None:
    base = base_of(region, stream)
    for path in ("/", "/origin/", f"/live/{'x' * 40}/{stream}/index.m3u8", "/_route", "/metrics",
                 "/internal/v1/play", f"/internal/v1/route/{stream}", "/control/", "/v1/cameras",
                 f"{base}/a%2fb.mp4", f"{base}//index.m3u8", f"{base}/./index.m3u8",
                 f"/origin/{stream}/../{stream}/index.m3u8"):  # fmt: skip
        region.ask(path).expect(404)
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        region.ask(f"{base}/index.m3u8", method).expect(405)
    region.ask(f"/origin/{uuid.uuid4()}/index.m3u8").expect(410)


def test_both_doors_fill_one_cache(stack: Stack, region: Region, stream: str) -> None:
    base = base_of(region, stream)
    path = newest(region, base)
    here = region.ask(path).expect(200).body
    ticket_url = stack.user("acme").ticket(stream)
    there = fetch(ticket_url.rsplit("/", 1)[0] + path.removeprefix(f"/origin/{stream}")).expect(200)
    assert there.body == here
    asked = stack.gateway_lines(path.rsplit("/", 1)[1], 2)
    assert {line["door"] for line in asked} == {"cdn", "viewers"}
    assert [line["cache"] for line in asked].count("MISS") == 1


class Reporter:
    """Reports without a pause until it is told to stop: no wait of the test lets its stream down."""

    def __init__(self, region: Region, *views: dict[str, Any]) -> None:
        self.answers: list[Answer] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(region, views), daemon=True)
        self.thread.start()

    def run(self, region: Region, views: tuple[dict[str, Any], ...]) -> None:
        while not self.stopping.wait(0.5):
            self.answers.append(region.report(*views))

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join(30)


def test_what_the_cdn_reports_keeps_a_stream_alive(stack: Stack, region: Region) -> None:
    user = stack.user("acme")
    left = start(user, stack, "left", IDLE_S)
    watched = start(user, stack, "reported", IDLE_S)
    view = {"tenant": tenant_of(user), "stream": watched, "ticket_id": str(uuid.uuid4()), "age_ms": 900}
    foreign = {**view, "tenant": str(uuid.uuid4()), "stream": left}
    old = {**view, "stream": left, "age_ms": 31000}
    unknown = {**view, "stream": str(uuid.uuid4())}
    reporter = Reporter(region, view, foreign, old, unknown)
    began = time.monotonic()
    user.wait_state(left, "stopping", "stopped", seconds=120)
    # As long again, since both may have been asked for at about the same time.
    time.sleep(time.monotonic() - began + 2)
    assert user.stream(watched)["state"] == "running"
    reporter.stop()
    assert {(answer.status, answer.json["noted"]) for answer in reporter.answers} == {(200, 1)}
    assert user.wait_state(watched, "stopped", seconds=120)["reason"] == "idle"


def test_a_report_that_is_none_is_refused(region: Region, stream: str) -> None:
    region.ask("/control/views", "POST", body=b"{}").expect(422)
    region.ask("/control/views", "POST", body=b"{").expect(400)
    region.ask("/control/views", "POST", body=b" " * 70000).expect(413)
    view = {"tenant": stream, "stream": stream, "ticket_id": stream, "age_ms": 0}
    region.report(*[view] * 300).expect(422)


def test_what_the_cdn_counted_is_told_as_the_cdns(stack: Stack, region: Region) -> None:
    """Of the tenant's own stream; the same report twice, or one that is behind, adds nothing."""
    user = stack.user("acme")
    watched = start(user, stack, "counted", IDLE_S)
    who = {"viewer": str(uuid.uuid4()), "login": str(uuid.uuid4()), "is_playing": False}
    counted = {"part": str(uuid.uuid4()), "since_ms": 5000, "segments": 4, "bytes": 4000}
    view = {"tenant": tenant_of(user), "stream": watched, "ticket_id": str(uuid.uuid4()),
            "age_ms": 900, "who": who, "counted": counted}  # fmt: skip
    foreign = {**view, "tenant": str(uuid.uuid4()), "counted": {**counted, "part": str(uuid.uuid4())}}
    behind = {**view, "counted": {**counted, "segments": 2, "bytes": 2000}}
    for _ in range(3):
        assert region.report(foreign, view, behind).expect(200).json["noted"] == 2

    def told() -> dict[str, Any]:
        (one,) = user.get(f"/v1/viewings?stream_id={watched}").expect(200).json["items"]
        return dict(one)

    one = wait_for("it is told", told, 60)
    assert (one["door"], one["segments"], one["bytes"]) == ("cdn", 4, 4000)
    assert one["subject"] is None and one["ticket_id"] == view["ticket_id"]
    argv = ["kcat", "-C", "-q", "-e", "-b", stack.values["WEIR_KAFKA"], "-t", "weir.viewers.v1"]
    out = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    records = [json.loads(line)["data"] for line in out.splitlines()]
    sources = {record["source"] for record in records if record["stream_id"] == watched}
    assert sources == {"start", "cdn"}

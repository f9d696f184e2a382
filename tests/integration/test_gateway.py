# SPDX-License-Identifier: Apache-2.0
"""The gateway on the real services: who gets in, what each state answers, what caches and logs keep."""

from __future__ import annotations

import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from client import Answer, Api, Playlist, Viewer, fetch, wait_for
from conftest import stack_of
from stack import Stack
from watching import ask_as_gateway

CONNECTIONS = 64
stack = stack_of({"weir-api": {"WEIR_API_CONNECTIONS_MAX": str(CONNECTIONS)}})


@dataclass
class Playing:
    user: Api
    stream_id: str
    ticket_url: str

    @property
    def base(self) -> str:
        """.../live/<ticket>/<stream_id>"""
        return self.ticket_url.rsplit("/", 1)[0]

    @property
    def ticket(self) -> str:
        return self.ticket_url.split("/live/")[1].split("/")[0]

    def generation_url(self) -> str:
        return wait_redirect(self.ticket_url).rsplit("/", 1)[0]

    def media(self) -> Playlist:
        return Viewer(self.ticket_url).open().playlist()

    def again(self, ticket: str) -> str:
        return self.ticket_url.replace(self.ticket, ticket)


def wait_redirect(url: str) -> str:
    answer = fetch(url).expect(302)
    assert answer.headers["cache-control"] == "no-store"
    return url.rsplit("/", 1)[0] + "/" + answer.headers["location"]


def start(stack: Stack, tenant: str, name: str) -> Playing:
    user = stack.user(tenant)
    url = stack.camera(f"{tenant}-{name}", "--gop", "1")
    camera = user.add_camera(name, url, idle_timeout_s=600)
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    return Playing(user, stream["id"], user.ticket(stream["id"]))


@pytest.fixture(scope="module")
def playing(stack: Stack) -> Playing:
    return start(stack, "acme", "gateway")


@pytest.fixture(scope="module")
def foreign(stack: Stack) -> Playing:
    return start(stack, "other", "gateway")


def expect_private(answer: Answer) -> None:
    """What every answer says and never says."""
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert not any(name.startswith(("x-weir", "x-accel", "set-cookie")) for name in answer.headers)
    assert "mediamtx" not in str(answer.headers).lower()


def test_a_ticket_leads_to_the_current_generation(playing: Playing) -> None:
    url = wait_redirect(playing.ticket_url)
    assert re.search(rf"/{playing.stream_id}/[1-9]\d*/index\.m3u8$", url)
    index = fetch(url).expect(200)
    expect_private(index)
    assert index.headers["cache-control"] == "no-store"
    assert index.headers["content-type"] == "application/vnd.apple.mpegurl"
    old = playing.base + "/1/" + Playlist(url, index.body.decode()).uris()[0].rsplit("/", 1)[1]
    answer = fetch(old).expect(302)
    assert answer.headers["location"].startswith("../")


def test_playlist_init_and_segments_are_served(playing: Playing) -> None:
    playlist = playing.media()
    segment = fetch(playlist.uris()[-1]).expect(200)
    expect_private(segment)
    assert segment.headers["cache-control"] == "private, max-age=60"
    assert playlist.init_uri
    init = fetch(playlist.init_uri).expect(200)
    assert init.headers["cache-control"] == "private, max-age=3600"
    assert b"ftyp" in init.body[:16]


def test_ranges_head_and_options(playing: Playing) -> None:
    url = playing.media().uris()[-1]
    whole = fetch(url).expect(200).body
    part = fetch(url, headers={"Range": "bytes=10-19"}).expect(206)
    assert part.body == whole[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    head = fetch(url, method="HEAD").expect(200)
    assert (head.headers["content-length"], head.body) == (str(len(whole)), b"")
    options = fetch(url, method="OPTIONS").expect(204)
    assert options.headers["access-control-max-age"] == "7200"
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        fetch(url, method=method).expect(405)


def test_without_a_valid_ticket_nobody_gets_in(playing: Playing, foreign: Playing) -> None:
    url = playing.generation_url()
    media = playing.media()
    names = [url + "/index.m3u8", str(media.init_uri), media.uris()[-1]]
    for name in names:
        fetch(name).expect(200)
    good = playing.ticket
    payload, signature = good.split(".")
    middle = len(payload) // 2
    twisted = payload[:middle] + ("A" if payload[middle] != "A" else "B") + payload[middle + 1 :]
    wrong = [
        "x" * 40,
        payload + "." + signature[::-1],
        twisted + "." + signature,
        payload + "." + foreign.ticket.split(".")[1],
        payload,
        foreign.ticket,
        "0" * 2000,
    ]
    for name in names:
        for ticket in wrong:
            fetch(name.replace(good, ticket)).expect(401, 403)
    fetch(playing.ticket_url.replace(playing.stream_id, foreign.stream_id)).expect(403)
    fetch(playing.ticket_url.replace(playing.stream_id, str(uuid.uuid4()))).expect(403)


def test_nothing_else_is_reachable(playing: Playing) -> None:
    root = "{0.scheme}://{0.netloc}".format(urlsplit(playing.ticket_url))
    generation = playing.generation_url()
    for path in (
        "/",
        "/live/",
        "/_play",
        "/internal/v1/play",
        f"/internal/v1/play-answer/{playing.stream_id}/0/index.m3u8",
        "/metrics",
        "/v1/cameras",
        f"/{playing.stream_id}/1/index.m3u8",
    ):
        fetch(root + path).expect(404)
    for url in (
        f"{generation}/index.html",
        f"{generation}/../../../x",
        f"{generation}/%2e%2e/%2e%2e/internal/v1/play",
        f"{generation}/a%00.mp4",
        f"{generation}/a%2fb.mp4",
        f"{generation}/a%0d%0aX:y.mp4",
        f"{playing.base}/0/index.m3u8",
        f"{playing.base}/-1/index.m3u8",
        f"{playing.base}/99999999999999999999/index.m3u8",
        f"{playing.base}/x/index.m3u8",
        f"{playing.base}/{'a' * 300}.mp4",
        f"{playing.base}/segment.mp4",
    ):
        fetch(url).expect(400, 404)


def test_no_query_but_the_delivery_directives_counts(stack: Stack, playing: Playing) -> None:
    url = playing.media().uris()[-1]
    body = fetch(url).expect(200).body
    name = url.rsplit("/", 1)[1]
    for query in ("?x=1", "?token=secret", "?_HLS_msn=a&_HLS_part=-1", "?" + "a" * 500):
        assert fetch(url + query).expect(200).body == body
    lines = stack.gateway_lines(name, 5)
    assert [line["cache"] for line in lines].count("MISS") == 1


def test_many_viewers_cost_the_origin_one_fetch(stack: Stack, playing: Playing) -> None:
    urls = [
        playing.media().uris()[-1].replace(playing.ticket, ticket)
        for ticket in [playing.user.ticket(playing.stream_id).split("/live/")[1].split("/")[0]] * 3
    ]
    newest = playing.media().uris()[-1]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: fetch(newest), range(20)))
    assert {answer.status for answer in answers} == {200}
    assert all(fetch(url).status == 200 for url in urls)
    lines = stack.gateway_lines(newest.rsplit("/", 1)[1], 20)
    assert [line["cache"] for line in lines].count("MISS") <= 1


def test_a_viewer_of_a_starting_stream_is_held_until_it_plays(stack: Stack) -> None:
    user = stack.user("acme")
    url = stack.camera("acme-starting", "--gop", "1")
    camera = user.add_camera("starting", url)
    stream = user.start(camera["id"])
    first = fetch(user.ticket(stream["id"])).expect(302)
    assert re.fullmatch(r"[1-9]\d*/index\.m3u8", first.headers["location"])
    user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)
    user.wait_state(stream["id"], "stopped")


def test_a_stream_that_does_not_start_is_answered_503_after_the_hold(stack: Stack) -> None:
    user = stack.user("acme")
    camera = user.add_camera("refused", "rtsp://127.0.0.1:1/nothing")
    stream = user.start(camera["id"])
    began = time.monotonic()
    answer = fetch(user.ticket(stream["id"])).expect(503)
    # What the camera sends is waited for at the ticket (3 s), then that it plays (10 s).
    assert time.monotonic() - began > 9
    assert answer.headers["retry-after"] == "1"
    assert answer.json["code"] == "stream_starting"
    user.call("DELETE", f"/v1/streams/{stream['id']}")


def test_half_of_an_apis_connections_are_left_for_who_is_answered_at_once(stack: Stack) -> None:
    user = stack.user("acme")
    camera = user.add_camera("awaited", "rtsp://127.0.0.1:1/nothing")
    stream = user.start(camera["id"])

    def ask(_: int) -> float:
        began = time.monotonic()
        ask_as_gateway(stack, f"play-answer/{stream['id']}/0/index.m3u8").expect(503)
        return time.monotonic() - began

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = list(pool.map(ask, range(CONNECTIONS * 3 // 4)))
    held = [took for took in asked if took > 9]
    assert 0 < len(held) <= CONNECTIONS / 2, sorted(asked)
    ask_as_gateway(stack, f"play-answer/{uuid.uuid4()}/0/index.m3u8").expect(410)
    user.call("DELETE", f"/v1/streams/{stream['id']}")


def test_a_stopped_stream_is_gone(stack: Stack) -> None:
    stopping = start(stack, "acme", "stopping")
    generation = stopping.generation_url()
    segment = stopping.media().uris()[-1]
    stopping.user.call("DELETE", f"/v1/streams/{stopping.stream_id}").expect(202)
    stopping.user.wait_state(stopping.stream_id, "stopped")

    def gone() -> bool:
        answer = fetch(stopping.ticket_url)
        return answer.status == 410 and answer.json["code"] == "stream_stopped"

    wait_for("410", gone, 30)
    # What was asked within the same second is answered alike.
    wait_for("410 for a watched one", lambda: fetch(generation + "/index.m3u8").status == 410, 30)
    assert fetch(generation + "/index.m3u8").json["code"] == "stream_stopped"
    fetch(segment).expect(404)


def test_a_killed_engine_is_no_error_to_a_viewer(stack: Stack, playing: Playing) -> None:
    viewer = Viewer(playing.ticket_url).open()
    before = viewer.playlist()
    stack.kill("mediamtx")
    last = before
    deadline = time.monotonic() + 30
    while last.discontinuity == before.discontinuity:
        assert time.monotonic() < deadline, "the engine did not come back"
        last = viewer.playlist()
        assert last.sequence >= before.sequence
        time.sleep(0.2)
    assert last.sequence > before.last_sequence
    assert len(viewer.newest_segment()) > 1000


def test_whoever_watched_is_held_when_nothing_can_be_repeated_any_more(
    stack: Stack, playing: Playing
) -> None:
    """Players give up at the third 503 in a row, which is after three seconds where each comes at once."""
    url = Viewer(playing.ticket_url).open().playlist().url
    stack.kill("weir-worker")
    n_repeated, held_s = 0, 0.0
    while (asked := time.monotonic()) and (answer := fetch(url)).status == 200:
        n_repeated += 1
        time.sleep(0.3)
    held_s = time.monotonic() - asked
    assert n_repeated > 10 and answer.expect(503).json["code"] == "unavailable"
    assert answer.headers["retry-after"] == "1"
    assert held_s > 3, "it was answered at once"
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(stack.start_what_is_dead)
        # Whoever waits the moment that it plays elsewhere is led there, and hears no other no.
        deadline = time.monotonic() + 120
        while (led_to := fetch(url)).status == 503:
            assert time.monotonic() < deadline, "nobody is led on"
            assert "location" not in led_to.headers, led_to
        starting.result()
    led_to.expect(302)
    assert re.fullmatch(r"\.\./[1-9]\d*/\S+\.m3u8", led_to.headers["location"]), led_to
    playing.user.wait_state(playing.stream_id, "running")


def test_no_log_holds_a_ticket(stack: Stack, playing: Playing, foreign: Playing) -> None:
    assert any(line["ticket_id"] for line in stack.gateway_lines("index.m3u8", 1))
    for secret in (playing.ticket, foreign.ticket, playing.ticket.split(".")[1]):
        for path in stack.logs():
            assert secret.encode() not in path.read_bytes(), path

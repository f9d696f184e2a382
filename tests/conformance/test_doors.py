# SPDX-License-Identifier: Apache-2.0
"""What viewers may rely on at every front door, and what nobody gets there (DESIGN section 6)."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import ticket_form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from client import fetch
from rig import PLAYBACKS_MAX, Answer, Door, Rig, Watched, wait_for

pytestmark = pytest.mark.xdist_group("rig")

KINDS = ("entry", "index", "playlist", "init", "segment")
CODES = {401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}


@pytest.fixture
def yard(rig: Rig) -> Watched:
    """A stream that plays. Its files are in the region's cache, so that they stay there while this
    machine has other things to do."""
    watched = rig.streams["acme"]

    def look() -> bool:
        rig.refresh(watched)
        return all(rig.doors["gateway"].ask(watched.of(kind)).status in (200, 302) for kind in KINDS)

    wait_for("the stream plays", look, 60)
    return watched


@pytest.fixture
def foreign(rig: Rig) -> Watched:
    return rig.streams["other"]


def no_media(answer: Answer) -> None:
    assert not any(mark in answer.body for mark in (b"#EXTM3U", b"ftyp", b"moof", b"mdat"))


def refused(answer: Answer, *statuses: int) -> None:
    """An error as every door words it, and nothing else."""
    answer.expect(*statuses)
    no_media(answer)
    assert answer.headers["cache-control"] == "no-store"
    if answer.status in CODES:
        assert answer.json["code"] == CODES[answer.status]
        # The gateway lets the api's own words through, with the request's id.
        assert {"status", "code", "title"} <= set(answer.json)
        assert set(answer.json) <= {"status", "code", "title", "type", "detail", "request_id"}


def private(answer: Answer) -> None:
    """What every answer says, and never says."""
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    for name, value in answer.headers.items():
        assert not name.startswith(("x-weir", "x-accel", "set-cookie", "via")), name
        assert "mediamtx" not in value.lower()


# ---- what is served ----


def test_a_ticket_leads_to_what_plays(door: Door, yard: Watched) -> None:
    answer = door.ask(yard.of("entry")).expect(302)
    private(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == f"{yard.generation}/index.m3u8"


CACHE = {
    "index": ("application/vnd.apple.mpegurl", "no-store"),
    "playlist": ("application/vnd.apple.mpegurl", "no-store"),
    "init": ("video/mp4", "private, max-age=3600"),
    "segment": ("video/mp4", "private, max-age=60"),
}


@pytest.mark.parametrize("case", CACHE)
def test_each_kind_has_its_type_and_cache_rule(door: Door, yard: Watched, case: str) -> None:
    answer = door.ask(yard.of(case)).expect(200)
    private(answer)
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == CACHE[case]
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize("case", CACHE)
def test_head_is_get_without_bytes(door: Door, yard: Watched, case: str) -> None:
    path = yard.of(case)
    head = door.ask(path, method="HEAD").expect(200)
    assert head.body == b""
    # A playlist may have moved on meanwhile.
    if case != "playlist":
        assert head.headers["content-length"] == str(len(door.ask(path).expect(200).body))
    assert (head.headers["content-type"], head.headers["cache-control"]) == CACHE[case]


RANGES: dict[str, Callable[[bytes], tuple[int, bytes]]] = {
    "bytes=0-9": lambda whole: (206, whole[:10]),
    "bytes=10-": lambda whole: (206, whole[10:]),
    "bytes=-5": lambda whole: (206, whole[-5:]),
    "bytes=0-0": lambda whole: (206, whole[:1]),
    "bytes=0-99999999": lambda whole: (206, whole),
    "bytes=-99999999": lambda whole: (206, whole),
    "BYTES= 2 - 3": lambda whole: (206, whole[2:4]),
    "bytes=99999999-": lambda whole: (416, b""),
    "bytes=5-2": lambda whole: (416, b""),
    "bytes=-0": lambda whole: (416, b""),
    "bytes=abc": lambda whole: (416, b""),
    "bytes=0-1,4-5": lambda whole: (200, whole),
    "lines=0-1": lambda whole: (200, whole),
}


@pytest.mark.parametrize("case", RANGES)
def test_range(door: Door, yard: Watched, case: str) -> None:
    path = yard.of("segment")
    whole = door.ask(path).expect(200).body
    status, body = RANGES[case](whole)
    answer = door.ask(path, headers={"Range": case}).expect(status)
    if status == 416:
        no_media(answer)
        assert answer.headers["content-range"] == f"bytes */{len(whole)}"
        assert answer.json["code"] == "range_not_satisfiable"
        return
    assert answer.body == body
    if status == 206:
        first = whole.find(body) if len(body) > 4 else None
        assert answer.headers["content-range"].endswith(f"/{len(whole)}")
        assert first is None or answer.headers["content-range"].startswith(f"bytes {first}-")


def test_pages_of_other_origins_may_read_it(door: Door, yard: Watched) -> None:
    page = {"Origin": "https://app.example"}
    for path in (yard.of("segment"), yard.of("index"), yard.of("index", "x" * 40)):
        answer = door.ask(path, headers=page)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Content-Range" in answer.headers["access-control-expose-headers"]
    flight = {**page, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    answer = door.ask(yard.of("segment"), method="OPTIONS", headers=flight).expect(204)
    assert answer.headers["access-control-max-age"] == "7200"
    assert answer.headers["access-control-allow-headers"] == "Range"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert answer.body == b""


# ---- who gets in ----


def flip(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def tampered(yard: Watched) -> str:
    payload, signature = yard.mint.ticket().split(".")
    return f"{flip(payload, len(payload) // 2)}.{signature}"


def changed_signature(yard: Watched) -> str:
    payload, signature = yard.mint.ticket().split(".")
    return f"{payload}.{flip(signature, 40)}"


def spare_bits(yard: Watched) -> str:
    """The same bytes by another text: the last sign of a signature has bits to spare."""
    payload, signature = yard.mint.ticket().split(".")
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return f"{payload}.{signature[:-1]}{signs[signs.index(signature[-1]) ^ 1]}"


def now() -> int:
    return int(time.time())


STRANGER = Ed25519PrivateKey.generate()
Bad = tuple[int, Callable[[Watched, Watched], str]]
TICKETS: dict[str, Bad] = {
    "expired": (401, lambda yard, _: yard.mint.ticket(n=now() - 700, e=now() - 40)),
    "issued in the future": (401, lambda yard, _: yard.mint.ticket(n=now() + 90, e=now() + 600)),
    "valid for too long": (401, lambda yard, _: yard.mint.ticket(n=now(), e=now() + 3600)),
    "of an older version": (401, lambda yard, _: yard.mint.ticket(v=1)),
    "of a version to come": (401, lambda yard, _: yard.mint.ticket(v=6)),
    "by a grant that it does not name": (401, lambda yard, _: yard.mint.ticket(v=5)),
    "payload changed": (401, lambda yard, _: tampered(yard)),
    "signature changed": (401, lambda yard, _: changed_signature(yard)),
    "signature with spare bits": (401, lambda yard, _: spare_bits(yard)),
    "signature left out": (401, lambda yard, _: yard.mint.ticket().split(".")[0] + "."),
    "another's signature": (
        401,
        lambda yard, foreign: yard.mint.ticket().split(".")[0] + "." + foreign.mint.ticket().split(".")[1],
    ),
    "signed by a stranger": (401, lambda yard, _: yard.mint.ticket(STRANGER)),
    "key that nobody knows": (401, lambda yard, _: yard.mint.ticket(STRANGER, k="0123456789abcdef")),
    "no key": (401, lambda yard, _: yard.mint.ticket(k="0" * 16)),
    "a claim left out": (401, lambda yard, _: yard.mint.ticket(l=None)),
    "a claim too many": (401, lambda yard, _: yard.mint.ticket(g=str(uuid.uuid4()))),
    "no ticket at all": (401, lambda *_: "x" * 40),
    "over-long": (401, lambda *_: "0" * 2000),
    "another tenant's": (403, lambda _, foreign: foreign.mint.ticket()),
    "another stream's": (403, lambda yard, _: yard.mint.ticket(s=str(uuid.uuid4()))),
    "another tenant's, for this stream": (
        403,
        lambda yard, foreign: foreign.mint.ticket(s=yard.id),
    ),
}


@pytest.mark.parametrize("case", TICKETS)
def test_ticket(door: Door, yard: Watched, foreign: Watched, case: str) -> None:
    status, make = TICKETS[case]
    for kind in KINDS:
        door.ask(yard.of(kind)).expect(200, 302)
        refused(door.ask(yard.of(kind, make(yard, foreign))), status)
        head = door.ask(yard.of(kind, make(yard, foreign)), method="HEAD").expect(status)
        assert head.body == b""


def test_a_ticket_that_is_over_ends_what_played(door: Door, yard: Watched) -> None:
    # A ticket's clock has 30 s of leeway: this one is good for a few seconds.
    ticket = yard.mint.ticket(n=now() - 600, e=now() - 24)
    if door.ask(yard.of("segment", ticket)).status == 200:
        wait_for("its end", lambda: door.ask(yard.of("segment", ticket)).status == 401, 60)
    for kind in KINDS:
        refused(door.ask(yard.of(kind, ticket)), 401)


def test_revoked_ticket(door: Door, rig: Rig, yard: Watched) -> None:
    ticket = yard.user.ticket(yard.id).split("/live/")[1].split("/")[0]
    one = str(ticket_form.unpack(ticket)["i"])
    neighbour = yard.mint.ticket()
    for kind in KINDS:
        door.ask(yard.of(kind, ticket)).expect(200, 302)
    rig.revoke(yard, "ticket", one)
    wait_for("the revocation", lambda: door.ask(yard.of("segment", ticket)).status == 401, 60)
    for kind in KINDS:
        refused(door.ask(yard.of(kind, ticket)), 401)
        door.ask(yard.of(kind, neighbour)).expect(200, 302)


def test_revoked_camera(door: Door, rig: Rig, yard: Watched) -> None:
    taken = rig.watch("acme", f"taken-{door.name}")
    tickets = [taken.mint.ticket(), taken.mint.ticket(u=str(uuid.uuid4()))]
    for ticket in tickets:
        door.ask(taken.of("segment", ticket)).expect(200)
    rig.revoke(taken, "camera", taken.mint.claims["c"])
    for ticket in tickets:
        wait_for("it", lambda ticket=ticket: door.ask(taken.of("segment", ticket)).status == 401, 60)
        for kind in KINDS:
            refused(door.ask(taken.of(kind, ticket)), 401)
    door.ask(yard.of("segment")).expect(200)  # of another camera


def plays_until(door: Door, yard: Watched, ticket: str, what: str) -> None:
    """At every kind of file it ends; who is there by his role in the tenant plays on."""
    neighbour = yard.mint.ticket()
    wait_for(what, lambda: door.ask(yard.of("segment", ticket)).status == 401, 60)
    for kind in KINDS:
        refused(door.ask(yard.of(kind, ticket)), 401)
        door.ask(yard.of(kind, neighbour)).expect(200, 302)


def test_revoked_grant(door: Door, rig: Rig, yard: Watched) -> None:
    guest, grant, _ = rig.guest("acme", yard)
    ticket = guest.ticket(yard.id).split("/live/")[1].split("/")[0]
    for kind in KINDS:
        door.ask(yard.of(kind, ticket)).expect(200, 302)
    yard.user.call("DELETE", f"/v1/grants/{grant}").expect(204)
    plays_until(door, yard, ticket, "the grant's end")
    guest.call("POST", f"/v1/streams/{yard.id}/tickets").expect(404)


def test_revoked_membership(door: Door, rig: Rig, yard: Watched) -> None:
    guest, _, member = rig.guest("acme", yard)
    ticket = guest.ticket(yard.id).split("/live/")[1].split("/")[0]
    door.ask(yard.of("segment", ticket)).expect(200)
    yard.user.call("DELETE", member).expect(204)
    plays_until(door, yard, ticket, "the camera leaves the group")
    yard.user.call("PUT", member).expect(204)
    fresh = guest.ticket(yard.id).split("/live/")[1].split("/")[0]
    door.ask(yard.of("segment", fresh)).expect(200)
    refused(door.ask(yard.of("segment", ticket)), 401)


def test_the_end_of_a_grant_ends_what_it_gave(door: Door, rig: Rig, yard: Watched) -> None:
    """A ticket's clock has half a minute of leeway, a grant's end has none."""
    ends = time.time() + 20
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
    guest, _, _ = rig.guest("acme", yard, ends_at=at)
    ticket = guest.ticket(yard.id).split("/live/")[1].split("/")[0]
    if door.ask(yard.of("segment", ticket)).status == 200:
        plays_until(door, yard, ticket, "the grant's end")
        assert time.time() < ends + 15
    refused(door.ask(yard.of("segment", ticket)), 401)


def test_what_one_tenant_filled_the_cache_with_is_not_anothers(
    door: Door, yard: Watched, foreign: Watched
) -> None:
    path = yard.of("segment")
    body = door.ask(path).expect(200).body
    assert door.ask(path).expect(200).body == body
    refused(door.ask(yard.of("segment", foreign.mint.ticket())), 403)
    # Nor by its name in the other's own stream.
    names = [f"{yard.generation}/{yard.files['segment']}", f"{foreign.generation}/{yard.files['segment']}"]
    for name in names:
        answer = door.ask(foreign.path(foreign.mint.ticket(), name))
        refused(answer, 404, 503)
        assert body[:64] not in answer.body


# ---- what is no path ----


def live(yard: Watched) -> str:
    return f"/live/{yard.mint.ticket()}/{yard.id}"


PATHS: dict[str, Callable[[Watched], str]] = {
    "nothing": lambda _: "/",
    "live only": lambda _: "/live/",
    "no file": lambda yard: f"{live(yard)}/{yard.generation}/",
    "generation 0": lambda yard: f"{live(yard)}/0/index.m3u8",
    "negative generation": lambda yard: f"{live(yard)}/-1/index.m3u8",
    "long generation": lambda yard: f"{live(yard)}/{'9' * 20}/index.m3u8",
    "media without a generation": lambda yard: f"{live(yard)}/{yard.files['segment']}",
    "other type": lambda yard: f"{live(yard)}/{yard.generation}/index.html",
    "escaped slash": lambda yard: f"{live(yard)}/{yard.generation}/a%2fb.mp4",
    "escaped dots": lambda yard: f"{live(yard)}/{yard.generation}/..%2f..%2findex.m3u8",
    "doubly escaped": lambda yard: f"{live(yard)}/{yard.generation}/%252e%252e%252findex.m3u8",
    "escaped letter": lambda yard: f"{live(yard)}/{yard.generation}/%69ndex.m3u8",
    "NUL": lambda yard: f"{live(yard)}/{yard.generation}/index.m3u8%00",
    "NUL inside": lambda yard: f"{live(yard)}/{yard.generation}/index%00.m3u8",
    "line ends": lambda yard: f"{live(yard)}/{yard.generation}/a%0d%0aX:y.mp4",
    "backslash": lambda yard: f"{live(yard)}/{yard.generation}/..\\..\\index.m3u8",
    "empty segment": lambda yard: f"{live(yard)}/{yard.generation}//index.m3u8",
    "parameter": lambda yard: f"{live(yard)}/{yard.generation}/index.m3u8;a=b",
    "over-long name": lambda yard: f"{live(yard)}/{yard.generation}/{'a' * 300}.mp4",
    "over-long path": lambda yard: f"{live(yard)}/{yard.generation}/{'a' * 9000}.mp4",
    "stream in capitals": lambda yard: live(yard).replace(yard.id, yard.id.upper()) + "/index.m3u8",
    "the CDN's": lambda yard: f"/origin/{yard.id}/{yard.generation}/index.m3u8",
    "the api's": lambda yard: f"/internal/v1/play-answer/{yard.id}/0/index.m3u8",
    "control": lambda _: "/control/front-doors",
}


@pytest.mark.parametrize("case", PATHS)
def test_no_path(door: Door, yard: Watched, case: str) -> None:
    answer = door.ask(PATHS[case](yard)).expect(400, 404, 414)
    no_media(answer)
    if answer.status == 404:
        refused(answer, 404)


DOTS = {
    "one dot": "/./index.m3u8",
    "two dots": "/../{generation}/index.m3u8",
    "dots out of it": "/../../../../live/{ticket}/{id}/{generation}/index.m3u8",
    "dots to elsewhere": "/../../../internal/v1/play",
}


@pytest.mark.parametrize("case", DOTS)
def test_dots_lead_nowhere_that_their_target_does_not(door: Door, yard: Watched, case: str) -> None:
    """A server may resolve dots before it looks (RFC 3986, 5.2.4); what it then serves is judged."""
    bad = "x" * 40
    tail = DOTS[case].format(generation=yard.generation, ticket=bad, id=yard.id)
    answer = door.ask(f"{live(yard)}/{yard.generation}{tail}")
    if answer.status == 200:
        assert case in ("one dot", "two dots") and answer.body.startswith(b"#EXTM3U")
    else:
        refused(answer, 400, 401, 404)


QUERIES = {
    "unknown name": "?x=1&token=secret",
    "value that is none": "?_HLS_msn=a&_HLS_part=-1&_HLS_skip=NO",
    "duplicate": "?x=1&x=2&_HLS_skip=v2&_HLS_skip=YES",
    "over-long": "?" + "a" * 1500,
    "escaped": "?%5fHLS_msn=5&a=%00%0d%0a",
}


@pytest.mark.parametrize("case", QUERIES)
def test_no_query_counts_but_the_delivery_directives(
    door: Door, rig: Rig, yard: Watched, case: str
) -> None:
    name = rig.newest(yard, door)
    path = yard.path(yard.mint.ticket(), f"{yard.generation}/{name}")
    body = door.ask(path).expect(200).body
    asked = rig.spoiler.asked[name]
    assert door.ask(path + QUERIES[case]).expect(200).body == body
    assert rig.spoiler.asked[name] == asked
    assert all("secret" not in asked for asked in rig.spoiler.asked)
    door.ask(yard.of("index") + QUERIES[case]).expect(200)


@pytest.mark.parametrize("case", ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"])
def test_method(door: Door, yard: Watched, case: str) -> None:
    refused(door.ask(yard.of("segment"), method=case), 405)


# ---- generations ----


def test_a_generation_that_is_past_leads_to_the_current_one(door: Door, yard: Watched) -> None:
    for name in ("index.m3u8", yard.files["playlist"]):
        answer = door.ask(yard.path(yard.mint.ticket(), f"1/{name}")).expect(302)
        assert answer.headers["location"] == f"../{yard.generation}/{name}"
        assert answer.headers["cache-control"] == "no-store"
        private(answer)
    for name in (yard.files["segment"], yard.files["init"]):
        refused(door.ask(yard.path(yard.mint.ticket(), f"1/{name}")), 404)


def test_a_file_that_is_not_there(door: Door, yard: Watched) -> None:
    muxer = yard.files["segment"].split("_")[0]
    for name in ("0123456789ab_video1_seg1.mp4", f"{muxer}_video1_seg999999.mp4"):
        answer = door.ask(yard.path(yard.mint.ticket(), f"{yard.generation}/{name}"))
        answer.expect(404)
        no_media(answer)
        assert answer.headers["cache-control"] == "no-store"


def test_a_stream_that_ended_is_gone(door: Door, rig: Rig) -> None:
    ended = rig.watch("acme", f"ended-{door.name}")
    ended.user.call("DELETE", f"/v1/streams/{ended.id}").expect(202)
    ended.user.wait_state(ended.id, "stopped")
    wait_for("410", lambda: door.ask(ended.of("entry")).status == 410, 30)
    wait_for("410 where it was", lambda: door.ask(ended.of("playlist")).status == 410, 30)
    answer = door.ask(ended.of("entry")).expect(410)
    assert answer.json["code"] == "stream_stopped"
    assert answer.headers["cache-control"] == "no-store"
    # Of media, only what is in a cache is still there, for a moment: this was not asked for before.
    refused(door.ask(ended.of("segment")), 404)


# ---- caches ----


def test_viewers_of_one_segment_cost_the_origin_one_fetch(door: Door, rig: Rig, yard: Watched) -> None:
    """Asked at once while the origin is slow, and by as many tickets. Behind the Worker the region
    gateway gathers them; Cloudflare's own cache, which would too, is not simulated."""
    name = rig.newest(yard, door)
    before = rig.spoiler.asked[name]
    paths = [yard.path(yard.mint.ticket(), f"{yard.generation}/{name}") for _ in range(20)]
    rig.spoiler.mode = "slow"
    try:
        with ThreadPoolExecutor(len(paths)) as pool:
            answers = list(pool.map(door.ask, paths))
    finally:
        rig.spoiler.mode = "pass"
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert rig.spoiler.asked[name] - before <= 1


def test_both_doors_serve_the_same_bytes(rig: Rig, yard: Watched) -> None:
    for kind in ("init", "segment"):
        bodies = {door.ask(yard.of(kind)).expect(200).body for door in rig.doors.values()}
        assert len(bodies) == 1
        assert rig.spoiler.asked[yard.files[kind]] == 1


# ---- an origin that fails ----

FAULTS = {"down": (), "silent": (), "errors": (500,)}


class Spoilt:
    """One door's view of the fault `case`: from before it begins until it plays again."""

    def __init__(self, door: Door, yard: Watched, case: str) -> None:
        self.door = door
        self.yard = yard
        self.case = case
        self.playlist, self.cached = yard.of("playlist"), yard.of("segment")
        self.unknown = yard.path(yard.mint.ticket(), f"{yard.generation}/{'0' * 12}_video1_seg1.mp4")
        door.ask(self.cached).expect(200)
        self.last_at = time.monotonic()
        self.last = door.ask(self.playlist).expect(200).body

    def during(self) -> None:
        answer = self.door.ask(self.playlist)
        is_late = time.monotonic() - self.last_at > 10  # this machine, not the door
        assert answer.status == 200 or self.case == "errors" or is_late
        if answer.status == 200:
            # It may be newer, when the fault came between two fetches.
            assert number(answer.body) >= number(self.last)
            self.last = answer.body
        assert self.door.ask(self.cached).expect(200).body
        for path in (self.unknown, self.playlist):
            wait_for("the truth", lambda path=path: self.door.ask(path).status != 200, 60)
            answer = self.door.ask(path)
            answer.expect(503, *FAULTS[self.case])
            no_media(answer)
            assert answer.headers["cache-control"] == "no-store"
            if answer.status == 503:
                assert answer.json["code"] == "unavailable"
                assert answer.headers["retry-after"] == "1"

    def after(self) -> None:
        def playlist() -> bytes:
            return self.door.ask(self.yard.of("playlist")).expect(200).body

        assert number(wait_for("it plays again", playlist, 60)) >= number(self.last)


Views = dict[str, dict[str, "BaseException | None"]]


@pytest.fixture(scope="module")
def spoilt() -> Views:
    return {}


def spoil(rig: Rig, yard: Watched, case: str) -> dict[str, BaseException | None]:
    views = {name: Spoilt(door, yard, case) for name, door in rig.doors.items()}
    rig.spoiler.mode = case
    try:
        with ThreadPoolExecutor(len(views)) as pool:
            seen = {name: pool.submit(view.during) for name, view in views.items()}
    finally:
        rig.spoiler.mode = "pass"
    failed = {name: future.exception() for name, future in seen.items()}
    for name, view in views.items():
        if failed[name] is None:
            try:
                view.after()
            except AssertionError as error:
                failed[name] = error
    return failed


@pytest.mark.parametrize("case", FAULTS)
def test_origin(door: Door, rig: Rig, yard: Watched, case: str, spoilt: Views) -> None:
    """Players poll an unchanged playlist, but back off from an error: the last one again, then the
    truth. What is cached stays; what is not is an error that says nothing of the inside. All doors
    go through one fault, each with a test that says how."""
    if case not in spoilt:
        spoilt[case] = spoil(rig, yard, case)
    failed = spoilt[case][door.name]
    if failed is not None:
        raise failed


def number(playlist: bytes) -> int:
    found = re.search(rb"#EXT-X-MEDIA-SEQUENCE:(\d+)", playlist)
    assert found, playlist
    return int(found[1])


# ---- limits ----


def ask_all(door: Door, yard: Watched, tickets: list[str]) -> None:
    for ticket in tickets:
        door.ask(yard.of("playlist", ticket)).expect(200)


def one_too_many(door: Door, yard: Watched) -> tuple[str, list[str], str]:
    """A viewer, the tickets that he plays with, and one by which he is kept out."""

    def kept_out() -> tuple[str, list[str], str]:
        """Each time another viewer: an api that is young lets in whom it meets."""
        viewer = str(uuid.uuid4())
        mint = [yard.mint.ticket(u=viewer, l=str(uuid.uuid4())) for _ in range(PLAYBACKS_MAX + 1)]
        *playing, more = mint
        until = time.monotonic() + 15
        while time.monotonic() < until:
            ask_all(door, yard, playing)
            # HEAD: nothing is sent, so that he does not count as one who plays.
            if door.ask(yard.of("playlist", more), method="HEAD").status == 429:
                return viewer, playing, more
            time.sleep(0.5)
        raise AssertionError("he was let in")

    return wait_for("one more is kept out", kept_out, 90)  # type: ignore[no-any-return]


def test_who_plays_as_much_as_he_may_gets_no_more(
    door: Door, yard: Watched, foreign: Watched
) -> None:
    """What he plays goes on, and nobody else notices."""
    viewer, playing, more = one_too_many(door, yard)
    for kind in KINDS:
        answer = door.ask(yard.of(kind, more))
        refused(answer, 429)
        assert answer.json["code"] == "quota_exceeded"
        assert answer.headers["retry-after"] == "10"
        private(answer)
    ask_all(door, yard, playing)
    # A new ticket for what he plays is no more, and others have limits of their own.
    again = yard.mint.ticket(u=viewer, l=ticket_form.unpack(playing[0])["l"])
    for ticket in (again, yard.mint.ticket(u=str(uuid.uuid4()))):
        door.ask(yard.of("segment", ticket)).expect(200)
    door.ask(foreign.of("index")).expect(200)


def test_an_answer_of_long_ago_is_no_place_among_those_who_play(rig: Rig, yard: Watched) -> None:
    """The gateway shows its last answer to an api that may not know the viewer. One who was away for
    longer than a playback lasts comes anew."""
    gateway = rig.doors["gateway"]
    _, playing, more = one_too_many(gateway, yard)
    secret = (rig.stack.home / "secrets" / "gateway-secret").read_text().strip()
    second = int(time.time())

    def status(answered: int) -> int:
        ask_all(gateway, yard, playing)
        headers = {
            "X-Weir-Gateway-Secret": secret,
            "X-Weir-Second": str(second),
            "X-Original-URI": yard.of("playlist", more),
            "X-Original-Method": "GET",
            "If-None-Match": f'"{yard.generation}.{answered}"',
        }
        api = f"http://127.0.0.1:{rig.stack.port_base + 2}"
        return fetch(f"{api}/internal/v1/play", headers=headers).status

    assert status(0) == 403
    assert status(second - 16) == 403
    assert status(second - 2) == 200


def test_a_ticket_that_asks_without_end_is_slowed_and_no_other(
    door: Door, yard: Watched, foreign: Watched
) -> None:
    flood = yard.mint.ticket()
    path = f"/live/{flood}/{foreign.id}/1/x_init.mp4"  # a refusal costs a door least

    def ask_many(_: int) -> Answer | None:
        """On one connection, as fast as it goes."""
        address = urlsplit(door.url)
        slowed = None
        with contextlib.closing(HTTPConnection(address.hostname or "", address.port)) as connection:
            for _ in range(200):
                connection.request("GET", path)
                reply = connection.getresponse()
                headers = {name.lower(): value for name, value in reply.headers.items()}
                answer = Answer(reply.status, headers, reply.read()).expect(403, 429)
                slowed = answer if answer.status == 429 else slowed
        return slowed

    def slowed() -> Answer | None:
        with ThreadPoolExecutor(8) as pool:
            found = [answer for answer in pool.map(ask_many, range(8)) if answer]
        door.ask(yard.of("playlist")).expect(200)
        return found[0] if found else None

    answer = wait_for("it is too often", slowed, 90)
    refused(answer, 429)
    assert answer.json["code"] == "too_many_requests"
    assert answer.headers["retry-after"] == "1"
    private(answer)
    wait_for("it may again", lambda: door.ask(yard.of("playlist", flood)).status == 200, 60)


# ---- what is left behind ----


def test_what_a_viewer_got_is_told(door: Door, rig: Rig, yard: Watched) -> None:
    """Each door counts what it sent, and whose ticket it was."""
    viewer = str(uuid.uuid4())
    tickets = [yard.mint.ticket(u=viewer) for _ in range(2)]
    sent = 0
    for ticket in tickets:  # a new ticket is no new viewing
        for kind in ("playlist", "init", "segment", "segment"):
            body = door.ask(yard.of(kind, ticket)).expect(200).body
            sent += len(body) if kind != "playlist" else 0
        sent += len(door.ask(yard.of("segment", ticket), headers={"Range": "bytes=5-24"}).expect(206).body)
        door.ask(yard.of("segment", ticket), method="HEAD").expect(200)
        door.ask(yard.path(ticket, f"{yard.generation}/nothing_seg1.mp4")).expect(404)

    def told() -> dict[str, object]:
        page = yard.user.get(f"/v1/viewings?stream_id={yard.id}&limit=200").expect(200).json
        mine = [one for one in page["items"] if one["bytes"] == sent and one["segments"] == 6]
        of = {"gateway": "gateway", "worker": "cdn"}[door.name]
        (one,) = (one for one in mine if one["door"] == of)
        return dict(one)

    one = wait_for("it is told", told, 90)
    assert one["ticket_id"] in {ticket_form.unpack(ticket)["i"] for ticket in tickets}
    assert one["subject"] is None  # nobody asked the api for these tickets


def test_no_log_holds_a_ticket(door: Door, rig: Rig, yard: Watched) -> None:
    ticket = yard.mint.ticket()
    for kind in KINDS:
        door.ask(yard.of(kind, ticket))
    door.ask(yard.of("segment", ticket) + "/x")
    signature = ticket.split(".")[1].encode()
    for path in [*rig.stack.logs(), *(worker.log for worker in rig.workers)]:
        assert signature not in path.read_bytes(), path

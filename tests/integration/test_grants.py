# SPDX-License-Identifier: Apache-2.0
"""Rights for a part of the cameras, and their end: guests who watch what was granted, on the real
services, through the gateway."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from client import Answer, Api, Viewer, fetch, wait_for
from conftest import stack_of
from crowd import Crowd
from stack import Stack
from watching import LIMIT_S, Player, claims, expect_undisturbed, login, second, ticket_id

GROUPS_MAX, GROUP_CAMERAS_MAX, GRANTS_MAX = 20, 2, 12
DEAD = "rtsp://127.0.0.1:1/none"
NOT_GUESTS = (
    ("POST", "/v1/cameras"), ("GET", "/v1/groups"), ("POST", "/v1/groups"), ("GET", "/v1/grants"),
    ("POST", "/v1/grants"), ("GET", "/v1/revocations"), ("POST", "/v1/revocations"),
    ("GET", "/v1/audit-events"), ("GET", "/v1/workers"), ("GET", "/v1/tenants"),
)  # fmt: skip


stack = stack_of(
    {
        "weir-api": {
            "WEIR_TENANT_GROUPS_MAX": str(GROUPS_MAX),
            "WEIR_GROUP_CAMERAS_MAX": str(GROUP_CAMERAS_MAX),
            "WEIR_TENANT_GRANTS_MAX": str(GRANTS_MAX),
            "WEIR_API_DRAIN_MS": "500",
        }
    },
    apis=2,
)


def rfc3339(seconds_ahead: float) -> str:
    at = time.time() + seconds_ahead
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + "Z"


@dataclass
class Site:
    """A tenant whose yard plays; its hall is a camera that never does."""

    stack: Stack
    tenant: str
    admin: Api
    viewer: Api
    yard: str
    hall: str
    stream: str
    hall_stream: str
    players: list[Player] = field(default_factory=list)

    def guest(self) -> Api:
        return login(self.stack, self.tenant, "guest")

    def group(self, *cameras: str) -> str:
        made = self.admin.call("POST", "/v1/groups", {"name": "some"}).expect(201).json["id"]
        for camera in cameras:
            self.admin.call("PUT", f"/v1/groups/{made}/cameras/{camera}").expect(204)
        return str(made)

    def grant(self, user: Api, group: str, **more: Any) -> dict[str, Any]:
        body = {"subject": claims(user)["sub"], "group_id": group, **more}
        return dict(self.admin.call("POST", "/v1/grants", body).expect(201).json)

    def play(self, user: Api) -> Player:
        self.players.append(Player(user.ticket(self.stream)))
        return self.players[-1]

    def ask_for_ticket(self, user: Api) -> Answer:
        return user.call("POST", f"/v1/streams/{self.stream}/tickets")


def make_site(stack: Stack, url: str | None = None) -> Site:
    tenant = f"t{uuid.uuid4().hex[:8]}"
    admin = stack.user(tenant)
    yard = admin.add_camera("yard", url or DEAD, idle_timeout_s=900)["id"]
    hall = admin.add_camera("hall", DEAD, idle_timeout_s=900)["id"]
    streams = [admin.start(camera)["id"] for camera in (yard, hall)]
    return Site(stack, tenant, admin, login(stack, tenant), yard, hall, *streams)


@pytest.fixture(scope="module")
def place(stack: Stack) -> Site:
    made = make_site(stack, stack.camera("yard", "--gop", "1"))
    made.admin.wait_state(made.stream, "running")
    return made


@pytest.fixture
def site(place: Site) -> Iterator[Site]:
    yield place
    for player in place.players:
        player.stop()
    place.players.clear()
    for group in place.admin.get("/v1/groups?limit=200").expect(200).json["items"]:
        place.admin.call("DELETE", f"/v1/groups/{group['id']}").expect(204)
    assert place.admin.get("/v1/grants").expect(200).json["items"] == []


@pytest.fixture(scope="module")
def elsewhere(stack: Stack) -> Site:
    return make_site(stack)


def ids(answer: Answer) -> set[str]:
    return {item["id"] for item in answer.expect(200).json["items"]}


def touch(user: Api, camera: str, stream: str, request_id: str) -> list[tuple[int, bytes]]:
    """What a user hears of a camera and a stream, on every route that names one."""
    told = []
    for method, path, body in (
        ("GET", f"/v1/cameras/{camera}", None),
        ("POST", "/v1/streams", {"camera_id": camera}),
        ("GET", f"/v1/streams/{stream}", None),
        ("DELETE", f"/v1/streams/{stream}", None),
        ("POST", f"/v1/streams/{stream}/tickets", None),
        ("GET", f"/v1/streams?camera_id={camera}", None),
    ):
        answer = user.call(method, path, body, {"X-Request-Id": request_id})
        text = answer.body.replace(camera.encode(), b"camera").replace(stream.encode(), b"stream")
        told.append((answer.status, text))
    return told


def test_a_guest_sees_exactly_what_was_granted(site: Site, elsewhere: Site) -> None:
    guest, request_id = site.guest(), str(uuid.uuid4())
    nothing = touch(guest, str(uuid.uuid4()), str(uuid.uuid4()), request_id)
    assert [status for status, _ in nothing] == [404, 404, 404, 404, 404, 200]
    assert touch(guest, site.yard, site.stream, request_id) == nothing
    assert ids(guest.get("/v1/cameras")) == ids(guest.get("/v1/streams")) == set()
    for method, path in NOT_GUESTS:
        assert guest.call(method, path).expect(403).json["code"] == "forbidden"

    group = site.group(site.yard)
    site.grant(guest, group, reason="painting the fence")
    for user in (guest, second(site.stack, guest)):
        assert ids(user.get("/v1/cameras")) == {site.yard}
        assert ids(user.get("/v1/streams")) == {site.stream}
    assert guest.get(f"/v1/cameras/{site.yard}").expect(200).json["name"] == "yard"
    assert guest.start(site.yard)["id"] == site.stream
    assert len(Viewer(guest.ticket(site.stream)).open().newest_segment()) > 1000
    guest.call("DELETE", f"/v1/streams/{site.stream}").expect(403)
    guest.call("PATCH", f"/v1/cameras/{site.yard}", {"name": "mine"}).expect(403)
    for camera, stream in ((site.hall, site.hall_stream), (elsewhere.yard, elsewhere.stream)):
        assert touch(guest, camera, stream, request_id) == nothing
    # Of the same subject in another tenant nothing was said.
    same = login(site.stack, elsewhere.tenant, "guest", claims(guest)["sub"])
    assert ids(same.get("/v1/cameras")) == set()

    # The group grows, and shrinks.
    path = f"/v1/groups/{group}/cameras/{site.hall}"
    for method, seen in (("PUT", {site.yard, site.hall}), ("DELETE", {site.yard})):
        for _ in range(2):
            site.admin.call(method, path).expect(204)
        assert ids(guest.get("/v1/cameras")) == seen
    # Another guest was granted nothing.
    assert touch(site.guest(), site.yard, site.stream, request_id) == nothing


def test_an_operator_s_grant_lets_stop_what_it_is_for(site: Site) -> None:
    for user in (site.viewer, site.guest()):
        dead = site.admin.add_camera("door", DEAD)["id"]
        stream = site.admin.start(dead)["id"]
        group = site.group(dead)
        site.grant(user, group)
        user.call("DELETE", f"/v1/streams/{stream}").expect(403)
        site.grant(user, group, role="operator")
        assert user.call("DELETE", f"/v1/streams/{site.stream}").status in (403, 404)
        user.call("DELETE", f"/v1/streams/{stream}").expect(202)
        site.admin.call("DELETE", f"/v1/cameras/{dead}").expect(204)
        assert site.admin.get(f"/v1/groups/{group}/cameras").expect(200).json["items"] == []
    site.viewer.call("DELETE", f"/v1/streams/{uuid.uuid4()}").expect(404)


def test_the_end_of_a_grant_ends_what_plays(site: Site) -> None:
    guest = site.guest()
    crowd = Crowd([site.viewer.ticket(site.stream)], 2)
    made = site.grant(guest, site.group(site.yard), ends_at=rfc3339(15))
    told = site.ask_for_ticket(guest).expect(201).json
    assert told["expires_at"] == made["ends_at"]
    player = site.play(guest)
    player.expect_end("the end of a grant", lambda: None)
    # Not as a ticket's end, which clocks may have half a minute for.
    age_s = time.monotonic() - max(at for at, status, _ in player.answers if status == 200)
    end_s = time.mktime(time.strptime(made["ends_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert time.time() - age_s < end_s + 10
    assert site.ask_for_ticket(guest).expect(404).json["code"] == "not_found"
    assert ids(guest.get("/v1/cameras")) == ids(guest.get("/v1/streams")) == set()
    expect_undisturbed(crowd)
    # It is still there, and can be given a new end.
    path = f"/v1/grants/{made['id']}"
    assert site.admin.get(path).expect(200).json["ends_at"] == made["ends_at"]
    site.admin.call("PATCH", path, {"ends_at": rfc3339(3600)}).expect(200)
    assert fetch(guest.ticket(site.stream)).status == 302


@pytest.mark.parametrize("way", ["grant deleted", "shortened", "camera left", "group deleted"])
def test_who_loses_a_right_stops_and_his_neighbours_never_notice(site: Site, way: str) -> None:
    guest, neighbour, admin = site.guest(), site.guest(), site.admin
    group = site.group(site.yard)
    grant = site.grant(guest, group)
    site.grant(neighbour, site.group(site.yard))
    shorter = {"ends_at": rfc3339(300)}
    act = {
        "grant deleted": lambda: admin.call("DELETE", f"/v1/grants/{grant['id']}").expect(204),
        "shortened": lambda: admin.call("PATCH", f"/v1/grants/{grant['id']}", shorter).expect(200),
        "camera left": lambda: admin.call(
            "DELETE", f"/v1/groups/{group}/cameras/{site.yard}"
        ).expect(204),
        "group deleted": lambda: admin.call("DELETE", f"/v1/groups/{group}").expect(204),
    }[way]
    crowd = Crowd([site.viewer.ticket(site.stream), neighbour.ticket(site.stream)], 2)
    player = site.play(guest)
    player.expect_end(way, act)
    fetch(player.viewer.url).expect(401)
    expect_undisturbed(crowd)
    if way == "shortened":
        again = site.ask_for_ticket(guest).expect(201).json
        assert again["expires_at"] == shorter["ends_at"].replace("Z", ".000Z")
        assert fetch(again["url"]).status == 302
        return
    site.ask_for_ticket(guest).expect(404)
    # Another right is left, or comes: the next ticket is by it.
    if way == "camera left":
        admin.call("PUT", f"/v1/groups/{group}/cameras/{site.yard}").expect(204)
    else:
        site.grant(guest, site.group(site.yard), ends_at=rfc3339(900))
    assert len(Viewer(guest.ticket(site.stream)).open().newest_segment()) > 1000
    fetch(player.viewer.url).expect(401)


def test_the_best_of_several_rights_counts(site: Site) -> None:
    guest, group = site.guest(), site.group(site.yard)
    short = site.grant(guest, group, ends_at=rfc3339(120))
    long = site.grant(guest, group, ends_at=rfc3339(400))
    assert site.ask_for_ticket(guest).expect(201).json["expires_at"] == long["ends_at"]
    # Its end is far enough for all tickets: nobody is sent out for it.
    endless = site.grant(guest, group)
    kept = guest.ticket(site.stream)
    site.admin.call("PATCH", f"/v1/grants/{endless['id']}", {"ends_at": rfc3339(86400)}).expect(200)
    site.admin.call("DELETE", f"/v1/grants/{short['id']}").expect(204)
    gone = site.grant(site.guest(), group)
    site.admin.call("DELETE", f"/v1/grants/{gone['id']}").expect(204)
    listed = site.admin.get("/v1/revocations?limit=200").expect(200).json["items"]
    revoked = {row["object_id"] for row in listed if row["kind"] == "grant"}
    assert {short["id"], gone["id"]} <= revoked and not {long["id"], endless["id"]} & revoked
    assert fetch(kept).status == 302
    # A role in the tenant is better than any grant: its ticket names none.
    site.grant(site.viewer, group, ends_at=rfc3339(60))
    life = site.ask_for_ticket(site.viewer).expect(201).json
    assert life["expires_at"] > rfc3339(400)


def test_no_ticket_slips_past_the_end_of_a_right(site: Site) -> None:
    """Minted beside it at both apis: what was given before is void, and then none is given."""
    guest = site.guest()
    grant = site.grant(guest, site.group(site.yard))
    given: list[str] = []
    refused: list[int] = []

    def mint(user: Api) -> None:
        while len(refused) < 4:
            answer = site.ask_for_ticket(user)
            if answer.status == 201:
                given.append(answer.json["url"])
            else:
                refused.append(answer.status)
            time.sleep(0.03)

    with ThreadPoolExecutor(4) as pool:
        minting = [pool.submit(mint, at) for at in (guest, second(site.stack, guest)) * 2]
        wait_for("some are minted", lambda: len(given) >= 6, LIMIT_S, 0.01)
        site.admin.call("DELETE", f"/v1/grants/{grant['id']}").expect(204)
        for each in minting:
            each.result()
    assert set(refused) == {404}
    for url in given:
        wait_for("it is void", lambda url=url: fetch(url).status == 401, LIMIT_S)
    assert {fetch(url).status for url in given} == {401}


def test_no_row_joins_two_tenants(site: Site, elsewhere: Site) -> None:
    mine, theirs, unknown = site.group(), elsewhere.group(elsewhere.yard), str(uuid.uuid4())
    guest = site.guest()
    grant = elsewhere.grant(guest, theirs)

    def told(method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        answer = site.admin.call(method, path, body, {"X-Request-Id": str(uuid.UUID(int=1))})
        text = answer.body
        for one in (theirs, elsewhere.yard, grant["id"], unknown):
            text = text.replace(one.encode(), b"it")
        return answer.status, text

    def for_grant(group: str) -> dict[str, Any]:
        return {"subject": claims(guest)["sub"], "group_id": group}

    for method in ("PUT", "DELETE"):
        nobody = told(method, f"/v1/groups/{mine}/cameras/{unknown}")
        assert nobody[0] == 404
        assert told(method, f"/v1/groups/{mine}/cameras/{elsewhere.yard}") == nobody
        assert told(method, f"/v1/groups/{theirs}/cameras/{site.yard}") == nobody
    assert told("POST", "/v1/grants", for_grant(theirs)) == told("POST", "/v1/grants", for_grant(unknown))
    for method, body in (("GET", None), ("PATCH", {"reason": "x"}), ("DELETE", None)):
        assert told(method, f"/v1/grants/{grant['id']}", body) == told(method, f"/v1/grants/{unknown}", body)
    assert ids(guest.get("/v1/cameras")) == set()
    assert elsewhere.admin.get(f"/v1/grants/{grant['id']}").expect(200).json == grant


def test_what_is_asked_wrongly_is_refused_and_nothing_is_unbounded(stack: Stack) -> None:
    site = make_site(stack)
    admin, group, who = site.admin, site.group(site.yard), str(uuid.uuid4())
    good = {"subject": who, "group_id": group}
    wrong = {
        "/subject": [{"group_id": group}, {**good, "subject": "x"}, {**good, "subject": str(uuid.UUID(int=0))}],
        "/group_id": [{"subject": who}, {**good, "group_id": 7}],
        "/role": [{**good, "role": "admin"}],
        "/reason": [{**good, "reason": "x" * 257}, {**good, "reason": ""}],
        "/ends_at": [
            {**good, "ends_at": at}
            for at in ("Friday", "2036-12-04T18:00:00", rfc3339(-1), rfc3339(11 * 366 * 86400), 7)
        ],
        "/until": [{**good, "until": rfc3339(60)}],
    }
    for pointer, bodies in wrong.items():
        for body in bodies:
            answer = admin.call("POST", "/v1/grants", body).expect(422)
            assert answer.json["errors"][0]["pointer"] == pointer, answer.body
    for query in ("subject=x", "group_id=1", "cursor=!", "role=viewer", "limit=0"):
        admin.get(f"/v1/grants?{query}").expect(422)
    for body in ({}, {"name": ""}, {"name": "x" * 129}, {"name": "a", "id": who}):
        admin.call("POST", "/v1/groups", body).expect(422)

    # Once, by its key; in its version.
    key = {"Idempotency-Key": '"one"'}
    body = {**good, "role": "operator", "ends_at": rfc3339(3600), "reason": "until Friday"}
    made = admin.call("POST", "/v1/grants", body, key).expect(201)
    assert admin.call("POST", "/v1/grants", body, key).expect(201).body == made.body
    admin.call("POST", "/v1/grants", good, key).expect(422)
    path = made.headers["location"]
    assert path == f"/v1/grants/{made.json['id']}"
    assert {**made.json, **body, "ends_at": made.json["ends_at"]} == made.json
    assert made.json["granted_by"] == claims(admin)["sub"]
    stale = {"If-Match": made.headers["etag"]}
    assert admin.get(path, If_None_Match=made.headers["etag"]).status == 304
    admin.call("PATCH", path, {"role": "viewer"}).expect(422)
    admin.call("PATCH", path, {"ends_at": rfc3339(-5)}).expect(422)
    changed = admin.call("PATCH", path, {"ends_at": None}, stale).expect(200).json
    assert (changed["ends_at"], changed["reason"], changed["version"]) == (None, "until Friday", 2)
    for method, more in (("PATCH", {"reason": None}), ("DELETE", None)):
        admin.call(method, path, more, stale).expect(412)
    named = admin.call("PATCH", f"/v1/groups/{group}", {"name": "yards"}).expect(200)
    assert (named.json["name"], named.json["version"]) == ("yards", 2)
    admin.call("DELETE", f"/v1/groups/{group}", None, stale).expect(412)

    # Filters and pages.
    others = [admin.call("POST", "/v1/grants", {**good, "subject": str(uuid.uuid4())}).expect(201).json]
    assert ids(admin.get(f"/v1/grants?subject={who}")) == {made.json["id"]}
    assert ids(admin.get(f"/v1/grants?group_id={group}")) == {made.json["id"], others[0]["id"]}
    assert ids(admin.get(f"/v1/grants?group_id={uuid.uuid4()}")) == set()
    first = admin.get("/v1/grants?limit=1").expect(200).json
    rest = admin.get(f"/v1/grants?limit=1&cursor={first['next_cursor']}").expect(200).json
    assert [row["id"] for row in first["items"] + rest["items"]] == [made.json["id"], others[0]["id"]]
    assert rest["next_cursor"] is None

    # Limits.
    def full(method: str, path: str, body: Any = None) -> None:
        refused = admin.call(method, path, body).expect(429)
        assert refused.json["code"] == "quota_exceeded"

    for _ in range(GRANTS_MAX - 2):
        admin.call("POST", "/v1/grants", good).expect(201)
    full("POST", "/v1/grants", good)
    admin.call("PATCH", path, {"ends_at": rfc3339(2)}).expect(200)
    wait_for(
        "what ended makes room", lambda: admin.call("POST", "/v1/grants", good).status == 201, LIMIT_S
    )
    admin.call("PUT", f"/v1/groups/{group}/cameras/{site.hall}").expect(204)
    door = admin.add_camera("door", DEAD)["id"]
    full("PUT", f"/v1/groups/{group}/cameras/{door}")
    admin.call("PUT", f"/v1/groups/{group}/cameras/{site.hall}").expect(204)
    for _ in range(GROUPS_MAX - 1):
        site.group()
    full("POST", "/v1/groups", {"name": "one more"})
    page = admin.get(f"/v1/groups/{group}/cameras?limit=1").expect(200).json
    tail = admin.get(f"/v1/groups/{group}/cameras?limit=1&cursor={page['next_cursor']}").expect(200).json
    assert {row["name"] for row in page["items"] + tail["items"]} == {"yard", "hall"}


def test_without_postgres_a_guest_waits_and_a_viewer_does_not(site: Site) -> None:
    guest = site.guest()
    site.grant(guest, site.group(site.yard))
    url = guest.ticket(site.stream)
    site.stack.dev("stop", "postgres")
    try:
        for method, path in (
            ("POST", f"/v1/streams/{site.stream}/tickets"),
            ("POST", f"/v1/streams/{site.hall_stream}/tickets"),
            ("POST", f"/v1/streams/{uuid.uuid4()}/tickets"),
            ("GET", f"/v1/streams/{site.stream}"),
            ("GET", "/v1/streams"),
        ):
            refused = guest.call(method, path).expect(503)
            assert refused.json["code"] == "rights_unknown" and refused.headers["retry-after"] == "1"
        assert guest.call("POST", "/v1/streams", {"camera_id": site.yard}).expect(503)
        assert len(Viewer(url).open().newest_segment()) > 1000
        assert fetch(site.viewer.ticket(site.stream)).status == 302
        assert site.viewer.start(site.yard)["id"] == site.stream
    finally:
        site.stack.dev("start", "postgres")
    wait_for("Postgres is back", lambda: site.ask_for_ticket(guest).status == 201, LIMIT_S)


def test_it_survives_a_flush_of_redis_and_a_restart_of_the_apis(site: Site) -> None:
    stack, group = site.stack, site.group(site.yard)
    gone, kept = site.guest(), site.guest()
    grant = site.grant(gone, group)
    site.grant(kept, group)
    void, good = gone.ticket(site.stream), kept.ticket(site.stream)
    site.admin.call("DELETE", f"/v1/grants/{grant['id']}").expect(204)
    wait_for("it ends", lambda: fetch(void).status == 401, LIMIT_S)
    subprocess.run(
        ["redis-cli", "-u", stack.values["WEIR_REDIS"], "FLUSHALL"], check=True, capture_output=True
    )
    for name in ("api", "api-2"):
        stack.dev("stop", name)
        stack.dev("start", name)
    for user in (gone, second(stack, gone)):
        wait_for("the api answers", lambda user=user: site.ask_for_ticket(user).status == 404, LIMIT_S)
    wait_for("the neighbour plays", lambda: fetch(good).status == 302, LIMIT_S)
    fetch(void).expect(401)
    assert ids(gone.get("/v1/cameras")) == set() and ids(kept.get("/v1/cameras")) == {site.yard}


def test_the_audit_tells_who_gave_what_to_whom(site: Site) -> None:
    guest, admin = site.guest(), site.admin
    group = site.group(site.yard)
    refused = site.ask_for_ticket(guest).expect(404)
    start = guest.call("POST", "/v1/streams", {"camera_id": site.yard}).expect(404)
    grant = site.grant(guest, group)
    url = guest.ticket(site.stream)
    admin.call("PATCH", f"/v1/grants/{grant['id']}", {"ends_at": rfc3339(3600)}).expect(200)
    admin.call("PATCH", f"/v1/groups/{group}", {"name": "yard"}).expect(200)
    admin.call("DELETE", f"/v1/groups/{group}/cameras/{site.yard}").expect(204)
    admin.call("DELETE", f"/v1/grants/{grant['id']}").expect(204)
    admin.call("DELETE", f"/v1/groups/{group}").expect(204)
    by, sub = claims(admin)["sub"], claims(guest)["sub"]
    wanted = {
        *((by, f"grant.{deed}", grant["id"], "allowed") for deed in ("create", "change", "delete")),
        *((by, f"group.{deed}", group, "allowed")
          for deed in ("create", "change", "delete", "camera.add", "camera.remove")),
        (sub, "access", site.stream, "denied"),
        (sub, "access", site.yard, "denied"),
        (sub, "ticket.create", site.stream, "allowed"),
    }  # fmt: skip

    def events() -> list[dict[str, Any]]:
        return list(admin.get("/v1/audit-events?limit=200").expect(200).json["items"])

    def all_are_told() -> bool:
        told = {(e.get("actor"), e.get("action"), e.get("object_id"), e.get("outcome")) for e in events()}
        assert wanted <= told, wanted - told
        return True

    wait_for("the audit tells of all", all_are_told, LIMIT_S)
    by_id = {e["request_id"]: e for e in events() if e.get("request_id") and e.get("outcome") == "denied"}
    assert "no grant" in by_id[refused.json["request_id"]]["detail"]
    assert "no grant" in by_id[start.json["request_id"]]["detail"]
    details = [e.get("detail", "") for e in events()]
    assert f"ticket {ticket_id(url)} by grant {grant['id']}" in details
    assert f"viewer of group {group} for {sub}, without an end" in details

# SPDX-License-Identifier: Apache-2.0
"""Tickets and logins are taken back while people watch: on the real services, through the gateway."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from client import Answer, Api, Viewer, fetch, wait_for
from conftest import stack_of
from crowd import Crowd
from stack import Stack
from ticket_form import unpack
from watching import (
    LIMIT_S,
    Player,
    claims,
    expect_undisturbed,
    front_doors,
    login,
    second,
    ticket_id,
)

VIEWER_MAX = 12
TENANT_MAX = 40
REVOCATIONS_MAX = 5


stack = stack_of(
    {
        "weir-api": {
            "WEIR_TICKETS_VIEWER_MAX": str(VIEWER_MAX),
            "WEIR_TICKETS_TENANT_MAX": str(TENANT_MAX),
            "WEIR_TENANT_REVOCATIONS_MAX": str(REVOCATIONS_MAX),
            "WEIR_API_DRAIN_MS": "500",
        }
    },
    apis=2,
)


def revoke(user: Api, kind: str, object_id: str, reason: str = "test") -> Answer:
    body = {"kind": kind, "object_id": object_id, "reason": reason}
    return user.call("POST", "/v1/revocations", body)


@dataclass
class Scene:
    stack: Stack
    tenant: str
    admin: Api
    camera_id: str
    stream_id: str
    victim: Api
    other: Api
    players: list[Player] = field(default_factory=list)

    def play(self, user: Api) -> Player:
        self.players.append(Player(user.ticket(self.stream_id)))
        return self.players[-1]

    def close(self) -> None:
        """Makes room for the next one."""
        self.admin.call("DELETE", f"/v1/streams/{self.stream_id}")
        self.stack.dev("camera", "kill", self.tenant)

    def plays(self, url: str) -> None:
        assert len(Viewer(url).open().newest_segment()) > 1000


def make_scene(stack: Stack) -> Scene:
    tenant = f"t{uuid.uuid4().hex[:8]}"
    admin = stack.user(tenant)
    camera = admin.add_camera("yard", stack.camera(tenant, "--gop", "1"), idle_timeout_s=600)
    stream = admin.start(camera["id"])
    admin.wait_state(stream["id"], "running")
    return Scene(
        stack, tenant, admin, camera["id"], stream["id"], login(stack, tenant), login(stack, tenant)
    )


@pytest.fixture
def scene(stack: Stack) -> Iterator[Scene]:
    made = make_scene(stack)
    yield made
    for player in made.players:
        player.stop()
    made.close()


@pytest.fixture(scope="module")
def elsewhere(stack: Stack) -> Scene:
    """Another tenant, whom nothing here concerns."""
    return make_scene(stack)


def claim_of(scene: Scene, kind: str, url: str) -> tuple[str, str]:
    letter = {"tenant": "t", "camera": "c", "subject": "u", "session": "l", "ticket": "i"}[kind]
    return letter, str(unpack(url.split("/live/")[1].split("/")[0])[letter])


def test_front_doors_are_told_the_keys(stack: Stack) -> None:
    answer = front_doors(stack).expect(200)
    told = answer.json
    assert answer.headers["cache-control"] == "no-store"
    assert told["max_age_ms"] == 30000
    assert told["revision"] >= 0 and told["now_ms"] > 1_700_000_000_000
    pem = stack.home / "secrets" / "ticket-key.pem"
    raw = public_der(pem)[-32:]
    assert told["ticket_keys"] == [
        {
            "kid": hashlib.sha256(raw).hexdigest()[:16],
            "alg": "EdDSA",
            "x": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        }
    ]
    again = front_doors(stack, If_None_Match=answer.headers["etag"]).expect(304)
    assert again.body == b""
    fetch(f"http://127.0.0.1:{stack.port_base + 2}/internal/v1/front-doors").expect(401)
    front_doors(stack, X_Weir_Gateway_Secret="x").expect(401)


def public_der(pem: Path, form: str = "DER") -> bytes:
    argv = ["openssl", "pkey", "-in", str(pem), "-pubout", "-outform", form]
    return subprocess.run(argv, check=True, capture_output=True).stdout


@pytest.mark.parametrize("kind", ["subject", "session", "ticket"])
def test_who_is_revoked_stops_and_his_neighbour_never_notices(scene: Scene, kind: str) -> None:
    crowd = Crowd([scene.other.ticket(scene.stream_id)], 2)
    player = scene.play(scene.victim)
    url = player.viewer.url
    ids = {
        "subject": claims(scene.victim)["sub"],
        "session": claims(scene.victim)["session_id"],
        "ticket": ticket_id(url),
    }
    made: list[Answer] = []
    player.expect_end(kind, lambda: made.append(revoke(scene.admin, kind, ids[kind]).expect(201)))
    fetch(url).expect(401)
    expect_undisturbed(crowd)
    row = made[0].json
    assert (row["kind"], row["object_id"], row["reason"]) == (kind, ids[kind], "test")
    assert row["revoked_by"] == claims(scene.admin)["sub"]
    if kind == "ticket":
        scene.plays(scene.victim.ticket(scene.stream_id))
    else:
        for user in (scene.victim, second(scene.stack, scene.victim)):
            answer = user.get("/v1/cameras").expect(401)
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            user.call("POST", f"/v1/streams/{scene.stream_id}/tickets").expect(401)
            user.get(f"/v1/streams/{scene.stream_id}").expect(401)
        # Whoever logs in again is somebody new; not within the second of the revocation.
        time.sleep(1.1)
        again = login(scene.stack, scene.tenant, sub=claims(scene.victim)["sub"])
        scene.plays(again.ticket(scene.stream_id))
    letter, value = claim_of(scene, kind, url)
    for port in (2, 16):
        told = front_doors(scene.stack, port).expect(200).json["revocations"]
        entry = next(entry for entry in told if entry["value"] == value)
        assert entry["claim"] == letter and entry["before_s"] >= time.time() - 600

    def told_audit() -> bool:
        events = scene.admin.get("/v1/audit-events?limit=200").expect(200).json["items"]
        return any(
            event.get("action") == "revocation.create"
            and event.get("object_id") == ids[kind]
            and event.get("object_type") == kind
            for event in events
        )

    wait_for("the audit tells of it", told_audit, LIMIT_S)


@pytest.mark.parametrize("kind", ["camera", "tenant"])
def test_all_viewers_are_sent_out_and_may_come_again(
    scene: Scene, elsewhere: Scene, kind: str
) -> None:
    crowd = Crowd([elsewhere.other.ticket(elsewhere.stream_id)], 2)
    players = [scene.play(scene.victim), scene.play(scene.other)]
    tenant = claims(scene.admin)["app_metadata"]["tenant_id"]
    by = scene.admin if kind == "camera" else scene.stack.platform()
    thing = scene.camera_id if kind == "camera" else tenant
    players[0].expect_end(kind, lambda: revoke(by, kind, thing).expect(201))
    wait_for("the other one, too", lambda: players[1].answers[-1][1] == 401, LIMIT_S)
    # Minted at once: it does not fall under the revocation of the same second.
    scene.plays(scene.victim.ticket(scene.stream_id))
    expect_undisturbed(crowd)
    shown = scene.admin.get("/v1/revocations").expect(200).json["items"]
    assert [(row["kind"], row["object_id"]) for row in shown] == [(kind, thing)]


def test_a_deleted_camera_is_seen_no_more(scene: Scene, elsewhere: Scene) -> None:
    crowd = Crowd([elsewhere.other.ticket(elsewhere.stream_id)], 2)
    player = scene.play(scene.victim)
    player.expect_end(
        "camera deleted",
        lambda: scene.admin.call("DELETE", f"/v1/cameras/{scene.camera_id}").expect(204),
    )
    answer = scene.victim.call("POST", f"/v1/streams/{scene.stream_id}/tickets").expect(410)
    assert answer.json["code"] == "camera_deleted"
    expect_undisturbed(crowd)


def test_a_stopped_tenant_plays_nothing_until_it_is_let_go_on(scene: Scene) -> None:
    platform = scene.stack.platform()
    tenant = claims(scene.admin)["app_metadata"]["tenant_id"]
    path = f"/v1/tenants/{tenant}"
    player = scene.play(scene.victim)
    player.expect_end(
        "tenant stopped", lambda: platform.call("PATCH", path, {"stopped": True}).expect(200)
    )
    assert platform.get(path).expect(200).json["stopped"] is True
    for user in (scene.victim, second(scene.stack, scene.victim)):
        refused = user.call("POST", f"/v1/streams/{scene.stream_id}/tickets").expect(403)
        assert refused.json["code"] == "tenant_stopped"
    camera = scene.admin.add_camera("new", "rtsp://127.0.0.1:1/none")
    body = {"camera_id": camera["id"]}
    assert scene.admin.call("POST", "/v1/streams", body).expect(403).json["code"] == "tenant_stopped"
    platform.call("PATCH", path, {"stopped": False}).expect(200)
    fetch(player.viewer.url).expect(401)
    scene.plays(scene.victim.ticket(scene.stream_id))


def test_a_removed_tenant_is_gone(scene: Scene, elsewhere: Scene) -> None:
    crowd = Crowd([elsewhere.other.ticket(elsewhere.stream_id)], 2)
    platform = scene.stack.platform()
    path = f"/v1/tenants/{claims(scene.admin)['app_metadata']['tenant_id']}"
    etag = platform.get(path).expect(200).headers["etag"]
    platform.call("DELETE", path, headers={"If-Match": '"77"'}).expect(412)
    scene.admin.call("DELETE", path).expect(403)
    player = scene.play(scene.victim)
    player.expect_end(
        "tenant removed",
        lambda: platform.call("DELETE", path, headers={"If-Match": etag}).expect(204),
    )
    platform.get(path).expect(404)
    platform.call("DELETE", path).expect(404)
    scene.victim.call("POST", f"/v1/streams/{scene.stream_id}/tickets").expect(403)
    scene.admin.get(f"/v1/cameras/{scene.camera_id}").expect(404)
    expect_undisturbed(crowd)


def test_who_may_revoke_what(scene: Scene, elsewhere: Scene) -> None:
    admin, viewer, platform = scene.admin, scene.victim, scene.stack.platform()
    mine = ticket_id(viewer.ticket(scene.stream_id))
    theirs = ticket_id(elsewhere.victim.ticket(elsewhere.stream_id))
    tenant = claims(admin)["app_metadata"]["tenant_id"]
    somebody = str(uuid.uuid4())
    operator = login(scene.stack, scene.tenant, "operator")
    for user in (viewer, operator):
        revoke(user, "session", somebody).expect(403)
        user.get("/v1/revocations").expect(403)
    refused = [revoke(admin, "tenant", thing).expect(403).json for thing in (tenant, somebody)]
    assert {**refused[0], "request_id": 0} == {**refused[1], "request_id": 0}
    revoke(platform, "tenant", somebody).expect(404)
    unknown = revoke(admin, "camera", somebody).expect(404).json
    foreign = revoke(admin, "camera", elsewhere.camera_id).expect(404).json
    assert {**unknown, "request_id": 0} == {**foreign, "request_id": 0}
    for other in (theirs, somebody):
        assert {**revoke(admin, "ticket", other).expect(404).json, "request_id": 0} == {
            **foreign,
            "request_id": 0,
        }
    elsewhere.plays(elsewhere.victim.ticket(elsewhere.stream_id))
    revoke(admin, "ticket", mine).expect(201)
    for body in (
        {},
        {"kind": "session"},
        {"kind": "user", "object_id": somebody},
        {"kind": "session", "object_id": "x"},
        {"kind": "session", "object_id": str(uuid.UUID(int=0))},
        {"kind": "session", "object_id": somebody, "reason": "x" * 257},
        {"kind": "session", "object_id": somebody, "until": 1},
    ):
        admin.call("POST", "/v1/revocations", body).expect(422)


def test_a_subject_of_two_tenants_is_revoked_in_one(scene: Scene, elsewhere: Scene) -> None:
    sub = str(uuid.uuid4())
    here, there = (login(scene.stack, each.tenant, sub=sub) for each in (scene, elsewhere))
    url = there.ticket(elsewhere.stream_id)
    revoke(scene.admin, "subject", sub).expect(201)
    wait_for("his token is refused here", lambda: here.get("/v1/cameras").status == 401, LIMIT_S)
    there.get("/v1/cameras").expect(200)
    elsewhere.plays(url)


def test_the_list_is_in_pages_and_of_one_tenant(scene: Scene, elsewhere: Scene) -> None:
    made = [
        revoke(scene.admin, "session", str(uuid.uuid4()), f"no {n}").expect(201).json["id"]
        for n in range(3)
    ]
    first = scene.admin.get("/v1/revocations?limit=2").expect(200).json
    rest = scene.admin.get(f"/v1/revocations?limit=2&cursor={first['next_cursor']}").expect(200).json
    assert [row["id"] for row in first["items"] + rest["items"]] == made
    assert rest["next_cursor"] is None
    theirs = elsewhere.admin.get("/v1/revocations").expect(200).json["items"]
    assert not {row["id"] for row in theirs} & set(made)
    scene.admin.get("/v1/revocations?cursor=!").expect(422)


def test_a_ticket_is_replaced_while_watching(scene: Scene) -> None:
    viewer = Viewer(scene.victim.ticket(scene.stream_id)).open()
    old = viewer.url.split("/live/")[1].split("/")[0]
    before = viewer.playlist()
    name = before.uris()[-1].rsplit("/", 1)[1]
    body = fetch(before.uris()[-1]).expect(200).body
    fresh = scene.victim.ticket(scene.stream_id).split("/live/")[1].split("/")[0]
    assert fresh != old
    same = fetch(before.uris()[-1].replace(old, fresh)).expect(200)
    assert same.body == body
    viewer.media_url = (viewer.media_url or "").replace(old, fresh)
    after = viewer.playlist()
    assert before.sequence <= after.sequence <= before.last_sequence + 1
    assert after.discontinuity == before.discontinuity
    assert not any(old in uri for uri in after.uris())
    # The old one is taken back, and the player that has the new one plays on.
    revoke(scene.admin, "ticket", ticket_id(viewer.url)).expect(201)
    wait_for("the old one ends", lambda: fetch(viewer.url).status == 401, LIMIT_S)
    last = viewer.playlist()
    assert last.sequence >= after.sequence and len(viewer.newest_segment()) > 1000
    of_segment = [
        (line["cache"], line["ticket_id"])
        for line in scene.stack.gateway_lines(name, 2)
        if line["stream"] == scene.stream_id
    ]
    assert [cache for cache, _ in of_segment].count("MISS") == 1
    assert len({ticket for _, ticket in of_segment}) == 2


def test_no_ticket_slips_past_a_revocation(scene: Scene) -> None:
    """Minted beside it at both apis: what was given before is void, what was asked for after is good."""
    path = f"/v1/streams/{scene.stream_id}/tickets"
    minted: list[tuple[float, float, str]] = []

    def mint(user: Api) -> None:
        for n in range(VIEWER_MAX):
            at = user if n % 2 else second(scene.stack, user)
            asked = time.monotonic()
            url = str(at.call("POST", path).expect(201).json["url"])
            minted.append((asked, time.monotonic(), url))
            time.sleep(0.03)

    with ThreadPoolExecutor(4) as pool:
        minting = [pool.submit(mint, user) for user in (scene.victim, scene.other, scene.admin)]
        wait_for("some are minted", lambda: len(minted) >= 6, LIMIT_S, 0.01)
        begun = time.monotonic()
        revoke(scene.admin, "camera", scene.camera_id).expect(201)
        done = time.monotonic()
        for each in minting:
            each.result()
    before = [url for _, given, url in minted if given < begun]
    after = [url for asked, _, url in minted if asked > done]
    assert before and after
    for url in before:
        wait_for("it is void", lambda url=url: fetch(url).status == 401, LIMIT_S)
    assert {fetch(url).status for url in after} == {302}
    assert {fetch(url).status for url in before} == {401}


def test_a_viewer_and_a_tenant_have_so_many_tickets_at_once(scene: Scene) -> None:
    path = f"/v1/streams/{scene.stream_id}/tickets"
    for _ in range(VIEWER_MAX):
        scene.victim.call("POST", path).expect(201)
    refused = scene.victim.call("POST", path).expect(429)
    assert refused.json["code"] == "quota_exceeded" and "viewer" in refused.json["detail"]
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert 0 < int(refused.headers["retry-after"]) <= 600 + 600 // 32 + 1
    # Somebody else mints on; the login does not matter.
    login(scene.stack, scene.tenant, sub=claims(scene.victim)["sub"]).call("POST", path).expect(429)
    scene.other.call("POST", path).expect(201)
    for _ in range((TENANT_MAX - VIEWER_MAX - 1) // VIEWER_MAX + 1):
        somebody = login(scene.stack, scene.tenant)
        answers = [somebody.call("POST", path) for _ in range(VIEWER_MAX)]
    assert "tenant" in answers[-1].expect(429).json["detail"]
    # Each api counts for itself.
    second(scene.stack, scene.victim).call("POST", path).expect(201)


def test_a_tenant_has_so_many_revocations_and_deletes_beyond_them(scene: Scene) -> None:
    for _ in range(REVOCATIONS_MAX):
        revoke(scene.admin, "session", str(uuid.uuid4())).expect(201)
    refused = revoke(scene.admin, "session", claims(scene.victim)["session_id"]).expect(429)
    assert refused.json["code"] == "quota_exceeded" and int(refused.headers["retry-after"]) > 0
    assert len(scene.admin.get("/v1/revocations").expect(200).json["items"]) == REVOCATIONS_MAX
    url = scene.victim.ticket(scene.stream_id)
    scene.admin.call("DELETE", f"/v1/cameras/{scene.camera_id}").expect(204)
    wait_for("its tickets end", lambda: fetch(url).status == 401, LIMIT_S)


def test_without_postgres_a_stopped_tenant_gets_no_ticket(scene: Scene) -> None:
    """Memory answers then: for who may, and for who may not."""
    platform = scene.stack.platform()
    stopped = make_scene(scene.stack)
    revoke(scene.admin, "session", claims(scene.other)["session_id"]).expect(201)
    path = f"/v1/tenants/{claims(stopped.admin)['app_metadata']['tenant_id']}"
    platform.call("PATCH", path, {"stopped": True}).expect(200)
    wait_for("all have heard", lambda: scene.other.get("/v1/cameras").status == 401, LIMIT_S)
    scene.stack.dev("stop", "postgres")
    try:
        url = scene.victim.ticket(scene.stream_id)
        scene.plays(url)
        scene.other.call("POST", f"/v1/streams/{scene.stream_id}/tickets").expect(401)
        refused = stopped.victim.call("POST", f"/v1/streams/{stopped.stream_id}/tickets")
        assert refused.expect(403).json["code"] == "tenant_stopped"
        revoke(scene.admin, "ticket", ticket_id(url)).expect(503)
    finally:
        scene.stack.dev("start", "postgres")
    wait_for("Postgres is back", lambda: scene.admin.get("/v1/cameras").status == 200, LIMIT_S)


def psql(stack: Stack, sql: str) -> str:
    argv = ["psql", stack.values["WEIR_POSTGRES"], "-qAt", "-v", "ON_ERROR_STOP=1", "-c", sql]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def records(stack: Stack, key: str) -> list[str]:
    """Values of a key in the configuration of cell 0, "" for a tombstone."""
    done = subprocess.run(
        ["kcat", "-q", "-b", stack.values["WEIR_KAFKA"], "-C", "-t", "weir.config.v1", "-p", "0",
         "-e", "-f", "%k %S %s\n"],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    rows = [line.split(" ", 2) for line in done.stdout.splitlines() if line.startswith(key)]
    return [row[2] if int(row[1]) > 0 else "" for row in rows]


def test_what_nothing_is_left_of_leaves_table_and_topic(scene: Scene) -> None:
    session = str(uuid.uuid4())
    row = revoke(scene.admin, "session", session).expect(201).json
    wait_for("it is published", lambda: len(records(scene.stack, row["id"])) == 1, LIMIT_S)
    published = records(scene.stack, row["id"])[0]
    assert session not in published and row["revoked_by"] not in published
    psql(scene.stack, f"UPDATE revocation SET expires_at = now() WHERE id = '{row['id']}'")
    assert scene.admin.get("/v1/revocations").expect(200).json["items"] == []
    wait_for("a tombstone", lambda: records(scene.stack, row["id"])[-1] == "", LIMIT_S)
    assert psql(scene.stack, f"SELECT count(*) FROM revocation WHERE id = '{row['id']}'") == "0"


def test_what_is_revoked_while_kafka_is_away_counts(scene: Scene) -> None:
    player = scene.play(scene.victim)
    scene.stack.dev("stop", "kafka")
    try:
        player.expect_end(
            "without Kafka",
            lambda: revoke(scene.admin, "session", claims(scene.victim)["session_id"]).expect(201),
        )
        front_doors(scene.stack).expect(200)
        scene.victim.get("/v1/cameras").expect(401)
    finally:
        scene.stack.dev("start", "kafka")
    wait_for("published later", lambda: scene.other.ticket(scene.stream_id), LIMIT_S)


def restart_apis(stack: Stack) -> None:
    """One after the other, as whoever runs them would."""
    for name in ("api", "api-2"):
        stack.dev("stop", name)
        stack.dev("start", name)


def test_the_signing_key_is_replaced_while_people_watch(scene: Scene) -> None:
    stack, secrets = scene.stack, scene.stack.home / "secrets"
    settings = stack.home / "local" / "weir-api.env"
    before = settings.read_text()
    fresh, others = secrets / "ticket-key-2.pem", secrets / "ticket-others.pem"
    for path in (fresh, others):
        path.touch(0o600)
    argv = ["openssl", "genpkey", "-algorithm", "ED25519"]
    fresh.write_bytes(subprocess.run(argv, check=True, capture_output=True).stdout)
    old = secrets / "ticket-key.pem"
    crowd = Crowd([scene.victim.ticket(scene.stream_id)], 2)

    def key_of(url: str) -> str:
        return str(unpack(url.split("/live/")[1].split("/")[0])["k"])

    def step(signing: Path, accepted: list[Path]) -> str:
        others.write_bytes(b"".join(public_der(path, "PEM") for path in accepted))
        settings.write_text(
            f"{before}WEIR_TICKET_KEY_FILE={signing}\nWEIR_TICKET_PUBLIC_KEYS_FILE={others}\n"
        )
        restart_apis(stack)
        told = [key["kid"] for key in front_doors(stack).expect(200).json["ticket_keys"]]
        url = scene.other.ticket(scene.stream_id)
        assert key_of(url) == told[0] and len(told) == 1 + len(accepted)
        # The gateway leaves an api alone for two seconds that was away.
        wait_for("it plays", lambda: scene.plays(url) or True, LIMIT_S)
        return url

    try:
        first = step(old, [fresh])  # the new key is published
        changed = step(fresh, [old])  # it signs
        assert key_of(first) != key_of(changed)
        scene.plays(first)
        expect_undisturbed(crowd)
        step(fresh, [])  # the old one is gone
        wait_for("its tickets are no longer good", lambda: fetch(first).status == 401, LIMIT_S)
        scene.plays(changed)
    finally:
        crowd.stop()
        settings.write_text(before)
        restart_apis(stack)


def test_it_survives_a_flush_of_redis_and_a_restart_of_everything(scene: Scene) -> None:
    stack = scene.stack
    gone, kept = scene.victim.ticket(scene.stream_id), scene.other.ticket(scene.stream_id)
    revoke(scene.admin, "session", claims(scene.victim)["session_id"]).expect(201)
    wait_for("it ends", lambda: fetch(gone).status == 401, LIMIT_S)
    subprocess.run(
        ["redis-cli", "-u", stack.values["WEIR_REDIS"], "FLUSHALL"], check=True, capture_output=True
    )
    fetch(gone).expect(401)
    stack.dev("down")
    stack.start_what_is_dead()
    for port in (1, 15):
        Api(f"http://127.0.0.1:{stack.port_base + port}", scene.victim.token).get(
            "/v1/cameras"
        ).expect(401)
    assert fetch(gone).status == 401
    assert fetch(kept).status != 401

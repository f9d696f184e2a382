# SPDX-License-Identifier: Apache-2.0
"""Warm cameras on the real services: pulled while nobody watches, shown with what they cost, played
out of their ring by the first viewer, kept after the last one, and warm elsewhere when their worker
dies. And the health of their pictures, as packets tell it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.parse
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from client import Answer, Api, Viewer, fetch, wait_for
from conftest import stack_of
from dev import topics
from faults import settings
from stack import Stack, token_claims
from tls_rig import Certificate, TlsProxy

DEAD = "rtsp://127.0.0.1:1/none"
GOP_S = 2
RING_MS = 6000
LINGER_S = 2


stack = stack_of({"weir-scheduler": {"WEIR_TAP_LINGER_S": str(LINGER_S)}}, workers=2)


@pytest.fixture(scope="module")
def url(stack: Stack) -> str:
    return stack.camera("porch", "--gop", str(GOP_S), "--fps", "15")


@pytest.fixture(scope="module")
def camera(user: Api, url: str) -> str:
    return str(user.add_camera("porch", url, warm=True, idle_timeout_s=900)["id"])


def sessions(url: str) -> set[str]:
    """The near ends of the connections to the camera."""
    port = urllib.parse.urlsplit(url).port
    argv = ["ss", "-Htn", "state", "established", f"( dport = :{port} )"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout
    return {line.split()[2] for line in lines.splitlines()}


def shown(user: Api, camera: str) -> dict[str, Any]:
    return dict(user.get(f"/v1/cameras/{camera}").expect(200).json)


def is_warm(user: Api, camera: str) -> dict[str, Any]:
    """The camera, once it is warm and its ring holds some seconds."""
    now = shown(user, camera)
    assert now["lease"] and now["live"], now
    assert now["lease"]["state"] == "warm" and now["live"]["state"] == "up", now
    assert now["live"]["ring_ms"] >= RING_MS, now
    return now


def text_of(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def streams(user: Api) -> list[dict[str, Any]]:
    return list(user.get("/v1/streams").expect(200).json["items"])


def test_a_warm_camera_is_pulled_and_shows_what_it_costs(
    user: Api, camera: str, url: str
) -> None:
    now = wait_for("a warm camera with a ring", lambda: is_warm(user, camera), 90)
    print(now["lease"], now["live"])
    assert streams(user) == []
    assert len(sessions(url)) == 1
    live = now["live"]
    assert live["video"] == {"codec": "avc1", "width": 640, "height": 360}
    assert live["transport"] == "tcp"
    assert live["bitrate_bps"] > 10_000
    assert abs(live["gop_ms"] - GOP_S * 1000) < 300
    assert live["ring_bytes"] > 0 and live["cost"]["mem_bytes"] > live["ring_bytes"]
    assert 0 < live["cost"]["cpu_ppm"] < 1_000_000

    def has_its_rate() -> bool:
        """Of the last seconds: a camera that had to wait for a core has another for a while."""
        return bool(14 <= shown(user, camera)["live"]["fps"] <= 16)

    wait_for("the camera's frame rate", has_its_rate, 60)


def test_what_moves_is_never_said_to_be_unchanged(user: Api, camera: str) -> None:
    answer = user.get(f"/v1/cameras/{camera}").expect(200)
    tag = answer.headers["etag"]
    assert user.get(f"/v1/cameras/{camera}", If_None_Match=tag).status == 200
    changed = user.call("PATCH", f"/v1/cameras/{camera}", {"name": "gate"}, {"If-Match": tag})
    assert changed.expect(200).json["name"] == "gate"
    user.call("PATCH", f"/v1/cameras/{camera}", {"name": "x"}, {"If-Match": tag}).expect(412)
    cold = user.add_camera("cold", DEAD)["id"]
    answer = user.get(f"/v1/cameras/{cold}").expect(200)
    assert answer.json["lease"] is None and answer.json["live"] is None
    tag = answer.headers["etag"]
    assert user.get(f"/v1/cameras/{cold}", If_None_Match=tag).status == 304


def test_a_picture_of_a_warm_camera_needs_no_stream(user: Api, camera: str) -> None:
    wait_for("a ring", lambda: is_warm(user, camera), 60)
    at = datetime.now(timezone.utc) - timedelta(seconds=3)
    answer = user.get(f"/v1/cameras/{camera}/snapshot?at={text_of(at)}").expect(200)
    frame = datetime.fromisoformat(answer.headers["weir-frame-time"].replace("Z", "+00:00"))
    assert abs((frame - at).total_seconds()) < 0.1
    assert answer.body[:2] == b"\xff\xd8"
    assert streams(user) == []


def healths(stack: Stack, camera: str) -> list[tuple[str, str]]:
    """What was said of the camera's picture, in order."""
    lines = topics.read(stack.values["WEIR_KAFKA"], "weir.facts.v1").splitlines()
    facts = [event["data"] for event in map(json.loads, lines) if event["type"] == "fact.health"]
    return [(fact["health"], fact["faults"]) for fact in facts if fact["camera_id"] == camera]


def facts(stack: Stack, kind: str, camera: str) -> list[dict[str, Any]]:
    lines = topics.read(stack.values["WEIR_KAFKA"], "weir.facts.v1").splitlines()
    found = [event["data"] for event in map(json.loads, lines) if event["type"] == kind]
    return [fact for fact in found if fact["camera_id"] == camera]


def is_of_its_own_now(user: Api, camera: str) -> bool:
    """Of the camera that is three seconds ahead: it is not shown what it took three seconds ago."""
    began = datetime.now(timezone.utc)
    answer = user.get(f"/v1/cameras/{camera}/snapshot?tolerance_ms=2000")
    ended = datetime.now(timezone.utc)
    if answer.status != 200:
        return False
    asked = datetime.fromisoformat(answer.headers["weir-requested-time"].replace("Z", "+00:00"))
    assert (asked - began).total_seconds() > 2.5 and (asked - ended).total_seconds() < 3.5
    assert abs(float(answer.headers["weir-frame-error-ms"])) <= 2000
    return True


def test_a_clock_that_is_set_is_said_once(stack: Stack, user: Api, camera: str) -> None:
    """Three seconds ahead, and soon back again: that is told as one."""

    def has_reports() -> bool:
        """A clock that was told once may have been anything before."""
        return bool(is_warm(user, camera)["live"]["ring_ms"] >= 1.5 * RING_MS)

    wait_for("a camera whose clock is known", has_reports, 90)
    assert facts(stack, "fact.clock", camera) == []
    stack.dev("camera", "fault", "porch", "clock")
    try:
        found = wait_for("it is said", lambda: facts(stack, "fact.clock", camera), 60)
        wait_for("a picture of now", lambda: is_of_its_own_now(user, camera), 60)
    finally:
        stack.dev("camera", "fault", "porch", "none")
    fact = found[0]
    print(fact)
    assert len(found) == 1 and (fact["jumps"], fact["source"]) == (1, "rtcp_sr")
    assert abs(fact["offset_before_us"]) < 1_000_000
    assert 2_500_000 < fact["offset_us"] - fact["offset_before_us"] < 3_500_000


def stalls(stack: Stack) -> int:
    return counted(stack, 'weir_worker_picture_faults_total{fault="stalled"}')


def remedies(stack: Stack, remedy: str) -> int:
    return counted(stack, f'weir_worker_camera_remedies_total{{remedy="{remedy}"}}')


def counted(stack: Stack, name: str) -> int:
    text = ""
    for worker in ("worker-0", "worker-1"):
        listen = settings.read(stack.home / "env" / f"{worker}.env")["WEIR_ADMIN_LISTEN"]
        text += fetch(f"http://{listen}/metrics").expect(200).body.decode()
    found = re.findall(rf"^{re.escape(name)} (\d+)$", text, re.MULTILINE)
    assert len(found) == 2, "each worker counts"
    return sum(map(int, found))


def told(user: Api, camera: str) -> list[tuple[str, str | None, str | None, str | None]]:
    """What the audit tells the tenant of the camera's picture."""
    items = user.get(f"/v1/audit-events?camera_id={camera}&limit=200").expect(200).json["items"]
    return [
        (item["type"], item.get("to"), item.get("detail"), item.get("action"))
        for item in items if item["type"].startswith("fact.")
    ]


def test_a_camera_that_stands_still_is_told_shown_and_counted(
    stack: Stack, user: Api, camera: str
) -> None:
    def is_healthy() -> dict[str, Any]:
        health = is_warm(user, camera)["live"]["health"]
        assert (health["state"], health["faults"]) == ("healthy", []), health
        return dict(health)

    def is_over() -> dict[str, Any]:
        """It is not healthy before half a minute, since it stood still."""
        health = is_warm(user, camera)["live"]["health"]
        assert (health["state"] in ("starting", "healthy"), health["faults"]) == (True, []), health
        return dict(health)

    wait_for("a healthy picture", is_healthy, 60)
    wait_for("it is said", lambda: ("healthy", "") in healths(stack, camera), 60)
    before = stalls(stack)
    stack.dev("camera", "fault", "porch", "freeze")
    begun = time.monotonic()
    try:
        wait_for("it is counted", lambda: stalls(stack) > before, 60, 0.05)
        print(f"counted {time.monotonic() - begun:.2f} s after the camera stood still")
        wait_for("it is said", lambda: ("stalled", "stalled") in healths(stack, camera), 60)
        done = wait_for("it is connected to anew", lambda: facts(stack, "fact.remedy", camera), 60)
    finally:
        stack.dev("camera", "fault", "porch", "none")
    health = wait_for("no fault", is_over, 90)
    assert health["faults_seen"] >= 1
    assert {(fact["remedy"], fact["reason"]) for fact in done} == {("reconnect", "source_silent")}
    actions = health["actions"]
    assert actions["taken"] >= 1 and actions["at"] and actions["not_before"] is None, actions
    assert (actions["last"], actions["reason"]) == ("reconnect", "source_silent")
    assert remedies(stack, "reconnect") >= 1

    def is_told() -> bool:
        rows = told(user, camera)
        return ("fact.health", "stalled", "stalled", None) in rows and any(
            (kind, action) == ("fact.remedy", "reconnect") for kind, _, _, action in rows)

    wait_for("the tenant can read it back", is_told, 60)


def test_a_camera_is_read_by_rtsp_over_http_and_https(
    stack: Stack, user: Api, url: str, tmp_path: Path
) -> None:
    certificate = Certificate(tmp_path, "camera")
    proxy = TlsProxy(urllib.parse.urlsplit(url).port or 0, certificate)
    made: list[str] = []

    def is_read(camera_id: str) -> bool:
        now = shown(user, camera_id)["live"]
        assert now and (now["state"], now["transport"]) == ("up", "http"), now
        return True

    try:
        for at, fields in ((url, {}), (proxy.url, {"tls_pin_sha256": certificate.pin()})):
            camera = user.add_camera("tunnel", at, warm=True, transport="http", **fields)
            made.append(camera["id"])
            assert camera["source"]["transport"] == "http"
            wait_for("it is read", lambda: is_read(made[-1]), 60)
        assert [came.split()[0] for came in proxy.came] == [b"GET", b"POST"]
    finally:
        for camera_id in made:
            user.call("DELETE", f"/v1/cameras/{camera_id}")
        proxy.close()


def test_a_camera_behind_tls_is_known_by_its_pin(
    stack: Stack, user: Api, url: str, tmp_path: Path
) -> None:
    certificate, other = Certificate(tmp_path, "camera"), Certificate(tmp_path, "other")
    proxy = TlsProxy(urllib.parse.urlsplit(url).port or 0, certificate)
    source: dict[str, Any] = {"url": proxy.url}

    def add(pin: str | None) -> Answer:
        body = {"name": "vault", "source": {**source, "tls_pin_sha256": pin}, "warm": True}
        return user.call("POST", "/v1/cameras", body)

    assert add(None).expect(422).json["code"] == "missing_field"
    assert add("0" * 63 + "x").expect(422).json["code"] == "bad_pin"
    source["url"] = url
    assert add(certificate.pin()).expect(422).json["code"] == "bad_pin"
    source["url"] = proxy.url
    pin = certificate.key_pin()
    made = add(":".join(pin[i : i + 2] for i in range(0, 64, 2)).upper()).expect(201).json
    assert made["source"]["tls_pin_sha256"] == pin
    path = f"/v1/cameras/{made['id']}"

    def live(state: str, reason: str | None) -> None:
        now = shown(user, made["id"])["live"]
        assert now and (now["state"], now["reason"]) == (state, reason), now

    try:
        wait_for("it is read", lambda: live("up", None) or True, 60)
        source["tls_pin_sha256"] = other.pin()
        user.call("PATCH", path, {"source": source}).expect(200)
        wait_for("the other pin", lambda: live("failing", "source_pin_mismatch") or True, 60)
        assert not proxy.came[-1]
    finally:
        user.call("DELETE", path).expect(204)
        proxy.close()


def program_times(text: str) -> list[datetime]:
    found = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", text)
    return [datetime.fromisoformat(one.replace("Z", "+00:00")) for one in found]


def test_the_first_viewer_is_shown_the_ring_and_the_last_one_leaves_it_warm(
    user: Api, camera: str, url: str
) -> None:
    before = wait_for("a ring", lambda: is_warm(user, camera), 60)
    pulled = sessions(url)
    begun = datetime.now(timezone.utc)
    stream = user.start(camera)["id"]
    running = user.wait_state(stream, "running")
    playlist = Viewer(user.ticket(stream)).open().playlist()
    took = (datetime.now(timezone.utc) - begun).total_seconds()
    first = program_times(playlist.text)[0]
    print(f"first playlist after {took:.2f} s, from {(begun - first).total_seconds():.2f} s before")
    assert running["worker_id"] == before["lease"]["worker_id"]
    assert first < begun - timedelta(seconds=GOP_S), "it begins with what was kept"
    assert sessions(url) == pulled, "nobody asked the camera anything"
    user.call("DELETE", f"/v1/streams/{stream}").expect(202)
    user.wait_state(stream, "stopped")
    stopped = time.monotonic()
    wait_for("warm again", lambda: is_warm(user, camera), 60)
    wait_for("longer than a camera lingers", lambda: time.monotonic() - stopped > LINGER_S + 3, 60)
    after = is_warm(user, camera)
    assert after["lease"]["worker_id"] == running["worker_id"]
    assert sessions(url) == pulled


def test_a_warm_camera_moves_when_its_worker_dies(stack: Stack, user: Api, camera: str) -> None:
    worker = wait_for("a ring", lambda: is_warm(user, camera), 60)["lease"]["worker_id"]
    victims = [pid for pid in stack.processes("weir-worker") if worker in arguments(pid)]
    assert len(victims) == 1
    for pid in victims:
        subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(pid)], check=True)

    def is_elsewhere() -> dict[str, Any]:
        now = is_warm(user, camera)
        assert now["lease"]["worker_id"] != worker, now
        return now

    wait_for("warm at the other worker", is_elsewhere, 90)
    user.get(f"/v1/cameras/{camera}/snapshot?mode=keyframe").expect(200)
    stack.start_what_is_dead()


def arguments(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().replace(b"\0", b" ").decode()


def test_a_tenant_may_keep_so_many_cameras_warm(stack: Stack) -> None:
    few = stack.user("few")
    tenant = token_claims(few.token or "")["app_metadata"]["tenant_id"]
    stack.platform().call("PATCH", f"/v1/tenants/{tenant}", {"max_warm_cameras": 1}).expect(200)
    source = {"url": DEAD, "transport": "tcp"}
    one = few.add_camera("one", DEAD, warm=True)["id"]
    two = few.add_camera("two", DEAD)["id"]
    again = few.call("POST", "/v1/cameras", {"name": "x", "source": source, "warm": True}).expect(429)
    assert again.json["code"] == "quota_exceeded"
    few.call("PATCH", f"/v1/cameras/{two}", {"warm": True}).expect(429)
    few.call("PATCH", f"/v1/cameras/{one}", {"warm": True, "name": "still one"}).expect(200)
    few.call("PATCH", f"/v1/cameras/{one}", {"warm": False}).expect(200)

    # A label does the same as the field; either is enough, and taking one away leaves the other.
    marked = {"labels": {"weir.warm": "true", "site": "hall"}}
    three = few.call("POST", "/v1/cameras", {"name": "x", "source": source, **marked}).expect(201)
    assert three.json["warm"] is True
    few.call("POST", "/v1/cameras", {"name": "y", "source": source, **marked}).expect(429)
    again = few.call("PATCH", f"/v1/cameras/{two}", marked).expect(429)
    assert (again.json["code"], again.json["errors"][0]["pointer"]) == ("quota_exceeded", "/labels")
    few.call("PATCH", f"/v1/cameras/{two}", {"warm": True}).expect(429)

    def changed(body: dict[str, Any]) -> bool:
        path = f"/v1/cameras/{three.json['id']}"
        return bool(few.call("PATCH", path, body).expect(200).json["warm"])

    assert changed({"warm": False})
    assert changed({"warm": True})
    assert changed({"labels": {"weir.warm": "yes"}})
    assert not changed({"warm": False})
    few.call("PATCH", f"/v1/cameras/{two}", marked).expect(200)
    viewer = stack.user("few", "viewer")
    viewer.call("PATCH", f"/v1/cameras/{two}", {"warm": False}).expect(403)
    assert stack.user("acme").call("PATCH", f"/v1/cameras/{two}", {"warm": False}).status == 404
    # A camera that cannot be read says why, without its neighbours' knowing.
    live = wait_for("it says why", lambda: failing(few, two), 60)
    assert live["reason"] and live["ring_ms"] == 0


def failing(user: Api, camera: str) -> dict[str, Any]:
    live = shown(user, camera)["live"]
    assert live and live["state"] == "failing", live
    return dict(live)


def test_unmarked_it_is_let_go(user: Api, camera: str, url: str) -> None:
    wait_for("a ring", lambda: is_warm(user, camera), 90)
    user.call("PATCH", f"/v1/cameras/{camera}", {"warm": False}).expect(200)
    wait_for("the lease has ended", lambda: shown(user, camera)["lease"] is None, 60)
    wait_for("nobody pulls it", lambda: not sessions(url), 30)
    answer = user.get(f"/v1/cameras/{camera}/snapshot?mode=latest").expect(409)
    assert answer.json["code"] == "not_running"

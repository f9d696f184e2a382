# SPDX-License-Identifier: Apache-2.0
"""The whole path on the real services: a camera plays, and when nobody watches it goes away."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import struct
import subprocess
import time
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from browser import Browser
from client import Api, Viewer, decoded_frames, fetch, wait_for
from conftest import stack_of
from faults import settings
from stack import Stack, since, token_claims
from survival import Watching

PASSWORD = "p@ss:w/ö rd"
IDLE_S = 8


stack = stack_of()


@pytest.fixture(scope="module")
def plain_url(stack: Stack) -> str:
    return stack.camera("plain", "--gop", "1")


@pytest.fixture(scope="module")
def awkward_url(stack: Stack) -> str:
    return stack.camera(
        "awkward", "--gop", "1", "--bframes", "2", "--audio", "pcma", "--user", "viewer",
        "--password", PASSWORD,
    )  # fmt: skip


def sql(stack: Stack, text: str) -> str:
    done = subprocess.run(
        ["psql", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", text, stack.values["WEIR_POSTGRES"]],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def redis(stack: Stack, *args: str) -> str:
    argv = ["redis-cli", "--no-auth-warning", "-u", stack.values["WEIR_REDIS"], *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout.strip()


def test_a_camera_is_added_started_and_plays_in_ffmpeg(stack: Stack, plain_url: str) -> None:
    user = stack.user("acme")
    camera = user.add_camera("yard", plain_url)
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    assert decoded_frames(user.ticket(stream["id"])) >= 30
    user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)
    user.wait_state(stream["id"], "stopped")


def test_digest_an_awkward_password_b_frames_and_foreign_audio_play(
    stack: Stack, awkward_url: str
) -> None:
    user = stack.user("acme")
    stack.change_tenant("acme", audio="on")
    camera = user.add_camera("gate", awkward_url, username="viewer", password=PASSWORD)
    assert PASSWORD not in str(camera) and "password" not in camera["source"]
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    assert decoded_frames(user.ticket(stream["id"])) >= 30


def heard(user: Api, stream_id: str, how: str) -> None:
    """It is said and is so within seconds, while the stream runs."""
    url = user.ticket(stream_id)

    def is_said() -> bool:
        effective = user.stream(stream_id)["effective"]
        return bool(effective) and effective["audio"]["how"] == how

    def is_so() -> bool:
        kinds = subprocess.run(
            ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", url],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout.split()  # fmt: skip
        loud = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", url, "-t", "3", "-map", "0:a", "-ac", "1", "-f", "s16le", "-"],
            capture_output=True, timeout=60, check="audio" in kinds,
        ).stdout  # fmt: skip
        return any(abs(sample) > 3000 for (sample,) in struct.iter_unpack("<h", loud)) == (how != "none")

    wait_for(f"said of sound: {how}", is_said, 60)
    wait_for(f"heard of sound: {how}", is_so, 60)


def test_sound_is_heard_where_tenant_and_camera_let_it_and_stops_at_a_word(
    stack: Stack, awkward_url: str
) -> None:
    user = stack.user("quiet")
    camera = user.add_camera("gate", awkward_url, username="viewer", password=PASSWORD)
    assert camera["muted"] is False
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    heard(user, stream["id"], "none")
    assert stack.change_tenant("quiet", audio="on")["audio"] == "on"
    heard(user, stream["id"], "transcode")
    user.call("PATCH", f"/v1/cameras/{camera['id']}", {"muted": True}).expect(200)
    heard(user, stream["id"], "none")
    user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)


def test_several_viewers_of_two_cameras_play_at_once(
    stack: Stack, plain_url: str, awkward_url: str
) -> None:
    user = stack.user("acme")
    urls = []
    for name, url, login in (
        ("both-1", plain_url, {}),
        ("both-2", awkward_url, {"username": "viewer", "password": PASSWORD}),
    ):
        camera = user.add_camera(name, url, **login)
        stream = user.start(camera["id"])
        user.wait_state(stream["id"], "running")
        urls += [user.ticket(stream["id"]) for _ in range(3)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        frames = list(pool.map(decoded_frames, urls))
    assert min(frames) >= 30


def test_two_cameras_play_at_once_in_a_browser(
    stack: Stack, plain_url: str, awkward_url: str
) -> None:
    user = stack.user("acme")
    with Browser() as browser:
        watching = Watching(browser)
        for name, url, login in (
            ("page-1", plain_url, {}),
            ("page-2", awkward_url, {"username": "viewer", "password": PASSWORD}),
        ):
            camera = user.add_camera(name, url, **login)
            stream = user.start(camera["id"])
            user.wait_state(stream["id"], "running")
            watching.add(name, user.ticket(stream["id"]))
        watching.playing()
        watching.judge()


def test_whoever_comes_before_it_plays_is_led_there_at_once(stack: Stack, plain_url: str) -> None:
    """A camera that is pulled already plays within the second in which its first viewer was let in,
    so what he was told before must not be told him again."""
    user = stack.user("acme")
    camera_id = user.add_camera("at-once", plain_url)["id"]
    stream_id = user.start(camera_id)["id"]
    user.wait_state(stream_id, "running")
    for _ in range(4):
        user.call("DELETE", f"/v1/streams/{stream_id}").expect(202)
        user.wait_state(stream_id, "stopped")
        user.start(camera_id)
        url, answer = user.ticket(stream_id), None
        while answer is None or answer.status == 302:
            answer = fetch(url)
            url = urljoin(url, answer.headers.get("location", ""))
        answer.expect(200)
    user.call("DELETE", f"/v1/streams/{stream_id}").expect(202)


def test_an_equal_stream_is_the_same_stream(stack: Stack, plain_url: str) -> None:
    user = stack.user("acme")
    camera = user.add_camera("same", plain_url)
    key = str(uuid.uuid4())
    body = {"camera_id": camera["id"], "quality": "source"}
    first = user.call("POST", "/v1/streams", body, {"Idempotency-Key": f'"{key}"'}).expect(202)
    user.wait_state(first.json["id"], "running")
    again = user.call("POST", "/v1/streams", body).expect(200)
    assert again.json["id"] == first.json["id"]
    repeated = user.call("POST", "/v1/streams", body, {"Idempotency-Key": f'"{key}"'})
    assert repeated.expect(200, 202).json["id"] == first.json["id"]


def test_a_key_names_one_wish_and_is_forgotten_after_a_day(stack: Stack, plain_url: str) -> None:
    user = stack.user("acme")
    camera = user.add_camera("one-wish", plain_url)
    start = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    stop = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    body = {"camera_id": camera["id"], "quality": "source"}
    stream = user.call("POST", "/v1/streams", body, start).expect(202).json
    user.wait_state(stream["id"], "running")
    path = f"/v1/streams/{stream['id']}"
    refused = user.call("DELETE", path, headers=start).expect(422)
    assert refused.json["code"] == "idempotency_key_reused"
    user.call("DELETE", path, headers=stop).expect(202)
    user.call("DELETE", path, headers=stop).expect(202)
    user.wait_state(stream["id"], "stopped")
    keys = redis(stack, "--scan", "--pattern", "weir:key:*").split()
    lives = [int(redis(stack, "TTL", key)) for key in keys]
    assert len(lives) >= 2 and all(24 * 3600 - 600 < life <= 24 * 3600 for life in lives)
    # A day later, for an api that has not read the old commands.
    redis(stack, "DEL", *keys)
    stack.dev("stop", "api")
    stack.dev("start", "api")
    user.call("POST", "/v1/streams", body, stop).expect(200, 202)


def test_while_redis_is_away_postgres_remembers_keys_for_a_day(
    stack: Stack, plain_url: str
) -> None:
    user = stack.user("acme")
    camera = user.add_camera("kept-by-postgres", plain_url)
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    body = {"camera_id": camera["id"], "quality": "source"}
    tenant = token_claims(user.token or "")["app_metadata"]["tenant_id"]
    old = f"tenant_id = '{tenant}' AND made_at < now() - interval '24 hours'"

    def are_forgotten() -> bool:
        # One command in 64 takes the old keys away.
        fresh = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
        user.call("DELETE", f"/v1/streams/{stream['id']}", headers=fresh).expect(202)
        user.start(camera["id"])
        return sql(stack, f"SELECT count(*) FROM idempotency WHERE {old}") == "0"

    stack.dev("stop", "redis")
    try:
        stream = user.call("POST", "/v1/streams", body, key).expect(202).json
        refused = user.call("DELETE", f"/v1/streams/{stream['id']}", headers=key).expect(422)
        assert refused.json["code"] == "idempotency_key_reused"
        sql(stack, "UPDATE idempotency SET made_at = made_at - interval '25 hours'")
        wait_for("keys of yesterday go", are_forgotten, 120, 0)
    finally:
        stack.dev("start", "redis")
    user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)


def test_one_key_at_the_same_time_makes_one_camera(stack: Stack, plain_url: str) -> None:
    user = stack.user("acme")
    body = {"name": "once", "source": {"url": plain_url}}
    for _ in range(5):
        key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(user.call, "POST", "/v1/cameras", body, key) for _ in range(8)]
        assert len({one.result().expect(201).json["id"] for one in asked}) == 1


def test_a_repeated_start_that_changes_nothing_does_not_hide_the_truth(
    stack: Stack, plain_url: str
) -> None:
    user = stack.user("acme")
    camera = user.add_camera("repeated", plain_url)
    key = str(uuid.uuid4())
    stream = user.start(camera["id"], key)
    user.wait_state(stream["id"], "running")
    user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)
    user.wait_state(stream["id"], "stopped")
    user.start(camera["id"], key)
    user.wait_state(stream["id"], "stopped", seconds=30)
    body = {"camera_id": camera["id"], "quality": "source"}
    user.call("POST", "/v1/streams", body).expect(202)
    user.wait_state(stream["id"], "running")


def test_nobody_watches_and_the_stream_stops_by_itself(stack: Stack, plain_url: str) -> None:
    user = stack.user("acme")
    camera = user.add_camera("idle", plain_url, idle_timeout_s=IDLE_S)
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    viewer = Viewer(user.ticket(stream["id"])).open()
    until = time.monotonic() + IDLE_S + 4
    while time.monotonic() < until:
        viewer.playlist()
        time.sleep(1)
    assert user.stream(stream["id"])["state"] == "running", "a watched stream must not stop"
    left = time.monotonic()
    stopped = user.wait_state(stream["id"], "stopping", "stopped", seconds=IDLE_S + 30)
    print(f"stopped {since(left):.1f} s after the last request, timeout {IDLE_S} s")
    assert since(left) >= IDLE_S - 2
    assert stopped["reason"] == "idle"
    user.wait_state(stream["id"], "stopped")
    fetch(viewer.url).expect(410)


def idle_proposal(stream: dict[str, Any]) -> bytes:
    """What a reaper that missed the last minute would write."""
    now_ms = int(time.time() * 1000)
    stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    command = str(uuid.uuid4())
    event = {
        "specversion": "1.0", "id": command, "source": "/weir/reaper/late",
        "type": "command.idle", "subject": stream["id"], "time": stamp,
        "datacontenttype": "application/json",
        "data": {
            "command_id": command, "tenant_id": stream["tenant_id"], "stream_id": stream["id"],
            "generation": stream["generation"], "idle_ms": 60000, "timeout_ms": 5000,
            "issued_at_ms": now_ms, "expires_at_ms": now_ms + 30000,
        },
    }  # fmt: skip
    return json.dumps(event).encode()


def test_a_stale_proposal_is_refused_and_the_viewer_stays(stack: Stack, plain_url: str) -> None:
    user = stack.user("acme")
    camera = user.add_camera("late", plain_url)
    stream = user.start(camera["id"])
    stream = user.wait_state(stream["id"], "running")
    stream["tenant_id"] = token_claims(user.token or "")["app_metadata"]["tenant_id"]
    viewer = Viewer(user.ticket(stream["id"])).open()
    viewer.playlist()
    stack.produce("weir.commands.v1", idle_proposal(stream), stream["id"])

    def refused() -> bool:
        shown = stack.weirctl("log", "show", "--stream", stream["id"]).stdout
        everything = stack.weirctl("log", "show").stdout
        return "watched" in everything and "stopping" not in shown

    wait_for("the refusal is on the log", refused, 30)
    viewer.playlist()
    after = user.stream(stream["id"])
    assert (after["state"], after["generation"]) == ("running", stream["generation"])


def test_a_viewer_who_arrives_while_it_stops_is_not_cut(stack: Stack, plain_url: str) -> None:
    user = stack.user("acme")

    def is_kept(pause: float) -> bool:
        camera = user.add_camera(f"race-{pause}", plain_url, idle_timeout_s=5)
        stream = user.start(camera["id"])
        stream = user.wait_state(stream["id"], "running", seconds=30)
        viewer = Viewer(user.ticket(stream["id"])).open()
        viewer.playlist()
        time.sleep(pause)
        assert viewer.media_url
        if viewer.follow(viewer.media_url)[1].status != 200:
            user.wait_state(stream["id"], "stopped", seconds=15)
            return False
        for _ in range(8):
            viewer.playlist()
            time.sleep(0.25)
        after = user.wait_state(stream["id"], "running", seconds=15)
        assert after["generation"] == stream["generation"], "a viewer with an answer is not cut"
        return True

    # They come back just before, at and after the moment the reaper proposes.
    pauses = (4.2, 4.8, 4.9, 5.0, 5.1, 5.2)
    with concurrent.futures.ThreadPoolExecutor(len(pauses)) as pool:
        kept = list(pool.map(is_kept, pauses))
    assert any(kept)


def test_the_engine_is_killed_and_it_plays_again_on_the_same_url(
    stack: Stack, plain_url: str
) -> None:
    user = stack.user("acme")
    camera = user.add_camera("engine", plain_url)
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    viewer = Viewer(user.ticket(stream["id"])).open()
    before = viewer.playlist()
    stack.kill("mediamtx")

    def moved_on() -> bool:
        viewer.open()
        playlist = viewer.playlist()
        assert playlist.sequence >= before.sequence, "a sequence never goes backwards"
        return playlist.sequence > before.last_sequence

    start = time.monotonic()
    wait_for("the playlist goes on with higher numbers", moved_on, 30)
    print(f"plays again {since(start):.1f} s after the engine was killed")
    assert viewer.playlist().discontinuity > before.discontinuity
    assert user.stream(stream["id"])["state"] in ("running", "backoff", "starting")
    assert len(viewer.newest_segment()) > 1000


def test_the_worker_is_told_which_camera_is_exclusive(stack: Stack, plain_url: str) -> None:
    """It fences those alone (docs/adr/0022)."""
    user = stack.user("acme")
    secret = (stack.home / "secrets" / "worker-secret").read_text().strip()
    internal = settings.read(stack.home / "env" / "worker-0.env")["WEIR_API_INTERNAL_URL"]
    for is_exclusive in (True, False):
        camera = user.add_camera(f"exclusive-{is_exclusive}", plain_url, exclusive=is_exclusive)
        stream = user.start(camera["id"])
        placed = user.wait_state(stream["id"], "running")
        told = fetch(
            f"{internal}/internal/v1/cameras/{camera['id']}/source?worker_id={placed['worker_id']}",
            headers={"Authorization": f"Bearer {secret}"},
        ).expect(200)
        assert told.json["exclusive"] is is_exclusive
        user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)


def test_without_a_valid_ticket_nobody_gets_in(stack: Stack, plain_url: str) -> None:
    user = stack.user("acme")
    camera = user.add_camera("locked", plain_url)
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    url = user.ticket(stream["id"])
    base, ticket, stream_id, file = url.rsplit("/", 3)
    other = stack.user("globex")
    fetch(f"{base}/{ticket}/{uuid.uuid4()}/{file}").expect(401, 403, 404)
    fetch(f"{base}/{ticket[:-4]}AAAA/{stream_id}/{file}").expect(401, 403)
    fetch(f"{base}/x/{stream_id}/{file}").expect(401, 403, 404)
    fetch(f"{base}//{stream_id}/{file}").expect(400, 401, 403, 404)
    fetch(f"{stack.values['WEIR_GATEWAY_URL']}/internal/v1/play").expect(404)
    unknown = other.get(f"/v1/streams/{uuid.uuid4()}")
    foreign = other.get(f"/v1/streams/{stream_id}")
    assert (foreign.status, shape(foreign.body)) == (404, shape(unknown.body))
    other.call("POST", f"/v1/streams/{stream_id}/tickets").expect(404)
    other.get(f"/v1/cameras/{camera['id']}").expect(404)
    other.call("POST", "/v1/streams", {"camera_id": camera["id"], "quality": "source"}).expect(404)


def shape(body: bytes) -> str:
    problem = json.loads(body)
    return str({k: v for k, v in problem.items() if k not in ("request_id", "instance")})


def test_a_wrong_password_fails_with_its_reason(stack: Stack, awkward_url: str) -> None:
    user = stack.user("acme")
    camera = user.add_camera("wrong", awkward_url, username="viewer", password="nope-nope-nope")
    stream = user.start(camera["id"])
    failed = user.wait_state(stream["id"], "failed", seconds=30)
    assert failed["reason"] == "source_auth_failed"


def test_the_audit_tells_the_story_and_its_chain_verifies(stack: Stack, plain_url: str) -> None:
    user = stack.user("audited")
    camera = user.add_camera("story", plain_url)
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "running")
    user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)
    user.wait_state(stream["id"], "stopped")

    def story() -> list[str] | None:
        answer = user.get("/v1/audit-events?limit=200").expect(200).json
        events = [e for e in answer["items"] if e.get("stream_id") == stream["id"]]
        states = [e.get("to") for e in sorted(events, key=lambda e: (e["offset"], e["id"]))]
        return states if "stopped" in states else None

    states = wait_for("the audit holds the stream's end", story, 30)
    wanted = ["queued", "placed", "starting", "running", "stopping", "stopped"]
    seen = [state for state in states if state in wanted]
    assert [s for i, s in enumerate(seen) if i == 0 or seen[i - 1] != s] == wanted, states
    verified = stack.weirctl("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    other = stack.user("globex").get("/v1/audit-events?limit=200").expect(200).json
    assert all(e.get("stream_id") != stream["id"] for e in other["items"])


def test_a_command_without_kafka_is_unknown_and_safe_to_retry(
    stack: Stack, plain_url: str
) -> None:
    user = stack.user("acme")
    camera = user.add_camera("no-kafka", plain_url)
    running = user.add_camera("plays-on", plain_url)
    stream = user.start(running["id"])
    user.wait_state(stream["id"], "running")
    viewer = Viewer(user.ticket(stream["id"])).open()
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    body = {"camera_id": camera["id"], "quality": "source"}
    pids = [pid for pid in stack.processes("java")]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        answer = user.call("POST", "/v1/streams", body, key).expect(503)
        print(f"503 after {since(start):.1f} s")
        assert answer.json["code"] == "outcome_unknown"
        user.get(f"/v1/cameras/{camera['id']}").expect(200)
        user.get(f"/v1/streams/{stream['id']}").expect(200)
        assert viewer.playlist().uris()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    retried = wait_for(
        "the retry is taken",
        lambda: (a := user.call("POST", "/v1/streams", body, key)).status in (200, 202) and a,
        60,
    )
    user.wait_state(retried.json["id"], "running")


def test_no_log_holds_a_ticket_a_token_or_a_camera_password(stack: Stack) -> None:
    """Last in this file: by now every part has logged what it had to say."""
    user = stack.user("acme")
    tickets = [
        user.ticket(item["id"]).split("/live/")[1].split("/")[0]
        for item in user.get("/v1/streams?limit=100").expect(200).json["items"]
        if item["state"] == "running"
    ]
    secrets = [PASSWORD, quote(PASSWORD, safe=""), "nope-nope-nope", user.token or "", *tickets]
    secrets += [
        path.read_text().strip()
        for path in Path(stack.home / "secrets").iterdir()
        if path.name.endswith("-secret")
    ]
    needles = {needle.encode() for text in secrets for needle in text.split() if len(needle) > 7}
    needles |= {b"/live/ey", PASSWORD.encode()}
    assert len(needles) >= 5 and stack.logs()
    for path in stack.logs():
        content = path.read_bytes()
        for needle in needles:
            assert needle not in content, f"{path.name} holds a secret"

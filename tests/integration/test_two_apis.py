# SPDX-License-Identifier: Apache-2.0
"""Two apis before one cell: what one acknowledged the other one knows; either may die, and Postgres,
Kafka and the keys of tokens may be away or hang, and nobody waits for what he does not need."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from client import Answer, Api, fetch, wait_for
from conftest import free_port_base
from dev import topics
from faults.processes import family, paused, pid_of
from key_server import KeyServer
from stack import Stack

DEAD = "rtsp://127.0.0.1:1/none"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyServer]:
    server = KeyServer(tmp_path_factory.mktemp("keys"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def stack(keys: KeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("weir") / "home", free_port_base())
    made.dev("infra", "up")  # makes the keys of this instance
    keys.keys = json.loads((made.home / "secrets" / "jwks.json").read_text())
    local = made.home / "local"
    local.mkdir()
    (local / "weir-api.env").write_text(f"WEIR_JWKS={keys.url}\nWEIR_JWKS_CA_FILE={keys.ca}\n")
    with made.running(apis=2):
        yield made


def post_start(user: Api, camera: str, key: str | None = None) -> Answer:
    headers = {"Idempotency-Key": f'"{key or uuid.uuid4()}"'}
    return user.call("POST", "/v1/streams", {"camera_id": camera, "quality": "source"}, headers)


def accepted(user: Api, camera: str) -> Answer:
    """A 202; a busy Kafka may need more than one try, which is what the key is for."""
    key = str(uuid.uuid4())

    def look() -> Answer:
        return post_start(user, camera, key).expect(202, 200)

    return wait_for("the start is accepted", look, 60)


def is_taken(user: Api, camera: str, key: str) -> bool:
    return post_start(user, camera, key).status in (200, 202)


def decisions(stack: Stack) -> list[dict[str, Any]]:
    text = topics.read(stack.values["WEIR_KAFKA"], "weir.decisions.v1")
    return [json.loads(line)["data"] for line in text.splitlines()]


def timed(what: Callable[[], Answer]) -> tuple[float, Answer]:
    begun = time.monotonic()
    answer = what()
    return time.monotonic() - begun, answer


# ---- one writes, the other one reads ----


def test_what_one_api_accepted_is_there_at_the_other_at_once(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    """Also while no scheduler decides: it is the command in Kafka that both know."""
    first, second = pair
    cameras = [first.add_camera(f"twin-{i}", DEAD)["id"] for i in range(20)]
    for i, camera in enumerate(cameras):
        writer, reader = (first, second) if i % 2 else (second, first)
        made = accepted(writer, camera)
        assert reader.get(made.headers["location"]).expect(200).json["id"] == made.json["id"]
        assert reader.ticket(made.json["id"])
    with paused(stack.processes("weir-scheduler")):
        camera = first.add_camera("undecided", DEAD)["id"]
        made = accepted(first, camera)
        assert second.stream(made.json["id"])["state"] == "queued"
        post_start(second, camera).expect(200)
        listed = second.get("/v1/streams?limit=200").expect(200).json["items"]
        assert [s["state"] for s in listed if s["id"] == made.json["id"]] == ["queued"]
    first.wait_state(made.json["id"], "backoff", "failed", "stopped")


def test_unknown_and_foreign_streams_are_told_alike_and_soon(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, second = pair
    mine = accepted(first, first.add_camera("mine", DEAD)["id"]).json["id"]
    globex = Api(second.base, stack.user("globex").token)
    nobody, unknown = timed(lambda: second.get(f"/v1/streams/{uuid.uuid4()}"))
    other, foreign = timed(lambda: globex.get(f"/v1/streams/{mine}"))
    print(f"404 of an unknown stream after {nobody * 1000:.0f} ms, foreign {other * 1000:.0f} ms")
    for answer in (unknown, foreign):
        answer.expect(404)
    strip = {"request_id": None, "instance": None}
    assert {**unknown.json, **strip} == {**foreign.json, **strip}


# ---- killed and asked again ----


def test_an_api_killed_among_requests_loses_and_doubles_nothing(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, second = pair
    wishes = [(first.add_camera(f"killed-{i}", DEAD)["id"], str(uuid.uuid4())) for i in range(40)]
    acknowledged: dict[str, str] = {}

    def wish(one: tuple[str, str]) -> None:
        camera, key = one
        try:
            answer = post_start(first, camera, key)
        except OSError:
            return  # what became of it is unknown
        if answer.status == 202:
            acknowledged[key] = answer.json["id"]

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(wish, one) for one in wishes]
        wait_for("some are through", lambda: len(acknowledged) >= 5, 30, 0.002)
        os.kill(pid_of(stack.home, "api"), signal.SIGKILL)
        for one in running:
            one.result()
    print(f"{len(acknowledged)} of {len(wishes)} were acknowledged before the kill")
    for stream in acknowledged.values():
        second.get(f"/v1/streams/{stream}").expect(200)
    for camera, key in wishes:
        wait_for("the retry is taken", partial(is_taken, second, camera, key), 60)
    again = {key: post_start(second, camera, key).expect(200, 202).json["id"] for camera, key in wishes}
    assert all(again[key] == stream for key, stream in acknowledged.items())
    stack.start_what_is_dead()
    for stream in again.values():
        first.wait_state(stream, "backoff", "failed", "stopped", "starting", "placed", seconds=60)
    placed: dict[str, int] = {}
    for decision in decisions(stack):
        for effect in decision["effects"]:
            if effect.get("stream_id") in again.values() and effect["to"] == "queued":
                placed[effect["stream_id"]] = placed.get(effect["stream_id"], 0) + 1
    assert set(placed.values()) <= {1} and len(placed) == len(wishes)


# ---- Postgres away, or hung ----


def is_ready(stack: Stack, offset: int = 10) -> bool:
    return fetch(f"http://127.0.0.1:{stack.port_base + offset}/readyz").status == 200


def test_a_hung_postgres_holds_nobody_who_does_not_need_it(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, _ = pair
    known, new = (first.add_camera(name, DEAD)["id"] for name in ("known", "never-started"))
    stream = accepted(first, known).json["id"]
    first.wait_state(stream, "backoff", "failed")
    first.call("DELETE", f"/v1/streams/{stream}").expect(202)
    first.wait_state(stream, "stopped")
    with paused(family(pid_of(stack.home, "postgres"))):
        slowest = 0.0
        with ThreadPoolExecutor(40) as pool:
            # Half of these need Postgres and none may be held by those that do.
            needing = [pool.submit(first.get, "/v1/cameras") for _ in range(20)]
            for _ in range(40):
                took, answer = timed(lambda: first.get(f"/v1/streams/{stream}"))
                answer.expect(200)
                slowest = max(slowest, took)
            assert {one.result().expect(503).json["code"] for one in needing} <= {"unavailable", "timeout"}
        print(f"slowest read while Postgres hangs: {slowest:.2f} s")
        assert slowest < 5
        wait_for("it says that it is not ready", lambda: not is_ready(stack), 30)
        took, answer = timed(lambda: post_start(first, known))
        print(f"a start of a known camera took {took:.2f} s")
        answer.expect(202, 503)
        accepted(first, known)
        post_start(first, new).expect(503)
        first.ticket(stream)
    wait_for("it is ready again", lambda: is_ready(stack), 60)
    first.get("/v1/cameras").expect(200)
    accepted(first, new)


def test_an_api_starts_while_postgres_hangs_and_serves_what_it_can(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, second = pair
    stream = first.get("/v1/streams?limit=1").expect(200).json["items"][0]["id"]
    os.kill(pid_of(stack.home, "api-2"), signal.SIGKILL)
    with paused(family(pid_of(stack.home, "postgres"))):
        environment = dict(
            line.split("=", 1) for line in (stack.home / "env" / "api-2.env").read_text().splitlines()
        )
        program = Path(os.readlink(f"/proc/{pid_of(stack.home, 'api')}/exe"))
        with (stack.home / "log" / "api-2-hung.log").open("ab") as log:
            api = subprocess.Popen([str(program)], env={**os.environ, **environment}, stderr=log)
        try:
            wait_for("it answers", lambda: second.get(f"/v1/streams/{stream}").status == 200, 60)
            second.get("/v1/cameras").expect(503)
            assert not is_ready(stack, 17)
        finally:
            api.terminate()
            assert api.wait(30) == 0
    stack.start_what_is_dead()
    second.get("/v1/cameras").expect(200)


def test_a_restarted_postgres_is_found_again(stack: Stack, pair: tuple[Api, Api]) -> None:
    first, _ = pair
    stack.dev("stop", "postgres")
    first.get("/v1/cameras").expect(503)
    first.get("/v1/streams").expect(200)
    stack.dev("start", "postgres")
    wait_for("cameras are told again", lambda: first.get("/v1/cameras").status == 200, 30)
    wait_for("it is ready", lambda: is_ready(stack), 30)


# ---- Kafka away ----


def test_after_kafka_was_away_for_long_a_retried_key_is_done_once(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, second = pair
    wishes = [(first.add_camera(f"away-{i}", DEAD)["id"], str(uuid.uuid4())) for i in range(4)]
    with paused(stack.processes("java")):
        for camera, key in wishes:
            took, answer = timed(partial(post_start, first, camera, key))
            assert answer.expect(503).json["code"] == "outcome_unknown"
            print(f"outcome unknown after {took:.2f} s")
        first.get("/v1/streams").expect(200)
        time.sleep(31)  # longer than a command lives: what was sent late must not surprise anybody
    for camera, key in wishes:
        for user in (second, first):
            wait_for("the retry is taken", partial(is_taken, user, camera, key), 60)
    for camera, _ in wishes:
        stream = post_start(first, camera).expect(200, 202).json["id"]
        first.wait_state(stream, "backoff", "failed", "starting", "placed", seconds=60)
    streams = {s["id"]: s["camera_id"] for s in first.get("/v1/streams?limit=200").json["items"]}
    queued: dict[str, int] = {}
    for decision in decisions(stack):
        for effect in decision["effects"]:
            if effect["to"] == "queued" and effect.get("stream_id") in streams:
                camera = streams[effect["stream_id"]]
                queued[camera] = queued.get(camera, 0) + 1
    assert [queued[camera] for camera, _ in wishes] == [1] * len(wishes)


# ---- the keys of tokens ----


def token_of_key(stack: Stack, kid: str, pem: Path) -> str:
    """What `./dev token` gives, signed by another key."""
    home = stack.home.parent / f"keys-{kid}"
    if not home.exists():
        shutil.copytree(stack.home / "secrets", home / "secrets")
        shutil.copy(stack.home / "instance.json", home / "instance.json")
        shutil.copy(pem, home / "secrets" / "jwt-key.pem")
        named = json.loads((home / "secrets" / "jwks.json").read_text())
        named["keys"][0]["kid"] = kid
        (home / "secrets" / "jwks.json").write_text(json.dumps(named))
    other = Stack(home, stack.port_base)
    return other.token("acme")


def public_jwk(pem: Path, kid: str) -> dict[str, str]:
    import base64

    der = subprocess.run(
        ["openssl", "pkey", "-in", str(pem), "-pubout", "-outform", "DER"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    x, y = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (der[-64:-32], der[-32:]))
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y}


def test_a_rotated_key_is_fetched_by_https_and_a_flood_of_unknown_ones_holds_nobody(
    stack: Stack, pair: tuple[Api, Api], keys: KeyServer, tmp_path: Path
) -> None:
    first, _ = pair
    assert keys.fetches >= 2, "the apis did not ask the key server"
    pem = tmp_path / "rotated.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(pem)],
        check=True, capture_output=True,
    )  # fmt: skip
    forged = token_of_key(stack, "nobody", pem)
    rotated = token_of_key(stack, "rotated", pem)
    # An api asks again for a key it does not know half a minute after the last time at the earliest.
    time.sleep(max(0.0, keys.asked_at + 31 - time.monotonic()))
    fetched = keys.fetches
    keys.keys = {"keys": [*keys.keys["keys"], public_jwk(pem, "rotated")]}
    keys.delay_s = 1.5
    with ThreadPoolExecutor(64) as pool:
        flood = [pool.submit(Api(first.base, forged).get, "/v1/cameras") for _ in range(60)]
        wanted = pool.submit(Api(first.base, rotated).get, "/v1/streams")
        slowest = 0.0
        for _ in range(20):
            took, answer = timed(lambda: first.get("/v1/streams?limit=1"))
            answer.expect(200)
            slowest = max(slowest, took)
        wanted.result().expect(200)
        assert {one.result().status for one in flood} <= {401, 503}
    print(f"slowest answer to a known token in the flood: {slowest:.2f} s")
    assert keys.fetches == fetched + 1
    refused = (stack.home / "log" / "api.log").read_bytes().count(b"token refused")
    assert refused < 60, "a flood of refused tokens fills the log"

# SPDX-License-Identifier: Apache-2.0
"""Starts that need no Postgres: what the apis keep of cameras in Redis and in memory, what they do
not believe, and how soon a change counts. Then the same cameras sealed for a new key, while one of
them is watched."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from client import Answer, Api, Viewer, fetch, wait_for
from conftest import stack_of
from dev import topics
from faults import settings
from stack import Stack

DEAD = "rtsp://127.0.0.1:1/none"
PASSWORD = "open:s3same"
APIS = ("api", "api-2")
CAMERAS = 64
ROUNDS = 5
ENDED = ("stopped", "cancelled", "failed", "expired", "rejected")


# A camera is let go soon; then its worker must look for its source again.
stack = stack_of({"weir-scheduler": {"WEIR_TAP_LINGER_S": "3"}}, apis=2)


@pytest.fixture(scope="module")
def pair(stack: Stack) -> tuple[Api, Api]:
    """The same user at the first api and at the second one."""
    both = stack.both(stack.user("acme"))
    stack.change_tenant("acme", max_streams=10_000)
    return both


def sql(stack: Stack, text: str) -> str:
    done = subprocess.run(
        ["psql", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", text, stack.values["WEIR_POSTGRES"]],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def redis(stack: Stack, *args: str) -> str:
    argv = ["redis-cli", "--no-auth-warning", "-u", stack.values["WEIR_REDIS"], *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout.strip()


def metric(stack: Stack, process: str, name: str, label: str) -> int:
    listen = settings.read(stack.home / "env" / f"{process}.env")["WEIR_ADMIN_LISTEN"]
    text = fetch(f"http://{listen}/metrics").expect(200).body.decode()
    found = re.search(rf'^{name}\{{\w+="{label}"\}} (\d+)$', text, re.MULTILINE)
    assert found, f"{process} tells no {name} of {label}"
    return int(found.group(1))


def both(stack: Stack, name: str, label: str) -> int:
    return sum(metric(stack, api, name, label) for api in APIS)


def post_start(user: Api, camera: str, key: str | None = None) -> Answer:
    headers = {"Idempotency-Key": f'"{key or uuid.uuid4()}"'}
    return user.call("POST", "/v1/streams", {"camera_id": camera, "quality": "source"}, headers)


def stop(user: Api, stream: str) -> None:
    user.call("DELETE", f"/v1/streams/{stream}").expect(202)


def stopped(user: Api, stream: str) -> None:
    stop(user, stream)
    user.wait_state(stream, *ENDED)


# ---- a busy hour ----


class Statements:
    """What Postgres itself says it was asked by the apis, of cameras and keys."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.log = stack.home / "log" / "postgres.log"
        self.since = 0

    def __enter__(self) -> "Statements":
        sql(self.stack, "ALTER SYSTEM SET log_statement = 'all'")
        sql(self.stack, "SELECT pg_reload_conf()")
        self.since = self.log.stat().st_size
        # A listing asks for cameras, so it is seen when the setting counts.
        user = self.stack.user("acme")

        def is_told() -> int:
            user.get("/v1/cameras?limit=1").expect(200)
            return self.count()

        wait_for("Postgres tells what it is asked", is_told, 30)
        self.since = self.log.stat().st_size
        return self

    def __exit__(self, *_: object) -> None:
        sql(self.stack, "ALTER SYSTEM RESET log_statement")
        sql(self.stack, "SELECT pg_reload_conf()")

    def count(self) -> int:
        with self.log.open("rb") as file:
            file.seek(self.since)
            lines = file.read().decode(errors="replace").splitlines()
        asked = [line for line in lines if " weir_api " in line and ("execute" in line or "statement:" in line)]
        return len([line for line in asked if re.search(r"\bcamera\b|\bidempotency\b", line)])


def test_of_the_starts_of_a_busy_hour_hardly_any_asks_postgres(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, _ = pair
    cameras = [first.add_camera(f"busy-{i}", DEAD)["id"] for i in range(CAMERAS)]

    def wish(number: int) -> tuple[Api, str]:
        user = pair[number % 2]
        return user, post_start(user, cameras[number % CAMERAS]).expect(202).json["id"]

    def round_of(pool: ThreadPoolExecutor, number: int) -> None:
        begin = number * (CAMERAS + 1)  # each camera at the one api and at the other
        made = list(pool.map(wish, range(begin, begin + CAMERAS)))
        list(pool.map(lambda one: stopped(*one), made))

    with ThreadPoolExecutor(8) as pool:
        round_of(pool, 0)  # each is read once
        asked = both(stack, "weir_api_starts_total", "asked")
        free = both(stack, "weir_api_starts_total", "not_asked")
        with Statements(stack) as statements:
            begun = time.monotonic()
            for number in range(ROUNDS):
                round_of(pool, number)
            told, took = statements.count(), time.monotonic() - begun
    asked = both(stack, "weir_api_starts_total", "asked") - asked
    free = both(stack, "weir_api_starts_total", "not_asked") - free
    print(f"{free + asked} starts in {took:.0f} s: {asked} asked Postgres, which was asked {told} times")
    assert free + asked == CAMERAS * ROUNDS >= 300
    assert asked <= (free + asked) // 100
    assert told <= (free + asked) // 100  # what workers needed to know is among these


def test_many_starts_of_a_new_camera_ask_for_it_once(stack: Stack, pair: tuple[Api, Api]) -> None:
    with Statements(stack) as statements, ThreadPoolExecutor(16) as pool:
        camera = pair[0].add_camera("herd", DEAD)["id"]
        before = statements.count()
        answers = list(pool.map(lambda n: post_start(pair[n % 2], camera), range(16)))
        asked = statements.count() - before
    print(f"{len(answers)} starts at once, Postgres was asked {asked} times")
    assert {answer.status for answer in answers} <= {200, 202}
    assert 1 <= asked <= 4  # each api once, and one that came late
    stopped(pair[0], answers[0].json["id"])


# ---- changes ----


def established(stack: Stack, url: str) -> set[str]:
    """The near ends of the connections to a camera."""
    port = urllib.parse.urlsplit(url).port
    argv = ["ss", "-Htn", "state", "established", f"( dport = :{port} )"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout
    return {line.split()[2] for line in lines.splitlines()}


def test_a_camera_that_moved_is_pulled_at_its_new_address(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    old, new = (stack.camera(name, "--gop", "1") for name in ("old-place", "new-place"))
    first, second = pair
    camera = first.add_camera("moving", old)["id"]
    stream = post_start(second, camera).expect(202).json["id"]
    second.wait_state(stream, "running")
    assert established(stack, old) and not established(stack, new)
    first.call("PATCH", f"/v1/cameras/{camera}", {"source": {"url": new}}).expect(200)
    begun = time.monotonic()
    wait_for("the new address is pulled", lambda: established(stack, new), 30, 0.01)
    print(f"pulled there {time.monotonic() - begun:.2f} s after the change was answered")
    wait_for("the old one is not", lambda: not established(stack, old), 30)
    stopped(first, stream)


def test_a_start_after_an_answered_change_is_by_the_change(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    """Changed at one api, started at the other one, at once."""
    live = stack.camera("turned-off", "--gop", "1")
    wishes = []
    for number in range(4):
        changer, starter = pair[number % 2], pair[1 - number % 2]
        camera = changer.add_camera(f"turned-{number}", live)["id"]
        wishes.append((changer, starter, camera, started(starter, camera)))
    for _, starter, _, stream in wishes:
        starter.wait_state(stream, "running")
        stopped(starter, stream)
    wait_for("the cameras are let go", lambda: not established(stack, live), 60)
    for changer, starter, camera, stream in wishes:
        changer.call("PATCH", f"/v1/cameras/{camera}", {"source": {"url": DEAD}}).expect(200)
        assert started(starter, camera) == stream
    for changer, starter, camera, stream in wishes:
        starter.wait_state(stream, "backoff", "failed")
        stopped(starter, stream)
        changer.call("DELETE", f"/v1/cameras/{camera}").expect(204)
        post_start(starter, camera).expect(404)
    effects = [effect for decision in decisions(stack) for effect in decision["effects"]]
    for _, _, _, stream in wishes:
        states = [e["to"] for e in effects if e.get("stream_id") == stream and e["entity"] == "stream"]
        assert states.count("running") == 1, states


def decisions(stack: Stack) -> list[dict[str, Any]]:
    text = topics.read(stack.values["WEIR_KAFKA"], "weir.decisions.v1")
    return [json.loads(line)["data"] for line in text.splitlines()]


def test_a_tenants_limits_count_at_once_at_every_api(stack: Stack, pair: tuple[Api, Api]) -> None:
    small = stack.user("small")
    other = stack.both(small)[1]
    cameras = [small.add_camera(f"small-{i}", DEAD)["id"] for i in range(3)]
    for user in (small, other):  # known to both
        for camera in cameras:
            stopped(user, post_start(user, camera).expect(202).json["id"])
    stack.change_tenant("small", max_streams=1)
    stream = post_start(other, cameras[0]).expect(202).json["id"]
    # An api counts what another one accepted when it has read it.
    wait_for("it lives", lambda: small.stream(stream)["state"] not in ENDED, 20, 0.02)
    for user in (small, other):
        answer = post_start(user, cameras[1]).expect(429)
        assert answer.json["code"] == "quota_exceeded"
    stack.change_tenant("small", max_streams=2)

    def is_taken() -> bool:
        """The scheduler holds the limit too, and hears of the change from the log alone."""
        second = post_start(other, cameras[1]).expect(200, 202).json["id"]
        return small.wait_state(second, "placed", "starting", "backoff", *ENDED)["state"] not in ENDED

    wait_for("a second one is taken", is_taken, 60)
    post_start(small, cameras[2]).expect(429)
    stack.change_tenant("small", stopped=True)
    for user in (small, other):
        assert post_start(user, cameras[2]).expect(403).json["code"] == "tenant_stopped"
    stack.change_tenant("small", stopped=False)
    stopped(small, stream)


# ---- what is not believed ----


def entry(stack: Stack, camera: str) -> tuple[str, str]:
    v, e = redis(stack, "HMGET", f"weir:source:0:{camera}", "v", "e").split("\n")
    assert e
    return v, e


def plant(stack: Stack, camera: str, v: str, e: str) -> None:
    redis(stack, "HSET", f"weir:source:0:{camera}", "v", v, "e", e)


@contextmanager
def counted(stack: Stack, what: str) -> Iterator[None]:
    before = both(stack, "weir_api_source_cache_total", what)
    yield
    assert both(stack, "weir_api_source_cache_total", what) > before, what


def started(user: Api, camera: str) -> str:
    return str(post_start(user, camera).expect(202).json["id"])


def test_planted_moved_and_old_entries_are_refused_and_counted(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, second = pair
    live = stack.camera("believed", "--gop", "1")
    dead, yard, gate, hall, door = (
        first.add_camera(name, url)["id"]
        for name, url in (("dead", DEAD), ("yard", live), ("gate", live), ("hall", live), ("door", live))
    )
    stopped(first, started(first, dead))
    v, of_dead = entry(stack, dead)
    # Another camera's, and such an entry under a version that nothing would replace.
    for camera, version in ((yard, v), (gate, "99999999")):
        plant(stack, camera, version, of_dead)
        with counted(stack, "moved" if version == v else "forged"):
            stream = started(second, camera)
        second.wait_state(stream, "running")
        assert json.loads(entry(stack, camera)[1].split(".", 1)[1])["camera_id"] == camera
        stopped(second, stream)
    # Changed by one letter, and what is no hash at all.
    plant(stack, hall, v, of_dead.replace(dead, hall))
    with counted(stack, "forged"):
        stream = started(first, hall)
    first.wait_state(stream, "running")
    stopped(first, stream)
    redis(stack, "DEL", f"weir:source:0:{hall}")
    redis(stack, "SET", f"weir:source:0:{hall}", "text")
    with counted(stack, "forged"):
        stream = started(first, hall)
    first.wait_state(stream, "running")
    stopped(first, stream)
    # From before a change.
    stopped(first, started(first, door))
    v, of_door = entry(stack, door)
    first.call("PATCH", f"/v1/cameras/{door}", {"source": {"url": DEAD}}).expect(200)

    def refused() -> bool:
        plant(stack, door, v, of_door)
        before = both(stack, "weir_api_source_cache_total", "old")
        stopped(second, started(second, door))
        return both(stack, "weir_api_source_cache_total", "old") > before

    wait_for("both apis heard of the change", refused, 20)
    assert json.loads(entry(stack, door)[1].split(".", 1)[1])["camera_version"] == 2


def test_a_foreign_camera_is_as_unknown_as_one_that_is_not_there(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, second = pair
    camera = first.add_camera("mine", DEAD)["id"]
    stopped(second, started(second, camera))
    globex = Api(second.base, stack.user("globex").token)
    answers = []
    for wanted in (camera, str(uuid.uuid4())):
        answer = post_start(globex, wanted).expect(404)
        strip = {"request_id": None, "instance": None}
        answers.append({**answer.json, **strip})
    assert answers[0] == answers[1]
    stopped(second, started(second, camera))  # and it is still there for its own


# ---- keys ----


def test_a_key_names_one_wish_at_every_api(stack: Stack, pair: tuple[Api, Api]) -> None:
    first, second = pair
    cameras = [first.add_camera(f"keyed-{i}", DEAD)["id"] for i in range(2)]
    key = str(uuid.uuid4())

    def is_refused(user: Api, camera: str) -> bool:
        return bool(post_start(user, camera, key).expect(422).json["code"] == "idempotency_key_reused")

    stream = post_start(first, cameras[0], key).expect(202).json["id"]
    assert post_start(second, cameras[0], key).expect(200, 202).json["id"] == stream
    assert is_refused(second, cameras[1]) and is_refused(first, cameras[1])
    body = {"name": "keyed", "source": {"url": DEAD}}
    header = {"Idempotency-Key": f'"{key}"'}
    first.call("POST", "/v1/cameras", body, header).expect(422)
    other = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    first.call("POST", "/v1/cameras", body, other).expect(201)
    start = {"camera_id": cameras[1], "quality": "source"}
    second.call("POST", "/v1/streams", start, other).expect(422)
    # The log of commands still tells what the key was for.
    redis(stack, "FLUSHALL")
    assert is_refused(second, cameras[1]) and is_refused(first, cameras[1])
    stopped(first, stream)


def test_a_wish_that_changes_nothing_leaves_no_key(stack: Stack, pair: tuple[Api, Api]) -> None:
    """Any number of them may come: no quota counts a start of what lives, or a stop of what ended."""
    first, second = pair
    camera, other = (first.add_camera(f"unchanged-{i}", DEAD)["id"] for i in range(2))
    stream = started(first, camera)
    wait_for("both know it", lambda: second.call("GET", f"/v1/streams/{stream}").status == 200, 20)

    def kept() -> int:
        return len(redis(stack, "--scan", "--pattern", "weir:key:0:*").split())

    def rows() -> int:
        return int(sql(stack, "SELECT count(*) FROM idempotency"))

    before, key = (kept(), rows()), str(uuid.uuid4())
    for user in (first, second, first):
        assert post_start(user, camera, key).expect(200).json["id"] == stream
    assert (kept(), rows()) == before
    # So it is free for another wish, which is kept; then it is not for the first one any more.
    wanted = post_start(first, other, key).expect(202).json["id"]
    assert (kept(), rows()) == (before[0] + 1, before[1])
    for user in (first, second):
        assert post_start(user, camera, key).expect(422).json["code"] == "idempotency_key_reused"
    stopped(first, stream)
    stopped(second, wanted)
    before = (kept(), rows())
    header = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    for _ in range(3):
        first.call("DELETE", f"/v1/streams/{stream}", None, header).expect(202)
    used = {"Idempotency-Key": f'"{key}"'}
    assert first.call("DELETE", f"/v1/streams/{wanted}", None, used).status == 422
    assert (kept(), rows()) == before


# ---- when something is away ----


def test_starts_go_on_without_redis_and_without_postgres(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, second = pair
    live = stack.camera("steady", "--gop", "1")
    camera = first.add_camera("steady", live)["id"]
    for user in pair:
        stopped(user, started(user, camera))

    took: list[str] = []

    def goes(user: Api) -> None:
        begun = time.monotonic()
        stream = wait_for("the start is taken", lambda: started(user, camera), 30)
        taken = time.monotonic() - begun
        user.wait_state(stream, "running")
        runs = time.monotonic() - begun
        stopped(user, stream)
        took.append(f"{taken:.1f} {runs:.1f} {time.monotonic() - begun:.1f}")

    redis(stack, "FLUSHALL")
    asked = both(stack, "weir_api_starts_total", "asked")
    for user in pair:
        goes(user)
    assert both(stack, "weir_api_starts_total", "asked") == asked, "memory knew it"
    stack.dev("stop", "redis")
    try:
        for user in pair:
            goes(user)
    finally:
        stack.dev("start", "redis")
    wait_for("Redis is used again", lambda: goes(first) or entry(stack, camera), 30)
    stack.dev("stop", "postgres")
    try:
        for user in pair:
            goes(user)
        redis(stack, "FLUSHALL")
        for user in pair:
            goes(user)
    finally:
        stack.dev("start", "postgres")
    print(f"taken, running, stopped after s: {', '.join(took)}")
    for user in pair:
        wait_for("cameras are told again", lambda u=user: u.get("/v1/cameras").status == 200, 30)


# ---- another key for what is sealed ----


class Watcher(threading.Thread):
    """A viewer who reloads the playlist all the time, and notes what he got."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.viewer = Viewer(url).open()
        self.seen: list[tuple[float, str, int]] = []
        self.errors: list[str] = []
        self.is_over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.is_over.wait(0.2):
            try:
                playlist = self.viewer.playlist()
                generation = urllib.parse.urlsplit(playlist.url).path.split("/")[-2]
                self.seen.append((time.monotonic(), generation, playlist.last_sequence))
            except (AssertionError, OSError) as error:
                self.errors.append(str(error)[:200])

    def end(self) -> float:
        """The longest time without a new segment."""
        self.is_over.set()
        self.join(30)
        news = [self.seen[0][0]]
        for before, after in zip(self.seen, self.seen[1:]):
            assert after[2] >= before[2], "a sequence never goes backwards"
            if after[2] > before[2]:
                news.append(after[0])
        news.append(self.seen[-1][0])
        return max(b - a for a, b in zip(news, news[1:]))


def seal_keys(stack: Stack) -> dict[str, int]:
    """Cameras by the key that they are sealed for."""
    text = sql(stack, "SELECT seal_key, count(*) FROM camera GROUP BY seal_key")
    return {key: int(n) for key, n in (line.split("|") for line in text.splitlines())}


def rewrap(stack: Stack, secret: str | None = None) -> subprocess.CompletedProcess[str]:
    secrets = stack.home / "secrets"
    given = secrets / "rewrap-given"
    given.write_text(secret or (secrets / "rewrap-secret").read_text())
    given.chmod(0o600)
    stack.environment |= {
        "WEIR_API_INTERNAL_URL": f"http://127.0.0.1:{stack.port_base + 2}",
        "WEIR_REWRAP_SECRET_FILE": str(given),
        "WEIR_SEAL_PRIVATE_KEY_FILE": str(secrets / "seal.key"),
    }
    return stack.weirctl("rewrap")


@pytest.fixture(scope="module")
def locked_url(stack: Stack) -> str:
    return stack.camera("locked", "--gop", "1", "--user", "viewer", "--password", PASSWORD)


def source_of(url: str, password: str) -> dict[str, Any]:
    return {"source": {"url": url, "username": "viewer", "password": password}}


def test_the_key_is_replaced_while_somebody_watches(
    stack: Stack, pair: tuple[Api, Api], locked_url: str
) -> None:
    first, second = pair
    watched, kept, patched = (
        first.add_camera(name, locked_url, username="viewer", password=PASSWORD if n < 2 else "old")
        for n, name in enumerate(("watched", "kept", "patched"))
    )
    stream = started(second, watched["id"])
    first.wait_state(stream, "running")
    before = seal_keys(stack)
    versions = sql(stack, f"SELECT version, source_version FROM camera WHERE id = '{kept['id']}'")
    assert len(before) == 1
    wait_for("one connection", lambda: len(established(stack, locked_url)) == 1, 20)
    ends = established(stack, locked_url)
    watcher = Watcher(first.ticket(stream))
    wait_for("the viewer plays", lambda: watcher.seen and watcher.seen[-1][2] > watcher.seen[0][2], 30)
    is_over = threading.Event()
    patches: list[int] = []

    def patch_all_the_time() -> None:
        """The api that is asked restarts meanwhile; what it answered counts."""
        while not is_over.wait(0.05):
            for user in pair:
                try:
                    body = source_of(locked_url, PASSWORD)
                    answer = user.call("PATCH", f"/v1/cameras/{patched['id']}", body)
                    patches.append(answer.status)
                except OSError:
                    pass

    patcher = threading.Thread(target=patch_all_the_time)
    patcher.start()
    try:
        told = stack.dev("rotate-seal-key")
    finally:
        is_over.set()
        patcher.join(30)
    seen = watcher.seen[-1][2]
    wait_for("the viewer plays on", lambda: watcher.seen[-1][2] > seen + 3, 30)
    gap = watcher.end()
    print(told.strip().splitlines()[-2:], f"{patches.count(200)} changes meanwhile, gap {gap:.1f} s")
    assert f"cameras still under key {next(iter(before))}: 0" in told
    assert patches.count(200) > 3
    # Everything is under one new key, and nobody noticed.
    after = seal_keys(stack)
    assert len(after) == 1 and set(after) != set(before) and sum(after.values()) == sum(before.values())
    assert {generation for _, generation, _ in watcher.seen} == {watcher.seen[0][1]}
    assert established(stack, locked_url) == ends, "the tap connected again"
    assert gap < 8, watcher.errors[-3:]
    told = sql(stack, f"SELECT version, source_version FROM camera WHERE id = '{kept['id']}'")
    assert told == versions
    stopped(first, stream)
    # The new key alone is left, and all cameras start; the changed one by what it was changed to.
    assert len((stack.home / "secrets" / "seal.key").read_text().split()) == 1
    stack.dev("stop", "worker-0")
    redis(stack, "FLUSHALL")
    stack.dev("start", "worker-0")
    for camera in (watched, kept, patched):
        stream = wait_for("the start is taken", lambda c=camera: started(first, c["id"]), 60)
        first.wait_state(stream, "running")
        stopped(first, stream)


def test_sealing_again_may_be_repeated_and_needs_its_secret(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    again = rewrap(stack)
    assert again.returncode == 0, again.stderr
    wrong = rewrap(stack, "no secret of mine")
    assert wrong.returncode == 1 and "WEIR_REWRAP_SECRET" in wrong.stderr
    base = f"http://127.0.0.1:{stack.port_base + 2}/internal/v1/seals"
    worker = (stack.home / "secrets" / "worker-secret").read_text().strip()
    for headers in ({}, {"Authorization": f"Bearer {worker}"}, {"Authorization": "Bearer "}):
        fetch(base, headers=headers).expect(401)
        fetch(f"{base}/{uuid.uuid4()}", "POST", b"{}", headers).expect(401)


def test_a_camera_changed_meanwhile_keeps_what_it_was_changed_to(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    first, _ = pair
    camera = first.add_camera("raced", DEAD)["id"]
    # As texts were before keys had ids.
    sql(stack, f"UPDATE camera SET sealed = substring(sealed FROM 18) WHERE id = '{camera}'")
    base = f"http://127.0.0.1:{stack.port_base + 2}/internal/v1/seals"
    secret = (stack.home / "secrets" / "rewrap-secret").read_text().strip()
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    page = fetch(base, headers=headers).expect(200).json
    assert page["left"] == [{"key": "", "cameras": 1}]
    item = page["items"][0]
    assert item["camera_id"] == camera
    hash_of_it = hashlib.sha256(item["sealed"].encode()).hexdigest()
    first.call("PATCH", f"/v1/cameras/{camera}", {"source": {"url": DEAD}}).expect(200)
    changed = sql(stack, f"SELECT sealed FROM camera WHERE id = '{camera}'")

    def put(camera_id: str, was: str, sealed: str) -> Answer:
        body = json.dumps({"was": was, "sealed": sealed}).encode()
        return fetch(f"{base}/{camera_id}", "POST", body, headers)

    good = f"{page['key']}.AAAA"
    put(camera, hash_of_it, good).expect(412)
    put(str(uuid.uuid4()), hash_of_it, good).expect(404)
    put(camera, hash_of_it, "0123456789abcdef.AAAA").expect(409)
    put(camera, "short", good).expect(400)
    assert sql(stack, f"SELECT sealed FROM camera WHERE id = '{camera}'") == changed


def test_what_nobody_may_open_is_told(
    stack: Stack, pair: tuple[Api, Api], locked_url: str
) -> None:
    """A text of another camera, of another tenant's, and one for a key that is not here."""
    first, _ = pair
    mine, moved, lost = (
        first.add_camera(name, locked_url, username="viewer", password=PASSWORD)["id"]
        for name in ("mine", "moved", "lost")
    )
    foreign = stack.user("globex").add_camera("foreign", DEAD)["id"]
    stolen = first.add_camera("stolen", DEAD)["id"]
    for camera, by in ((moved, mine), (stolen, foreign)):
        sql(stack, f"UPDATE camera c SET sealed = o.sealed, source_version = o.source_version "
                   f"FROM camera o WHERE c.id = '{camera}' AND o.id = '{by}'")  # fmt: skip
        row = first.wait_state(started(first, camera), "backoff", "failed")
        assert row["reason"] == "source_unknown", row
        assert "another tenant, camera or version" in row["detail"]
    nobody = "f" * 16
    sql(stack, f"UPDATE camera SET sealed = convert_to('{nobody}', 'UTF8') || substring(sealed FROM 17) "
               f"WHERE id = '{lost}'")  # fmt: skip
    row = first.wait_state(started(first, lost), "backoff", "failed")
    assert row["reason"] == "source_key_unknown", row
    assert nobody in row["detail"]
    # Whoever seals again leaves it, says so, and does not claim to be done.
    done = rewrap(stack)
    assert done.returncode == 1 and f"{lost}: sealed for key {nobody}" in done.stdout
    assert "keep those keys" in done.stderr

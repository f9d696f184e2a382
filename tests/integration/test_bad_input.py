# SPDX-License-Identifier: Apache-2.0
"""What comes from outside and is wrong: refused with a clear answer, and nothing else suffers."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator

import pytest
from client import Api, wait_for
from conftest import free_port_base
from stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("weir") / "home", free_port_base())
    try:
        made.up()
        yield made
    finally:
        made.down()


def dead_letters(stack: Stack) -> list[dict[str, str]]:
    out = subprocess.run(
        ["kcat", "-q", "-b", stack.values["WEIR_KAFKA"], "-C", "-t", "weir.dlq.v1", "-o",
         "beginning", "-e", "-J"],
        capture_output=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    letters = []
    for line in out.decode(errors="replace").splitlines():
        record = json.loads(line)
        flat = record.get("headers", [])
        letters.append({flat[i]: flat[i + 1] for i in range(0, len(flat), 2)})
    return letters


POISON = [
    b"\xff\xfe not even text",
    b"{",
    b"[]",
    b'{"specversion":"1.0"}',
    b'{"specversion":"1.0","id":"1","source":"x","type":"weir.nonsense","data":{}}',
    b"{" + b'"a":{' * 200 + b"}" * 201,
    b"x" * 200_000,
]


@pytest.mark.parametrize("topic", ["weir.commands.v1", "weir.facts.v1", "weir.heartbeats.v1"])
def test_a_poison_record_is_set_aside_and_the_partition_goes_on(stack: Stack, topic: str) -> None:
    before = len([d for d in dead_letters(stack) if d.get("_dlq.errors.topic") == topic])
    for poison in POISON:
        stack.produce(topic, poison, str(uuid.uuid4()))
    wait_for(
        f"{len(POISON)} poison records of {topic} are in the dead-letter topic",
        lambda: len([d for d in dead_letters(stack) if d.get("_dlq.errors.topic") == topic])
        >= before + len(POISON),
        30,
    )
    letter = [d for d in dead_letters(stack) if d.get("_dlq.errors.topic") == topic][-1]
    assert letter["_dlq.errors.message"]
    user = stack.user("acme")
    camera = user.add_camera("after-poison", "rtsp://127.0.0.1:1/none")
    stream = user.start(camera["id"])
    user.wait_state(stream["id"], "backoff", "failed", seconds=30)


REQUESTS = [
    ("not json", b"{", 400),
    ("an array", b"[]", 400),
    ("a wrong type", {"name": 5, "source": {"url": "rtsp://h/1"}}, 400),
    ("an unknown field", {"name": "n", "source": {"url": "rtsp://h/1"}, "colour": "red"}, 400),
    ("a missing field", {"name": "n"}, 400),
    ("a name too long", {"name": "n" * 5000, "source": {"url": "rtsp://h/1"}}, 400),
    ("a foreign scheme", {"name": "n", "source": {"url": "file:///etc/passwd"}}, 400),
    ("credentials in the URL", {"name": "n", "source": {"url": "rtsp://u:p@h/1"}}, 400),
    ("control characters", {"name": "n", "source": {"url": "rtsp://h/1\r\nX: y"}}, 400),
    ("an unknown enum", {"name": "n", "source": {"url": "rtsp://h/1", "transport": "pigeon"}}, 400),
    ("a number out of range", {"name": "n", "source": {"url": "rtsp://h/1"}, "idle_timeout_s": 0}, 400),
    ("duplicate keys", b'{"name":"a","name":"b","source":{"url":"rtsp://h/1"}}', 400),
    ("depth", b'{"name":' + b"[" * 3000 + b"]" * 3000 + b"}", 400),
    ("a body over the limit", b'{"name":"' + b"n" * 200_000 + b'"}', 413),
]


@pytest.mark.parametrize(("what", "body"), [(w, b) for w, b, _ in REQUESTS], ids=lambda v: v if isinstance(v, str) else "")
def test_a_bad_camera_is_refused_with_its_reason(stack: Stack, what: str, body: object) -> None:
    user = stack.user("acme")
    answer = user.call("POST", "/v1/cameras", body)
    expected = {w: s for w, _, s in REQUESTS}[what]
    assert answer.status in (expected, 422 if expected == 400 else expected), answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json
    assert problem["code"] and problem["request_id"] and problem["detail"]
    user.get("/v1/cameras").expect(200)


def test_without_a_token_nothing_is_told(stack: Stack) -> None:
    nobody = Api(stack.api_url, None)
    for method, path in (("GET", "/v1/cameras"), ("POST", "/v1/streams"), ("GET", "/v1/workers")):
        answer = nobody.call(method, path, {} if method == "POST" else None)
        answer.expect(401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    Api(stack.api_url, "a.b.c").get("/v1/cameras").expect(401)
    nobody.get("/openapi.json").expect(200)

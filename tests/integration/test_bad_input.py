# SPDX-License-Identifier: Apache-2.0
"""What comes from outside and is wrong: refused with a clear answer, and nothing else suffers."""

from __future__ import annotations

import base64
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import Api, wait_for
from conftest import stack_of
from dev import topics
from stack import Stack, token_claims


stack = stack_of()


def dead_letters(stack: Stack) -> list[dict[str, str]]:
    text = topics.read(stack.values["WEIR_KAFKA"], "weir.dlq.v1", "-J", partition=None)
    letters = []
    for line in text.splitlines():
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


FORGED = ["x", "|", "2026-11-22T00:00:00.000000Z|", "2026-11-22T00:00:00.000000Z|\x00",
          "2026-11-22T00:00:00.000000Z|a' OR 1=1", "2026-11-22T00:00:00.000000Z|\xff\xfe",
          "0000-00-00T99:99:99.000000Z|weir.audit.v1:0:0:0", "infinity|weir.audit.v1:0:0:0"]  # fmt: skip


@pytest.mark.parametrize("text", FORGED, ids=range(len(FORGED)))
def test_a_forged_cursor_is_refused_as_one(stack: Stack, text: str) -> None:
    user = stack.user("acme")
    cursor = base64.urlsafe_b64encode(text.encode("latin-1")).rstrip(b"=").decode()
    for path in ("audit-events", "cameras", "streams"):
        answer = user.get(f"/v1/{path}?cursor={cursor}").expect(422)
        assert answer.json["code"] == "bad_cursor"


def test_the_key_of_a_deleted_camera_says_that_it_is_gone(stack: Stack) -> None:
    user = stack.user("acme")
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    body = {"name": "short-lived", "source": {"url": "rtsp://127.0.0.1:1/none"}}
    made = user.call("POST", "/v1/cameras", body, key).expect(201)
    assert user.call("POST", "/v1/cameras", body, key).expect(201).json == made.json
    user.call("DELETE", f"/v1/cameras/{made.json['id']}").expect(204)
    assert user.call("POST", "/v1/cameras", body, key).expect(410).json["code"] == "camera_deleted"


def test_of_two_changes_of_one_version_one_is_told_that_it_came_late(stack: Stack) -> None:
    user = stack.platform()
    tenant = user.call("POST", "/v1/tenants", {"name": "raced"}).expect(201)
    path, etag = f"/v1/tenants/{tenant.json['id']}", tenant.headers["etag"]

    def change(number: int) -> int:
        return user.call("PATCH", path, {"max_streams": number}, {"If-Match": etag}).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(change, range(1, 9)))
    assert statuses == [200] + [412] * 7


def test_a_refused_command_is_told_to_its_tenant(stack: Stack) -> None:
    """A command that lay too long before a scheduler read it: sent past the api, already old."""
    user = stack.user("acme")
    stream, command = str(uuid.uuid4()), str(uuid.uuid4())
    tenant = token_claims(user.token or "")["app_metadata"]["tenant_id"]
    event = {
        "specversion": "1.0", "id": str(uuid.uuid4()), "source": "/weir/api/api",
        "type": "command.stop", "subject": stream, "time": "2026-11-22T00:00:00.000Z",
        "datacontenttype": "application/json", "tenantid": tenant,
        "data": {"command_id": command, "tenant_id": tenant, "stream_id": stream,
                 "reason": "stop_asked", "issued_at_ms": 1, "expires_at_ms": 2},
    }  # fmt: skip
    stack.produce("weir.commands.v1", json.dumps(event).encode(), stream)

    def told() -> list[dict[str, object]]:
        page = user.get(f"/v1/audit-events?stream_id={stream}").expect(200).json
        return [e for e in page["items"] if e.get("command_id") == command]

    events = wait_for("the audit tells of it", told, 60)
    assert events[0]["outcome"] in ("refused", "noop") and events[0]["reason"]


def test_a_flood_of_refused_tokens_does_not_fill_the_log(stack: Stack) -> None:
    log = stack.home / "log" / "api.log"
    before = log.read_bytes().count(b"token refused")
    nobody = Api(stack.api_url, "a.b.c")
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        for status in pool.map(lambda _: nobody.get("/v1/cameras").status, range(400)):
            assert status == 401
    logged = log.read_bytes().count(b"token refused") - before
    assert 1 <= logged <= 5 * (time.monotonic() - begun + 2)

# SPDX-License-Identifier: Apache-2.0
"""Default profiles and ceilings of tenants and cameras: what a start gets, what no stream, ticket or
picture passes, and how soon a moved ceiling counts."""

from __future__ import annotations

import subprocess
import urllib.parse
import uuid
from typing import Any

import pytest
from client import Api, wait_for
from conftest import stack_of
from profiles import effective, expect_pulls, probe, start
from stack import Stack, token_claims

DEAD = "rtsp://127.0.0.1:1/none"
NOTHING = {"default_quality": None, "default_fps": None, "max_quality": None, "max_fps": None}


stack = stack_of(apis=2)


@pytest.fixture(scope="module")
def eye(stack: Stack) -> dict[str, Any]:
    url = stack.camera("eye", "--size", "1280x720", "--fps", "25", "--gop", "1", "--bitrate", "2500")
    camera = stack.user("acme").add_camera("eye", url, idle_timeout_s=900)
    return {**camera, "port": urllib.parse.urlsplit(url).port}


def change(user: Api, camera: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return dict(user.call("PATCH", f"/v1/cameras/{camera['id']}", fields).expect(200).json)


def profile(stream: dict[str, Any]) -> tuple[str, int]:
    return stream["quality"], stream["fps"]


def picture_width(image: bytes) -> int:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=width", "-of", "csv=p=0", "-"],
        input=image, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    return int(done.stdout)


def test_a_start_that_names_nothing_gets_the_default(stack: Stack) -> None:
    user = stack.user("plain")
    camera = user.add_camera("one", DEAD)
    assert {name: camera[name] for name in NOTHING} == NOTHING
    assert profile(start(user, camera)) == ("source", 0)
    is_so = stack.change_tenant("plain", default_quality="low", default_fps=5)
    assert (is_so["default_quality"], is_so["default_fps"], is_so["max_quality"]) == ("low", 5, None)
    # Each part by itself, and the answered change counts at once.
    assert profile(start(user, camera)) == ("low", 5)
    assert profile(start(user, camera, quality="high")) == ("high", 5)
    assert profile(start(user, camera, fps=9)) == ("low", 9)
    assert profile(start(user, camera, quality="source", fps=0)) == ("source", 0)
    # The camera's own comes first, also as the camera sends it.
    change(user, camera, default_quality="medium", default_fps=0)
    assert profile(start(user, camera)) == ("medium", 0)
    change(user, camera, default_quality=None)
    assert profile(start(user, camera)) == ("low", 0)
    other = user.add_camera("two", DEAD, default_quality="ultra", max_fps=7)
    assert profile(start(user, other)) == ("ultra", 5)
    assert start(user, other)["capped"] is None


def test_who_may_move_a_ceiling_and_what_is_none(stack: Stack) -> None:
    user = stack.user("walls")
    camera = user.add_camera("one", DEAD)
    tenant_id = token_claims(user.token or "")["app_metadata"]["tenant_id"]
    path = f"/v1/cameras/{camera['id']}"
    for wrong, code in [
        ({"max_quality": "source"}, "unknown_value"),
        ({"max_quality": "best"}, "unknown_value"),
        ({"max_fps": 0}, "out_of_range"),
        ({"max_fps": 61}, "out_of_range"),
        ({"max_fps": 12.5}, "wrong_type"),
        ({"default_fps": 61}, "out_of_range"),
        ({"default_quality": 1}, "wrong_type"),
    ]:
        refused = user.call("PATCH", path, wrong).expect(422).json
        assert (refused["code"], refused["errors"][0]["pointer"]) == (code, f"/{next(iter(wrong))}")
        stack.platform().call("PATCH", f"/v1/tenants/{tenant_id}", wrong).expect(422)
    for role in ("viewer", "operator"):
        stack.user("walls", role).call("PATCH", path, {"max_quality": "low"}).expect(403)
    user.call("PATCH", f"/v1/tenants/{tenant_id}", {"max_quality": None}).expect(403)
    stack.user("acme").call("PATCH", path, {"max_quality": "low"}).expect(404)
    assert user.get(path).expect(200).json["max_quality"] is None


def test_the_lower_ceiling_counts_and_the_answer_says_so(stack: Stack) -> None:
    user = stack.user("both")
    camera = user.add_camera("one", DEAD, max_quality="medium")
    stack.change_tenant("both", max_quality="high", max_fps=10)
    made = start(user, camera)
    assert profile(made) == ("medium", 10)
    assert made["capped"] == {"quality": "source", "fps": 0, "why": "the ceiling is medium at 10 fps"}
    assert start(user, camera, quality="ultra", fps=60)["id"] == made["id"]
    assert profile(start(user, camera, quality="low", fps=5)) == ("low", 5)
    moved = user.call("PATCH", f"/v1/streams/{made['id']}", {"quality": "source"}).expect(200, 202).json
    assert moved["stream"]["id"] == made["id"] and made["id"] in moved["ticket"]["url"]
    assert moved["stream"]["capped"]["fps"] == 10
    stack.change_tenant("both", max_quality="low", max_fps=None)
    assert profile(start(user, camera, quality="high")) == ("low", 0)


def test_a_moved_ceiling_counts_at_every_api_at_once(stack: Stack, pair: tuple[Api, Api]) -> None:
    camera = pair[0].add_camera("moved", DEAD)
    for user in pair:
        assert profile(start(user, camera)) == ("source", 0)
    for turn in range(10):
        changer, other = pair[turn % 2], pair[1 - turn % 2]
        ceiling = ("low", "medium", "high", "ultra", None)[turn % 5]
        change(changer, camera, max_quality=ceiling, max_fps=turn + 1)
        for user in (other, changer):
            made = start(user, camera)
            assert profile(made) == (ceiling or "source", turn + 1)
        # One camera has only so many renditions at once.
        changer.call("DELETE", f"/v1/streams/{made['id']}").expect(202)
        changer.wait_state(made["id"], "stopped")


def test_a_start_goes_by_the_ceiling_while_postgres_is_away(
    stack: Stack, pair: tuple[Api, Api]
) -> None:
    user = pair[0]
    camera = user.add_camera("kept", DEAD, max_quality="low", default_fps=3)
    assert profile(start(user, camera)) == ("low", 3)
    stack.dev("stop", "postgres")
    try:
        for one in pair:
            assert profile(start(one, camera, fps=4)) == ("low", 4)
            capped = start(one, camera, quality="source", fps=4)
            assert capped["capped"]["why"] == "the ceiling is low"
    finally:
        stack.dev("start", "postgres")
    wait_for("Postgres is back", lambda: user.get("/v1/cameras?limit=1").status == 200, 60)


def test_nothing_of_a_camera_passes_its_ceiling(stack: Stack, eye: dict[str, Any]) -> None:
    user = stack.user("acme")
    source = start(user, eye)
    assert effective(user, source["id"])["width"] == 1280
    user.wait_state(source["id"], "running")
    url = user.ticket(source["id"])
    assert probe(url)["width"] == 1280
    change(user, eye, max_quality="low", max_fps=10)
    wait_for("its worker knows", lambda: effective(user, source["id"])["width"] == 640, 60)

    # Whoever asks from now on has another stream, and is told why.
    low = start(user, eye, quality="ultra")
    assert profile(low) == ("low", 10) and low["capped"]["quality"] == "ultra"
    made = effective(user, low["id"])
    assert (made["width"], made["height"], made["fps"]) == (640, 360, 10)
    assert made["why"].endswith("; the ceiling is low at 10 fps")
    answer = user.call("POST", f"/v1/streams/{source['id']}/tickets").expect(201).json
    assert answer["stream"]["id"] == low["id"] and low["id"] in answer["url"]
    assert answer["ticket"] == {name: answer[name] for name in ("id", "url", "expires_at")}
    user.wait_state(low["id"], "running")
    assert probe(answer["url"])["avg_frame_rate"] == "10/1"

    # Who plays already goes on with what is allowed, by the same ticket.
    def is_lowered() -> bool:
        is_now = user.stream(source["id"])["effective"]
        return bool(is_now) and (is_now["width"], is_now["how"]) == (640, "transcode")

    wait_for("the stream that ran is lowered", is_lowered, 30)
    assert "the ceiling is low at 10 fps" in user.stream(source["id"])["effective"]["why"]
    wait_for("it plays", lambda: probe(url)["width"] == 640, 30)

    # Pictures, too, and several of them are no video.
    path = f"/v1/cameras/{eye['id']}"
    some = f"{path}/snapshot?mode=keyframe&tolerance_ms=30000"
    for query, width in (("", 640), ("&width=1280", 640), ("&start=true", 640), ("&width=320", 320)):
        assert picture_width(user.get(some + query).expect(200).body) == width
    link = user.call("POST", f"{path}/snapshots", {"mode": "keyframe", "tolerance_ms": 30000})
    assert (link.expect(201).json["width"], link.json["height"]) == (640, 360)
    refused = user.get(f"{path}/snapshots?from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:01Z&every=99")
    assert refused.expect(422).json["code"] == "above_ceiling"

    # All of it from one session with the camera.
    expect_pulls((eye["port"], 1))
    change(user, eye, **NOTHING)
    wait_for("it is lifted", lambda: user.stream(source["id"])["effective"]["width"] == 1280, 30)
    assert user.ticket(source["id"]).split("/")[-2] == source["id"]


@pytest.mark.parametrize(("size", "made"), [("640x480", (480, 360)), ("480x640", (360, 480))])
def test_a_picture_of_any_shape_fits_into_the_box(
    stack: Stack, size: str, made: tuple[int, int]
) -> None:
    user = stack.user("acme")
    url = stack.camera(f"shape-{size}", "--size", size, "--gop", "1")
    camera = user.add_camera(f"shape-{size}", url, max_quality="low")
    wish = {"mode": "keyframe", "tolerance_ms": 30000, "start": True}

    def taken() -> Any:
        answer = user.call("POST", f"/v1/cameras/{camera['id']}/snapshots", wish)
        return answer.status == 201 and answer.json

    link = wait_for("a picture", taken, 60)
    assert (link["width"], link["height"]) == made
    assert user.get(link["url"]).expect(200).headers["content-type"] == "image/jpeg"


def test_a_repeat_under_another_ceiling_is_told_from_the_first(stack: Stack) -> None:
    user = stack.user("keys")
    camera = user.add_camera("one", DEAD)
    headers = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    body = {"camera_id": camera["id"]}
    first = user.call("POST", "/v1/streams", body, headers).expect(202).json
    assert user.call("POST", "/v1/streams", body, headers).expect(200, 202).json["id"] == first["id"]
    change(user, camera, max_quality="low")
    user.call("POST", "/v1/streams", body, headers).expect(422)

# SPDX-License-Identifier: Apache-2.0
"""Qualities and frame rates through the whole of Weir: wish, placement, what it became, playback."""

from __future__ import annotations

import json
import signal
import time
import urllib.parse
from typing import Any

import pytest
from browser import Browser, Player
from client import Api, Playlist, Viewer, decoded_frames, wait_for
from conftest import stack_of
from dev import topics
from faults.processes import children, is_alive, tell
from profiles import effective, expect_pulls, probe, sessions, start
from stack import Stack

RENDITIONS_MAX = 6
FREEZE_S = 30  # more than a rendition's start takes on a machine that is busy

stack = stack_of()


@pytest.fixture(scope="module")
def camera(stack: Stack) -> dict[str, Any]:
    url = stack.camera("eye", "--size", "1280x720", "--fps", "25", "--gop", "2", "--bitrate", "2500")
    camera = stack.user("acme").add_camera("eye", url, idle_timeout_s=900)
    return {**camera, "port": urllib.parse.urlsplit(url).port}


def told_to_take(stack: Stack, stream_id: str) -> int | None:
    """By the newest heartbeat, in thousandths of a core."""
    text = topics.read(stack.values["WEIR_KAFKA"], "weir.heartbeats.v1", offset="-1")
    rows = json.loads(text.splitlines()[-1])["data"]["streams"]
    return next((row.get("cpu_milli") for row in rows if row["stream_id"] == stream_id), None)


def test_a_camera_as_it_is_and_made_smaller_at_once(stack: Stack, camera: dict[str, Any]) -> None:
    user = stack.user("acme")
    source, low = start(user, camera), start(user, camera, quality="low", fps=5)
    assert source["id"] != low["id"] and (low["quality"], low["fps"]) == ("low", 5)
    assert start(user, camera, quality="low", fps=5)["id"] == low["id"]
    as_is, made = effective(user, source["id"]), effective(user, low["id"])
    assert (as_is["how"], as_is["width"], as_is["height"], as_is["fps"]) == ("passthrough", 1280, 720, 25)
    assert (made["how"], made["width"], made["height"], made["fps"]) == ("transcode", 640, 360, 5)
    assert made["why"] and made["codec"] == "avc1" and made["bitrate"] < as_is["bitrate"]
    user.wait_state(low["id"], "running")
    user.wait_state(source["id"], "running")
    played, whole = probe(user.ticket(low["id"])), probe(user.ticket(source["id"]))
    assert (played["codec_name"], played["width"], played["height"]) == ("h264", 640, 360)
    assert played["avg_frame_rate"] == "5/1"
    assert (whole["width"], whole["height"], whole["avg_frame_rate"]) == (1280, 720, "25/1")
    # Both are of one worker, which pulls the camera once and decodes it once.
    assert user.stream(low["id"])["worker_id"] == user.stream(source["id"])["worker_id"]
    expect_pulls((camera["port"], 1))
    assert len(children(stack.home, "worker-0", "weir-xcode")) == 1
    # What making it takes flows back to the scheduler.
    taken = wait_for("what it takes", lambda: told_to_take(stack, low["id"]), 60, pause=1)
    assert 0 < taken < 4000
    assert told_to_take(stack, source["id"]) is None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_who_watches_does_not_notice_that_the_transcoder_is_replaced(
    stack: Stack, camera: dict[str, Any], how: signal.Signals
) -> None:
    user = stack.user("acme")
    low = start(user, camera, quality="low", fps=5)
    user.wait_state(low["id"], "queued", "placed", "starting", "running")
    wait_for("it plays", lambda: user.stream(low["id"])["state"] == "running", 60)
    url = user.ticket(low["id"])
    viewer = Viewer(url).open()
    before = viewer.playlist()
    (old,) = children(stack.home, "worker-0", "weir-xcode")
    began = time.monotonic()
    tell([old], how)
    wait_for("it is gone", lambda: not is_alive(old), 60)
    print(f"{how.name}: gone after {time.monotonic() - began:.1f} s")

    def later() -> Playlist | None:
        playlist = viewer.playlist()
        return playlist if playlist.last_sequence > before.last_sequence + 5 else None

    now = wait_for("segments of the new one", later, 60)
    assert (now.init_uri, now.discontinuity) == (before.init_uri, before.discontinuity)
    assert "#EXT-X-DISCONTINUITY\n" not in now.text
    assert decoded_frames(url) >= 19  # four seconds of five, and nothing to complain about
    assert user.stream(low["id"])["state"] == "running"
    assert len(children(stack.home, "worker-0", "weir-xcode")) == 1


def test_a_change_leads_to_another_stream_and_a_ticket_for_it(
    stack: Stack, camera: dict[str, Any]
) -> None:
    user = stack.user("acme")
    source, low = start(user, camera), start(user, camera, quality="low", fps=5)
    path = f"/v1/streams/{source['id']}"
    answer = user.call("PATCH", path, {"quality": "low", "fps": 10}).expect(202)
    target = answer.json["stream"]
    assert (target["quality"], target["fps"], target["camera_id"]) == ("low", 10, camera["id"])
    assert answer.headers["location"] == f"/v1/streams/{target['id']}"
    user.wait_state(target["id"], "queued", "placed", "starting", "running")
    wait_for("it plays", lambda: user.stream(target["id"])["state"] == "running", 60)
    assert probe(answer.json["ticket"]["url"])["avg_frame_rate"] == "10/1"
    assert user.stream(source["id"])["state"] == "running"
    # What is not named stays; a stream that lives is found.
    again = user.call("PATCH", f"/v1/streams/{target['id']}", {"fps": 5}).expect(200).json
    assert again["stream"]["id"] == low["id"]
    assert low["id"] in again["ticket"]["url"]
    expect_pulls((camera["port"], 1))
    user.call("DELETE", f"/v1/streams/{target['id']}").expect(202)


def test_a_viewer_moves_to_another_quality_while_he_plays(
    stack: Stack, camera: dict[str, Any]
) -> None:
    """Two tabs, one of which changes; the camera notices nothing, and neither does the other tab."""
    user = stack.user("acme")
    source, low = start(user, camera), start(user, camera, quality="low", fps=5)
    for stream in (source, low):
        user.wait_state(stream["id"], "running")

    def shows(player: Player, size: tuple[int, int]) -> bool:
        """New frames of this size."""
        assert not player.fatal, player.fatal
        last = player.looks[-20:]
        return len({look.frames for look in last if look.size == size}) > 2

    with Browser() as browser:
        whole = browser.add("whole", user.ticket(source["id"]))
        small = browser.add("small", user.ticket(low["id"]))
        wait_for("the camera as it is", lambda: shows(whole, (1280, 720)), 90)
        wait_for("the small one", lambda: shows(small, (640, 360)), 90)
        wish = {"quality": "medium", "fps": 15}
        answer = user.call("PATCH", f"/v1/streams/{low['id']}", wish).expect(202).json
        since = time.time()
        browser.move("small", answer["ticket"]["url"])
        pulls: set[int] = set()

        def is_moved() -> bool:
            pulls.add(sessions(camera["port"]))
            return shows(small, (1280, 720))

        wait_for("it is larger", is_moved, 90)
        assert max(pulls) == 1, "the camera is pulled once all the time"
        wait_for("the other one goes on", lambda: shows(whole, (1280, 720)), 90)
        assert not whole.went_back()
        freezes = {"moved": small.freeze(since), "beside it": whole.freeze(since)}
        print(f"freezes: {freezes}")
        assert max(freezes.values()) < FREEZE_S
    made = effective(user, answer["stream"]["id"])
    assert (made["how"], made["width"], made["height"], made["fps"]) == ("transcode", 1280, 720, 15)
    expect_pulls((camera["port"], 1))
    assert len(children(stack.home, "worker-0", "weir-xcode")) == 1
    user.call("DELETE", f"/v1/streams/{answer['stream']['id']}").expect(202)


def test_one_camera_has_only_so_many_renditions(stack: Stack, camera: dict[str, Any]) -> None:
    user = stack.user("acme")
    url = stack.camera("many", "--fps", "15", "--gop", "1", "--bitrate", "300")
    many = user.add_camera("many", url, idle_timeout_s=900)
    wishes = [{"quality": "low", "fps": fps} for fps in range(1, RENDITIONS_MAX + 4)]

    def wish(profile: dict[str, Any]) -> Any:
        return user.call("POST", "/v1/streams", {"camera_id": many["id"], **profile})

    made, refused = [], []
    for profile in wishes:
        answer = wish(profile)
        (made if answer.status == 202 else refused).append(answer)
    assert [answer.status for answer in made] == [202] * RENDITIONS_MAX
    assert {(answer.status, answer.json["code"]) for answer in refused} == {(429, "too_many_renditions")}
    assert "source" in refused[0].json["detail"]
    # What lives can be watched, and so can the camera itself; another camera has its own.
    wish(wishes[0]).expect(200)
    own = wish({}).expect(202).json["id"]
    path = f"/v1/streams/{own}"
    assert user.call("PATCH", path, {"quality": "high"}).expect(429).json["code"] == "too_many_renditions"
    start(user, camera, quality="low", fps=7)
    user.call("DELETE", f"/v1/streams/{made[0].json['id']}").expect(202)
    user.wait_state(made[0].json["id"], "stopped", "cancelled")
    wish(wishes[-1]).expect(202)
    for stream in [*made[1:], wish(wishes[-1]).expect(200)]:
        user.call("DELETE", f"/v1/streams/{stream.json['id']}").expect(202)


def test_a_quality_asked_anew_a_hundred_times_makes_no_more_than_is_allowed(stack: Stack) -> None:
    user = stack.user("acme")
    url = stack.camera("fickle", "--fps", "15", "--gop", "1", "--bitrate", "300")
    fickle = user.add_camera("fickle", url, idle_timeout_s=900)
    stream = start(user, fickle)
    user.wait_state(stream["id"], "running")
    path = f"/v1/streams/{stream['id']}"
    wishes = [{"quality": quality, "fps": 1 + i % 12} for i in range(50) for quality in ("low", "medium")]
    answers = [user.call("PATCH", path, wish) for wish in wishes]
    assert {answer.status for answer in answers} <= {200, 202, 429}, {answer.status for answer in answers}
    led_to = {answer.json["stream"]["id"] for answer in answers if answer.status != 429}
    assert len(led_to) == RENDITIONS_MAX
    assert {answer.json["code"] for answer in answers if answer.status == 429} == {"too_many_renditions"}
    # Who watches the camera as it is notices nothing.
    assert user.stream(stream["id"])["state"] == "running"
    expect_pulls((urllib.parse.urlsplit(url).port or 0, 1))
    for one in [stream["id"], *led_to]:
        user.call("DELETE", f"/v1/streams/{one}").expect(202)


def test_a_small_quality_is_another_stream_of_the_camera(stack: Stack) -> None:
    user = stack.user("acme")
    # Those of another camera's streams that were stopped may end later.
    before = children(stack.home, "worker-0", "weir-xcode")
    sizes = {"main": "960x540", "sub": "640x360", "wide": "720x540"}
    urls = {
        name: stack.camera(name, "--size", size, "--fps", "15", "--gop", "1", "--bitrate", "300")
        for name, size in sizes.items()
    }
    ports = {name: urllib.parse.urlsplit(url).port or 0 for name, url in urls.items()}
    both = [{"name": "main", "url": urls["main"]}, {"name": "sub", "url": urls["sub"], "fps": 15}]
    body = {"name": "both", "sources": both, "idle_timeout_s": 900}
    made = user.call("POST", "/v1/cameras", body).expect(201).json
    assert made["source"]["url"] == urls["main"]
    assert [(one["name"], one.get("fps")) for one in made["sources"]] == [("main", None), ("sub", 15)]
    path = f"/v1/cameras/{made['id']}"
    low = start(user, made, quality="low", fps=15)
    is_low = effective(user, low["id"])
    assert (is_low["how"], is_low["width"], is_low["height"]) == ("profile", 640, 360), is_low["why"]
    user.wait_state(low["id"], "running")
    assert probe(user.ticket(low["id"]))["width"] == 640
    source = start(user, made)
    assert effective(user, source["id"])["width"] == 960
    assert set(children(stack.home, "worker-0", "weir-xcode")) <= set(before)
    expect_pulls(*zip((ports[name] for name in sizes), (1, 1, 0), strict=True))
    # Whoever changes one of several names them all; a source that is too large is not shown.
    one = {"source": {"url": urls["main"]}}
    assert user.call("PATCH", path, one).expect(422).json["code"] == "several_sources"
    assert user.call("PATCH", path, {**one, "sources": both}).expect(422).json["code"] == "one_too_many"
    denied = [both[0], {"name": "sub", "url": "rtsp://169.254.169.254/"}]
    refused = user.call("PATCH", path, {"sources": denied}).expect(422).json
    assert (refused["code"], refused["errors"][0]["pointer"]) == ("address_denied", "/sources/1/url")
    wide = [both[0], {"name": "sub", "url": urls["wide"]}]
    user.call("PATCH", path, {"sources": wide}).expect(200)

    def transcoded() -> dict[str, Any] | None:
        is_what = user.stream(low["id"])["effective"]
        return dict(is_what) if is_what and is_what["how"] == "transcode" else None

    why = wait_for("it is made of main", transcoded, 90)["why"]
    assert why == "the camera's picture is larger; sub: too large"
    user.wait_state(low["id"], "running", "backoff", "starting")
    expect_pulls((ports["main"], 1), (ports["sub"], 0))
    for stream in (low, source):
        user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)


def test_rights_and_wrong_profiles(stack: Stack, camera: dict[str, Any]) -> None:
    user = stack.user("acme")
    source = start(user, camera)
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"fps": 59.94}, "wrong_type", "/fps"),
        ({"fps": "25"}, "wrong_type", "/fps"),
        ({"fps": 61}, "out_of_range", "/fps"),
        ({"fps": -1}, "out_of_range", "/fps"),
        ({"quality": "best"}, "unknown_value", "/quality"),
        ({"quality": 3}, "wrong_type", "/quality"),
    ]
    for profile, code, pointer in wrong:
        body = {"camera_id": camera["id"], **profile}
        refused = user.call("POST", "/v1/streams", body).expect(422).json
        assert (refused["code"], refused["errors"][0]["pointer"]) == (code, pointer)
        refused = user.call("PATCH", f"/v1/streams/{source['id']}", profile).expect(422).json
        assert (refused["code"], refused["errors"][0]["pointer"]) == (code, pointer)
    user.call("PATCH", f"/v1/streams/{source['id']}", {}).expect(422)
    user.call("PATCH", f"/v1/streams/{source['id']}", {"class": 0}).expect(422)
    # Who only watches comes before nobody.
    viewer = stack.user("acme", "viewer")
    first = {"camera_id": camera["id"], "class": 0}
    assert viewer.call("POST", "/v1/streams", first).expect(403).json["code"] == "forbidden"
    viewer.call("POST", "/v1/streams", {**first, "class": 1}).expect(200, 202)
    stack.user("acme", "operator").call("POST", "/v1/streams", first).expect(200, 202)
    stranger = stack.user("globex")
    stranger.call("PATCH", f"/v1/streams/{source['id']}", {"fps": 5}).expect(404)


def led_elsewhere(user: Api, tickets: str) -> dict[str, Any]:
    """A ticket for another stream; where the camera needs longer than is waited, once it is there."""

    def asked() -> dict[str, Any] | None:
        answer = user.call("POST", tickets).expect(201).json
        return dict(answer) if "stream" in answer else None

    return dict(wait_for("a ticket for a rendition", asked, 90))


def test_h265_is_for_players_that_say_they_show_it(stack: Stack) -> None:
    user = stack.user("acme")
    url = stack.camera("hevc", "--codec", "h265", "--fps", "15", "--gop", "1", "--bitrate", "500")
    camera = user.add_camera("hevc", url, idle_timeout_s=900)
    source = start(user, camera)
    tickets = f"/v1/streams/{source['id']}/tickets"
    # Asked for before anybody knows what the camera sends.
    answer = led_elsewhere(user, tickets)
    made = answer["stream"]
    assert (made["quality"], made["fps"], made["camera_id"]) == ("low", 0, camera["id"])
    assert "H.265" in answer["why"] and made["id"] in answer["url"]
    assert answer["ticket"] == {name: answer[name] for name in ("id", "url", "expires_at")}
    user.wait_state(made["id"], "queued", "placed", "starting", "running")
    wait_for("it plays", lambda: user.stream(made["id"])["state"] == "running", 60)
    assert probe(answer["url"])["codec_name"] == "h264"
    assert user.stream(made["id"])["effective"]["how"] == "transcode"
    assert effective(user, source["id"])["codec"] == "hvc1"
    # Asked for again it is the same one, at once.
    again = user.call("POST", f"{tickets}?video=avc1").expect(201).json
    assert again["stream"]["id"] == made["id"]

    for video in ("hvc1", "avc1,hvc1"):
        shown = user.call("POST", f"{tickets}?video={video}").expect(201).json
        assert "stream" not in shown and source["id"] in shown["url"]
    assert probe(shown["url"])["codec_name"] == "hevc"
    path = f"/v1/streams/{made['id']}"
    moved = user.call("PATCH", f"{path}?video=hvc1", {"quality": "source"}).expect(200).json
    assert (moved["stream"]["id"], moved["why"]) == (source["id"], None)
    key = {"Idempotency-Key": '"to-the-source"'}
    for _ in range(2):
        kept = user.call("PATCH", path, {"quality": "source"}, key).expect(200).json
        assert kept["stream"]["id"] == made["id"] and made["id"] in kept["ticket"]["url"]
    for wrong in ("h265", "", "hvc1,"):
        refused = user.call("POST", f"{tickets}?video={wrong}").expect(422).json
        assert refused["code"] == "unknown_value"
        user.call("PATCH", f"{path}?video={wrong}", {"quality": "low"}).expect(422)
    stack.user("globex").call("POST", f"{tickets}?video=hvc1").expect(404)
    expect_pulls((urllib.parse.urlsplit(url).port or 0, 1))


def test_a_ticket_of_h265_is_under_the_ceiling_too(stack: Stack) -> None:
    user = stack.user("acme")
    url = stack.camera("hevc-wide", "--codec", "h265", "--size", "1280x720", "--fps", "15", "--gop", "1")
    camera = user.add_camera("hevc-wide", url, idle_timeout_s=900)
    # A viewer's tickets start what stands in for it, but not in the class of who pushes others aside.
    source = start(user, camera, **{"class": 0})
    assert source["class"] == 0
    viewer = stack.user("acme", "viewer")
    tickets = f"/v1/streams/{source['id']}/tickets"
    made = led_elsewhere(viewer, tickets)["stream"]
    assert (made["quality"], made["fps"], made["class"]) == ("medium", 0, 1)
    user.call("PATCH", f"/v1/cameras/{camera['id']}", {"max_quality": "low", "max_fps": 9}).expect(200)
    for video in ("", "?video=hvc1"):
        lowered = viewer.call("POST", tickets + video).expect(201).json
        is_what = [lowered["stream"][name] for name in ("quality", "fps", "class")]
        assert is_what == ["low", 9, 1]
        assert lowered["why"] == "the ceiling is low at 9 fps"

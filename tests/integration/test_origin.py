# SPDX-License-Identifier: Apache-2.0
"""weir-origin in front of a real MediaMTX: who gets in, what comes out, what replacing does."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from client import Playlist, wait_for
from origin_rig import SECRETS, Engine, Origin, Routed

# Less than the engine is waited for where a player is to be held.
HELD_S = 8
CHILD = {"fmp4": "video1_stream.m3u8", "lowLatency": "video1_stream.m3u8", "mpegts": "main_stream.m3u8"}


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    made = Origin(tmp_path)
    yield made
    assert made.end() == 0


@pytest.fixture
def routed(origin: Origin, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Routed]:
    """A playing stream; the variant is the test's parameter, fmp4 without one."""
    variant = getattr(request, "param", "fmp4")
    engine = Engine(tmp_path / "engine", variant, "live/camera/1")
    try:
        engine.start()
        engine.publish()
        made = Routed(origin, engine, seq_base=1000)
        made.route()
        wait_for("an index", lambda: made.get("index.m3u8").status == 200, 30)
        yield made
    finally:
        engine.end()


def media(routed: Routed, query: str = "") -> Playlist:
    file = CHILD[routed.engine.variant]
    answer = routed.get(file + query).expect(200)
    base = f"http://origin/{routed.stream_id}/{routed.generation}/{file}"
    return Playlist(base, answer.body.decode())


def newest(playlist: Playlist) -> str:
    return playlist.uris()[-1].rsplit("/", 1)[-1]


@pytest.mark.parametrize("routed", ["fmp4", "lowLatency", "mpegts"], indirect=True)
def test_a_stream_plays_in_every_variant(routed: Routed) -> None:
    index = routed.get("index.m3u8").expect(200)
    assert CHILD[routed.engine.variant] in index.body.decode()
    playlist = media(routed)
    assert playlist.sequence >= 1000
    assert playlist.discontinuity == 1000
    name = newest(playlist)
    segment = routed.get(name).expect(200)
    assert len(segment.body) > 1000
    assert segment.headers["cache-control"] == "public, max-age=3600, immutable"
    expected = "video/mp2t" if routed.engine.variant == "mpegts" else "video/mp4"
    assert segment.headers["content-type"] == expected
    if playlist.init_uri:
        assert b"ftyp" in routed.get(playlist.init_uri.rsplit("/", 1)[-1]).expect(200).body[:16]


def test_answers_carry_nothing_of_the_engines(routed: Routed) -> None:
    for file in ("index.m3u8", CHILD["fmp4"], newest(media(routed)), "nothing.mp4"):
        headers = routed.get(file).headers
        assert "server" not in headers
        assert not any("mediamtx" in value.lower() for value in headers.values())
        assert "set-cookie" not in headers


def test_only_who_shows_a_secret_gets_in(routed: Routed, origin: Origin) -> None:
    for secret in SECRETS:
        routed.get("index.m3u8", secret=secret).expect(200)
    for wrong in (None, "", "x", SECRETS[0][:-1], SECRETS[0] + "x", SECRETS[0].upper()):
        routed.get("index.m3u8", secret=wrong).expect(401)
    origin.secret_file.write_text("a-third-origin-secret-13579\n")
    wait_for("the new secret", lambda: routed.get("index.m3u8", secret="a-third-origin-secret-13579").status == 200, 15)
    routed.get("index.m3u8", secret=SECRETS[0]).expect(401)


def test_nothing_else_is_there(routed: Routed, origin: Origin) -> None:
    stream = f"/{routed.stream_id}"
    for path in (
        "/",
        "/index.m3u8",
        f"{stream}/1",
        f"{stream}/2/index.m3u8",
        f"{stream}/0/index.m3u8",
        f"{stream}/-1/index.m3u8",
        f"{stream}/x/index.m3u8",
        f"{stream}/1/index.html",
        f"{stream}/1/..%2findex.m3u8",
        f"{stream}/1/%2e%2e/1/index.m3u8",
        f"{stream}/1/a/index.m3u8",
        f"{stream}/1/" + "a" * 200 + ".mp4",
        "/00000000-0000-0000-0000-000000000000/1/index.m3u8",
        "/v3/paths/list",
    ):
        assert origin.get(path).status in (400, 404), path
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert origin.get(f"{stream}/1/index.m3u8", method=method).status == 405


def test_head_answers_like_get_without_a_body(routed: Routed) -> None:
    name = newest(media(routed))
    length = routed.get(name).headers["content-length"]
    answer = routed.get(name, method="HEAD").expect(200)
    assert (answer.headers["content-length"], answer.body) == (length, b"")


def test_a_playlist_says_how_long_it_may_be_kept(routed: Routed) -> None:
    answer = routed.get(CHILD["fmp4"], X_Weir_Second="1234567").expect(200)
    rule = "max-age=1, stale-while-revalidate=1, stale-if-error=14"
    assert answer.headers["cache-control"] == rule
    assert answer.headers["x-accel-expires"] == "@1234567"
    assert "x-accel-expires" not in routed.get(CHILD["fmp4"], X_Weir_Second="1;x").headers
    assert routed.get("gone_seg1.mp4").headers["cache-control"] == "no-store"


def poll(routed: Routed, seconds: float, until: str) -> list[Playlist]:
    """Asks as a player does, and collects what differs, until the muxer's name is another one."""
    seen: list[Playlist] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = routed.get(CHILD[routed.engine.variant])
        assert answer.status == 200, f"a player was told {answer.status}"
        playlist = Playlist("http://x/", answer.body.decode())
        if not seen or seen[-1].text != playlist.text:
            seen.append(playlist)
        if not newest(playlist).startswith(until):
            return seen
        time.sleep(0.2)
    raise AssertionError("the engine did not come back")


@pytest.mark.parametrize("routed", ["fmp4", "lowLatency", "mpegts"], indirect=True)
def test_sequences_rise_over_a_killed_engine(routed: Routed) -> None:
    before = media(routed)
    muxer = newest(before).split("_")[0]
    gone = newest(before)
    routed.engine.kill()
    assert media(routed).last_sequence >= before.sequence
    routed.engine.end()
    routed.engine.start()
    routed.route()
    routed.engine.publish()
    seen = [before, *poll(routed, 14, muxer)]
    for earlier, later in zip(seen, seen[1:]):
        assert later.sequence >= earlier.sequence
        assert later.last_sequence >= earlier.last_sequence
    assert seen[-1].sequence > before.last_sequence
    assert seen[-1].discontinuity > before.discontinuity
    routed.get(newest(seen[-1])).expect(200)
    routed.get(gone).expect(404)


def test_numbers_go_on_over_a_restarted_origin(routed: Routed, origin: Origin) -> None:
    before = media(routed)
    told = origin.hear("origin.numbering")
    assert (told["base"], told["stream_id"]) == (1000, routed.stream_id)
    assert newest(before).startswith(told["muxer"])
    routed.placed_mono_ms -= 60_000
    assert origin.end() == 0
    origin.start()
    routed.route(muxer=told["muxer"], base=told["base"])
    after = media(routed)
    assert after.last_sequence >= before.last_sequence
    assert after.sequence < 1060 and after.discontinuity == before.discontinuity
    routed.get(newest(after)).expect(200)


def test_a_muxer_that_began_without_an_origin_is_above_the_one_before(
    routed: Routed, origin: Origin
) -> None:
    before = media(routed)
    routed.placed_mono_ms -= 60_000
    assert origin.end() == 0
    origin.start()
    routed.route(muxer="the-one-before", base=1000)
    assert media(routed).sequence > before.last_sequence + 4 * 50


def test_a_publisher_that_reconnects_is_a_new_muxer(routed: Routed) -> None:
    before = media(routed)
    assert routed.engine.publisher
    routed.engine.publisher.kill()
    routed.engine.publisher.wait()
    routed.engine.publish()
    seen = poll(routed, 14, newest(before).split("_")[0])
    assert seen[-1].sequence > before.last_sequence
    assert seen[-1].discontinuity > before.discontinuity


def test_the_last_playlist_is_repeated_for_fifteen_seconds(routed: Routed) -> None:
    last = media(routed).text
    routed.engine.end()
    start = time.monotonic()
    repeated = 0
    while (asked := time.monotonic()) and (answer := routed.get(CHILD["fmp4"])).status == 200:
        assert answer.body.decode() == last
        left = re.search(r"stale-if-error=(\d+)", answer.headers["cache-control"])
        assert left and int(left.group(1)) <= 15 - (asked - start)
        assert asked - start < 16, "it is repeated for longer"
        repeated += 1
        time.sleep(0.25)
    assert 14 < time.monotonic() - start
    assert repeated > 10
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"


def test_a_hung_engine_holds_nobody(routed: Routed) -> None:
    last = media(routed).text
    routed.engine.kill(signal.SIGSTOP)
    for _ in range(2):
        start = time.monotonic()
        routed.get(CHILD["fmp4"]).expect(200)
        assert time.monotonic() - start < HELD_S
    routed.engine.kill(signal.SIGCONT)
    wait_for("a moving playlist", lambda: media(routed).text != last, 10)


def test_an_unrouted_generation_is_gone(routed: Routed) -> None:
    name = newest(media(routed))
    routed.unroute()
    wait_for("404", lambda: routed.get("index.m3u8").status == 404, 30)
    routed.get(name).expect(404)
    routed.get(CHILD["fmp4"]).expect(404)


@pytest.mark.parametrize("routed", ["lowLatency"], indirect=True)
def test_blocking_reloads_are_translated_and_answered_when_due(routed: Routed) -> None:
    playlist = media(routed)
    wanted = playlist.last_sequence + 2
    answers: list[Playlist] = []
    start = time.monotonic()

    def reload() -> None:
        answers.append(media(routed, f"?_HLS_msn={wanted}"))

    threads = [threading.Thread(target=reload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start > 0.3
    assert len(answers) == 8
    for answer in answers:
        assert answer.last_sequence >= wanted - 1  # of `wanted` itself the first part is there
    exact = routed.get(f"{CHILD['lowLatency']}?_HLS_msn={wanted}&_HLS_part=0").expect(200)
    assert exact.headers["cache-control"] == "max-age=6"


@pytest.mark.parametrize("routed", ["lowLatency"], indirect=True)
def test_who_makes_up_numbers_to_wait_for_takes_no_room_of_others(routed: Routed) -> None:
    wanted = media(routed).last_sequence + 1

    def reload(part: int) -> str:
        answer = routed.get(f"{CHILD['lowLatency']}?_HLS_msn={wanted}&_HLS_part={part}").expect(200)
        return answer.headers["cache-control"]

    with ThreadPoolExecutor(40) as pool:
        told = list(pool.map(reload, range(60, 100)))
    assert told.count("no-store") >= 20, "they got the playlist as it was"


@pytest.mark.parametrize("routed", ["lowLatency"], indirect=True)
def test_a_reload_for_an_earlier_muxer_is_answered_at_once(routed: Routed) -> None:
    media(routed)
    start = time.monotonic()
    answer = routed.get(f"{CHILD['lowLatency']}?_HLS_msn=12&_HLS_skip=YES").expect(200)
    assert time.monotonic() - start < HELD_S
    assert answer.headers["cache-control"] == "no-store"
    assert "EXT-X-SKIP" not in answer.body.decode()


@pytest.mark.parametrize("routed", ["lowLatency"], indirect=True)
def test_what_is_repeated_is_the_newest_a_player_was_given(routed: Routed) -> None:
    newest_given = media(routed)
    for _ in range(12):
        query = f"?_HLS_msn={newest_given.last_sequence + 1}&_HLS_part=0&_HLS_skip=YES"
        newest_given = media(routed, query)
    routed.engine.kill()
    for query in ("", f"?_HLS_msn={newest_given.last_sequence + 1}&_HLS_part=0"):
        repeated = media(routed, query)
        assert repeated.sequence >= newest_given.sequence
        assert repeated.last_sequence >= newest_given.last_sequence


@pytest.mark.parametrize("routed", ["lowLatency"], indirect=True)
def test_parts_are_served_before_they_are_whole(routed: Routed) -> None:
    playlist = media(routed)
    hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', playlist.text)
    assert hint
    assert len(routed.get(hint.group(1)).expect(200).body) > 100


def test_activity_is_told_each_second_and_when_asked(routed: Routed, origin: Origin) -> None:
    for _ in range(5):
        media(routed)
    told = origin.hear("origin.activity")
    rows = {row["stream_id"]: row for row in told["streams"]}
    assert rows[routed.stream_id]["requests"] >= 1
    assert rows[routed.stream_id]["last_request_age_ms"] < 1500
    time.sleep(1.5)
    answer = routed.ask(7)
    assert answer["ask_id"] == 7
    assert 1400 < answer["last_request_age_ms"] < 4000
    routed.stream_id = "00000000-0000-4000-8000-000000000000"
    assert "last_request_age_ms" not in routed.ask(8)


def test_segments_do_not_count_as_watching(routed: Routed) -> None:
    name = newest(media(routed))
    time.sleep(1.2)
    routed.get(name)
    assert routed.ask(1)["last_request_age_ms"] > 1000


def test_the_engines_session_outlives_a_pause(routed: Routed) -> None:
    media(routed)
    time.sleep(33)
    playlist = media(routed)
    routed.get(newest(playlist)).expect(200)


def test_a_bad_control_line_changes_nothing(routed: Routed, origin: Origin) -> None:
    origin.channel.sendall(b"not json\n{}\n" + b'{"type":"tap.drop","camera_id":"x"}\n')
    assert routed.ask(3)["ask_id"] == 3
    media(routed)

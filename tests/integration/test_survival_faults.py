# SPDX-License-Identifier: Apache-2.0
"""Parts are paused, cut off, filled up and lied to about the time while people watch.

One stack for all tests; players keep their page and their URL. What they saw is printed.
"""

from __future__ import annotations

import signal
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from client import Api, Viewer, wait_for
from conftest import free_port_base
from faults.processes import children, family, is_alive, paused, pid_of, tell
from torn import APIS, CRAMPED, JUMPED_API, JUMPED_WORKER, SCHEDULERS, WORKERS, Torn, torn

pytestmark = pytest.mark.alone

PAUSE_S = 15
# Before and after the cell takes a silent worker for dead (5 s).
SHORT_S = 3
LONG_S = 12
AWAY_S = 30
# A disk stays full for longer than a window of segments.
FULL_S = 10
HOUR_S = 3600
# What viewers call a hitch, with patience for a busy machine.
HITCH_S = 10


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Torn]:
    with torn(tmp_path_factory.mktemp("weir") / "home", free_port_base()) as made:
        for name in ("yard", "gate", "hall", "dock"):
            made.add(name)
        yield made


@dataclass(frozen=True, order=True)
class Seen:
    generation: int
    sequence: int


def look(viewer: Viewer) -> Seen:
    """What a reload shows; again while it says 503, as a player does."""
    playlist = wait_for("a playlist", viewer.playlist, 60, pause=0.3)
    return Seen(int(urllib.parse.urlsplit(playlist.url).path.split("/")[-2]), playlist.sequence)


@pytest.fixture(autouse=True)
def healed(cell: Torn) -> None:
    """One test's failure is not the next one's."""
    cell.revive()


# ---- full ----


def test_full_disks_and_a_garbage_camera_hurt_nobody_else(cell: Torn) -> None:
    """One worker's disks are full; beside the others' cameras, one sends garbage."""
    cell.watch_on(CRAMPED)
    bad = cell.start("bad")
    cramped = cell.watched_on(CRAMPED)
    spared = [name for name in cell.watching.players if name not in cramped]
    began = time.time()
    with cell.watching.over("full disks", cramped, limit_s=90), ExitStack() as faults:
        for disk in cell.disks.values():
            faults.enter_context(disk.full())
        cell.camera_fault("bad", "garbage")
        until = time.monotonic() + FULL_S
        cell.user.wait_state(bad.stream_id, "backoff", "failed")
        while time.monotonic() < until:
            for disk in cell.disks.values():
                disk.fill()
            time.sleep(0.2)
    for name in spared:
        assert cell.watching.players[name].freeze(began) < HITCH_S, name
    cell.camera_fault("bad", "none")
    cell.heal()
    cell.judge_history()
    cell.end("bad")


# ---- paused ----


def test_a_paused_leader_wakes_up_and_nobody_listens(cell: Torn) -> None:
    old = cell.leader()
    new = cell.other(old, SCHEDULERS)
    generations = {name: cell.stream(name)["generation"] for name in cell.streams}
    with cell.watching.over("active scheduler paused") as fault:
        with paused(family(cell.pid(old))):
            since = time.monotonic()
            wait_for("the standby leads", lambda: cell.leads(new), 60)
            print(f"takeover {time.monotonic() - since:.1f} s")
            cell.start("late")
            time.sleep(max(0.0, PAUSE_S - (time.monotonic() - since)))
        wait_for("the old leader stands by", lambda: not cell.leads(old), 30)
    assert fault.freeze_s < HITCH_S
    assert generations == {name: cell.stream(name)["generation"] for name in generations}
    ledger = cell.judge_history()
    print(f"void records of the old leader: {ledger.n_void}")
    cell.end("late")


def test_a_paused_worker_wakes_up_and_leaves_what_moved_to_others(cell: Torn) -> None:
    worker = cell.worker_of("yard")
    moved = cell.watched_on(worker)
    with cell.watching.over("worker paused with its children", limit_s=90):
        with paused(family(cell.pid(worker))):
            since = time.monotonic()
            wait_for("its streams run elsewhere", lambda: cell.worker_of("yard") != worker, 60)
            print(f"moved after {time.monotonic() - since:.1f} s")
            time.sleep(max(0.0, PAUSE_S - (time.monotonic() - since)))
    assert all(cell.worker_of(name) != worker for name in moved)
    cell.obeys(worker)
    cell.judge_history()


def test_a_hung_engine_and_a_hung_tap_are_replaced_and_neighbours_play(cell: Torn) -> None:
    """Each on a worker of its own; the third worker's viewers must not notice."""
    tapless, engineless = two_watched(cell)
    spared = next(worker for worker in WORKERS if worker not in (tapless, engineless))
    hung = [
        *children(cell.stack.home, tapless, "weir-tap"),
        *children(cell.stack.home, engineless, "mediamtx"),
    ]
    hurt = [*cell.watched_on(tapless), *cell.watched_on(engineless)]
    generations = {name: cell.stream(name)["generation"] for name in cell.streams}
    with cell.watching.over("engine hung, tap hung", hurt, limit_s=90):
        with paused(hung):
            since = time.monotonic()
            wait_for("the hung ones are gone", lambda: not any(map(is_alive, hung)), 60)
            print(f"replaced after {time.monotonic() - since:.1f} s")
            cell.watching.playing(hurt)
    for name in cell.watched_on(spared):
        assert cell.watching.players[name].freeze(cell.watching.faults[-1].began) < HITCH_S
    assert generations == {name: cell.stream(name)["generation"] for name in generations}


def test_a_paused_api_is_not_missed_and_wakes_up_to_the_truth(cell: Torn) -> None:
    name, other = APIS
    camera = cell.streams["yard"].camera_id
    with cell.watching.over("api paused") as fault:
        with paused(family(pid_of(cell.stack.home, name))):
            since = time.monotonic()
            started = cell.api_of(other).start(camera)
            assert started["id"] == cell.streams["yard"].stream_id
            time.sleep(max(0.0, PAUSE_S - (time.monotonic() - since)))
    assert fault.freeze_s < 10
    for playing in cell.streams.values():
        told = cell.api_of(other).stream(playing.stream_id)
        assert cell.api_of(name).stream(playing.stream_id) == told


# ---- cut off ----


def two_watched(cell: Torn) -> tuple[str, str]:
    """Two workers with viewers."""
    first = next(worker for worker in WORKERS if cell.watched_on(worker))
    return first, cell.watch_on(*(worker for worker in WORKERS if worker != first))


def test_a_short_cut_moves_nothing(cell: Torn) -> None:
    """One worker without Kafka, another one without Redis, for less than the time of death."""
    kafkaless, redisless = two_watched(cell)
    before = {name: cell.stream(name)["generation"] for name in cell.streams}
    with cell.watching.over("Kafka, Redis cut off a worker for 3 s") as fault, ExitStack() as cuts:
        cuts.enter_context(cell.links.cut(kafkaless, "kafka"))
        cuts.enter_context(cell.links.cut(redisless, "redis"))
        time.sleep(SHORT_S)
    assert fault.freeze_s < HITCH_S
    cell.obeys(kafkaless)
    assert before == {name: cell.stream(name)["generation"] for name in cell.streams}


def test_a_worker_without_kafka_is_replaced_and_obeys_when_it_is_back(cell: Torn) -> None:
    kafkaless, redisless = two_watched(cell)
    moved, stayed = cell.watched_on(kafkaless), cell.watched_on(redisless)
    before = {name: cell.stream(name)["generation"] for name in stayed}
    with cell.watching.over("Kafka, Redis cut off a worker for 12 s", limit_s=90), ExitStack() as cuts:
        cuts.enter_context(cell.links.cut(kafkaless, "kafka"))
        cuts.enter_context(cell.links.cut(redisless, "redis"))
        time.sleep(LONG_S)
    assert all(cell.worker_of(name) != kafkaless for name in moved)
    assert before == {name: cell.stream(name)["generation"] for name in stayed}
    cell.obeys(kafkaless, 60)
    cell.judge_history()


def cut_off(cell: Torn, seconds: float, *, cameras: bool) -> None:
    """One worker from everybody, and from its cameras too if asked; afterwards it obeys the log."""
    worker, other = two_watched(cell)
    hurt, spared = cell.watched_on(worker), cell.watched_on(other)
    before = cell.stream(hurt[0])["generation"]
    name = f"a worker cut off from everything for {seconds} s"
    with cell.watching.over(name, hurt, limit_s=90) as fault, ExitStack() as cuts:
        for port in cell.cameras_of(worker) if cameras else []:
            cuts.enter_context(cell.links.cut("cameras", port))
        cuts.enter_context(cell.links.cut(worker))
        time.sleep(seconds)
    for viewer in spared:
        assert cell.watching.players[viewer].freeze(fault.began) < HITCH_S
    cell.obeys(worker, 60)
    assert (cell.stream(hurt[0])["generation"] == before) is (seconds == SHORT_S)
    cell.judge_history()


def test_a_worker_cut_off_from_everything_for_a_moment_keeps_its_streams(cell: Torn) -> None:
    cut_off(cell, SHORT_S, cameras=True)


def test_a_worker_cut_off_from_everything_is_replaced_and_obeys_when_it_is_back(cell: Torn) -> None:
    """Its cameras go on to reach it, so that it would go on for ever, were it not told."""
    cut_off(cell, LONG_S, cameras=False)


def test_a_leader_and_an_api_without_kafka_are_not_missed(cell: Torn) -> None:
    old = cell.leader()
    new = cell.other(old, SCHEDULERS)
    with cell.watching.over("a leader and an api without Kafka for 12 s") as fault:
        with cell.links.cut(old, "kafka"), cell.links.cut("api-2", "kafka"):
            since = time.monotonic()
            wait_for("the standby leads", lambda: cell.leads(new), 60)
            started = cell.start("during-cut")
            body = {"camera_id": started.camera_id, "quality": "high"}
            cell.api_of("api-2").call("POST", "/v1/streams", body).expect(503)
            time.sleep(max(0.0, LONG_S - (time.monotonic() - since)))
        wait_for("the old leader stands by", lambda: not cell.leads(old), 60)
    assert fault.freeze_s < HITCH_S
    cell.judge_history()
    cell.end("during-cut")


def turns(viewer: Viewer, url: str) -> list[Seen]:
    """What somebody who watches sees, and somebody who comes now, for as long as a cut lasts."""
    seen = []
    until = time.monotonic() + LONG_S
    while time.monotonic() < until:
        # While nothing plays yet, whoever comes is told so and asks again.
        newcomer = wait_for("an index", Viewer(url).open, 60, pause=0.3)
        seen += [look(viewer), look(newcomer)]
        time.sleep(0.2)
    return seen


def test_an_api_that_is_behind_leads_nobody_back(cell: Torn) -> None:
    """A worker lost its streams and does not know it, and an api does not know it either."""
    behind, well = APIS[1], APIS[0]
    worker = cell.watch_on(*WORKERS)
    name = cell.watched_on(worker)[0]
    before = int(cell.stream(name)["generation"])
    url = cell.streams[name].url
    viewer = Viewer(url).open()
    seen = [look(viewer)]
    with cell.links.cut(behind, "kafka"), cell.links.cut(worker, "kafka"):

        def moved_on() -> bool:
            seen.append(look(viewer))
            return seen[-1].generation > before

        wait_for("the viewer is led to another worker", moved_on, 90, pause=0.3)
        # Whichever api the gateway asks now: many turns of each.
        seen += turns(viewer, url)
        # A player gives up that has nothing for twice as long as a worker takes to be given up.
        cell.watching.playing()
        # And while the newest one is only placed: one api knows no way, the other a wrong one.
        cell.kill(cell.worker_of(name))
        seen += turns(viewer, url)
        told = cell.api_of(behind).stream(cell.streams[name].stream_id)
        assert told["generation"] == before, "the cut api knows: nothing was tried"
    assert cell.api_of(well).stream(cell.streams[name].stream_id)["generation"] > before
    assert seen == sorted(seen)
    cell.heal()
    cell.obeys(worker, 60)
    cell.judge_history()


# ---- away ----


def test_nobody_misses_redis(cell: Torn) -> None:
    with cell.watching.over("Redis stopped for 30 s") as fault:
        cell.stack.dev("stop", "redis")
        since = time.monotonic()
        cell.start("without-redis")
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - since)))
        cell.stack.dev("start", "redis")
    assert fault.freeze_s < HITCH_S
    cell.views_are_whole()
    cell.end("without-redis")


# ---- the wrong time ----


def test_a_leader_with_a_wrong_clock_decides_as_before(cell: Torn) -> None:
    leader = cell.leader()
    before = {name: cell.stream(name)["generation"] for name in cell.streams}
    with cell.watching.over("a leader's clock 1 h off, both ways") as fault:
        for offset_s in (HOUR_S, -HOUR_S):
            with cell.clocks[leader].off_by(offset_s):
                name = f"leader-{offset_s}"
                cell.start(name)
                cell.end(name)
    assert fault.freeze_s < HITCH_S
    assert cell.leads(leader)
    assert before == {name: cell.stream(name)["generation"] for name in before}
    cell.judge_history()


def test_a_worker_with_a_wrong_clock_serves_as_before(cell: Torn) -> None:
    before = {name: cell.stream(name)["generation"] for name in cell.streams}
    with cell.watching.over("a worker's clock 1 h off, both ways") as fault:
        for offset_s in (HOUR_S, -HOUR_S):
            with cell.clocks[JUMPED_WORKER].off_by(offset_s):
                cell.obeys(JUMPED_WORKER)
    assert fault.freeze_s < HITCH_S
    assert before == {name: cell.stream(name)["generation"] for name in cell.streams}
    cell.judge_history()


def test_playlists_are_not_numbered_by_a_workers_clock(cell: Torn) -> None:
    """Origin and engine end together while the clock is wrong: the next origin remembers no number and
    computes one from the time of placement, which must not be an hour off, or the next placement
    counts backwards."""
    cell.watch_on(JUMPED_WORKER)
    name = cell.watched_on(JUMPED_WORKER)[0]
    player = cell.watching.players[name]
    # It may have come only now.
    cell.watching.playing([name])
    before = player.levels[-1]["last"]
    with cell.watching.over("origin and engine killed, clock 1 h behind", [name]):
        with cell.clocks[JUMPED_WORKER].off_by(-HOUR_S):
            for program in ("weir-origin", "mediamtx"):
                tell(children(cell.stack.home, JUMPED_WORKER, program), signal.SIGKILL)
            cell.watching.playing([name])
    assert cell.worker_of(name) == JUMPED_WORKER
    assert before < player.levels[-1]["last"] < before + HOUR_S


def test_an_api_with_a_wrong_clock_refuses_and_the_other_one_serves(cell: Torn) -> None:
    jumped, right = cell.api_of(JUMPED_API), cell.api_of(cell.other(JUMPED_API, APIS))
    camera = cell.streams["yard"].camera_id
    with cell.watching.over("an api's clock 1 h off, both ways") as fault:
        for offset_s in (HOUR_S, -HOUR_S):
            with cell.clocks[JUMPED_API].off_by(offset_s):
                # A token of its own each time: a verdict that was right a moment ago is remembered.
                token = cell.stack.token("acme", "admin", "--ttl", "600")
                refused = Api(jumped.base, token).get("/v1/cameras").expect(401)
                assert refused.headers["content-type"] == "application/problem+json"
                assert right.start(camera)["id"] == cell.streams["yard"].stream_id
                time.sleep(3)
            jumped.get("/v1/cameras").expect(200)
    assert fault.freeze_s < HITCH_S

# SPDX-License-Identifier: Apache-2.0
"""The scheduler on a real Kafka and Redis: what it decides is judged from the topics alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cell import Cell, Scheduler, wait_for_leader
from client import wait_for
from faults.processes import kill, paused, pid_of

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEIR_TEST_BUILD") or ROOT / "build" / "release")
BINARY = BUILD / "scheduler" / "weir-scheduler"
WORKER = "00000000-0000-4000-8000-0000000000b1"


class Heart:
    """Keeps a worker alive: a heartbeat a second with what the log places on it."""

    def __init__(self, cell: Cell, worker: str) -> None:
        self.cell = cell
        self.worker = worker
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.beat, daemon=True)
        self.thread.start()

    def beat(self) -> None:
        while not self.stopping.wait(0.7):
            try:
                ledger = self.cell.ledger()
                if self.worker in ledger.workers:
                    self.cell.heartbeat(self.worker, ledger)
            except subprocess.SubprocessError:
                continue  # Kafka is away: so is this heartbeat.

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join()


@pytest.fixture(scope="module")
def cell(infra: Any, tmp_path_factory: pytest.TempPathFactory) -> Cell:
    values = infra.env()
    subprocess.run(
        [str(BUILD / "weirctl" / "weirctl"), "topics", f"--kafka={values['WEIR_KAFKA']}",
         "--timeout-ms=60000"],
        check=True, timeout=90,
    )
    return Cell(tmp_path_factory.mktemp("cell"), values["WEIR_KAFKA"], values["WEIR_REDIS"])


@pytest.fixture(scope="module")
def team(cell: Cell, infra: Any) -> Iterator[list[Scheduler]]:
    """Two schedulers; a worker that lives."""
    made = [Scheduler(BINARY, cell, f"scheduler-{i}", infra.base + 11 + i) for i in range(2)]
    heart = None
    try:
        wait_for_leader(made)
        cell.join(WORKER)
        wait_for("the worker", lambda: WORKER in cell.ledger().workers)
        heart = Heart(cell, WORKER)
        yield made
    finally:
        if heart:
            heart.stop()
        for scheduler in made:
            scheduler.signal(signal.SIGCONT)
            scheduler.kill()


@pytest.fixture
def pair(cell: Cell, team: list[Scheduler]) -> list[Scheduler]:
    """The team, with whatever an earlier test took from it."""
    for at, scheduler in enumerate(team):
        scheduler.signal(signal.SIGCONT)
        if scheduler.process.poll() is not None:
            team[at] = Scheduler(BINARY, cell, f"scheduler-{at}", scheduler.port)
    wait_for("two schedulers", lambda: all(s.is_ready() for s in team))
    wait_for_leader(team)
    wait_for("a ready worker", lambda: revive(cell), seconds=20)
    return team


def revive(cell: Cell) -> bool:
    """A worker that was declared dead between two tests joins again."""
    state = cell.ledger().workers[WORKER]["state"]
    if state == "dead":
        cell.join(WORKER)
    return bool(state == "ready")


def deaths(cell: Cell) -> int:
    """How often the worker was declared dead."""
    records = [json.loads(value)["data"] for _, _, value in cell.read("weir.decisions.v1")]
    effects = [effect for record in records for effect in record["effects"]]
    return sum(e["to"] == "dead" and e.get("worker_id") == WORKER for e in effects)


class Streams:
    """Starts, and what must be true of them in the end."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.commands: dict[str, str] = {}

    def start(self, n: int, expires_in_ms: int = 120000) -> None:
        for _ in range(n):
            stream = str(uuid.uuid4())
            self.commands[self.cell.start(stream, str(uuid.uuid4()), None, expires_in_ms)] = stream

    def are_decided(self) -> bool:
        return set(self.commands) <= set(self.cell.ledger().commands)

    def check(self) -> None:
        """Each was decided once, and runs where it was placed the first time."""
        ledger = self.cell.ledger()
        for command, stream in self.commands.items():
            assert [d["outcome"] for d in ledger.commands[command]] == ["applied"], command
            assert len(ledger.placements[stream]) == 1, stream
            assert ledger.streams[stream]["state"] == "placed", stream


def standby_of(pair: list[Scheduler], leader: Scheduler) -> Scheduler:
    return next(s for s in pair if s is not leader)


def state_of(cell: Cell, stream: str) -> str | None:
    return cell.ledger().streams.get(stream, {}).get("state")


def test_one_leads_and_the_other_is_ready_to(cell: Cell, pair: list[Scheduler]) -> None:
    wait_for("two ready schedulers", lambda: all(s.is_ready() for s in pair))
    assert sum(s.leads() for s in pair) == 1


def test_a_start_is_placed_and_can_be_seen_in_redis(cell: Cell, pair: list[Scheduler]) -> None:
    stream = str(uuid.uuid4())
    command = cell.start(stream, str(uuid.uuid4()))
    wait_for("a placed stream", lambda: state_of(cell, stream) == "placed")
    decision = cell.ledger().commands[command]
    assert [d["outcome"] for d in decision] == ["applied"]
    key = f"weir:0:stream:{stream}"
    wait_for("its view", lambda: cell.redis_call("HGET", key, "state") == "placed", seconds=30)
    assert cell.redis_call("HGET", key, "worker_id") == WORKER
    score = wait_for(
        "a score", lambda: cell.redis_call("ZSCORE", "weir:0:scores", WORKER), seconds=5
    )
    assert 0 <= float(score) < 1_000_000
    engines = wait_for("its engine", lambda: cell.redis_call("HGET", "weir:0:encoders", WORKER))
    assert engines == "nvenc:ready:300:140:112000:8:0:0"


def test_views_come_back_after_redis_lost_everything(cell: Cell, pair: list[Scheduler]) -> None:
    stream = str(uuid.uuid4())
    cell.start(stream, str(uuid.uuid4()))
    key = f"weir:0:stream:{stream}"
    wait_for("its view", lambda: cell.redis_call("HGET", key, "state") == "placed")
    cell.redis_call("FLUSHALL")
    wait_for("its view again", lambda: cell.redis_call("HGET", key, "state") == "placed", seconds=30)
    wait_for("the scores", lambda: cell.redis_call("ZSCORE", "weir:0:scores", WORKER), seconds=30)


def test_duplicates_and_late_commands_change_nothing(cell: Cell, pair: list[Scheduler]) -> None:
    stream = str(uuid.uuid4())
    camera = str(uuid.uuid4())
    command = cell.start(stream, camera)
    cell.start(stream, camera, command)
    late = cell.start(str(uuid.uuid4()), str(uuid.uuid4()), expires_in_ms=-1000)
    wait_for("all records", lambda: late in cell.ledger().commands)
    ledger = cell.ledger()
    assert [(d["outcome"], d["reason"]) for d in ledger.commands[command]] == [
        ("applied", "start_asked"), ("noop", "duplicate"),
    ]
    assert [(d["outcome"], d["reason"]) for d in ledger.commands[late]] == [("refused", "expired")]
    assert len(ledger.placements[stream]) == 1


def test_a_poison_record_goes_to_the_dead_letters_once(
    cell: Cell, pair: list[Scheduler]
) -> None:
    mark = uuid.uuid4().hex
    topics = ("weir.commands.v1", "weir.facts.v1", "weir.config.v1")
    for topic in topics:
        cell.write(topic, "poison", f'{{"mark":"{mark}"')
    after = Streams(cell)
    after.start(1)
    wait_for("the next command", after.are_decided)

    def dead() -> int:
        return sum(mark in value for _, _, value in cell.read("weir.dlq.v1", None))

    wait_for("all dead letters", lambda: dead() == len(topics))
    wait_for_leader(pair).kill()
    wait_for_leader(pair)
    after.start(1)
    wait_for("a command after the takeover", after.are_decided)
    assert dead() == len(topics)
    after.check()


def test_a_standby_takes_over_when_the_leader_is_killed(
    cell: Cell, pair: list[Scheduler]
) -> None:
    leader = wait_for_leader(pair)
    standby = standby_of(pair, leader)
    before = cell.ledger()
    leader.kill()
    stream = str(uuid.uuid4())
    command = cell.start(stream, str(uuid.uuid4()), expires_in_ms=60000)
    wait_for("the standby to lead", standby.leads, seconds=30)
    wait_for("a placed stream", lambda: state_of(cell, stream) == "placed")
    after = cell.ledger()
    assert [d["outcome"] for d in after.commands[command]] == ["applied"]
    assert len(after.takeovers) == len(before.takeovers) + 1
    assert all(s in after.streams for s in before.streams)


def test_a_paused_leader_does_no_harm_when_it_goes_on(cell: Cell, pair: list[Scheduler]) -> None:
    leader = wait_for_leader(pair)
    standby = standby_of(pair, leader)
    streams = Streams(cell)
    with paused([leader.process.pid]):
        since = time.monotonic()
        streams.start(5)
        wait_for("the standby to lead", standby.leads, seconds=15)
        wait_for("decisions", streams.are_decided)
        time.sleep(max(0, 15 - (time.monotonic() - since)))
    streams.start(1)
    wait_for("the old leader to follow", leader.is_ready)
    wait_for("decisions", streams.are_decided)
    streams.check()
    wait_for("one leader", lambda: sum(s.leads() for s in pair) == 1)


def test_a_scheduler_that_starts_takes_the_lead_from_nobody(
    cell: Cell, pair: list[Scheduler]
) -> None:
    leader = wait_for_leader(pair)
    takeovers = len(cell.ledger().takeovers)
    at = 1 - pair.index(leader)
    for end in (Scheduler.kill, Scheduler.stop):
        end(pair[at])
        pair[at] = Scheduler(BINARY, cell, f"scheduler-{at}", pair[at].port)
        wait_for("its readiness", pair[at].is_ready)
        streams = Streams(cell)
        streams.start(1)
        wait_for("decisions", streams.are_decided)
    time.sleep(4)  # The session of the one that was killed ends, and the group elects again.
    assert len(cell.ledger().takeovers) == takeovers
    assert leader.leads()


def test_a_paused_leader_without_a_standby_begins_anew(cell: Cell, pair: list[Scheduler]) -> None:
    leader = wait_for_leader(pair)
    standby_of(pair, leader).kill()
    dead = deaths(cell)
    streams = Streams(cell)
    streams.start(3)
    wait_for("decisions", streams.are_decided)
    takeovers = len(cell.ledger().takeovers)
    with paused([leader.process.pid]):
        streams.start(3)
        time.sleep(8)
    streams.start(3)
    wait_for("a new term", lambda: len(cell.ledger().takeovers) > takeovers)
    wait_for("decisions", streams.are_decided)
    streams.check()
    assert deaths(cell) == dead, "what piled up, or was missing, is not the worker's silence"


def test_kafka_that_stands_still_kills_nobody(
    cell: Cell, pair: list[Scheduler], infra: Any
) -> None:
    dead = deaths(cell)
    streams = Streams(cell)
    streams.start(5)
    wait_for("decisions", streams.are_decided)
    with paused([pid_of(infra.home, "kafka")]):
        time.sleep(20)
    since = time.monotonic()
    streams.start(5)
    wait_for("decisions", streams.are_decided, seconds=90)
    print(f"decided again {time.monotonic() - since:.1f} s after Kafka went on")
    wait_for("a ready worker", lambda: cell.ledger().workers[WORKER]["state"] == "ready")
    streams.check()
    assert deaths(cell) == dead


def test_kafka_killed_and_back_loses_nothing(
    cell: Cell, pair: list[Scheduler], infra: Any
) -> None:
    dead = deaths(cell)
    streams = Streams(cell)
    streams.start(5)
    kill([pid_of(infra.home, "kafka")])
    time.sleep(12)
    infra.ok("infra", "up")
    since = time.monotonic()
    streams.start(5)
    wait_for("decisions", streams.are_decided, seconds=90)
    print(f"decided again {time.monotonic() - since:.1f} s after Kafka was back")
    streams.check()
    assert deaths(cell) == dead
    wait_for("two ready schedulers", lambda: all(s.is_ready() for s in pair))


def test_decisions_do_not_wait_for_redis(cell: Cell, pair: list[Scheduler], infra: Any) -> None:
    streams = Streams(cell)
    redis = pid_of(infra.home, "redis")
    with paused([redis]):
        since = time.monotonic()
        streams.start(10)
        wait_for("decisions", streams.are_decided)
        print(f"ten starts decided within {time.monotonic() - since:.1f} s, Redis stopped")
    streams.check()
    kill([redis])
    streams.start(5)
    wait_for("decisions", streams.are_decided)
    infra.ok("infra", "up")
    wait_for("whole views", cell.views_are_whole)


def test_views_are_whole_again_whatever_redis_forgot_meanwhile(
    cell: Cell, pair: list[Scheduler]
) -> None:
    streams = Streams(cell)
    for _ in range(10):
        streams.start(2)
        cell.redis_call("FLUSHALL")
    wait_for("decisions", streams.are_decided)
    wait_for("whole views", cell.views_are_whole)


def test_kills_in_a_row_neither_lose_nor_double_a_command(
    cell: Cell, pair: list[Scheduler]
) -> None:
    commands: dict[str, str] = {}
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            stream = str(uuid.uuid4())
            commands[cell.start(stream, str(uuid.uuid4()), expires_in_ms=120000)] = stream
            time.sleep(0.1)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for _ in range(4):
            leader = wait_for_leader(pair)
            time.sleep(1)
            leader.kill()
            at = pair.index(leader)
            pair[at] = Scheduler(BINARY, cell, f"scheduler-{at}", leader.port)
    finally:
        done.set()
        asker.join()
    wait_for_leader(pair)
    wait_for("every command", lambda: set(commands) <= set(cell.ledger().commands), seconds=60)
    ledger = cell.ledger()
    for command, stream in commands.items():
        applied = [d for d in ledger.commands[command] if d["outcome"] == "applied"]
        assert len(applied) == 1 and len(ledger.commands[command]) == 1, command
        generations = ledger.placements.get(stream, [])
        assert generations == sorted(set(generations)), stream


def checkpoints(cell: Cell) -> dict[str, dict[str, str]]:
    """prefix -> key -> value of what is kept after compaction would have run."""
    newest = {key: value for _, key, value in cell.read("weir.state.v1")}
    found: dict[str, dict[str, str]] = {}
    for key, value in newest.items():
        if value:
            found.setdefault(key[:20], {})[key] = value
    return found


def test_one_complete_checkpoint_is_kept_and_a_restart_uses_it(
    cell: Cell, pair: list[Scheduler]
) -> None:
    leader = wait_for_leader(pair)

    def is_one_complete() -> bool:
        found = checkpoints(cell)
        if len(found) != 1:
            return False
        ((_prefix, rows),) = found.items()
        closing = [json.loads(v)["data"] for k, v in rows.items() if "/checkpoint/" in k]
        streams = sum("/stream/" in k for k in rows)
        return len(closing) == 1 and closing[0]["streams"] == streams

    wait_for("one complete checkpoint", is_one_complete, seconds=20)
    before = cell.ledger()
    for scheduler in pair:
        assert scheduler.stop() == 0
    pair[0] = Scheduler(BINARY, cell, "scheduler-0", leader.port)
    wait_for_leader([pair[0]])
    stream = str(uuid.uuid4())
    cell.start(stream, str(uuid.uuid4()))
    wait_for("a placed stream", lambda: state_of(cell, stream) in ("placed", "queued"))
    after = cell.ledger()
    assert set(before.streams) <= set(after.streams)
    assert pair[0].metric("weir_scheduler_divergences_total") == 0


def test_a_dead_worker_s_streams_are_placed_elsewhere(cell: Cell, pair: list[Scheduler]) -> None:
    other = str(uuid.uuid4())
    cell.join(other)
    wait_for("the other worker", lambda: other in cell.ledger().workers)
    other_heart = Heart(cell, other)
    try:
        streams = [str(uuid.uuid4()) for _ in range(6)]
        for stream in streams:
            cell.start(stream, str(uuid.uuid4()))
        wait_for("placements", lambda: all(state_of(cell, s) == "placed" for s in streams))
        ledger = cell.ledger()
        moved = [s for s in streams if ledger.streams[s]["worker_id"] == other]
        assert moved, "a second, empty worker gets something"
        other_heart.stop()
        wait_for("its death", lambda: cell.ledger().workers[other]["state"] == "dead", seconds=20)

        def all_moved() -> bool:
            rows = cell.ledger().streams
            return all(
                rows[s]["state"] == "placed" and rows[s]["worker_id"] == WORKER for s in moved
            )

        wait_for("new placements", all_moved, seconds=20)
        after = cell.ledger()
        for stream in moved:
            first, second = ledger.streams[stream], after.streams[stream]
            assert second["generation"] > first["generation"]
            assert second["seq_base"] >= first["seq_base"] + 64
    finally:
        other_heart.stop()

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
            ledger = self.cell.ledger()
            if self.worker in ledger.workers:
                self.cell.heartbeat(self.worker, ledger)

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join()


@pytest.fixture(scope="module")
def cell(infra: Any, tmp_path_factory: pytest.TempPathFactory) -> Cell:
    values = infra.env()
    subprocess.run(
        [str(BUILD / "weirctl" / "weirctl"), "topics", f"--kafka={values['WEIR_KAFKA']}"],
        check=True, timeout=60,
    )
    return Cell(tmp_path_factory.mktemp("cell"), values["WEIR_KAFKA"], values["WEIR_REDIS"])


@pytest.fixture(scope="module")
def ports(infra: Any) -> tuple[int, int]:
    return infra.base + 11, infra.base + 12


@pytest.fixture
def pair(cell: Cell, ports: tuple[int, int]) -> Iterator[list[Scheduler]]:
    """Two schedulers; a worker that lives."""
    made = [Scheduler(BINARY, cell, f"scheduler-{i}", ports[i]) for i in range(2)]
    heart = None
    try:
        wait_for_leader(made)
        if WORKER not in cell.ledger().workers:
            cell.join(WORKER)
            wait_for("the worker", lambda: WORKER in cell.ledger().workers)
        heart = Heart(cell, WORKER)
        wait_for("a ready worker", lambda: revive(cell), seconds=20)
        yield made
    finally:
        if heart:
            heart.stop()
        for scheduler in made:
            scheduler.kill()


def revive(cell: Cell) -> bool:
    """A worker that was declared dead between two tests joins again."""
    state = cell.ledger().workers[WORKER]["state"]
    if state == "dead":
        cell.join(WORKER)
    return bool(state == "ready")


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
    wait_for("its view", lambda: cell.redis_call("HGET", key, "state") == "placed", seconds=5)
    assert cell.redis_call("HGET", key, "worker_id") == WORKER
    score = wait_for(
        "a score", lambda: cell.redis_call("ZSCORE", "weir:0:scores", WORKER), seconds=5
    )
    assert 0 <= float(score) < 1_000_000


def test_views_come_back_after_redis_lost_everything(cell: Cell, pair: list[Scheduler]) -> None:
    stream = str(uuid.uuid4())
    cell.start(stream, str(uuid.uuid4()))
    key = f"weir:0:stream:{stream}"
    wait_for("its view", lambda: cell.redis_call("HGET", key, "state") == "placed")
    cell.redis_call("FLUSHALL")
    wait_for("its view again", lambda: cell.redis_call("HGET", key, "state") == "placed", seconds=5)
    wait_for("the scores", lambda: cell.redis_call("ZSCORE", "weir:0:scores", WORKER), seconds=5)


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


def test_a_poison_record_goes_to_the_dead_letters(cell: Cell, pair: list[Scheduler]) -> None:
    mark = uuid.uuid4().hex
    cell.write("weir.commands.v1", "poison", f'{{"mark":"{mark}"')
    cell.write("weir.facts.v1", "poison", bytes(range(1, 9)) + mark.encode())
    stream = str(uuid.uuid4())
    cell.start(stream, str(uuid.uuid4()))
    wait_for("the next command", lambda: state_of(cell, stream) == "placed")

    def dead() -> bool:
        values = [v for p in range(12) for _, _, v in cell.read("weir.dlq.v1", p)]
        return sum(mark in v for v in values) >= 2

    wait_for("both dead letters", dead)


def test_a_standby_takes_over_when_the_leader_is_killed(
    cell: Cell, pair: list[Scheduler]
) -> None:
    leader = wait_for_leader(pair)
    standby = standby_of(pair, leader)
    before = cell.ledger()
    leader.kill()
    killed = time.monotonic()
    stream = str(uuid.uuid4())
    command = cell.start(stream, str(uuid.uuid4()), expires_in_ms=60000)
    wait_for("the standby to lead", standby.leads, seconds=15)
    assert time.monotonic() - killed < 10
    wait_for("a placed stream", lambda: state_of(cell, stream) == "placed")
    after = cell.ledger()
    assert [d["outcome"] for d in after.commands[command]] == ["applied"]
    assert len(after.takeovers) == len(before.takeovers) + 1
    assert all(s in after.streams for s in before.streams)


def test_a_paused_leader_does_no_harm_when_it_goes_on(cell: Cell, pair: list[Scheduler]) -> None:
    leader = wait_for_leader(pair)
    standby = standby_of(pair, leader)
    leader.signal(signal.SIGSTOP)
    streams = [str(uuid.uuid4()) for _ in range(5)]
    commands = [cell.start(s, str(uuid.uuid4()), expires_in_ms=60000) for s in streams]
    wait_for("the standby to lead", standby.leads, seconds=15)
    time.sleep(10)
    leader.signal(signal.SIGCONT)
    more = str(uuid.uuid4())
    cell.start(more, str(uuid.uuid4()))
    wait_for("a placed stream", lambda: state_of(cell, more) == "placed")
    wait_for("the old leader to stand by", lambda: not leader.leads() and leader.is_ready())
    time.sleep(3)
    ledger = cell.ledger()
    for stream, command in zip(streams, commands):
        assert [d["outcome"] for d in ledger.commands[command]] == ["applied"]
        assert len(ledger.placements[stream]) == 1, stream
    assert sum(s.leads() for s in pair) == 1


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

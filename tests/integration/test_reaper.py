# SPDX-License-Identifier: Apache-2.0
"""Two reapers beside a scheduler on a real Kafka; the worker and its viewers are played by the test."""

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
from cell import TENANT, Cell, Scheduler, now_ms, wait_for_leader
from client import wait_for

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("WEIR_TEST_BUILD") or ROOT / "build" / "release")
TIMEOUT_S = 5
GAP_S = 3  # REAPER_GAP_MS, and some
LIVE = ("placed", "starting", "running", "suspect")
WORKER = "00000000-0000-4000-8000-0000000000c1"


class Worker:
    """Joins, starts what it is given, and sends a heartbeat a second unless told to be silent."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.started: set[tuple[str, int]] = set()
        self.requested: dict[str, float] = {}  # stream -> when its playlist was last asked for
        self.is_silent = False
        self.sent = 0.0  # when the last heartbeat was sent
        self.listed: set[str] = set()  # streams that a heartbeat ever had
        self.stopping = threading.Event()
        cell.join(WORKER)
        wait_for("the worker", lambda: WORKER in cell.ledger().workers)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while not self.stopping.wait(0.6):
            ledger = self.cell.ledger()
            incarnation = ledger.workers[WORKER]["incarnation"]
            streams = []
            for stream, row in ledger.streams.items():
                if row.get("worker_id") != WORKER or row["state"] not in LIVE:
                    continue
                place = {"worker_id": WORKER, "incarnation": incarnation, "tenant_id": TENANT,
                         "stream_id": stream, "generation": row["generation"]}
                if (stream, row["generation"]) not in self.started:
                    self.started.add((stream, row["generation"]))
                    self.cell.event("fact.starting", stream, place)
                    self.cell.event("fact.started", stream, {
                        **place, "video_codec": "h264", "width": 64, "height": 64, "took_ms": 1})
                listed = {"stream_id": stream, "tenant_id": TENANT,
                          "generation": row["generation"], "state": "running"}
                if stream in self.requested:
                    age = time.monotonic() - self.requested[stream]
                    listed["last_request_age_ms"] = int(age * 1000)
                streams.append(listed)
            if not self.is_silent:
                self.cell.event("heartbeat", WORKER, {
                    "worker_id": WORKER, "incarnation": incarnation, "seq": now_ms(),
                    "log_offset": ledger.offset,
                    "load": {"cpu_milli_used": 1, "cpu_milli_cap": 4000, "mem_mib_used": 1,
                             "mem_mib_cap": 8000, "net_kbps_used": 0, "net_kbps_cap": 1000000},
                    "streams": streams, "leases": []})
                self.sent = time.monotonic()
                self.listed.update(row["stream_id"] for row in streams)


@pytest.fixture(scope="module")
def cell(infra: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    values = infra.env()
    home = tmp_path_factory.mktemp("reaper")
    kafka = values["WEIR_KAFKA"]
    subprocess.run([str(BUILD / "weirctl" / "weirctl"), "topics", f"--kafka={kafka}"],
                   check=True, timeout=60)
    made = Cell(home, kafka, values["WEIR_REDIS"])
    scheduler = Scheduler(BUILD / "scheduler" / "weir-scheduler", made, "scheduler", infra.base + 11)
    try:
        wait_for_leader([scheduler])
        yield made
    finally:
        scheduler.kill()


@pytest.fixture(scope="module", autouse=True)
def reapers(cell: Cell) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = {**os.environ, "WEIR_KAFKA": cell.kafka, "WEIR_IDLE_TIMEOUT_S": str(TIMEOUT_S)}
    with (cell.home / "reaper.log").open("ab") as log:
        made = [
            subprocess.Popen([str(BUILD / "reaper" / "weir-reaper")], env=environment, stderr=log)
            for _ in range(2)
        ]
    yield made
    for reaper in made:
        reaper.terminate()
        assert reaper.wait(20) == 0


@pytest.fixture(scope="module")
def worker(cell: Cell) -> Iterator[Worker]:
    made = Worker(cell)
    yield made
    made.stopping.set()
    made.thread.join()


def start(cell: Cell, camera: str | None = None) -> tuple[str, float]:
    """A stream that runs, and when it was seen to."""
    stream = str(uuid.uuid4())
    cell.start(stream, camera or str(uuid.uuid4()))
    wait_for("it runs", lambda: state(cell, stream) == "running", seconds=20)
    return stream, time.monotonic()


def state(cell: Cell, stream: str) -> str | None:
    return cell.ledger().streams.get(stream, {}).get("state")


def effects(cell: Cell, stream: str) -> list[dict[str, Any]]:
    decisions = [json.loads(value)["data"] for _, _, value in cell.read("weir.decisions.v1")]
    return [e for d in decisions for e in d["effects"] if e.get("stream_id") == stream]


def stopped_after(cell: Cell, stream: str, since: float, seconds: float = 40) -> float:
    wait_for("it stops", lambda: state(cell, stream) in ("stopping", "stopped"), seconds=seconds)
    return time.monotonic() - since


def watch(cell: Cell, stream: str) -> None:
    cell.event("viewers", stream, {
        "tenant_id": TENANT, "stream_id": stream, "viewers": 1, "source": "gateway",
        "generation": cell.ledger().streams[stream]["generation"], "last_request_ms": now_ms()})


def test_a_stream_nobody_watches_stops_once_and_in_time(cell: Cell, worker: Worker) -> None:
    stream, since = start(cell)
    took = stopped_after(cell, stream, since)
    assert TIMEOUT_S - 2 <= took <= TIMEOUT_S + 20
    time.sleep(3)
    stops = [e["reason"] for e in effects(cell, stream) if e["to"] == "stopping"]
    assert stops == ["idle"]


def test_viewers_at_the_front_door_keep_it(cell: Cell, worker: Worker) -> None:
    stream, since = start(cell)
    while time.monotonic() - since < TIMEOUT_S + 3:
        watch(cell, stream)
        last = time.monotonic()
        time.sleep(1)
    assert state(cell, stream) == "running"
    assert TIMEOUT_S - 2 <= stopped_after(cell, stream, last) <= TIMEOUT_S + 20


def test_requests_at_the_origin_keep_it(cell: Cell, worker: Worker) -> None:
    stream, since = start(cell)
    while time.monotonic() - since < TIMEOUT_S + 3:
        worker.requested[stream] = last = time.monotonic()
        time.sleep(0.5)
    assert state(cell, stream) == "running"
    assert TIMEOUT_S - 2 <= stopped_after(cell, stream, last) <= TIMEOUT_S + 20


def patient_camera(cell: Cell) -> str:
    """Its streams may be idle for twice as long."""
    camera = str(uuid.uuid4())
    cell.event("config.camera", camera, {
        "tenant_id": TENANT, "camera_id": camera, "version": 1, "deleted": False, "host": "",
        "warm": False, "exclusive": False, "max_leases": 1, "idle_timeout_s": TIMEOUT_S * 2})
    return camera


def test_the_cameras_own_timeout_wins(cell: Cell, worker: Worker) -> None:
    stream, since = start(cell, patient_camera(cell))
    took = stopped_after(cell, stream, since)
    assert TIMEOUT_S * 2 - 2 <= took <= TIMEOUT_S * 2 + 20


def test_a_gap_in_the_heartbeats_starts_idle_time_anew(cell: Cell, worker: Worker) -> None:
    # Patient, for it may be seen late that it runs: it must not be idle for too long before the gap.
    stream, _ = start(cell, patient_camera(cell))
    wait_for("a heartbeat that lists it", lambda: stream in worker.listed, 20)
    worker.is_silent = True

    def is_suspect() -> bool:
        """By this silence: a slow scheduler may have suspected the worker for its own pause."""
        is_gap = time.monotonic() - worker.sent > GAP_S
        return is_gap and cell.ledger().workers[WORKER]["state"] == "suspect"

    # Long enough for a gap, and not yet dead: the scheduler says when.
    wait_for("it is suspected", is_suspect, 20, 0.05)
    worker.is_silent = False
    resumed = time.monotonic()
    took = stopped_after(cell, stream, resumed)
    assert TIMEOUT_S * 2 - 2 <= took <= TIMEOUT_S * 2 + 20


def test_paused_reapers_take_nobody_for_gone_when_they_go_on(
    cell: Cell, worker: Worker, reapers: list[subprocess.Popen[bytes]]
) -> None:
    """They were away for longer than streams may be idle, and while they were, people watched."""
    stream, _ = start(cell)
    unwatched, _ = start(cell)
    for reaper in reapers:
        reaper.send_signal(signal.SIGSTOP)
    watched_for(cell, stream, TIMEOUT_S * 2.5)
    for reaper in reapers:
        reaper.send_signal(signal.SIGCONT)
    resumed = time.monotonic()
    watched_for(cell, stream, TIMEOUT_S)
    assert state(cell, stream) == "running"
    assert [e["to"] for e in effects(cell, stream) if e["to"] == "stopping"] == []
    stopped_after(cell, unwatched, resumed)
    stopped_after(cell, stream, resumed)


def watched_for(cell: Cell, stream: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        watch(cell, stream)
        time.sleep(0.7)

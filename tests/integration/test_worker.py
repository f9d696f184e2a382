# SPDX-License-Identifier: Apache-2.0
"""weir-worker on real services: what it does for the rows of a decision log, and when things die."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import wait_for
from conftest import Dev
from tap_rig import Camera
from worker_rig import BUILD, Log, Placed, Sources, Worker


class Cell:
    """Kafka, one worker that was taken in, one camera."""

    def __init__(self, dev: Dev, folder: Path) -> None:
        brokers = dev.env()["WEIR_KAFKA"]
        secrets = dev.home / "secrets"
        public_key = bytes.fromhex((secrets / "seal.pub").read_text().strip())
        argv = [str(BUILD / "weirctl/weirctl"), "topics"]
        subprocess.run(argv, env={"WEIR_KAFKA": brokers}, check=True, timeout=60)
        self.log = Log(brokers)
        self.sources = Sources(public_key, (secrets / "worker-secret").read_text().strip())
        self.camera = Camera(folder / "camera")
        self.worker = Worker(dev, self.log, self.sources, folder)
        self.log.decide("takeover", "takeover")
        self.worker.start()
        joined = self.log.wait_fact("fact.joined", 30, worker_id=self.worker.worker_id)
        self.row = self.worker.take_in(joined)

    def add_camera(self, **more: str) -> tuple[str, str]:
        tenant_id, camera_id = str(uuid.uuid4()), str(uuid.uuid4())
        self.sources.cameras[camera_id] = {
            "tenant_id": tenant_id,
            "camera_id": camera_id,
            "version": 1,
            "url": self.camera.url,
            "transport": "tcp",
            **more,
        }
        return tenant_id, camera_id

    def play(self) -> Placed:
        placed = Placed(self.worker, *self.add_camera())
        placed.started = placed.start()
        return placed

    def close(self) -> None:
        self.worker.stop()
        self.camera.kill()
        self.sources.close()
        shutil.rmtree(self.worker.segments, ignore_errors=True)
        shutil.rmtree(self.worker.environment["WEIR_RUN_DIR"], ignore_errors=True)


@pytest.fixture(scope="module")
def cell(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    dev.ok("infra", "up")
    made = Cell(dev, tmp_path_factory.mktemp("worker"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def playing(cell: Cell) -> Placed:
    return cell.play()


def moves_on(placed: Placed, before: int, seconds: float) -> float:
    """Seconds until the playlist has two more segments."""
    begin = time.monotonic()
    wait_for("newer segments", lambda: placed.playlist()[1] > before + 1, seconds, 0.05)
    return time.monotonic() - begin


def test_a_placed_stream_plays(playing: Placed) -> None:
    assert playing.started["video_codec"] == "avc1"
    assert (playing.started["width"], playing.started["height"]) == (640, 360)
    assert playing.playlist()[0] == 200
    assert moves_on(playing, playing.playlist()[1], 10) < 5


def test_heartbeats_tell_what_runs_and_who_watches(cell: Cell, playing: Placed) -> None:
    playing.playlist()
    time.sleep(2.5)
    beat = cell.log.heartbeat()
    assert beat["incarnation"] == cell.worker.incarnation
    stream = next(s for s in beat["streams"] if s["stream_id"] == playing.stream_id)
    assert stream["state"] == "running"
    assert stream["last_request_age_ms"] < 5000
    lease = next(entry for entry in beat["leases"] if entry["camera_id"] == playing.camera_id)
    assert lease["state"] == "up"
    assert lease["ring_ms"] > 0
    assert beat["load"]["mem_mib_used"] > 0
    assert beat["load"]["cpu_milli_cap"] >= 1000


def test_a_second_stream_of_a_camera_starts_from_the_ring(cell: Cell, playing: Placed) -> None:
    time.sleep(3)
    second = Placed(cell.worker, playing.tenant_id, playing.camera_id)
    second.lease = {**second.lease, "entity": "lease"}
    profile = {"quality": "source", "fps": 15, "class": 1}
    asked = {k: second.stream[k] for k in ("entity", "tenant_id", "stream_id", "camera_id")}
    when = {"seq_base": 0, "placed_at_ms": int(time.time() * 1000)}
    cell.log.decide(
        "command",
        "placed",
        {**asked, **profile, "to": "queued", "reason": "start_asked"},
        {**second.stream, **profile, **when, "from": "queued", "to": "placed", "reason": "placed"},
    )
    started = cell.log.wait_fact("fact.started", stream_id=second.stream_id)[1]
    assert started["took_ms"] < 5000
    second.move("placed", "stopping", "stop_asked")
    cell.log.wait_fact("fact.exited", 3, stream_id=second.stream_id)
    second.move("stopping", "stopped", "stop_asked")


def test_a_killed_engine_plays_again_on_the_same_path(cell: Cell, playing: Placed) -> None:
    time.sleep(4)
    before = playing.playlist()[1]
    cell.worker.kill("mediamtx")
    assert moves_on(playing, before, 15) < 6
    wait_for("a warm engine again", lambda: len(cell.worker.children("mediamtx")) >= 2, 10)


def test_a_killed_tap_plays_again(cell: Cell, playing: Placed) -> None:
    before = playing.playlist()[1]
    cell.worker.kill("weir-tap")
    assert moves_on(playing, before, 20) < 10


def test_a_killed_origin_serves_again_at_the_same_address(cell: Cell, playing: Placed) -> None:
    before = playing.playlist()[1]
    cell.worker.kill("weir-origin")
    assert moves_on(playing, before, 15) < 6


def test_a_hung_engine_is_replaced(cell: Cell, playing: Placed) -> None:
    before = playing.playlist()[1]
    pids = cell.worker.children("mediamtx")
    for pid in pids:
        subprocess.run(["kill", "-STOP", str(pid)], check=True)
    assert moves_on(playing, before, 30) < 20


def test_a_camera_that_fails_is_told_once_and_then_started_again(cell: Cell) -> None:
    other = Camera(cell.worker.folder / "failing")
    tenant_id, camera_id = cell.add_camera(url=other.url)
    placed = Placed(cell.worker, tenant_id, camera_id)
    try:
        placed.start()
        other.fault("refuse")
        failing = cell.log.wait_fact("fact.failing", 30, stream_id=placed.stream_id)[1]
        assert failing["reason"].startswith("source_")
        assert not failing["permanent"]
        placed.move("running", "backoff", failing["reason"])
        other.fault("none")
        first = cell.log.fact("fact.started", stream_id=placed.stream_id)
        assert first
        cell.log.wait_fact("fact.started", 60, after=first[0], stream_id=placed.stream_id)
        placed.move("backoff", "running", "started")
        placed.move("running", "stopping", "stop_asked")
        cell.log.wait_fact("fact.exited", 5, stream_id=placed.stream_id)
        placed.move("stopping", "stopped", "stop_asked")
        placed.move_lease("active", "releasing", "linger_over")
        cell.log.wait_fact("fact.lease_released", 5, camera_id=camera_id)
        placed.move_lease("releasing", "none", "lease_released")
    finally:
        other.kill()


def test_an_unknown_camera_is_told_as_unknown(cell: Cell) -> None:
    placed = Placed(cell.worker, str(uuid.uuid4()), str(uuid.uuid4()))
    placed.place()
    failing = cell.log.wait_fact("fact.failing", 15, stream_id=placed.stream_id)[1]
    assert failing["reason"] == "source_unknown"
    placed.move("placed", "failed", "source_unknown")
    placed.move_lease("active", "releasing", "lease_unused")
    cell.log.wait_fact("fact.lease_released", 5, camera_id=placed.camera_id)
    placed.move_lease("releasing", "none", "lease_released")


def test_a_camera_whose_address_changed_is_fetched_again(cell: Cell, playing: Placed) -> None:
    asked = cell.sources.asked
    cell.sources.cameras[playing.camera_id]["version"] = 2
    change = {
        "tenant_id": playing.tenant_id,
        "camera_id": playing.camera_id,
        "version": 2,
        "deleted": False,
        "host": "127.0.0.1",
        "warm": False,
        "exclusive": False,
        "max_leases": 1,
    }
    cell.log.put("weir.config.v1", "config.camera", change)
    wait_for("another fetch", lambda: cell.sources.asked > asked, 5)


def test_an_idle_stop_of_a_watched_stream_is_answered_still_watched(
    cell: Cell, playing: Placed
) -> None:
    playing.playlist()
    playing.move("running", "stopping", "idle")
    watched = cell.log.wait_fact("fact.still_watched", 5, stream_id=playing.stream_id)[1]
    assert watched["last_request_age_ms"] < 5000
    playing.move("stopping", "running", "still_watched")
    assert playing.playlist()[0] == 200


def test_an_idle_stop_of_a_stream_nobody_watches_ends_it(cell: Cell, playing: Placed) -> None:
    time.sleep(6)
    playing.move("running", "stopping", "idle")
    cell.log.wait_fact("fact.exited", 5, stream_id=playing.stream_id)
    playing.move("stopping", "stopped", "idle")
    playing.move_lease("active", "releasing", "linger_over")
    cell.log.wait_fact("fact.lease_released", 5, camera_id=playing.camera_id)
    playing.move_lease("releasing", "none", "lease_released")
    assert playing.playlist()[0] != 200


def test_a_voided_worker_drops_everything_and_joins_anew(cell: Cell) -> None:
    placed = cell.play()
    before = cell.worker.incarnation
    dead = {**cell.row, "from": "ready", "to": "dead", "reason": "worker_dead"}
    lost = {**placed.stream, "from": "running", "to": "queued", "reason": "worker_dead"}
    gone = {**placed.lease, "from": "active", "to": "none", "reason": "worker_dead"}
    cell.log.decide("timer", "worker_dead", dead, lost, gone)
    joined = cell.log.wait_fact("fact.joined", 10, before, worker_id=cell.worker.worker_id)
    assert joined[1]["boot_id"] != cell.row["boot_id"]
    assert placed.playlist()[0] != 200
    cell.row = cell.worker.take_in(joined, "dead")
    again = cell.play()
    assert again.playlist()[0] == 200


def test_a_second_process_of_the_same_worker_is_refused(cell: Cell) -> None:
    second = Worker.__new__(Worker)
    second.__dict__.update(cell.worker.__dict__)
    second.start()
    assert second.process and second.process.wait(10) == 1


def test_no_secret_reaches_the_log_or_the_process_list(cell: Cell) -> None:
    password = f"secret-{uuid.uuid4().hex}"
    placed = Placed(cell.worker, *cell.add_camera(username="viewer", password=password))
    placed.start()
    processes = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    logged = cell.worker.output.read_text()
    facts = str(cell.log.read("weir.facts.v1"))
    for secret in (password, cell.worker.secret):
        assert secret not in processes
        assert secret not in logged
        assert secret not in facts


def test_sigterm_says_left_and_leaves_nothing_behind(cell: Cell) -> None:
    children = [pid for name in ("mediamtx", "weir-") for pid in cell.worker.children(name)]
    assert len(children) >= 3
    assert cell.worker.stop() == 0
    cell.log.wait_fact("fact.left", 3, incarnation=cell.worker.incarnation)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)

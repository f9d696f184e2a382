# SPDX-License-Identifier: Apache-2.0
"""weir-worker on real services: what it does for the rows of a decision log, and when things die."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client import wait_for
from conftest import Dev
from faults.processes import is_alive
from tap_rig import Camera, sequence
from worker_rig import BUILD, Log, Placed, Sources, Worker


class Cell:
    """Kafka, one worker that was taken in, one camera."""

    def __init__(self, dev: Dev, folder: Path, **environment: str) -> None:
        brokers = dev.env()["WEIR_KAFKA"]
        secrets = dev.home / "secrets"
        public_key = bytes.fromhex((secrets / "seal.pub").read_text().strip())
        argv = [str(BUILD / "weirctl/weirctl"), "topics"]

        def made() -> bool:
            done = subprocess.run(argv, env={"WEIR_KAFKA": brokers}, check=False, timeout=60)
            return done.returncode == 0

        wait_for("the topics", made, 120, 1)
        self.log = Log(brokers)
        self.sources = Sources(public_key, (secrets / "worker-secret").read_text().strip())
        self.camera = Camera(folder / "camera")
        self.worker = Worker(dev, self.log, self.sources, folder)
        self.worker.environment |= environment
        self.log.decide("takeover", "takeover")
        self.worker.start()
        joined = self.log.wait_fact("fact.joined", 30, worker_id=self.worker.worker_id)
        self.row = self.worker.take_in(joined)

    def add_camera(self, **more: str | bool) -> tuple[str, str]:
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
        self.worker.disk.close()
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


@pytest.mark.parametrize("child", ["weir-tap", "weir-origin"])
def test_a_hung_child_is_replaced(cell: Cell, playing: Placed, child: str) -> None:
    before = playing.playlist()[1]
    hung = cell.worker.children(child)
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    took = moves_on(playing, before, 60)
    print(f"{child} hung: {took:.1f} s")
    assert not set(hung) & set(cell.worker.children(child))


def test_a_full_segment_folder_is_told_and_got_over(cell: Cell, playing: Placed) -> None:
    worker, log = cell.worker, cell.log
    first = log.fact("fact.started", stream_id=playing.stream_id)
    assert first

    def fails() -> tuple[int, dict[str, Any]] | None:
        worker.disk.fill()  # again and again: what is deleted makes room
        return log.fact("fact.failing", first[0], stream_id=playing.stream_id)

    with worker.disk.full():
        failing = wait_for("the failure", fails, 90)
        assert failing[1]["reason"] == "segments_full"
        assert not failing[1]["permanent"]
        playing.move("running", "backoff", "segments_full")
        load = log.heartbeat()["load"]
        assert load["mem_mib_used"] == load["mem_mib_cap"]
    log.wait_fact("fact.started", 60, after=failing[0], stream_id=playing.stream_id)
    playing.move("backoff", "running", "started")
    assert moves_on(playing, playing.playlist()[1], 30) < 30
    load = log.heartbeat()["load"]
    assert load["mem_mib_used"] < load["mem_mib_cap"]


def first_line(text: str, tag: str) -> str:
    return next((line for line in text.splitlines() if line.startswith(tag)), "")


@pytest.mark.parametrize("other", [("--size", "1280x720"), ("--codec", "h265")])
def test_a_camera_that_comes_back_with_another_picture_plays_on(
    cell: Cell, other: tuple[str, str]
) -> None:
    camera = Camera(cell.worker.folder / f"changing{other[1]}")
    placed = Placed(cell.worker, *cell.add_camera(url=camera.url))
    try:
        placed.start()
        _, before = placed.media()
        camera.kill()
        camera.options = other
        camera.start()

        def has_new_init() -> str | None:
            status, now = placed.media()
            is_new = first_line(now, "#EXT-X-MAP") != first_line(before, "#EXT-X-MAP")
            return now if status == 200 and is_new else None

        after = wait_for("a new init segment", has_new_init, 60, 0.2)
        assert sequence(after) > sequence(before)
        tag = "#EXT-X-DISCONTINUITY-SEQUENCE"
        assert first_line(after, tag) != first_line(before, tag)
        assert moves_on(placed, placed.playlist()[1], 30) < 30
        placed.stop()
    finally:
        camera.kill()


def connections_to(port: int) -> int:
    """Established ones, counted at the caller's end."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_without_kafka_streams_play_on_but_an_exclusive_camera_is_left(
    cell: Cell, playing: Placed, dev: Dev
) -> None:
    camera = Camera(cell.worker.folder / "exclusive")
    placed = Placed(cell.worker, *cell.add_camera(url=camera.url, exclusive=True))
    kafka = int(dev.status()["kafka"][0])
    try:
        placed.start()
        assert connections_to(camera.port) == 1
        os.kill(kafka, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            wait_for("the camera is left", lambda: connections_to(camera.port) == 0, 40)
            took = time.monotonic() - begin
            print(f"fenced after {took:.1f} s")
            assert took > 4
            assert moves_on(playing, playing.playlist()[1], 15) < 15
        finally:
            os.kill(kafka, signal.SIGCONT)
        wait_for("the camera again", lambda: connections_to(camera.port) == 1, 40)
        assert moves_on(placed, placed.playlist()[1], 40) < 40
        assert cell.worker.process and cell.worker.process.poll() is None
        placed.stop()
    finally:
        camera.kill()


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
    wait_for("another fetch", lambda: cell.sources.asked > asked, 30)


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


def test_a_worker_that_stood_still_and_is_void_starts_anew(cell: Cell) -> None:
    """The children sat meanwhile; only the exclusive camera was left, by the tap itself."""
    placed = cell.play()
    camera = Camera(cell.worker.folder / "exclusive-still")
    exclusive = Placed(cell.worker, *cell.add_camera(url=camera.url, exclusive=True))
    exclusive.start()
    before, worker = cell.worker.incarnation, cell.worker
    assert worker.process
    children = worker.children("weir-")
    worker.process.send_signal(signal.SIGSTOP)
    try:
        dead = {**cell.row, "from": "ready", "to": "dead", "reason": "worker_dead"}
        effects = [dead]
        for one in (placed, exclusive):
            effects.append({**one.stream, "from": "running", "to": "queued", "reason": "worker_dead"})
            effects.append({**one.lease, "from": "active", "to": "none", "reason": "worker_dead"})
        wait_for("the exclusive camera is left", lambda: connections_to(camera.port) == 0, 30)
        assert placed.playlist()[0] == 200
        cell.log.decide("timer", "worker_dead", *effects)
    finally:
        worker.process.send_signal(signal.SIGCONT)
    joined = cell.log.wait_fact("fact.joined", 30, before, worker_id=worker.worker_id)
    assert joined[1]["boot_id"] != cell.row["boot_id"]
    wait_for("nothing is played", lambda: placed.playlist()[0] != 200, 10)
    assert worker.children("weir-") == children
    time.sleep(1)
    assert connections_to(camera.port) == 0
    camera.kill()
    cell.row = worker.take_in(joined, "dead")


def test_sigkill_leaves_no_process_and_the_next_start_no_file(cell: Cell) -> None:
    placed = cell.play()
    worker = cell.worker
    children = [pid for name in ("mediamtx", "weir-") for pid in worker.children(name)]
    for pid in children[:2]:
        os.kill(pid, signal.SIGSTOP)
    assert worker.process and (worker.segments / "ring").exists()
    worker.process.kill()
    worker.process.wait()
    wait_for("no child is left", lambda: not any(is_alive(pid) for pid in children), 10)
    leaked = worker.segments / "s63" / "live" / "x"
    leaked.mkdir(parents=True)
    before = worker.incarnation
    worker.start()
    joined = cell.log.wait_fact("fact.joined", 30, before, worker_id=worker.worker_id)
    assert not leaked.exists()
    assert not list((worker.segments / "ring").iterdir())
    dead = {**cell.row, "from": "ready", "to": "dead", "reason": "worker_restarted"}
    lost = {**placed.stream, "from": "running", "to": "queued", "reason": "worker_restarted"}
    gone = {**placed.lease, "from": "active", "to": "none", "reason": "worker_restarted"}
    cell.log.decide("fact", "worker_restarted", dead, lost, gone)
    cell.row = worker.take_in(joined, "dead")
    assert cell.play().playlist()[0] == 200


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
    assert not list(cell.worker.segments.iterdir())

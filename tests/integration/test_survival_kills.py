# SPDX-License-Identifier: Apache-2.0
"""One thing at a time dies while people watch: they play on, on the same page and URL.

Each test prints the longest time without a new frame. The limits here are for a busy machine; the
figures to reach stand in docs/performance.md and are measured by bench/.
"""

from __future__ import annotations

import concurrent.futures
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from client import Api, fetch, wait_for
from conftest import free_port_base
from dev import keeper, watcher
from stack import since
from survival import SMALL, Scene, scene, signal_all

pytestmark = pytest.mark.alone

# More than any freeze of those whom a fault is not meant for, with patience for a busy machine; less
# than what is away stays away.
HITCH_S = 10
WATCHED = ("yard", "gate", "hall", "dock")


class SilentHost:
    """Accepts connections, says nothing, and notes when it was called."""

    def __init__(self) -> None:
        self.calls: list[float] = []
        self.taken: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self.listener.getsockname()[1]}/cam"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self.taken.append(self.listener.accept()[0])
            except OSError:
                return
            self.calls.append(time.monotonic())

    def close(self) -> None:
        self.listener.close()
        for one in self.taken:
            one.close()


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("weir") / "home", free_port_base()) as made:
        for name in WATCHED:
            made.add(name)
        yield made


@pytest.fixture(scope="module")
def silent(cell: Scene) -> Iterator[tuple[SilentHost, str]]:
    """Is called from the first test on, so that the last ones can see how it was left in peace."""
    host = SilentHost()
    camera = cell.user.add_camera("silent", host.url, idle_timeout_s=3600)
    yield host, cell.user.start(camera["id"])["id"]
    host.close()


@pytest.fixture(autouse=True)
def healed(cell: Scene, silent: tuple[SilentHost, str]) -> None:
    """Each test begins with everything up and every player playing."""
    cell.heal()


def neighbours(cell: Scene, worker_id: str) -> list[str]:
    return [name for name in WATCHED if cell.stream(name)["worker_id"] == worker_id]


# ---- media processes ----


def test_the_engine_is_killed(cell: Scene) -> None:
    with cell.watching.over("engine killed", limit_s=30):
        cell.stack.kill("mediamtx")


def test_the_tap_is_killed(cell: Scene) -> None:
    with cell.watching.over("tap killed", limit_s=30):
        cell.stack.kill("weir-tap")


def test_the_origin_is_killed(cell: Scene) -> None:
    before = [player.levels[-1]["cc"] for player in cell.watching.players.values()]
    with cell.watching.over("origin killed", limit_s=30):
        cell.stack.kill("weir-origin")
    after = [player.levels[-1]["cc"] for player in cell.watching.players.values()]
    assert after == before, "an engine that lived on makes no discontinuity"


def test_a_worker_is_killed_with_its_children(cell: Scene) -> None:
    worker = cell.worker_of("yard")
    with cell.watching.over("worker killed"):
        cell.kill(worker)
    assert cell.worker_of("yard") != worker


# ---- cameras ----


def test_a_camera_is_away_for_ten_seconds(cell: Scene) -> None:
    before = cell.stream("yard")
    others = [name for name in WATCHED if name != "yard"]
    with cell.watching.over("camera away for 10 s", limit_s=40) as fault:
        cell.kill("camera-yard")
        wait_for("it is told", lambda: cell.stream("yard")["state"] == "backoff", 20)
        time.sleep(max(0.0, 10 - (time.time() - fault.began)))
        cell.start_again("camera-yard")
    assert max(fault.freezes[name] for name in others) < HITCH_S
    after = cell.user.wait_state(before["id"], "running")
    assert after["worker_id"] == before["worker_id"]


def test_a_camera_comes_back_with_another_picture(cell: Scene) -> None:
    with cell.watching.over("camera with a new SPS", limit_s=40):
        cell.stack.dev("camera", "kill", "gate")
        cell.stack.camera("gate", *SMALL[:2], "--size", "480x270", "--bitrate", "300")


def test_a_wrong_password_is_named_and_harms_no_neighbour(cell: Scene) -> None:
    flags = (*SMALL, "--user", "viewer", "--password", "right-and-secret")
    url = cell.stack.camera("locked", *flags)
    with cell.watching.over("neighbour with a wrong password") as fault:
        camera = cell.user.add_camera("locked", url, username="viewer", password="wrong-one")
        stream = cell.user.start(camera["id"])
        failed = cell.user.wait_state(stream["id"], "failed", seconds=30)
    assert failed["reason"] == "source_auth_failed"
    assert fault.freeze_s < HITCH_S
    cell.stack.dev("camera", "kill", "locked")


# ---- the daemons ----


def test_the_active_scheduler_is_killed_and_a_start_is_placed_once(cell: Scene) -> None:
    url = cell.stack.camera("late", *SMALL)
    camera = cell.user.add_camera("late", url)
    leader = cell.leader()
    with cell.watching.over("active scheduler killed") as fault:
        cell.kill(leader)
        stream = cell.user.start(camera["id"])
        asked = time.monotonic()
        cell.user.wait_state(stream["id"], "running")
        print(f"placed by the standby and running {since(asked):.1f} s after it was asked for")
    assert fault.freeze_s < HITCH_S
    assert cell.leader() != leader
    for state in ("queued", "placed", "running"):
        assert cell.applied(stream["id"], state) == 1, state
    cell.user.call("DELETE", f"/v1/streams/{stream['id']}").expect(202)
    cell.stack.dev("camera", "kill", "late")


def test_reaper_audit_and_a_gateway_process_are_killed(cell: Scene) -> None:
    with cell.watching.over("reaper and audit killed", settle_s=0.5) as fault:
        cell.kill("reaper")
        cell.kill("audit")
    assert fault.freeze_s < HITCH_S
    with cell.watching.over("gateway process killed"):
        os.kill(cell.child("gateway", "nginx: worker process")[0], signal.SIGKILL)


def test_a_hung_gateway_is_replaced(cell: Scene) -> None:
    """There is one here, and players know no other: what looks after it starts another."""
    hung = cell.family("gateway")
    watcher.start(cell.instance)
    try:
        with cell.watching.over("gateway hung"):
            signal_all(hung, signal.SIGSTOP)
            wait_for("another gateway", lambda: cell.pid("gateway") != hung[0], 30)
    finally:
        keeper.stop(cell.instance, watcher.NAME)


def test_one_of_two_apis_is_killed(cell: Scene) -> None:
    for name in ("api", "api-2"):
        with cell.watching.over(f"{name} killed") as fault:
            cell.kill(name)
        assert fault.freeze_s < HITCH_S
        cell.heal()


def test_a_killed_api_loses_nothing_and_repeats_nothing(cell: Scene) -> None:
    """Clients retry with the same key until they are told; none is done twice."""
    cameras = [
        cell.user.add_camera(f"many-{i}", f"rtsp://127.0.0.1:1/{i}")["id"] for i in range(24)
    ]
    killed = threading.Event()
    unknown = []

    def ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
        key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
        deadline = time.monotonic() + 60
        for bases in iter(lambda: (cell.user.base, cell.stack.second_api_url), None):
            for base in bases:
                try:
                    answer = Api(base, cell.user.token).call("POST", path, body, key)
                except OSError:
                    unknown.append(path)
                    continue
                if answer.status in (200, 201, 202):
                    return dict(answer.json)
                assert answer.status in (503, 409), answer.body
                assert time.monotonic() < deadline, answer.body
        raise AssertionError

    def kill() -> None:
        killed.wait(10)
        cell.kill("api")

    killer = threading.Thread(target=kill)
    with cell.watching.over("api killed under load") as fault:
        killer.start()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            jobs = []
            for i, camera in enumerate(cameras):
                jobs.append(pool.submit(ask, "/v1/streams", {"camera_id": camera, "quality": "source"}))
                body = {"name": f"made-{i}", "source": {"url": f"rtsp://127.0.0.1:1/made-{i}"}}
                jobs.append(pool.submit(ask, "/v1/cameras", body))
                if i == len(cameras) // 3:
                    killed.set()
            done = [job.result() for job in jobs]
        killer.join()
    print(f"{len(done)} commands, {len(unknown)} tries without an answer")
    assert fault.freeze_s < HITCH_S
    cell.heal()
    starts, made = done[0::2], done[1::2]

    def decided() -> bool:
        return all(cell.user.stream(start["id"])["version"] > 0 for start in starts)

    wait_for("every start is decided", decided, 60)
    log = cell.decisions()
    for start in starts:
        queued = [
            effect
            for decision in log
            for effect in decision["effects"]
            if effect.get("stream_id") == start["id"] and effect["to"] == "queued"
            and effect["reason"] == "start_asked"
        ]
        assert len(queued) == 1, start
    names = sql(cell, "SELECT name FROM camera WHERE name LIKE 'made-%'").split()
    assert sorted(names) == sorted(camera["name"] for camera in made)
    for start in starts:
        cell.user.call("DELETE", f"/v1/streams/{start['id']}").expect(202, 204)


# ---- the stores ----


def sql(cell: Scene, text: str) -> str:
    done = subprocess.run(
        ["psql", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", text, cell.stack.values["WEIR_POSTGRES"]],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def redis(cell: Scene, *command: str) -> str:
    done = subprocess.run(
        ["redis-cli", "--no-auth-warning", "-u", cell.stack.values["WEIR_REDIS"], *command],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def views_are_back(cell: Scene) -> bool:
    return all(
        redis(cell, "EXISTS", f"weir:0:stream:{playing.stream_id}") == "1"
        for playing in cell.streams.values()
    )


def generations(cell: Scene) -> list[int]:
    return [cell.stream(name)["generation"] for name in WATCHED]


def test_redis_forgets_everything_and_is_killed(cell: Scene) -> None:
    before = generations(cell)
    with cell.watching.over("Redis emptied", settle_s=1) as fault:
        redis(cell, "FLUSHALL")
        wait_for("views are written again", lambda: views_are_back(cell), 30)
    assert fault.freeze_s < HITCH_S
    with cell.watching.over("Redis killed") as fault:
        cell.kill("redis")
        assert cell.stream("yard")["state"] == "running"
    assert fault.freeze_s < HITCH_S
    cell.heal()
    wait_for("views are written again", lambda: views_are_back(cell), 30)
    assert generations(cell) == before, "nothing was placed again"


def test_postgres_is_restarted(cell: Scene) -> None:
    before = generations(cell)
    with cell.watching.over("Postgres restarted") as fault:
        cell.stack.dev("stop", "postgres")
        assert cell.stream("yard")["state"] == "running"
        fetch(cell.streams["yard"].url).expect(302)
        cell.stack.dev("start", "postgres")
    assert fault.freeze_s < HITCH_S
    wait_for(
        "cameras can be added again",
        lambda: cell.user.add_camera("after", "rtsp://127.0.0.1:1/x", idle_timeout_s=5),
        30,
    )
    assert generations(cell) == before


def test_kafka_is_away_for_thirty_seconds(cell: Scene) -> None:
    before = generations(cell)
    camera = cell.user.add_camera("meanwhile", cell.stack.camera("meanwhile", *SMALL))
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    body = {"camera_id": camera["id"], "quality": "source"}
    with cell.watching.over("Kafka away for 30 s") as fault:
        cell.stack.dev("stop", "kafka")
        gone = time.monotonic()
        answer = cell.user.call("POST", "/v1/streams", body, key).expect(503)
        assert answer.json["code"] == "outcome_unknown"
        assert cell.stream("yard")["state"] == "running"
        fetch(cell.user.ticket(cell.streams["yard"].stream_id)).expect(302)
        time.sleep(max(0.0, 30 - since(gone)))
        cell.stack.dev("start", "kafka")
    assert fault.freeze_s < HITCH_S
    started = wait_for(
        "the retry is taken",
        lambda: (a := cell.user.call("POST", "/v1/streams", body, key)).status in (200, 202) and a,
        60,
    )
    cell.user.wait_state(started.json["id"], "running")
    assert cell.applied(started.json["id"], "queued") == 1
    assert generations(cell) == before, "nothing was placed again"


# ---- what went on all the time ----


def test_a_silent_host_is_named_and_left_alone_longer_and_longer(
    cell: Scene, silent: tuple[SilentHost, str]
) -> None:
    host, stream_id = silent
    stream = cell.user.wait_state(stream_id, "backoff")
    assert stream["reason"] == "source_unreachable"
    worker_id = stream["worker_id"]
    wait_for("it was called six times", lambda: len(host.calls) >= 6, 90)
    gaps = [after - before for before, after in zip(host.calls, host.calls[1:], strict=False)]
    print(f"called again after {', '.join(f'{gap:.1f}' for gap in gaps)} s")
    assert max(gaps) > min(gaps) + 1, "each time after a longer pause"
    with cell.watching.over("neighbour is silent") as fault:
        calls = len(host.calls)
        wait_for("it is called once more", lambda: len(host.calls) > calls, 60)
    beside = neighbours(cell, worker_id)
    assert all(fault.freezes[name] < HITCH_S for name in beside)

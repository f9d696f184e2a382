# SPDX-License-Identifier: Apache-2.0
"""A worker is emptied while people watch: they see no more than a moment of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from client import wait_for
from conftest import free_port_base
from survival import Scene, scene

pytestmark = pytest.mark.alone

DRAIN_S = 120


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("weir") / "home", free_port_base(), workers=2) as made:
        made.add("yard")
        made.add("gate")
        yield made


def row_of(cell: Scene, worker_id: str) -> dict[str, Any]:
    items = cell.user.call("GET", "/v1/workers").expect(200).json["items"]
    return next(item for item in items if item["id"] == worker_id)


def wait_worker(cell: Scene, worker_id: str, state: str) -> None:
    wait_for(f"{worker_id} is {state}", lambda: row_of(cell, worker_id)["state"] == state, DRAIN_S)


def ask(cell: Scene, worker_id: str, verb: str, key: str) -> dict[str, Any]:
    headers = {"Idempotency-Key": f'"{key}"'}
    path = f"/v1/workers/{worker_id}/{verb}"
    return cell.stack.platform().call("POST", path, None, headers).expect(202).json


def test_a_worker_is_drained_and_used_again(cell: Scene) -> None:
    before = cell.stream("yard")
    worker_id = before["worker_id"]
    with cell.watching.over("worker drained", limit_s=DRAIN_S):
        ask(cell, worker_id, "drain", "yard-1")
        ask(cell, worker_id, "drain", "yard-1")
        wait_worker(cell, worker_id, "drained")
    assert row_of(cell, worker_id)["streams"] == row_of(cell, worker_id)["cameras"] == 0
    for name in cell.streams:
        assert cell.stream(name)["worker_id"] != worker_id
    assert cell.stream("yard")["generation"] > before["generation"]
    ask(cell, worker_id, "undrain", "yard-1")
    wait_worker(cell, worker_id, "ready")


def test_weirctl_drains_too_and_names_workers(cell: Scene) -> None:
    worker_id = cell.stream("yard")["worker_id"]
    rows = cell.user.call("GET", "/v1/workers").expect(200).json["items"]
    idle = next(row["id"] for row in rows if row["id"] != worker_id)
    done = cell.stack.weirctl("worker", "drain", f"--worker={idle}")
    assert "drain_asked" in done.stdout, done.stderr
    wait_worker(cell, idle, "drained")
    assert "drained" in cell.stack.weirctl("worker", "list").stdout
    done = cell.stack.weirctl("worker", "undrain", f"--worker={idle}")
    assert "undrain_asked" in done.stdout, done.stderr
    wait_worker(cell, idle, "ready")
    unknown = cell.stack.weirctl("worker", "drain", f"--worker={cell.streams['yard'].stream_id}")
    assert unknown.returncode == 1 and "unknown_worker" in unknown.stderr


def test_only_the_platform_drains_and_an_unknown_worker_is_not_found(cell: Scene) -> None:
    worker_id = cell.stream("yard")["worker_id"]
    cell.user.call("POST", f"/v1/workers/{worker_id}/drain").expect(403)
    foreign = cell.streams["yard"].stream_id
    cell.stack.platform().call("POST", f"/v1/workers/{foreign}/drain").expect(404)


def test_a_worker_that_is_told_to_end_drains_itself_first(cell: Scene) -> None:
    worker_id = cell.stream("yard")["worker_id"]
    worker = cell.worker_of("yard")
    with cell.watching.over("worker told to end", limit_s=DRAIN_S):
        os.kill(cell.pid(worker), signal.SIGTERM)
        wait_worker(cell, worker_id, "left")
    assert cell.worker_of("yard") != worker

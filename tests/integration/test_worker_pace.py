# SPDX-License-Identifier: Apache-2.0
"""A worker whose machine lacks processor makes renditions with fewer frames, and says so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import wait_for
from conftest import Dev
from test_worker import Cell
from worker_rig import Placed


@pytest.fixture(scope="module")
def cell(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cell]:
    dev.ok("infra", "up")
    made = Cell(dev, tmp_path_factory.mktemp("pace"), WEIR_THIN_AT_PCT="1")
    yield made
    made.close()


@pytest.fixture
def waiting() -> Iterator[None]:
    """Processes that wait for a processor whenever anybody else wants one."""
    argv = ["nice", "-n", "19", sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(argv) for _ in range(2 * (os.cpu_count() or 1))]
    yield
    for process in busy:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("waiting")
def test_renditions_get_fewer_frames_where_processor_is_short(cell: Cell) -> None:
    placed = Placed(cell.worker, *cell.add_camera())
    placed.profile = {"quality": "low", "fps": 12, "class": 1}
    placed.start()

    def is_thin() -> bool:
        facts = [event["data"] for _, event in cell.log.read("weir.facts.v1")]
        mine = [fact for fact in facts if fact.get("stream_id") == placed.stream_id]
        said = [fact["effective"] for fact in mine if "effective" in fact]
        return bool(said) and said[-1]["fps"] < 12 and "busy" in said[-1]["why"]

    wait_for("fewer frames", is_thin, 120)
    wait_for("it plays", lambda: placed.playlist()[0] == 200, 60)

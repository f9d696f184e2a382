# SPDX-License-Identifier: Apache-2.0
"""A worker with an engine that encodes in hardware: found, used, left when it fails, and told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client import wait_for
from conftest import Dev
from encoder_rig import ENCPROBE, wrapped, xcode
from test_worker import Cell
from worker_rig import Placed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def cell(dev: Dev, folder: Path) -> Iterator[Cell]:
    dev.ok("infra", "up")
    # One that lies, and one that works.
    engines = "nvenc=lie_picture vaapi=ok"
    made = Cell(
        dev,
        folder,
        WEIR_ENCODERS="nvenc,vaapi",
        WEIR_ENCPROBE=str(wrapped(folder, ENCPROBE, engines)),
        WEIR_ENCPROBE_S="60",
        WEIR_XCODE=str(xcode(folder, engines)),
    )
    yield made
    made.close()


def encoders(cell: Cell) -> list[dict[str, Any]]:
    beats = cell.log.read("weir.heartbeats.v1", "-1")
    return list(beats[-1][1]["data"].get("encoding", {}).get("encoders", [])) if beats else []


def play(cell: Cell, fps: int) -> Placed:
    placed = Placed(cell.worker, *cell.add_camera())
    placed.profile = {"quality": "low", "fps": fps, "class": 1}
    placed.started = placed.start()
    return placed


def test_an_engine_is_found_used_and_left(cell: Cell, folder: Path) -> None:
    wait_for("the engine", lambda: encoders(cell), 120)
    (engine,) = encoders(cell)
    assert (engine["encoder"], engine["codec"], engine["state"]) == ("vaapi", "avc1", "ready")
    assert min(engine["fps_720p"], engine["fps_1080p"], engine["kpx_per_s"], engine["sessions"]) > 0

    first = play(cell, 5)
    assert first.started["effective"]["encoder"] == "vaapi"
    wait_for("its use", lambda: encoders(cell)[0]["sessions_used"] == 1, 60)
    assert encoders(cell)[0]["kpx_per_s_used"] == 640 * 360 * 5 // 1000

    # The next camera's process meets a driver that hangs.
    xcode(folder, "vaapi=hang:10")
    second = play(cell, 8)
    wait_for("suspicion", lambda: encoders(cell)[0]["state"] == "suspect", 60)
    (engine,) = encoders(cell)
    assert 0 < engine["suspect_ms"] <= 600000
    assert engine["kpx_per_s"] == engine["sessions"] == 0

    def told() -> bool:
        """With its start, or later."""
        facts = [event["data"] for _, event in cell.log.read("weir.facts.v1")]
        mine = [fact for fact in facts if fact.get("stream_id") == second.stream_id]
        said = [fact["effective"] for fact in mine if "effective" in fact]
        return bool(said) and "encoder" not in said[-1] and said[-1]["why"].endswith(
            "vaapi failed, software encodes it"
        )

    wait_for("what became of the stream", told, 60)
    wait_for("it plays", lambda: second.playlist()[0] == 200, 60)
    # What runs on it goes on.
    assert encoders(cell)[0]["sessions_used"] == 1
    assert first.playlist()[0] == 200

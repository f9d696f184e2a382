# SPDX-License-Identifier: Apache-2.0
"""One thing at a time is killed while people watch: they play on, on the same page and URL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import free_port_base
from survival import Scene, scene

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("weir") / "home", free_port_base()) as made:
        for name in ("yard", "gate", "hall"):
            made.add(name)
        yield made


@pytest.fixture(autouse=True)
def healed(cell: Scene) -> None:
    """Each test begins with everything up and every player playing."""
    cell.heal()


def test_the_engine_is_killed(cell: Scene) -> None:
    with cell.watching.over("engine killed"):
        cell.stack.kill("mediamtx")


def test_the_tap_is_killed(cell: Scene) -> None:
    with cell.watching.over("tap killed"):
        cell.stack.kill("weir-tap")


def test_the_origin_is_killed(cell: Scene) -> None:
    with cell.watching.over("origin killed"):
        cell.stack.kill("weir-origin")


def test_a_worker_is_killed_with_its_children(cell: Scene) -> None:
    worker = cell.worker_of("yard")
    with cell.watching.over("worker killed"):
        cell.kill(worker)
    assert cell.worker_of("yard") != worker

# SPDX-License-Identifier: Apache-2.0
"""Both front doors, one table of cases; the outcome is printed as door by case."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "conformance"), str(TESTS / "integration")]

from rig import Door, Rig  # noqa: E402

DOORS = ("gateway", "worker")


def integration_conftest() -> Any:
    """Two modules called conftest cannot both be imported by that name."""
    place = TESTS / "integration" / "conftest.py"
    spec = importlib.util.spec_from_file_location("integration_conftest", place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("weir"), integration_conftest().free_port_base())
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, rig: Rig) -> Door:
    return rig.doors[request.param]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A row a case, a column a door."""
    rows: dict[str, dict[str, str]] = {}
    for word, reports in terminalreporter.stats.items():
        for report in reports:
            door = dict(getattr(report, "user_properties", [])).get("door")
            if door:
                case = dict(report.user_properties)["case"]
                rows.setdefault(case, {})[door] = "ok" if word == "passed" else word.upper()
    if not rows:
        return
    width = max(len(case) for case in rows)
    lines = [f"{'case':<{width}}  " + "  ".join(f"{door:<8}" for door in DOORS)]
    for case, outcome in rows.items():
        cells = "  ".join(f"{outcome.get(door, '-'):<8}" for door in DOORS)
        lines.append(f"{case:<{width}}  {cells}".rstrip())
    terminalreporter.section("conformance")
    terminalreporter.write_line("\n".join(lines))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    params = getattr(getattr(item, "callspec", None), "params", {})
    if "door" in params:
        name = getattr(item, "originalname", item.name).removeprefix("test_").replace("_", " ")
        case = params.get("case")
        known = dict(item.user_properties)
        if "door" not in known:
            item.user_properties.append(("door", params["door"]))
            item.user_properties.append(("case", f"{name}: {case}" if case is not None else name))
    yield

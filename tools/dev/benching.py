# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks of bench/, and makes one table of their figures.

Each program leaves `build/results/bench/<id>.json` (bench/common/report.py). Here they become one
table, `build/results/bench.json`, and on demand the table in docs/performance.md, where what was not
measured in this checkout stays as it was.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev import packages, testing
from dev.instance import ROOT
from dev.pins import pins
from dev.ui import DevError, complain, say

FOLDER = ROOT / "bench"
RESULTS = ROOT / "build" / "results"
EACH = RESULTS / "bench"
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"

# In the order of the table. What takes half an hour runs by its name only.
ORDER = (
    "first_playlist",
    "accept",
    "recovery",
    "freeze",
    "stream_cost",
    "warm_idle",
    "snapshot",
    "snapshot_times",
    "parked",
    "faults_found",
    "renditions",
    "live_change",
    "get_stream",
    "gateway",
    "auth",
    "audit_sink",
    "soak",
)
BY_NAME_ONLY = ("soak",)
LIMIT_S = 420


def known() -> list[str]:
    found = {path.stem for path in FOLDER.glob("*.py")}
    return [one for one in ORDER if one in found] + sorted(found - set(ORDER))


def run(name: str | None, write_doc: bool) -> int:
    """One benchmark, or all; without a name and with `write_doc`, only the document is written."""
    if name is not None and name not in known():
        raise DevError(f"there is no benchmark {name!r}; there are: {', '.join(known())}")
    failed = []
    if name is not None or not write_doc:
        chosen = [name] if name else [one for one in known() if one not in BY_NAME_ONLY]
        testing.set_up(["integration"])
        packages.ensure(["bench"], RESULTS / "setup.log")
        failed = [one for one in chosen if not run_one(one)]
    table = collect()
    print_table(table)
    if write_doc:
        document(table)
    for one in failed:
        complain(f"{one}: not measured, see above")
    return 1 if failed else 0


def run_one(name: str) -> bool:
    say(f"== {name}")
    (EACH / f"{name}.json").unlink(missing_ok=True)
    folders = [ROOT / "tools", ROOT / "tests" / "integration", ROOT / "tests", FOLDER]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(path) for path in folders),
        "WEIR_BENCH_RESULTS": str(EACH),
    }
    argv = [testing.PYTHON, str(FOLDER / f"{name}.py")]
    program = subprocess.Popen(argv, env=environment)
    try:
        return program.wait(None if name in BY_NAME_ONLY else LIMIT_S) == 0
    except subprocess.TimeoutExpired:
        complain(f"{name}: not done after {LIMIT_S} s")
        program.terminate()
        program.wait()
        return False


def collect() -> dict[str, Any]:
    """All results there are, with what they were measured on, written as one file."""
    results = []
    for name in known():
        path = EACH / f"{name}.json"
        if path.is_file():
            results.append(json.loads(path.read_text()))
    if not results:
        raise DevError("nothing was measured yet; `./dev bench` does")
    table = {"machine": machine(), "results": results}
    (RESULTS / "bench.json").write_text(json.dumps(table, indent=1) + "\n")
    return table


def first_line(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return "?"
    return (done.stdout or done.stderr).splitlines()[0] if done.stdout or done.stderr else "?"


def machine() -> dict[str, str]:
    cpu = "?"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    pinned = pins()
    return {
        "CPU": f"{cpu}, {os.cpu_count()} cores",
        "memory": f"{memory_kb / 2**20:.0f} GiB",
        "system": f"Debian {pinned['debian']['release']}, Linux {platform.release().split('-')[0]}",
        "compiler": first_line("gcc", "--version"),
        "MediaMTX": pinned["mediamtx"]["version"],
        "Kafka": pinned["kafka"]["version"],
        "Postgres": first_line("psql", "--version"),
        "Redis": first_line("redis-server", "--version").split(" sha")[0],
        "nginx": first_line("nginx", "-v"),
        "ffmpeg": first_line("ffmpeg", "-version").split(" Copyright")[0],
        "Chromium": first_line("chromium", "--version"),
    }


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def rows(table: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """(figure, target, reached, verdict)"""
    found = []
    for result in table["results"]:
        for figure in result["figures"]:
            sign = "≤" if figure["at_most"] else "≥"
            unit = figure["unit"]
            found.append(
                (
                    figure["what"],
                    f"{sign} {number(figure['limit'])} {unit}",
                    f"{number(figure['reached'])} {unit}",
                    "ok" if figure["ok"] else "short",
                )
            )
    return found


def print_table(table: dict[str, Any]) -> None:
    lines = [("FIGURE", "TARGET", "REACHED", ""), *rows(table)]
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    say()
    for what, target, reached, verdict in lines:
        say(f"{what:<{widths[0]}}  {target:>{widths[1]}}  {reached:>{widths[2]}}  {verdict}")


# ---- the document ----


@dataclass
class Part:
    """What the document says of one benchmark; all of it as text."""

    rows: list[tuple[str, ...]] = field(default_factory=list)  # as rows() has them
    run: tuple[str, ...] = ()  # at, seconds, load average
    details: list[tuple[str, str]] = field(default_factory=list)  # figure, what stands behind it


def parts_of(table: dict[str, Any]) -> dict[str, Part]:
    return {
        result["bench"]: Part(
            list(rows({"results": [result]})),
            (result["at"], f"{result['took_s']:.0f}", str(result["load"])),
            [(one["what"], one["detail"]) for one in result["figures"] if one["detail"]],
        )
        for result in table["results"]
    }


FIGURES = ("benchmark", "figure", "target", "reached", "")
RUNS = ("benchmark", "at (UTC)", "seconds", "load average at its end")


def cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip() for cell in inner.split("|"))


def parts_in(text: str) -> dict[str, Part]:
    """What rendered() wrote, read back."""
    found: dict[str, Part] = {}
    heading: tuple[str, ...] = ()
    for line in text.splitlines():
        told = cells(line) if line.startswith("|") else ()
        if told in (FIGURES, RUNS) or not line:
            heading = told
        elif len(told) == len(FIGURES) and heading == FIGURES and told[0] != "---":
            found.setdefault(told[0].strip("`"), Part()).rows.append(told[1:])
        elif len(told) == len(RUNS) and heading == RUNS and told[0] != "---":
            found.setdefault(told[0].strip("`"), Part()).run = told[1:]
        elif line.startswith("- "):
            keep_detail(found, line.removeprefix("- "))
    return found


def keep_detail(found: dict[str, Part], line: str) -> None:
    """Figures have colons in them too, so the longest name that fits is meant."""
    named = [
        (row[0], part)
        for part in found.values()
        for row in part.rows
        if line.startswith(f"{row[0]}: ")
    ]
    if named:
        what, part = max(named, key=lambda one: len(one[0]))
        part.details.append((what, line.removeprefix(f"{what}: ")))


def rendered(table: dict[str, Any], before: str = "") -> str:
    """`before`: what stood there. Of benchmarks that were not measured here it stays."""
    all_parts = {**parts_in(before), **parts_of(table)}
    parts = [(name, all_parts[name]) for name in known() if name in all_parts]
    lines = [written(FIGURES), written(("---",) * len(FIGURES))]
    lines += [written((f"`{name}`", *row)) for name, part in parts for row in part.rows]
    lines += ["", "| measured on | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in table["machine"].items()]
    lines += ["", written(RUNS), written(("---",) * len(RUNS))]
    lines += [written((f"`{name}`", *part.run)) for name, part in parts]
    lines += ["", "What stands behind each figure:", ""]
    lines += [f"- {what}: {detail}" for _, part in parts for what, detail in part.details]
    return "\n".join(lines)


def written(row: tuple[str, ...]) -> str:
    return f"| {' | '.join(row)} |".replace("|  |", "| |")


def document(table: dict[str, Any]) -> None:
    """Puts the table between the markers of docs/performance.md."""
    text = DOCUMENT.read_text()
    head, begin, rest = text.partition(BEGIN)
    before, end, tail = rest.partition(END)
    if not begin or not end:
        raise DevError(f"{DOCUMENT} has lost its markers {BEGIN} and {END}")
    DOCUMENT.write_text(f"{head}{BEGIN}\n{rendered(table, before)}\n{END}{tail}")
    kept = sorted(parts_in(before).keys() - parts_of(table).keys())
    say(f"written: {DOCUMENT.name}")
    if kept:
        say(f"not measured here, left as it was: {', '.join(kept)}")

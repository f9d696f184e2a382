# SPDX-License-Identifier: Apache-2.0
"""The figures of one benchmark: each with its target, what was reached, and the samples behind it.

A program makes one `Report`, adds figures as they are known, and returns `report.end()` as its exit
code. The file it leaves, `build/results/bench/<id>.json`, is what `./dev bench` makes its table of.
A figure that falls short is a result like any other: only a measurement that could not be made, or
an answer that was wrong, is a failure.
"""

from __future__ import annotations

import datetime
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(os.environ.get("WEIR_BENCH_RESULTS") or ROOT / "build" / "results" / "bench")


@dataclass(frozen=True)
class Figure:
    what: str
    limit: float
    reached: float
    unit: str
    at_most: bool
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.reached <= self.limit if self.at_most else self.reached >= self.limit


@dataclass
class Report:
    bench: str
    figures: list[Figure] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def at_most(self, what: str, limit: float, reached: float, unit: str, detail: str = "") -> None:
        self._add(Figure(what, limit, reached, unit, True, detail))

    def at_least(self, what: str, limit: float, reached: float, unit: str, detail: str = "") -> None:
        self._add(Figure(what, limit, reached, unit, False, detail))

    def keep(self, name: str, values: list[float]) -> None:
        """Samples for the JSON, so that a figure can be looked into later."""
        self.samples[name] = [round(value, 3) for value in values]

    def _add(self, figure: Figure) -> None:
        self.figures.append(figure)
        print(line_of(figure), flush=True)

    def end(self) -> int:
        RESULTS.mkdir(parents=True, exist_ok=True)
        now = datetime.datetime.now(datetime.UTC)
        data: dict[str, Any] = {
            "bench": self.bench,
            "at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "took_s": round(time.monotonic() - self.began, 1),
            "load": round(os.getloadavg()[0], 2),
            "figures": [{**asdict(figure), "ok": figure.ok} for figure in self.figures],
            "samples": self.samples,
        }
        (RESULTS / f"{self.bench}.json").write_text(json.dumps(data, indent=1) + "\n")
        return 0


def number(value: float) -> str:
    """Three digits that count, and no more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def line_of(figure: Figure) -> str:
    sign = "<=" if figure.at_most else ">="
    verdict = "ok   " if figure.ok else "SHORT"
    text = f"  {verdict} {figure.what}: {number(figure.reached)} {figure.unit}"
    text += f"  (target {sign} {number(figure.limit)})"
    return text + (f"\n        {figure.detail}" if figure.detail else "")

# SPDX-License-Identifier: Apache-2.0
"""What all benchmarks stand on: quantiles, verdicts, the table, and reading the drawn clock."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("bench", "tests/integration", "tools")]

from common import phase, picture, process, report, samples  # noqa: E402
from dev import benching  # noqa: E402


def test_a_quantile_is_a_measured_value() -> None:
    values = [float(n) for n in range(1, 201)]
    assert samples.quantile(values, 0.99) == 198
    assert samples.quantile(values, 0.95) == 190
    assert samples.quantile([3.0, 1.0, 2.0], 0.99) == 3
    assert samples.median([4.0, 1.0, 2.0]) == 2
    with pytest.raises(ValueError):
        samples.quantile([], 0.5)


def test_a_figure_is_judged_by_its_own_direction() -> None:
    assert report.Figure("a", 10, 10, "ms", at_most=True).ok
    assert not report.Figure("a", 10, 10.1, "ms", at_most=True).ok
    assert report.Figure("a", 15, 15.2, "x", at_most=False).ok
    assert not report.Figure("a", 15, 14.9, "x", at_most=False).ok


def test_results_become_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "bench")
    monkeypatch.setattr(benching, "EACH", tmp_path / "bench")
    monkeypatch.setattr(benching, "RESULTS", tmp_path)
    made = report.Report("accept")
    made.at_most("until 202, p99", 30, 12.34, "ms", "median 3.0 ms")
    made.at_least("times as fast", 15, 9.0, "x")
    made.keep("accepted_ms", [1.23456, 2.0])
    assert made.end() == 0
    table = benching.collect()
    assert benching.rows(table) == [
        ("until 202, p99", "≤ 30.0 ms", "12.3 ms", "ok"),
        ("times as fast", "≥ 15.0 x", "9.00 x", "short"),
    ]
    assert json.loads((tmp_path / "bench.json").read_text())["results"][0]["samples"] == {
        "accepted_ms": [1.235, 2.0]
    }
    assert "| until 202, p99 | ≤ 30.0 ms | 12.3 ms | ok |" in benching.rendered(table)


def test_every_benchmark_is_known_by_its_file() -> None:
    files = {path.stem for path in (ROOT / "bench").glob("*.py")}
    assert set(benching.known()) == files
    assert set(benching.BY_NAME_ONLY) <= files


def test_the_drawn_clock_is_read() -> None:
    told = 0x2A5A5A5A5A & ((1 << 39) - 1)
    bits = [told >> (38 - i) & 1 for i in range(39)]
    bits.append(sum(bits) % 2)
    row = b"".join(bytes([255 * bit]) * (picture.WIDTH // picture.CELLS) for bit in bits)
    assert picture.stamp_ms(row * picture.HEIGHT) == told


def test_keyframes_are_told_from_other_pictures() -> None:
    assert phase.is_keyframe(b"\x65\x88")  # IDR in one packet
    assert phase.is_keyframe(b"\x7c\x85")  # its first fragment
    assert not phase.is_keyframe(b"\x61\x9a")
    assert not phase.is_keyframe(b"\x7c\x81")


def test_costs_of_a_process_are_read_from_the_kernel() -> None:
    pid = os.getpid()
    before = process.cpu_us(pid)
    sum(range(2_000_000))
    assert process.cpu_us(pid) > before
    assert 0 < process.pss_bytes(pid) <= process.rss_bytes(pid) * 1.1
    assert process.descriptors(pid) >= 3
    assert process.name(pid).startswith("python")

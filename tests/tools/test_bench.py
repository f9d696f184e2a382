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

from common import peers, phase, picture, process, report, samples  # noqa: E402
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
    assert "| `accept` | until 202, p99 | ≤ 30.0 ms | 12.3 ms | ok |" in benching.rendered(table)


def test_the_rules_of_others_find_a_camera_that_stands_still() -> None:
    arrivals = [n / 10 for n in range(421)]  # until 42.0
    assert peers.kerberos_finds(arrivals, 0, 56) is None
    # Read at 45; the same at 50, 55 and 60.
    assert peers.kerberos_finds(arrivals, 0, 90) == 60
    assert peers.kerberos_finds(arrivals, 2, 90) == 57  # read at 42, with the last one in it
    assert peers.frigate_finds(arrivals, 0, 62) is None
    assert peers.frigate_finds(arrivals, 0, 90) == 63
    # A pause of ten seconds is none.
    paused = [at if at < 20 else at + 10 for at in arrivals]
    assert peers.kerberos_finds(paused, 0, 51) is None
    assert peers.frigate_finds(paused, 0, 51) is None


def result(bench: str, what: str, reached: float, detail: str = "") -> dict[str, object]:
    figure = {"what": what, "limit": 30.0, "reached": reached, "unit": "ms", "at_most": True,
              "ok": reached <= 30, "detail": detail}  # fmt: skip
    return {"bench": bench, "at": f"2026-11-29T0{reached:.0f}:00:00Z", "took_s": 7.4, "load": 0.5,
            "figures": [figure]}  # fmt: skip


def test_the_document_keeps_what_was_not_measured_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benching, "DOCUMENT", tmp_path / "performance.md")
    frame = f"before\n{benching.BEGIN}\n{{}}{benching.END}\nbehind\n"
    benching.DOCUMENT.write_text(frame.format(""))
    machine = {"CPU": "two cores"}
    cold, warm = "cold: first, median", "cold: first, median: the same"
    everything = [
        result("first_playlist", cold, 3, "n: 6, max 3"),
        result("accept", "until 202", 2),
        result("soak", warm, 4, "30 min; api +1.0"),
    ]
    benching.document({"machine": machine, "results": everything})
    whole = benching.DOCUMENT.read_text()
    assert "| `first_playlist` | 2026-11-29T03:00:00Z | 7 | 0.5 |" in whole
    # Nothing is new: nothing changes.
    benching.document({"machine": machine, "results": everything[1:2]})
    assert benching.DOCUMENT.read_text() == whole
    # One was measured again, on another machine: of the others every line stays, in its place.
    again = result("accept", "until 202", 9, "slower")
    benching.document({"machine": {"CPU": "four cores"}, "results": [again]})
    lines, old = benching.DOCUMENT.read_text().splitlines(), whole.splitlines()
    assert set(old) - set(lines) == {
        "| `accept` | until 202 | ≤ 30.0 ms | 2.00 ms | ok |",
        "| `accept` | 2026-11-29T02:00:00Z | 7 | 0.5 |",
        "| CPU | two cores |",
    }
    assert [line for line in lines if line.startswith("- ")] == [
        f"- {cold}: n: 6, max 3", "- until 202: slower", f"- {warm}: 30 min; api +1.0",
    ]  # fmt: skip
    assert lines.index("| `accept` | until 202 | ≤ 30.0 ms | 9.00 ms | ok |") == old.index(
        "| `accept` | until 202 | ≤ 30.0 ms | 2.00 ms | ok |"
    )


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
